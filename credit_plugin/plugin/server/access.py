"""Who is asking, and what they may see and do.

Without authentication everybody may do everything under any name, and the name is recorded as
unverified. With it, the server attests the name with a key of its own (a file that its user alone
can read; ``CREDIT_SERVER_KEY`` says where), and MLflow's permissions of the registered model
decide: who may read it reads the pages and contests, who may change it acts in the review.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app, g, request

from credit_plugin.compensation.review.entries import Entry
from credit_plugin.compensation.review.signing import attest, make_key, read_key
from credit_plugin.errors import InputError
from credit_plugin.plugin.server.arguments import argument, version_argument
from credit_plugin.tracking._mlflow_compat import model_permission

IDENTITY = "mlflow basic-auth"
AUTH_SETTING = "CREDIT_AUTH"
KEY_FILE, DEFAULT_KEY_FILE = "CREDIT_SERVER_KEY", "credit-server-key.pem"


@dataclass(frozen=True)
class User:
    """Whoever is asking.

    Attributes:
        name: As the server verified it; empty without authentication.
        identity: What verified it; empty if nothing did.
    """

    name: str
    identity: str


def current_user() -> User:
    """Return whoever is asking."""
    name = getattr(g, "mlflow_authenticated_user", None)
    return User(str(name), IDENTITY) if name else User("", "")


def attester_for(user: User) -> Callable[[Entry], Entry] | None:
    """Return what attests that somebody is signed in; None if nobody is."""
    return partial(attest, key=server_key()) if user.identity else None


@cache
def server_key() -> Ed25519PrivateKey:
    """Return this server's key, made the first time; all workers of a server use the same file.

    Raises:
        InputError: If the file cannot be read or made.
    """
    path = Path(os.environ.get(KEY_FILE) or DEFAULT_KEY_FILE)
    if not path.exists():
        with suppress(InputError):  # another worker was quicker
            make_key(path)
    return read_key(path)


def may_read(name: str) -> bool:
    """Return whether whoever is asking may see a registered model."""
    return not current_app.config.get(AUTH_SETTING) or model_permission(name)[0]


def may_change(name: str) -> bool:
    """Return whether whoever is asking may act in reviews of a registered model."""
    return not current_app.config.get(AUTH_SETTING) or model_permission(name)[1]


def guards() -> dict[tuple[str, str], Callable[[], bool]]:
    """Return the check of each route, by exact path and method."""
    from credit_plugin.plugin.server.blueprint import endpoint_paths, page_paths

    checks: dict[tuple[str, str], Callable[[], bool]] = {}
    for path, about_a_model in page_paths():
        checks[path, "GET"] = _reads if about_a_model else _anybody
    for path, method, changes in endpoint_paths():
        checks[path, method] = _acts if changes else _reads
    return checks


def _anybody() -> bool:
    return True


def _reads() -> bool:
    name = _asked_for()
    return bool(name) and model_permission(name)[0]


def _acts() -> bool:
    """A contest needs no more than sight of the report; everything else the right to change it."""
    name = _asked_for()
    if not name:
        return False
    reads, changes = model_permission(name)
    return changes or (reads and request.method == "POST" and argument("action") == "contest")


def _asked_for() -> str:
    """Return the model that a request is about; empty if it cannot be read."""
    try:
        return version_argument()[0]
    except InputError:
        return ""
