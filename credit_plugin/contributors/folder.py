"""A folder of images and who contributed each: two layouts, one list of entries.

The conventions are those of Hugging Face's ImageFolder:

* with a ``metadata.csv`` at the top: columns ``file_name`` (relative, forward slashes) and
  ``contributor``, optionally ``text`` (a caption), ``label`` (a class) and ``registered`` (the date
  on which the owner registered the image, which settles who keeps a copy); others are ignored;
* without: one folder per contributor, in which images lie at any depth.

The folder is written by strangers, so nothing outside it is ever read: absolute paths, ``..`` and
links that lead out are errors. Hidden files are ignored. Nothing is decoded here.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from credit_plugin.contributors.findings import Finding, error, warning

METADATA = "metadata.csv"
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
)
_OUTSIDE = "leads out of the folder; copy what it points to into the folder"


@dataclass(frozen=True)
class Entry:
    """One image file and what is said about it.

    Attributes:
        file: Path relative to the folder, with forward slashes.
        contributor: The owner's name in Unicode NFC; empty if it is not known, and then the scan
            has an error that says so.
        text: Caption, if the metadata has the column.
        label: Class, if the metadata has the column.
        registered: ISO date of registration, or empty.
    """

    file: str
    contributor: str
    text: str | None = None
    label: str | None = None
    registered: str = ""


@dataclass(frozen=True)
class Scan:
    """What a folder holds: entries sorted by file, and what is wrong with the listing."""

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]


def file_problem(root: Path, file: str) -> str | None:
    """Return why ``file`` is not a regular file inside the resolved folder ``root``, or None."""
    path = root / file
    try:
        if not path.resolve().is_relative_to(root):
            return f"the link {_OUTSIDE}"
        if path.is_file():
            return None
        if path.exists():
            return "is not a regular file; remove it"
        return "the file does not exist; add it, or remove what names it"
    except (OSError, RuntimeError, ValueError) as reason:  # link loops, names that are too long
        return f"cannot be looked up ({reason}); rename or remove it"


def walk_files(root: Path) -> Iterator[str]:
    """Yield all files below ``root`` that are not hidden, sorted within each folder.

    Links to folders are yielded like files and not followed.
    """
    for folder, subfolders, files in os.walk(root):
        here = Path(folder)
        links = [name for name in subfolders if (here / name).is_symlink()]
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith((".", "__MACOSX"))
        )
        for name in sorted([*files, *links]):
            if not name.startswith("."):
                yield (here / name).relative_to(root).as_posix()


def is_picture_name(file: str) -> bool:
    """Return whether a file's ending is that of a kind of picture that can be read."""
    return Path(file).suffix.lower() in SUFFIXES


def scan_by_folders(root: Path) -> Scan:
    """List the images of a folder that holds one folder per contributor.

    Args:
        root: The resolved folder.
    """
    entries: list[Entry] = []
    findings: list[Finding] = []
    owners: set[str] = set()
    for file in walk_files(root):
        owner, _, inside = file.partition("/")
        if (root / file).is_symlink() and (root / file).is_dir():
            findings.append(_folder_link(root, file))
        elif not inside:
            if is_picture_name(file):
                findings.append(
                    warning(file, "lies in no contributor's folder and is not used; move it")
                )
        elif not is_picture_name(file):
            findings.append(warning(file, "is not a known kind of picture and is not used"))
        else:
            owners.add(owner)
            problem = file_problem(root, file)
            if problem:
                findings.append(error(file, problem))
            else:
                entries.append(Entry(file, normalize("NFC", owner)))
    findings += _empty_folders(root, owners)
    return Scan(tuple(sorted(entries, key=lambda entry: entry.file)), tuple(findings))


def _folder_link(root: Path, file: str) -> Finding:
    if not (root / file).resolve().is_relative_to(root):
        return error(file, f"the link {_OUTSIDE}")
    return warning(file, "is a link to a folder and is not followed")


def _empty_folders(root: Path, owners: set[str]) -> list[Finding]:
    return [
        warning(folder.name, "holds no picture and is not taken as a contributor")
        for folder in root.iterdir()
        if folder.is_dir()
        and not folder.is_symlink()
        and not folder.name.startswith((".", "__MACOSX"))
        and folder.name not in owners
    ]
