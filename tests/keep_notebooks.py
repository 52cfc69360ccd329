"""Runs notebooks and keeps their outputs: ``python -m tests.keep_notebooks [NAME...]``.

Each one runs in an empty folder with its own parameters, so that the outputs are what a reader gets
who opens only this one; of pictures 256 colours are kept. Beside the outputs is kept what they were
made by (a hash of the code) and how long it took, in the notebook's metadata;
``tests/test_notebooks.py`` compares the hash.
"""

import base64
import hashlib
import io
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parents[1] / "notebooks"
ABSOLUTE = re.compile(r"(?<![\w./:<])/(?:tmp|home|root|Users|work|usr|opt|var|private|mnt)/[\w.-]+")
PATIENCE = 1200


def read(path: Path) -> Any:
    """Return a notebook in the current format."""
    return nbformat.read(path, as_version=4)


def code_hash(notebook: Any) -> str:
    """Return what identifies the code of a notebook."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\n\0".join(code).encode()).hexdigest()


def run(notebook: Any, folder: Path, overrides: str = "", kernel: Any = None) -> Any:
    """Run a copy of a notebook in a folder, and return it with outputs.

    Args:
        notebook: It stays as it is.
        folder: Where it is run; studies and MLflow's files land there.
        overrides: Code that is run after the cell with the tag ``parameters``.
        kernel: Manager of the kernel that runs it, which stays; one of its own if left out.
    """
    copy = nbformat.from_dict(notebook)
    if overrides:
        places = [i for i, cell in enumerate(copy.cells) if "parameters" in tags(cell)]
        copy.cells.insert(places[0] + 1, nbformat.v4.new_code_cell(overrides))
    client = NotebookClient(
        copy,
        timeout=PATIENCE,
        km=kernel,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    client.execute(env=environment())
    return copy


def tags(cell: Any) -> list[str]:
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def environment() -> dict[str, str]:
    """Return variables in which ``!credit`` is the command of this Python's packages."""
    known = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    return {
        **known,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        # tqdm says with its path that it would like to have ipywidgets
        "PYTHONWARNINGS": "ignore:IProgress not found",
    }


def texts(notebook: Any) -> list[str]:
    """Return all text of the outputs."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = {"text": output.get("text", ""), **output.get("data", {})}
            found += [t for kind, t in data.items() if isinstance(t, str) and "image/" not in kind]
    return found


def keep(path: Path) -> float:
    """Run a notebook and write its outputs into it; return the seconds."""
    notebook = read(path)
    with tempfile.TemporaryDirectory(prefix="credit-notebook-") as place:
        folder = Path(place).resolve()
        started = time.monotonic()
        made = run(notebook, folder)
        seconds = time.monotonic() - started
    for cell, done in zip(notebook.cells, made.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs = [_smaller(_seen_from(folder, output)) for output in done.outputs]
            cell.execution_count = done.execution_count
    notebook.metadata["kept"] = {"code": code_hash(notebook), "seconds": round(seconds)}
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    return seconds


def _seen_from(folder: Path, output: Any) -> Any:
    """Return an output whose paths start in the folder of work, and not at the root."""
    if isinstance(output, str):
        return output.replace(f"{folder}/", "").replace(str(folder), ".")
    if isinstance(output, dict):
        return type(output)({key: _seen_from(folder, value) for key, value in output.items()})
    return [_seen_from(folder, value) for value in output] if isinstance(output, list) else output


def _smaller(output: Any) -> Any:
    """Return an output whose picture has a palette of 256 colours: a third of its bytes."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        made = io.BytesIO()
        picture.quantize(256, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
        data["image/png"] = base64.b64encode(made.getvalue()).decode()
    return output


def main(names: list[str]) -> None:
    """Keep the outputs of the notebooks of these names, of all without any."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not names or any(name in path.stem for name in names):
            print(f"{path.name}: {keep(path):.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
