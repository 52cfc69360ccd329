"""Notebooks: every one runs, in small, and what is kept in it was made by its code."""

import nbformat
import pytest
from keep_notebooks import ABSOLUTE, FOLDER, code_hash, read, run, tags, texts

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 2_500_000

SMALL = {
    "07_estimators": "budgets = [32, 64]; repetitions = 3",
}


def by_notebook(paths=NOTEBOOKS):
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


@pytest.mark.slow
@by_notebook()
def test_it_runs(path, tmp_path):
    made = run(read(path), tmp_path, SMALL[path.stem])
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
