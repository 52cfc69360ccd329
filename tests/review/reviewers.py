"""People who review, and a case for them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credit_plugin.compensation.review.actions import CHECKLIST, apply
from credit_plugin.compensation.review.case import Case
from credit_plugin.compensation.review.drafting import draft_entry
from credit_plugin.compensation.review.entries import Subject
from credit_plugin.compensation.review.signing import attest, public_of
from credit_plugin.compensation.review.states import Review, begin
from credit_plugin.config import ReviewSettings

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SUBJECT = Subject("designers.values", "3", "a" * 64, "b" * 64, "c" * 64)
ALL = {"checklist": list(CHECKLIST)}
SERVER = "mlflow basic-auth"
SERVER_KEY = Ed25519PrivateKey.from_private_bytes(b"the key of the server of tests!!")


def case(sealed: bool = True, contest_days: int = 30, **rules: Any) -> Case:
    names = frozenset({"Ada", "Bo", "Cy"})
    servers = frozenset({public_of(SERVER_KEY)})
    return Case(SUBJECT, sealed, names, contest_days, ReviewSettings(**rules), servers)


def fresh(**settings: Any) -> Review:
    return begin(case(**settings))


def act(
    review: Review,
    action: str,
    actor: str,
    details: Mapping[str, Any] | None = None,
    days: float = 0,
    comment: str = "as agreed",
    identity: str = SERVER,
) -> Review:
    """Return the review after somebody has acted, some days after the start."""
    now = START + timedelta(days=days)
    entry = draft_entry(review, action, actor, comment, details, identity, now)
    return apply(review, attest(entry, SERVER_KEY) if identity else entry)


def submitted(**settings: Any) -> Review:
    return act(fresh(**settings), "submit", "Pat")


def approved(**settings: Any) -> Review:
    return act(submitted(**settings), "approve", "Rob", ALL)


def final(**settings: Any) -> Review:
    return act(approved(**settings), "finalize", "Rob", {"files": 9}, days=31)


def contest(review: Review, payee: str = "Ada", days: float = 1, by: str = "Ada L.") -> Review:
    details = {"payee": payee, "ground": "images", "evidence": "12 pictures are missing"}
    return act(review, "contest", by, details, days)
