"""Every command's help has an example, and every example does what it says.

The lines are taken from the help as they stand, and the options that make a study small, choose a
store or name a person are added behind them. What they speak of is made first: photographs, a
policy, accounts, a demo study. One command is parsed and not run: ``credit ui`` would become the
server, which ``tests/server`` starts.
"""

import csv
import shlex
import shutil
import sys
from pathlib import Path

import click
import mlflow.cli
import numpy as np
import pytest
from click.testing import CliRunner
from micro import MICRO, copy_studies
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tracking"))

from stores import copy_store, using

from credit_plugin.cli import main
from credit_plugin.plugin.server import command as server
from credit_plugin.tracking.registry import Registry

pytestmark = pytest.mark.slow

RUN_ID = "3f0c9a5be2d14c6fa7d8e1b2c3d4e5f6"
"""The run in the help of ``credit estimate``."""
SMALL_DEMO = (
    "properties.names=[colourfulness]",
    "properties.classifier.steps=10",
    "diffusion.network.block_out_channels=[32,32]",
    "diffusion.training.steps=8",
    "diffusion.training.warmup_steps=1",
    "pruning.finetuning.steps=4",
    "pruning.finetuning.warmup_steps=1",
    "game.finetuning.steps=2",
    "game.finetuning.warmup_steps=1",
    "game.budget=26",
    "game.repeated_coalitions=1",
    "sampling.samples=16",
    "sampling.steps=2",
    "values.resamples=20",
    "execution.workers=1",
    "compensation.contest_days=0",
    "compensation.review.unverified=true",
)
SMALL_CHECK = (
    "fidelity.methods=[pixel_similarity]",
    "fidelity.proxies=[]",
    "fidelity.removals=[]",
    "fidelity.random_orders=2",
    "fidelity.resamples=100",
)
SMALL_SEARCH = (
    "tuning.coalitions=8",
    "tuning.search.sampling.steps=[2, 3]",
    "game.finetuning.lr_schedule=cooldown",
    "pruning.finetuning.lr_schedule=cooldown",
)
POLICY = "version: '2026-1'\npool: 25000\ncurrency: EUR\nthreshold: 10.00\n"
ACCOUNT = "NL91ABNA0417164300"


def commands(command=main, path=()):
    """Yield every command and group below a group by its words."""
    yield " ".join(path), command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


def examples(command):
    """Return the command lines of a help text, without the name of the program."""
    _, _, block = (command.help or "").partition("Example:\n")
    lines = [line.strip() for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("credit ")]


EXAMPLES = {name: examples(command) for name, command in commands()}

DEMO = ("", "run", "verify", "statement", "estimate")
DIGITS = ("train", "prune", "coalitions", "values", "report", "fidelity", "tune")
# in the order in which a report goes through them; the first shows and submits
REVIEW = (
    "review", "review request-changes", "review submit", "review show", "review approve",
    "review contest", "review decide", "review finalize", "review export", "review payments",
    "review pay",
)  # fmt: skip
ALONE = ("presets", "doctor", "data", "data check", "policy", "review key")
APART = ("review reject", "review supersede", "ui")

PEOPLE = {
    "submit": "Pat",
    "approve": "Rob",
    "request-changes": "Rob",
    "reject": "Rob",
    "contest": "Micah",
    "decide": "Dee",
    "finalize": "Rob",
    "export": "Mona",
    "pay": "Mona",
    "supersede": "Pat",
}


def test_every_command_has_an_example_and_it_is_tried_here():
    lacking = [name for name, lines in EXAMPLES.items() if not lines]
    assert lacking == []
    assert {*DEMO, *DIGITS, *REVIEW, *ALONE, *APART} == set(EXAMPLES)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name])
def test_an_example_is_one_of_its_command(name):
    assert all(line[: len(name.split())] == name.split() for line in EXAMPLES[name])


def settings(*overrides):
    return [word for override in overrides for word in ("--set", override)]


def signed(line):
    """Return the options that say who acts, for a line of ``credit review``."""
    return ["--as", PEOPLE[line[1]]] if line[1] in PEOPLE else []


def call(line, *more):
    found = CliRunner().invoke(main, [*line, *more])
    assert found.exit_code == 0, f"credit {shlex.join([*line, *more])}\n{found.output}"
    return found.output


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo study, made by the examples of its two commands, and what else examples name."""
    place = tmp_path_factory.mktemp("demo")
    where = ("--tracking-uri", copy_store(place), "--workdir", str(place / "studies"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        for line in (*EXAMPLES[""], *EXAMPLES["run"]):
            assert "designers.values" in call(line, *settings(*SMALL_DEMO), *where)
    return place


@pytest.fixture
def store(demo, monkeypatch):
    """Options that choose the demo's store, whose folder is worked in."""
    monkeypatch.chdir(demo)
    return ("--tracking-uri", f"sqlite:///{demo}/mlflow.db")


