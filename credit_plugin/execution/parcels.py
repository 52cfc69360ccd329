"""Files that travel between machines: a study's inputs to a worker, and what it wrote back.

A parcel is an uncompressed tar archive, its entries sorted and without times or owners, so that the
same files make the same bytes. Entries are files and folders at relative paths; unpacking refuses
every other, and what arrives is complete before it has its name. (``tarfile``'s filter ``data``
does as much, but is missing in the Python 3.11.2 of Debian 12.)
"""

import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

STALE_SECONDS = 2 * 86400.0


def pack(root: Path, paths: Iterable[Path]) -> bytes:
    """Return a parcel of files and folders under a root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(paths):
            archive.add(path, str(path.relative_to(root)), filter=_anonymous)
    return buffer.getvalue()


def unpack(parcel: bytes, root: Path) -> None:
    """Put what a parcel holds under a root; folders and files that it brings replace others.

    Raises:
        tarfile.TarError: If it is no parcel, or an entry would leave the root or is no file.
    """
    root.mkdir(parents=True, exist_ok=True)
    arrived = Path(tempfile.mkdtemp(prefix=".parcel-", dir=root))
    try:
        with tarfile.open(fileobj=io.BytesIO(parcel), mode="r:") as archive:
            for entry in archive:
                _extract(archive, entry, arrived)
        _move_in(arrived, root)
    finally:
        shutil.rmtree(arrived, ignore_errors=True)


def keep_once(parcel: bytes, cache: Path) -> Path:
    """Return a folder with a parcel's content, which all workers of a machine share.

    What nobody used (:func:`mark_used`) in ``STALE_SECONDS`` is removed.

    Args:
        parcel: The files.
        cache: Folder that nobody else can write to.
    """
    folder = cache / hashlib.sha256(parcel).hexdigest()[:32]
    for left in cache.iterdir():
        if left != folder and time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    if folder.exists():
        mark_used(folder)
    else:
        arrived = Path(tempfile.mkdtemp(prefix=".parcel-", dir=cache))
        unpack(parcel, arrived)
        try:
            arrived.rename(folder)
        except OSError:  # another worker was faster
            shutil.rmtree(arrived)
    return folder


def link_tree(source: Path, target: Path) -> None:
    """Make a folder whose files are links to another's, and whose new files are its own."""
    shutil.copytree(source, target, copy_function=os.symlink, dirs_exist_ok=True)


def own_files(root: Path) -> list[Path]:
    """Return the files under a root that are no links."""
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def mark_used(*folders: Path) -> None:
    """Spare folders of a cache from being removed for ``STALE_SECONDS`` from now."""
    for folder in folders:
        os.utime(folder)


def private_cache(name: str) -> Path:
    """Return a folder for temporary files that nobody else can write to, made if need be.

    One that is another user's, or open to others, is not trusted: what lies in a cache is used
    unread. A new one is returned in its place.
    """
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    own = found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o022 == 0
    if own and stat.S_ISDIR(found.st_mode):
        return folder
    return Path(tempfile.mkdtemp(prefix=f"{folder.name}-"))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
    return entry


def _extract(archive: tarfile.TarFile, entry: tarfile.TarInfo, root: Path) -> None:
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts or not (entry.isfile() or entry.isdir()):
        raise tarfile.ExtractError(f"{entry.name!r} is no file or folder of a parcel")
    place = root / path
    if entry.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    content = archive.extractfile(entry)
    assert content is not None  # a file has one
    place.parent.mkdir(parents=True, exist_ok=True)
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file)


def _move_in(source: Path, target: Path) -> None:
    """Move files and folders in, a folder that is new as a whole."""
    for path in sorted(source.iterdir()):
        place = target / path.name
        if path.is_dir() and place.is_dir():
            _move_in(path, place)
        else:
            path.replace(place)
