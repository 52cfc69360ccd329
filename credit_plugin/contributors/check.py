"""Everything wrong with a folder of contributed images, all of it at once.

An *error* is something that cannot be used: loading the folder would refuse it. A *warning* is
something that can be used and that a person should see before money depends on it. The scan of
the listing, the decoding and the counting are the same functions with which the source
``imagefolder`` loads, so the two agree on what an error is.

Cost: each picture is decoded once, in parallel threads; comparing all pairs of N pictures takes
O(N^2) bit operations as matrix products (see :mod:`credit_plugin.contributors.lookalike`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from PIL import Image

from credit_plugin.contributors.dataset import name_problem
from credit_plugin.contributors.duplicates import (
    Fingerprint,
    exact_copies,
    exact_hash,
    near_copies,
)
from credit_plugin.contributors.findings import (
    Finding,
    Severity,
    error,
    in_order,
    render_findings,
    warning,
)
from credit_plugin.contributors.folder import METADATA, Entry, Scan, scan_by_folders
from credit_plugin.contributors.lookalike import has_contrast, thumbnail
from credit_plugin.contributors.metadata import scan_by_metadata
from credit_plugin.contributors.pictures import Decoded, Progress, decode_each
from credit_plugin.contributors.sources import MIN_CONTRIBUTORS
from credit_plugin.errors import InputError

__all__ = ["Finding", "Severity", "check_folder", "render_findings", "scan_folder"]

_LONG_ASPECT = 2.0


def check_folder(
    path: Path,
    image_size: int | None = None,
    min_images: int = 2,
    progress: Progress | None = None,
) -> list[Finding]:
    """List everything wrong with a folder of contributed images.

    Args:
        path: The folder, in one of the layouts of :mod:`credit_plugin.contributors.folder`.
        image_size: Height and width in pixels that images will get; None does not judge sizes.
        min_images: A contributor with fewer usable images is an error.
        progress: Called with (done, total) after each image is decoded.

    Returns:
        Errors first, then warnings, each sorted by place; empty if nothing is wrong.

    Raises:
        InputError: If ``path`` is not a folder.
    """
    root = resolve_folder(path, "PATH")
    scan = scan_folder(root)
    owners = {entry.file: entry.contributor for entry in scan.entries}
    findings = list(scan.findings)
    prints: list[Fingerprint] = []
    decoded: Decoded[Fingerprint]
    for decoded in decode_each(root, list(owners), _fingerprint, progress):
        findings += decoding_findings(decoded)
        if decoded.result is not None:
            found = decoded.result
            own = Fingerprint(
                decoded.file, owners[decoded.file], found.size, found.exact, found.thumbnail
            )
            findings += _shape_findings(own, image_size)
            prints.append(own)
    prints = [own for own in prints if own.contributor]  # the others have their error already
    findings += _count_findings(scan, [own.contributor for own in prints], min_images)
    copies, originals = exact_copies(prints)
    return in_order([*findings, *copies, *near_copies(originals)])


def resolve_folder(path: Path, field: str) -> Path:
    """Return the absolute path of a folder without links.

    Raises:
        InputError: If it does not exist or is not a folder, naming ``field``.
    """
    if not path.is_dir():
        problem = "is not a folder" if path.exists() else "does not exist"
        raise InputError(f"{field}: {path} {problem}; give a folder of images")
    return path.resolve()


def scan_folder(root: Path, captions: str = "text") -> Scan:
    """List a folder's images and owners in whichever layout it has; nothing is decoded.

    Args:
        root: The resolved folder.
        captions: Column of a metadata.csv that describes the images, if there is one.
    """
    # a metadata.csv that is a broken link is wrong, not absent
    listed = (root / METADATA).exists() or (root / METADATA).is_symlink()
    scan = scan_by_metadata(root, captions) if listed else scan_by_folders(root)
    return Scan(scan.entries, (*scan.findings, *_name_findings(scan.entries)))


def decoding_findings(decoded: Decoded[Any]) -> list[Finding]:
    """Return what decoding one file showed: an error, or its remarks as warnings."""
    if decoded.problem:
        return [error(decoded.file, decoded.problem)]
    return [warning(decoded.file, remark) for remark in decoded.remarks]


def _fingerprint(picture: Image.Image) -> Fingerprint:
    return Fingerprint("", "", picture.size, exact_hash(picture), thumbnail(picture))


def _shape_findings(own: Fingerprint, image_size: int | None) -> list[Finding]:
    width, height = own.size
    findings = []
    if image_size is not None and min(own.size) < image_size:
        message = f"is {width} x {height}, smaller than image_size {image_size}: it is enlarged"
        findings.append(warning(own.file, message))
    if max(own.size) > _LONG_ASPECT * min(own.size):
        lost = 1 - min(own.size) / max(own.size)
        message = f"is {width} x {height}: a square cut from the centre loses {lost:.0%} of it"
        findings.append(warning(own.file, message))
    if not has_contrast(own.thumbnail[None])[0]:
        findings.append(warning(own.file, "is one flat colour"))
    return findings


def _name_findings(entries: Sequence[Entry]) -> list[Finding]:
    names = sorted({entry.contributor for entry in entries} - {""})
    findings = [
        error(f"contributor {name!r}", problem)
        for name in names
        if (problem := name_problem(name)) is not None
    ]
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[re.sub(r"\s+", "", normalize("NFKC", name).casefold())].append(name)
    for first, *others in alike.values():
        for other in others:
            message = f"differs from {first!r} only in case or spaces: one contributor or two?"
            findings.append(warning(f"contributor {other!r}", message))
    return findings


def _count_findings(scan: Scan, usable: Sequence[str], min_images: int) -> list[Finding]:
    """Judge how many usable images each contributor has, and how many contributors there are."""
    counts = Counter(usable)
    names = {entry.contributor for entry in scan.entries} - {""}
    findings = []
    for name in names:
        if counts[name] < min_images:
            message = (
                f"has too few usable images ({counts[name]}, needs {min_images}); add images, or "
                "leave the contributor out"
            )
            findings.append(error(f"contributor {name!r}", message))
    unlisted = not names and any(finding.severity == "error" for finding in scan.findings)
    if len(names) < MIN_CONTRIBUTORS and not unlisted:
        message = (
            f"has too few contributors with images ({len(names)}, needs {MIN_CONTRIBUTORS}); "
            f"write {METADATA}, or make one folder per contributor"
        )
        findings.append(error(".", message))
    return findings
