"""``metadata.csv``: which file belongs to whom, row by row, with everything wrong in it."""

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path, PurePosixPath, PureWindowsPath
from unicodedata import normalize

from credit_plugin.contributors.findings import Finding, error, warning
from credit_plugin.contributors.folder import (
    METADATA,
    Entry,
    Scan,
    file_problem,
    is_picture_name,
    walk_files,
)

REQUIRED = ("file_name", "contributor")


def scan_by_metadata(root: Path, captions: str = "text") -> Scan:
    """List the images that ``metadata.csv`` names.

    Where the file cannot be read as a table at all, every image of the folder is listed without a
    contributor, so that a check still finds what is wrong with the images.

    Args:
        root: The resolved folder.
        captions: Column that describes the images, if there is one.
    """
    reader = _Reader(root, captions)
    reader.read()
    on_disk = [file for file in walk_files(root) if is_picture_name(file)]
    if not reader.readable:
        loose = [Entry(file, "") for file in on_disk if file_problem(root, file) is None]
        return Scan(tuple(loose), tuple(reader.findings))
    unnamed = [
        warning(file, f"is not in {METADATA} and is not used; add a row, or remove it")
        for file in on_disk
        if file not in reader.named
    ]
    entries = sorted(reader.entries.values(), key=lambda entry: entry.file)
    return Scan(tuple(entries), (*reader.findings, *unnamed))


def path_problem(file: str) -> str | None:
    """Return what is wrong with a ``file_name`` as written, or None; no file is looked at."""
    if not file.strip():
        return "file_name is empty; name the file"
    if not file.isprintable():
        return f"file_name {file!r} has control characters; rename the file"
    if PurePosixPath(file).is_absolute() or PureWindowsPath(file).anchor:
        return f"file_name {file!r} is absolute; write it relative to the folder"
    if "\\" in file:
        return f"file_name {file!r} has backslashes; write forward slashes"
    if ".." in PurePosixPath(file).parts:
        return f"file_name {file!r} leaves the folder; write a path without '..'"
    return None


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


class _Reader:
    """Reads the rows one by one and remembers what was said before."""

    def __init__(self, root: Path, captions: str) -> None:
        self.root, self.captions = root, captions
        self.readable = False
        self.entries: dict[str, Entry] = {}
        self.named: set[str] = set()
        self.findings: list[Finding] = []
        self._lines: dict[str, int] = {}

    def read(self) -> None:
        problem = file_problem(self.root, METADATA)
        if problem:
            self.findings.append(error(METADATA, problem))
            return
        try:
            # utf-8-sig: spreadsheets put a byte order mark in front
            with (self.root / METADATA).open(encoding="utf-8-sig", newline="") as stream:
                rows = csv.DictReader(stream, strict=True)
                if self._check_columns(list(rows.fieldnames or ())):
                    self.readable = True
                    for row in rows:
                        self._take(row, rows.line_num)
        except UnicodeDecodeError:
            self._unreadable("is not UTF-8 text; save it as UTF-8")
        except (csv.Error, OSError) as reason:
            self._unreadable(f"cannot be read as CSV ({reason}); save it again as CSV")

    def _unreadable(self, message: str) -> None:
        # rows read so far are no complete list: nothing is said about files that miss
        self.readable = False
        self.findings.append(error(METADATA, message))

    def _check_columns(self, columns: list[str]) -> bool:
        found = ", ".join(columns) or "none"
        missing = [column for column in REQUIRED if column not in columns]
        twice = sorted({column for column in columns if columns.count(column) > 1})
        self.findings += [
            error(METADATA, f"the column {column!r} is missing (found: {found}); add it")
            for column in missing
        ]
        self.findings += [
            error(METADATA, f"the column {column!r} is there twice; remove one") for column in twice
        ]
        return not missing and not twice

    def _take(self, row: Mapping[str | None, str | None], line: int) -> None:
        where = f"{METADATA}:{line}"
        if None in row or None in row.values():
            kind = "more" if None in row else "fewer"
            message = f"has {kind} cells than there are columns; quote texts that hold commas"
            self.findings.append(error(where, message))
            return
        written = str(row["file_name"])
        problem = path_problem(written)
        if problem:
            self.findings.append(error(where, problem))
            return
        file = PurePosixPath(written).as_posix()
        self.named.add(file)
        problem = file_problem(self.root, file)
        if problem:
            self.findings.append(error(where, f"{file}: {problem}"))
            return
        owner = normalize("NFC", str(row["contributor"]))
        if not owner.strip():
            self.findings.append(error(where, "contributor is empty; say who gave the image"))
            owner = ""
        if row.get("label") is not None and not str(row["label"]).strip():
            self.findings.append(error(where, "label is empty; label every image or none"))
        registered = str(row.get("registered") or "").strip()
        if registered and not _is_date(registered):
            message = f"registered {registered!r} is no date; write it like 2026-01-31"
            self.findings.append(error(where, message))
        entry = Entry(file, owner, row.get(self.captions), row.get("label"), registered)
        self._add(entry, line)

    def _add(self, entry: Entry, line: int) -> None:
        first = self.entries.get(entry.file)
        if first is None:
            self.entries[entry.file] = entry
            self._lines[entry.file] = line
            return
        where, before = f"{METADATA}:{line}", self._lines[entry.file]
        if first.contributor == entry.contributor:
            message = f"repeats the file of line {before}, which counts; remove this row"
            self.findings.append(warning(where, message))
        else:
            message = (
                f"gives {entry.file} to {entry.contributor!r}, line {before} to "
                f"{first.contributor!r}; keep one owner"
            )
            self.findings.append(error(where, message))
