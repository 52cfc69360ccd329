"""What both flavors share: copying a folder into a model, and reading it back only if it is whole.

A model of ours names a loader inside this package, carries no code, and lists the sha256 of every
file. ``load`` reads ``MLmodel`` itself and refuses anything else before a byte of content is
looked at, because MLflow would import whatever loader an artifact names.
"""

import hashlib
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from mlflow.artifacts import download_artifacts
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc import add_to_model

from credit_plugin.errors import InputError

CONTENT = "content"
REQUIREMENTS_FILE, PYTHON_ENV, CONDA_ENV = "requirements.txt", "python_env.yaml", "conda.yaml"
PACKAGES = ("torch", "diffusers", "torch-pruning", "numpy", "pandas", "safetensors")


def write_model(
    path: Path,
    folder: Path,
    flavor: str,
    loader_module: str,
    signature: ModelSignature,
    model: Model | None,
    config: Mapping[str, Any],
) -> None:
    """Write an MLflow model around the files of ``folder``.

    Args:
        path: Folder of the MLflow model, made here.
        folder: Files to carry.
        flavor: Name of the flavor.
        loader_module: Module of this package with ``_load_pyfunc``.
        signature: Inputs and outputs of the python function.
        model: MLflow's description, filled in here.
        config: Further facts for the flavor.
    """
    path.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, path / CONTENT)
    description = model if model is not None else Model()
    description.signature = signature
    files = {p.relative_to(path / CONTENT).as_posix(): sha256(p) for p in _files(path / CONTENT)}
    description.add_flavor(flavor, files=files, content=CONTENT, **config)
    add_to_model(
        description,
        loader_module=loader_module,
        data=CONTENT,
        conda_env=CONDA_ENV,
        python_env=PYTHON_ENV,
    )
    _write_environment(path)
    description.save(str(path / MLMODEL_FILE_NAME))


def checked_content(model_uri: str, flavor: str, loader_module: str) -> Path:
    """Return the local folder of a model's files after checking that they are what was logged.

    Raises:
        InputError: If the model is of another kind, carries code, or a file is missing, extra or
            changed.
    """
    root = Path(download_artifacts(model_uri))
    return check_model(root, flavor, loader_module)


def check_model(root: Path, flavor: str, loader_module: str) -> Path:
    """Check a local model folder; see :func:`checked_content`."""
    try:
        described = yaml.safe_load((root / MLMODEL_FILE_NAME).read_text("utf-8"))
        flavors = described["flavors"]
        function, listed = dict(flavors["python_function"]), dict(flavors[flavor]["files"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        raise InputError(f"{root} is not a model of flavor {flavor}") from None
    if function.get("loader_module") != loader_module:
        raise InputError(f"{root} names a foreign loader, {function.get('loader_module')!r}")
    if "code" in function or (root / "code").exists():
        raise InputError(f"{root} carries code; models of this package never do")
    content = root / CONTENT
    present = {p.relative_to(content).as_posix(): p for p in _files(content)}
    for name in sorted(set(listed) ^ set(present)):
        what = "is missing" if name in listed else "does not belong to it"
        raise InputError(f"{root}: file {name!r} {what}")
    for name, file in present.items():
        if file.is_symlink() or sha256(file) != listed[name]:
            raise InputError(f"{root}: file {name!r} is not the one that was logged")
    return content


def sha256(path: Path) -> str:
    """Return the hash of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() or p.is_symlink())


def _write_environment(path: Path) -> None:
    """Write what MLflow restores an environment from, one file for each of its managers."""
    python, pinned = platform.python_version(), _requirements()
    (path / REQUIREMENTS_FILE).write_text("\n".join(pinned) + "\n", "utf-8")
    virtualenv = {"python": python, "dependencies": [f"-r {REQUIREMENTS_FILE}"]}
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": pinned}],
    }
    for name, environment in ((PYTHON_ENV, virtualenv), (CONDA_ENV, conda)):
        (path / name).write_text(yaml.safe_dump(environment, sort_keys=False), "utf-8")


def _requirements() -> list[str]:
    pinned = []
    for package in ("credit_plugin", "mlflow", *PACKAGES):
        try:
            pinned.append(f"{package}=={version(package).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return pinned
