"""Notebooks: every one runs, in small, and what is kept in it was made by its code."""

import sys
from pathlib import Path

import nbformat
import pytest
from IPython import display
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from keep_notebooks import ABSOLUTE, FOLDER, code_hash, environment, read, run, tags, texts
from rich.console import Console

from credit_plugin.progress import ProgressDisplay

sys.path.insert(0, str(Path(__file__).parent / "study"))
from micro import MICRO

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 1_000_000

BRIEF = {
    "diffusion": {"training": {"steps": 16, "warmup_steps": 2}},
    "pruning": {"finetuning": {"steps": 10, "warmup_steps": 2}},
    "sampling": {"samples": 48, "steps": 3},
    "properties": {"classifier": {"steps": 30}},
    "game": {
        "budget": 20,
        "border_repeats": 2,
        "repeated_coalitions": 1,
        "finetuning": {"steps": 4, "warmup_steps": 1},
    },
    "execution": {"workers": 1},
}
CHECK = {
    "alphas": [0.5],
    "coalitions": 9,
    "removals": [0.4],
    "removal_seeds": 1,
    "random_orders": 1,
    "resamples": 100,
    "images_each": 4,
    "generated": 8,
    "methods": ["own_property", "image_count", "random_order"],
    "curves": [],
    "proxies": ["sparsified_finetuning"],
}
SEARCH = {
    "trials": 3,
    "coalitions": 10,
    "judge_after": 5,
    "search": {"game.finetuning.steps": [4, 8], "sampling.samples": [32, 48]},
}
FEW = [
    "diffusion.network.block_out_channels=[16, 16]",
    "sampling.steps=3",
    "game.border_repeats=2",
    "game.repeated_coalitions=1",
    "properties.classifier.steps=30",
    "properties.clusters=5",
    "execution.workers=1",
]
HERE = """
import shlex
from click.testing import CliRunner
from credit_plugin.cli import main

def system(line):
    shell = get_ipython()
    command, _, _ = shell.var_expand(line, depth=1).partition(" | ")
    name, *words = shlex.split(command)
    if name != "credit":
        return type(shell).system(shell, command)
    print(CliRunner().invoke(main, words).output)

get_ipython().system = system
"""
"""Commands run in the notebook's own process: a dozen starts of Python cost more than the rest."""

SMALL = {
    "01_quickstart": f"preset, overrides = 'digits', {MICRO}",
    "02_your_own_images": f"images_each, settings = 20, {BRIEF}",
    "03_is_it_right": f"overrides, check = {MICRO}, {CHECK}",
    "04_tuning": f"overrides, tuning = {MICRO}, {SEARCH}",
    "05_paper_use_cases": "steps, samples, budget = 20, 32, 14; images_each = 12"
    f"; autoencoder_steps, common = 5, {FEW}",
    "06_governance": f"settings = {BRIEF}",
    "07_estimators": "budgets, repetitions = [32, 64], 3",
}
"""What each notebook's cell of parameters is followed by."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """One folder for all: notebooks go on with what others have made of the same study."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def shared_kernel(place):
    """One process for all: what takes the longest is to import everything.

    Each finds it without names, but with the settings of MLflow of the one before. That each works
    in a process and a folder of its own is seen where outputs are kept.
    """
    manager = AsyncKernelManager(kernel_name="python3")
    run_sync(manager.start_kernel)(cwd=str(place), env=environment())
    yield manager
    run_sync(manager.shutdown_kernel)()


@pytest.fixture
def kernel(shared_kernel):
    """The shared process, started again if a notebook ended it."""
    if not run_sync(shared_kernel.is_alive)():
        run_sync(shared_kernel.restart_kernel)(now=True)
    return shared_kernel


def by_notebook(paths=NOTEBOOKS):
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


@pytest.mark.slow
@by_notebook()
def test_it_runs(path, place, kernel):
    notebook = read(path)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset_selective -f ."))
    made = run(notebook, place, f"{HERE}{SMALL[path.stem]}", kernel)
    assert not [text for text in texts(made) if "Traceback" in text]


@by_notebook()
def test_it_is_a_notebook_with_settings_in_one_place(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    assert notebook.cells[0].source.startswith("# ")
    assert sum("parameters" in tags(cell) for cell in notebook.cells) == 1


@by_notebook()
def test_outputs_are_kept_and_were_made_by_this_code(path):
    notebook = read(path)
    assert notebook.metadata["kept"]["code"] == code_hash(notebook), "run tests.keep_notebooks"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]


@by_notebook()
def test_outputs_tell_nothing_of_the_machine(path):
    told = [text for text in texts(read(path)) if "Traceback" in text or ABSOLUTE.search(text)]
    assert told == []
    assert path.stat().st_size < MOST_BYTES


@by_notebook()
def test_every_picture_is_described_in_words(path):
    cells = read(path).cells
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert following is not None
            assert following.source.startswith("*"), cell.source


def test_a_phase_has_one_line_that_is_written_anew(monkeypatch):
    new, again = [], []

    class Line:
        def update(self, data, raw):
            again.append(data["text/plain"])

    def show(data, raw, display_id):
        new.append(data["text/plain"])
        return Line()

    monkeypatch.setattr(display, "display", show)
    with ProgressDisplay(Console(force_jupyter=True)) as shown:
        for phase in ("full model", "coalitions"):
            shown.phase(phase, 10)
            shown.finish()
    assert new == ["full model: 10 steps", "coalitions: 10 steps"]
    assert again == ["full model: done in 0:00", "coalitions: done in 0:00"]
