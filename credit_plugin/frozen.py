"""Frozen networks that a task builds on: where their files are, and what identifies them.

A source is a folder, or a repository of the Hugging Face hub (``name/repository``) that is
downloaded once and then found in the hub's cache, also without internet. What identifies it is the
SHA-256 over names and content of its files of weights and settings: it is part of what a study's
results are addressed by, so another network under the same name starts a new table, and the same
network at another place does not.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from credit_plugin.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".safetensors", ".pth", ".json", ".txt", ".model")
"""Files of weights, settings and tokenizers; nothing else of a source is read."""


def locate(source: str, field: str, revision: str | None = None, subfolder: str = "") -> Path:
    """Return the folder of a source, downloaded if need be.

    Args:
        source: A folder, or a repository of the hub.
        field: Setting that names it, for errors.
        revision: Branch, tag or commit of a repository.
        subfolder: Part of the source that is needed; all of it by default.

    Raises:
        InputError: If there is no such folder, or it cannot be downloaded.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        folder = _download(source, field, revision, subfolder)
    folder = folder / subfolder
    if not folder.is_dir():
        raise InputError(f"{field}: {source} has no folder {subfolder!r}")
    return folder


def digest_of(folder: Path) -> str:
    """Return the SHA-256 (hexadecimal) of the names and contents of a source's files."""
    state = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        state.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return state.hexdigest()


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Return the tensors of a file that a study file names: safetensors, or a published .pth.

    A .pth is read by PyTorch's restricted reader, which makes tensors and runs nothing. What this
    package writes and reads back, models and references, is never one.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds anything else than named tensors.
    """
    import torch  # settings are read without it
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError):
        found = None
    named = isinstance(found, dict) and all(
        isinstance(name, str) and torch.is_tensor(value) for name, value in found.items()
    )
    if not named:
        raise ValueError(f"{path.name} is no file of tensors")
    return dict(found)


@contextmanager
def download_failure(source: str, field: str) -> Iterator[None]:
    """Turn whatever the hub may answer to a download into one line.

    Args:
        source: What is downloaded.
        field: Setting that names it.

    Raises:
        InputError: If the block fails for the hub's sake.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise InputError(
            f"{field}: there is no folder {source}; give a folder, or a repository of the "
            "Hugging Face hub as owner/name"
        )
    try:
        yield
    except LocalEntryNotFoundError:
        raise InputError(
            f"{field}: {source} is neither a folder nor in the hub's cache, and the hub cannot be "
            "reached; give the path of a copy"
        ) from None
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{field}: {source} cannot be downloaded: {reason}") from None


def _download(source: str, field: str, revision: str | None, subfolder: str) -> Path:
    from huggingface_hub import snapshot_download

    within = f"{subfolder}/" if subfolder else ""
    patterns = [f"{within}*{suffix}" for suffix in SUFFIXES]
    with download_failure(source, field):
        return Path(snapshot_download(source, revision=revision, allow_patterns=patterns))
