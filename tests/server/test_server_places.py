"""Where it runs: gunicorn behind a prefix, PostgreSQL, artifacts in S3, several workers."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import boto3
import mlflow
import pytest
import requests
from click.testing import CliRunner
from servers import free_port, running
from toy_reports import publish, sealed_report

from credit_plugin.cli import main
from credit_plugin.compensation.review.actions import CHECKLIST

NAME = "toy.values"
PREFIX = "/tools"
API = f"{PREFIX}/ajax-api/2.0/credit/review"

pytestmark = pytest.mark.slow


@contextmanager
def postgresql(folder: Path):
    """Run a PostgreSQL of our own, as the user postgres, and give its URI."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed here (Debian: apt-get install postgresql)")
    binaries, port = programs[-1].parent, free_port()
    shutil.chown(folder, "postgres")
    data, as_postgres = folder / "data", ["runuser", "-u", "postgres", "--"]
    settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    start = [*as_postgres, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    initdb = [*as_postgres, str(binaries / "initdb"), "-D", str(data), "-A", "trust"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
    log = ["-l", str(folder / "log.txt"), "-o", settings]
    subprocess.run([*start, *log, "start"], check=True, capture_output=True, cwd=folder)
    try:
        yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*start, "-m", "fast", "stop"], check=False, cwd=folder)


@contextmanager
def bucket(log: Path):
    """Run an S3-compatible server, and give the environment by which MLflow finds it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "MLFLOW_S3_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with running(command, f"{url}/moto-api/", log):
        os.environ.update(environment)
        boto3.client("s3", endpoint_url=url).create_bucket(
            Bucket="reports", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield environment


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server of two gunicorn workers behind a prefix, and the database behind it."""
    folder = tmp_path_factory.mktemp("place")
    before, environment = mlflow.get_tracking_uri(), dict(os.environ)
    database = Path(tempfile.mkdtemp(prefix="credit-postgresql-"))
    port = free_port()
    url = f"http://127.0.0.1:{port}{PREFIX}"
    try:
        with bucket(folder / "s3.txt") as settings, postgresql(database) as uri:
            mlflow.MlflowClient(uri).search_experiments()  # makes the tables, in one process
            command = [
                sys.executable, "-m", "mlflow", "server", "--app-name", "credit",
                "--backend-store-uri", uri, "--port", str(port), "--static-prefix", PREFIX,
                "--artifacts-destination", "s3://reports/served", "--gunicorn-opts", "--workers=2",
            ]  # fmt: skip
            own = {**settings, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
            with running(command, f"{url}/health", folder / "log.txt", own):
                yield url, uri
    finally:
        mlflow.set_tracking_uri(before)
        os.environ.clear()
        os.environ.update(environment)
        shutil.rmtree(database, ignore_errors=True)


@pytest.fixture
def report(tmp_path, request):
    """A report on a pool of its own: all are versions of the same values."""
    own = f"compensation.period={request.node.name}"
    policy = ("compensation.contest_days=0", "compensation.review.unverified=true", own)
    return sealed_report(tmp_path / "study", policy)


def registered(uri, report, artifacts=None):
    """Register the report by a tracking URI; artifacts go to the server, or to a location."""
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    experiment = client.create_experiment(f"to {artifacts}", artifact_location=artifacts)
    run_id = client.create_run(experiment, tags={"credit.role": "study"}).info.run_id
    return publish(client, report, str(artifacts), run_id).version


def act(url, version, action, actor, **details):
    told = {"name": NAME, "version": version, "action": action, "actor": actor,
            "comment": "as agreed", **details}  # fmt: skip
    return requests.post(f"{url.removesuffix(PREFIX)}{API}/act", json=told, timeout=60)


def command(*arguments):
    """Run a command in this process, which has loaded what it needs."""
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("through", ["server", "database"])
def test_a_review_at_work(place, report, through):
    """Artifacts by the server's own location, and straight in the bucket; many at once; verify."""
    url, uri = place
    by, where = (url, None) if through == "server" else (uri, "s3://reports/direct")
    version = registered(by, report, where)
    page = requests.get(f"{url}/credit/version", params={"name": NAME}, timeout=60)
    assert "Whose work makes" in page.text
    assert f'href="{PREFIX}/credit/static/pages.css"' in page.text
    assert f">{version}</a>" in requests.get(f"{url}/credit", timeout=60).text
    assert requests.get(f"{url}/credit/static/pages.css", timeout=60).status_code == 200
    assert act(url, version, "submit", "Pat").status_code == 200
    approval = act(url, version, "approve", "Rob", checklist=list(CHECKLIST))
    assert approval.status_code == 200, approval.text

    payees = ["Ada", "Bo", "Cy"]
    grounds = ["images", "copies", "consent", "measurement"]
    start, statuses = threading.Barrier(12), []

    def contest(payee, ground):
        start.wait()
        answer = act(url, version, "contest", f"{payee} L.", payee=payee, ground=ground)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=contest, args=(p, g)) for p in payees for g in grounds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12
    assert act(url, version, "finalize", "Rob").status_code == 200
    exported = act(url, version, "export", "Mona").json()
    assert [line.split(",")[0] for line in exported["csv"].splitlines()[1:]] == ["Łódź <b>2</b>"]

    for where in (url, uri) if through == "database" else (url,):
        found = command("verify", f"{NAME}/{version}", "--tracking-uri", where)
        assert found.exit_code == 0, found.stdout + found.stderr
        assert "review: final, 16 lines" in found.stdout


def test_the_command_line_asks_the_server(place, report, tmp_path):
    url, _ = place
    version = registered(url, report, "mlflow-artifacts:/cli")
    where = ("--tracking-uri", url)
    made = command("review", "submit", f"{NAME}/{version}", "-m", "mine", "--as", "Pat", *where)
    assert made.exit_code == 0, made.stderr
    refused = command("review", "reject", f"{NAME}/{version}", "-m", "no", "--as", "Pat", *where)
    assert refused.exit_code == 2
    assert refused.stderr == (
        "error: Pat has prepared this report (line 1); the reviewer is somebody else\n"
    )
    command("review", "key", str(tmp_path / "rob.pem"))
    signed = command(
        "review", "approve", f"{NAME}/{version}", "-m", "fine", "--confirm", "all", "--as", "Rob",
        "--key", str(tmp_path / "rob.pem"), *where,
    )  # fmt: skip
    assert signed.exit_code == 0, signed.stderr
    assert "provisionally approved" in signed.stdout