def test_a_report_is_verified_and_its_statements_are_written(store):
    (verify,), (statement,) = EXAMPLES["verify"], EXAMPLES["statement"]
    assert "ok  " in call(verify, *store)
    assert "1 statement in statements" in call(statement, *store)


def test_values_of_a_table_and_of_a_run(demo, store):
    of_table, of_run = EXAMPLES["estimate"]
    (report,) = demo.glob("studies/designers/table-*/report")
    shutil.copy(report / "coalitions.csv", demo)
    assert "colourfulness" in call(of_table, "--resamples", "20")
    assert Path("values/values.csv").is_file()
    with using(store[1]) as client:
        (study,) = client.search_runs(["0"], "tags.`credit.role` = 'study'")
    real = [study.info.run_id if word == RUN_ID else word for word in of_run]
    assert real != of_run
    assert "Natalia Spivak" in call(real, "--resamples", "20", *store)


@pytest.fixture
def accounts(demo):
    """A file of everybody's account, as a bank's form wants them."""
    (report,) = demo.glob("studies/designers/table-*/report")
    with (report / "payouts.csv").open(encoding="utf-8", newline="") as file:
        names = [row["contributor"] for row in csv.DictReader(file)]
    rows = [("payer", "Model Company", ACCOUNT, ""), *((n, "Designer", ACCOUNT, "") for n in names)]
    with (demo / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("payee", "name", "iban", "bic"), *rows])


def test_a_review_goes_through_its_examples(store, accounts):
    for name in REVIEW:
        for line in EXAMPLES[name]:
            told = call(line, *signed(line), *store)
            assert "designers.values version 1: " in told or "payments of line" in told
    assert "version 1: paid" in call(EXAMPLES["review show"][0], *store)
    assert len(Path("payments.csv").read_text("utf-8").splitlines()) > 10
    assert b"pain.001.001.03" in Path("bank.xml").read_bytes()


@pytest.mark.parametrize("name", ["review reject", "review supersede"])
def test_a_review_ends(name, demo, tmp_path):
    uri = copy_store(tmp_path)
    (report,) = demo.glob("studies/designers/table-*/report")
    with using(uri) as client:
        for content in ("first", "second"):
            run_id = client.create_run("0", tags={"credit.role": "study"}).info.run_id
            Registry(client, "designers").publish_values(report, run_id, content, ())
    for line in (*EXAMPLES["review submit"], *EXAMPLES[name]):
        told = call(line, *signed(line), "--tracking-uri", uri)
    assert f"version 1: {name.split()[1]}" in told


@pytest.fixture(scope="module")
def digits(finished, home, tmp_path_factory):
    """Options that lead to a copy of a finished study of digits, made small."""
    place = copy_studies(home, tmp_path_factory.mktemp("digits"))
    where = ("--tracking-uri", copy_store(place), "--workdir", str(place / "studies"))
    return [*settings(*MICRO), *where]


MORE = {
    "coalitions": ["--budget", "16"],
    "fidelity": ["--coalitions", "4", "--seeds", "2", *settings(*SMALL_CHECK)],
    "tune": ["--trials", "1", *settings(*SMALL_SEARCH)],
}
"""What makes examples smaller than they are; of an option given twice the last counts."""


@pytest.mark.parametrize("name", DIGITS)
def test_a_study_goes_on_by_its_examples(name, digits):
    (line,) = EXAMPLES[name]
    assert "micro" in call(line, *digits, *MORE.get(name, ()))


@pytest.mark.parametrize("name", ALONE)
def test_what_needs_no_study(name, tmp_path):
    Path("policy.yaml").write_text(POLICY, "utf-8")
    for owner in ("ann", "bob"):
        Path("photos", owner).mkdir(parents=True)
        for i in range(2):
            pixels = np.random.default_rng([i, len(owner)]).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(Path("photos", owner, f"{i}.png"))
    for line in EXAMPLES[name]:
        store = ["--tracking-uri", "sqlite:///mlflow.db"] if name == "doctor" else []
        assert call(line, *store)


def test_the_server_would_start(monkeypatch):
    """Its command is read by MLflow's own parser."""
    started = []
    monkeypatch.setattr(server, "start", lambda command, environment: started.append(command))
    (line,) = EXAMPLES["ui"]
    assert "http://127.0.0.1:5000/credit" in call(line)
    _, _, program, *arguments = started[0]
    assert program == "mlflow"
    group = mlflow.cli.cli
    name, command, rest = group.resolve_command(click.Context(group), arguments)
    context = command.make_context(name, rest)
    assert context.params["app_name"] == "credit"
    assert context.params["port"] == 5000
