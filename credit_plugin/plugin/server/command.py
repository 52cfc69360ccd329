"""``credit ui``: the MLflow server with our pages, set up so that two lines of shell suffice."""

import os
import secrets
import sys

from credit_plugin.errors import InputError

_DEFAULT_STORE = "sqlite:///mlflow.db"
_PASSWORD, _SECRET = "MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"


def server_command(
    tracking_uri: str | None, host: str, port: int, auth: bool, prefix: str = ""
) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts the server, and its environment.

    Args:
        tracking_uri: Database of the tracking store; MLflow's default if left out.
        host: Address to listen at.
        port: Port to listen at.
        auth: Whether to ask for names and passwords.
        prefix: Path below which everything is served.

    Raises:
        InputError: If the store is itself a server, or there is no password for the administrator.
    """
    store = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or _DEFAULT_STORE
    if store.startswith(("http:", "https:")):
        raise InputError(
            f"--tracking-uri: {store} is a server already; start that one with "
            "mlflow server --app-name credit"
        )
    environment = dict(os.environ)
    # the jobs of MLflow's own assistants would take four times the memory
    environment.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    if auth:
        _prepare_auth(environment)
    app = "credit-auth" if auth else "credit"
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", app]
    command += ["--backend-store-uri", store, "--host", host, "--port", str(port)]
    command += ["--workers", "1"]
    if prefix:
        command += ["--static-prefix", prefix]
    return command, environment


def start(command: list[str], environment: dict[str, str]) -> None:
    """Become the server; this does not return."""
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell, our own arguments


def _prepare_auth(environment: dict[str, str]) -> None:
    if not environment.get(_PASSWORD):
        raise InputError(
            f"--auth: set {_PASSWORD}, the password of the user admin, who makes the others"
        )
    try:
        import flask_wtf  # noqa: F401
    except ImportError:
        raise InputError("--auth needs Flask-WTF: pip install 'credit_plugin[auth]'") from None
    # one secret for all workers; it signs nothing that outlives the server
    environment.setdefault(_SECRET, secrets.token_hex(32))
