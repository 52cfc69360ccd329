"""Parcels of files: the same bytes for the same files, whole on arrival, never outside."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from credit_plugin.execution.parcels import (
    keep_once,
    link_tree,
    mark_used,
    own_files,
    pack,
    private_cache,
    unpack,
)


@pytest.fixture
def study(tmp_path):
    root = tmp_path / "here"
    (root / "study" / "full").mkdir(parents=True)
    (root / "study" / "full" / "weights").write_bytes(b"w" * 1000)
    (root / "study" / "data.npy").write_bytes(b"d")
    (root / "study" / "ledger").write_text("not sent")
    return root


def sent(root):
    return pack(root, [root / "study" / "full", root / "study" / "data.npy"])


def test_what_is_sent_arrives_and_the_rest_is_not_sent(study, tmp_path):
    unpack(sent(study), tmp_path / "there")
    found = {str(p.relative_to(tmp_path / "there")) for p in (tmp_path / "there").rglob("*")}
    assert found == {"study", "study/full", "study/full/weights", "study/data.npy"}
    assert (tmp_path / "there" / "study" / "full" / "weights").read_bytes() == b"w" * 1000


def test_the_same_files_make_the_same_parcel(study):
    first = sent(study)
    (study / "study" / "data.npy").write_bytes(b"d")
    assert sent(study) == first


def test_what_arrives_again_replaces_files_and_spares_others(study, tmp_path):
    there = tmp_path / "there"
    (there / "study").mkdir(parents=True)
    (there / "study" / "own").write_text("kept")
    unpack(sent(study), there)
    unpack(sent(study), there)
    assert (there / "study" / "own").read_text() == "kept"
    assert (there / "study" / "data.npy").read_bytes() == b"d"
    assert not list(there.glob(".parcel*"))


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_nothing_leaves_the_folder(tmp_path, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    target = tmp_path / "deep" / "there"
    with pytest.raises(tarfile.TarError, match="outside"):
        unpack(buffer.getvalue(), target)
    outside = {p.name for p in tmp_path.rglob("outside") if target not in p.parents}
    assert outside == set()
    assert not Path("/outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_nothing_but_files_and_folders_is_unpacked(tmp_path, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("way-out")
        entry.type, entry.linkname = kind, "/etc"
        archive.addfile(entry)
    with pytest.raises(tarfile.TarError, match="way-out"):
        unpack(buffer.getvalue(), tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_damaged_parcel_leaves_nothing(study, tmp_path):
    with pytest.raises(tarfile.TarError):
        unpack(sent(study)[:700], tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_cache_that_others_can_write_to_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = private_cache("files")
    assert own == private_cache("files")
    assert own.stat().st_mode & 0o777 == 0o700
    own.chmod(0o777)
    other = private_cache("files")
    assert other != own
    assert other.stat().st_mode & 0o777 == 0o700
    own.rmdir()
    own.symlink_to(tmp_path)
    assert private_cache("files") not in (own, tmp_path)


@pytest.fixture
def cache(tmp_path):
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def test_what_nobody_uses_is_removed(study, cache):
    old, used = keep_once(sent(study), cache), cache / "worker-1"
    used.mkdir()
    os.utime(used, (0, 0))
    mark_used(used)
    (study / "study" / "data.npy").write_bytes(b"changed")
    os.utime(old, (0, 0))
    new = keep_once(sent(study), cache)
    assert set(cache.iterdir()) == {new, used}


def test_a_machine_keeps_a_parcel_once_and_workers_have_files_of_their_own(study, cache, tmp_path):
    one, two = keep_once(sent(study), cache), keep_once(sent(study), cache)
    assert one == two
    worker = tmp_path / "worker"
    link_tree(one, worker)
    assert own_files(worker) == []
    made = worker / "study" / "pruned" / "weights"
    made.parent.mkdir()
    made.write_text("new")
    assert own_files(worker) == [made]
    assert not (one / "study" / "pruned").exists()
