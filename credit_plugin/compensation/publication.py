"""A folder of files that appears whole or not at all, with the hash of each in a manifest.

Files are written to a hidden sibling and moved into place when they are complete and on disk. An
older folder is exchanged with the new one in a single step where the system can (Linux); elsewhere
it is moved aside first, and moved back if the second step fails or was never reached. Whatever a
killed process left behind is removed by the next one.

The manifest is JSON in one fixed layout and carries a hash of itself, so that any changed byte of
any file is found, those of the manifest included. This finds accidents and careless edits; it
proves nothing against somebody who writes a new manifest, which is what signatures are for.
"""

import ctypes
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
_OWN_HASH = "manifest_sha256"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write to; it becomes ``folder`` when the block ends well.

    If the block raises, or the process dies in it, an older ``folder`` stays as it was.
    """
    folder = folder.resolve()  # a link stays, and what it leads to is replaced
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft, aside = _sibling(folder, "draft"), _sibling(folder, "old")
    if aside.exists() and not folder.exists():
        aside.replace(folder)
    for left_behind in (draft, aside):
        shutil.rmtree(left_behind, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        for path in draft.iterdir():
            _flush(path)
        _move_into_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_manifest(folder: Path, statements: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest of the files in a folder and return it.

    Args:
        folder: Folder with all other files in it.
        statements: What the manifest says beside the files; JSON values.
    """
    names = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)
    manifest = {**statements, "files": {name: _describe(folder / name) for name in names}}
    manifest[_OWN_HASH] = _hash(_layout(manifest))
    (folder / MANIFEST).write_bytes(_layout(manifest))
    return manifest


def check_manifest(folder: Path) -> list[str]:
    """Compare a folder with its manifest.

    Returns:
        One line for each file that is missing, extra or not what was written; empty if all is well.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
        manifest = json.loads(content)
        files, stated = dict(manifest["files"]), manifest.pop(_OWN_HASH)
        intact = stated == _hash(_layout(manifest))
        intact &= content == _layout({**manifest, _OWN_HASH: stated})
    except OSError:
        return [f"{MANIFEST} is missing or cannot be read"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [f"{MANIFEST} is not a manifest"]
    complaints = [] if intact else [f"{MANIFEST} is not the file that was written"]
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    complaints += [f"{name} is missing" for name in sorted(set(files) - present)]
    complaints += [f"{name} is not in the manifest" for name in sorted(present - set(files))]
    return complaints + [
        f"{name} is not the file that was written"
        for name in sorted(present & set(files))
        if not (folder / name).is_file() or _describe(folder / name) != files[name]
    ]


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size}


def _layout(manifest: Mapping[str, Any]) -> bytes:
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sibling(folder: Path, kind: str) -> Path:
    return folder.with_name(f".{folder.name}.{kind}")


def _move_into_place(draft: Path, folder: Path) -> None:
    if not folder.exists():
        draft.replace(folder)
    elif not _exchange(draft, folder):
        aside = _sibling(folder, "old")
        folder.replace(aside)
        try:
            draft.replace(folder)
        except OSError:
            aside.replace(folder)
            raise
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system cannot."""
    with suppress(AttributeError, OSError):  # no such function, or no libc by this way
        swap = ctypes.CDLL(None).renameat2
        return bool(swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
    return False
