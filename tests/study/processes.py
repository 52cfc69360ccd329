"""Commands of a micro study as processes of their own, which tests can kill."""

import os
import signal
import subprocess
import sys
import time

from click.testing import CliRunner
from micro import MICRO

from credit_plugin.cli import main


def command(name, home, *overrides):
    settings = [part for o in (*MICRO, *overrides) for part in ("--set", o)]
    return [
        sys.executable, "-m", "credit_plugin", name, "--preset", "digits", *settings,
        "--workdir", str(home / "studies"), "--tracking-uri", f"sqlite:///{home / 'm.db'}",
    ]  # fmt: skip


def start(name, home, *overrides):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    return subprocess.Popen(
        command(name, home, *overrides),
        cwd=home,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # a shell that runs the tests in the background makes its children deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def invoke(name, home, *overrides):
    """Run the command in this process, which has imported everything: the same, seconds sooner."""
    return CliRunner().invoke(main, command(name, home, *overrides)[3:])


def wait_for(condition, process, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
