"""Parcels of files: the same bytes for the same files, whole on arrival, never outside."""

import contextlib
import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from credit_plugin.execution.parcels import keep_once, link_tree, own_files, pack, unpack


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
    with contextlib.suppress(tarfile.TarError):
        unpack(buffer.getvalue(), target)
    outside = {p.name for p in tmp_path.rglob("outside") if target not in p.parents}
    assert outside == set()
    assert not Path("/outside").exists()


def test_a_damaged_parcel_leaves_nothing(study, tmp_path):
    with pytest.raises(tarfile.TarError):
        unpack(sent(study)[:700], tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_folder_that_others_can_write_to_is_not_trusted(study, tmp_path):
    open_to_all = tmp_path / "cache"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    planted = open_to_all / keep_once(sent(study), tmp_path / "own").name
    planted.mkdir()
    found = keep_once(sent(study), open_to_all)
    assert open_to_all not in found.parents
    assert (found / "study" / "data.npy").read_bytes() == b"d"
    shutil.rmtree(found.parent)


def test_what_nobody_asks_for_is_removed(study, tmp_path):
    old = keep_once(sent(study), tmp_path / "cache")
    (study / "study" / "data.npy").write_bytes(b"changed")
    os.utime(old, (0, 0))
    new = keep_once(sent(study), tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [new.name]


def test_a_machine_keeps_a_parcel_once_and_workers_have_files_of_their_own(study, tmp_path):
    cache = tmp_path / "cache"
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
