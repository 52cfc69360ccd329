"""Real servers, started as their users start them, and a browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ADMIN = "admin-password-1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)
    except (OSError, ValueError):
        return False


@contextmanager
def running(command, url, log: Path, environment=None, patience=120):
    """Run a server until the block ends; it is up when it answers at ``url``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            until = time.monotonic() + patience
            while not answers(url):
                if process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"no server at {url}:\n{log.read_text()[-3000:]}")
                time.sleep(0.2)
            yield
        finally:
            os.killpg(process.pid, 15)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def credit_ui(uri, port, *more):
    command = [sys.executable, "-m", "credit_plugin", "ui", "--tracking-uri", uri]
    return [*command, "--port", str(port), *more]


def auth_environment(folder: Path):
    """Return the environment of a server that asks for passwords, with its users in a folder."""
    config = folder / "auth.ini"
    config.write_text(
        "[mlflow]\n"
        "default_permission = READ\n"
        f"database_uri = sqlite:///{folder}/auth.db\n"
        "admin_username = admin\n"
        f"admin_password = {ADMIN}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        "auth_cache_ttl_seconds = 600\n"  # or each of a page's requests hashes the password
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "CREDIT_SERVER_KEY": str(folder / "server-key.pem"),
        # enough to see what workers do not share; MLflow's four take longer to start
        "MLFLOW_WORKERS": "2",
    }


def chromium():
    """Return the system's Chromium: a browser of Playwright's own cannot be fetched everywhere."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "install chromium: the pages are tested in a real browser"
    return found
