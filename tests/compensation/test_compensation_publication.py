"""A folder appears whole or not at all, and every change to it is found."""

import json
import os
import signal
import subprocess
import sys

import pytest

from credit_plugin.compensation import publication
from credit_plugin.compensation.publication import (
    MANIFEST,
    check_manifest,
    published,
    sha256_of,
    write_manifest,
)

KILLED = """
import os, signal, sys
from pathlib import Path
from credit_plugin.compensation.publication import published
with published(Path(sys.argv[1])) as draft:
    (draft / "a.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def publish(folder, **files):
    with published(folder) as draft:
        for name, text in files.items():
            (draft / f"{name}.txt").write_text(text, "utf-8")
        return write_manifest(draft, {"study": "digits"})


def publish_half(folder, error):
    with published(folder) as draft:
        (draft / "a.txt").write_text("half", "utf-8")
        raise error("half")


def texts(folder):
    return {path.name: path.read_text("utf-8") for path in folder.glob("*.txt")}


def siblings(folder):
    return sorted(path.name for path in folder.parent.iterdir())


@pytest.fixture
def folder(tmp_path):
    publish(tmp_path / "report", a="first a", b="first b")
    return tmp_path / "report"


def rewrite(path, text):
    path.write_text(text, "utf-8")


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_manifest(folder, change):
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    change(manifest)
    (folder / MANIFEST).write_bytes(publication._layout(manifest))


def test_a_published_folder_holds_and_stands_alone(folder):
    assert check_manifest(folder) == []
    assert siblings(folder) == ["report"]
    assert texts(folder) == {"a.txt": "first a", "b.txt": "first b"}


def test_a_manifest_states_files_and_what_it_is_given(tmp_path):
    manifest = publish(tmp_path / "report", a="text")
    sha256 = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    assert manifest["files"] == {"a.txt": {"sha256": sha256, "bytes": 4}}
    assert manifest["study"] == "digits"
    assert json.loads((tmp_path / "report" / MANIFEST).read_text("utf-8")) == manifest
    assert sha256_of(tmp_path / "report" / "a.txt") == sha256


@pytest.mark.parametrize(
    ("damage", "complaints"),
    [
        (lambda f: flip_a_byte(f / "a.txt"), ["a.txt is not the file that was written"]),
        (lambda f: rewrite(f / "b.txt", "first b\n"), ["b.txt is not the file that was written"]),
        (lambda f: rewrite(f / "b.txt", ""), ["b.txt is not the file that was written"]),
        (lambda f: (f / "a.txt").unlink(), ["a.txt is missing"]),
        (lambda f: rewrite(f / "c.txt", "c"), ["c.txt is not in the manifest"]),
        (lambda f: (f / "sub").mkdir(), ["sub is not in the manifest"]),
        (
            lambda f: (f / "a.txt").rename(f / "z.txt"),
            ["a.txt is missing", "z.txt is not in the manifest"],
        ),
        (
            lambda f: ((f / "a.txt").unlink(), (f / "a.txt").mkdir()),
            ["a.txt is not the file that was written"],
        ),
        (lambda f: (f / MANIFEST).unlink(), [f"{MANIFEST} is missing or cannot be read"]),
    ],
)
def test_every_change_to_a_file_is_found(folder, damage, complaints):
    damage(folder)
    assert check_manifest(folder) == complaints


def test_every_changed_byte_of_the_manifest_is_found(folder):
    content = (folder / MANIFEST).read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        (folder / MANIFEST).write_bytes(changed)
        assert check_manifest(folder) != [], place
    (folder / MANIFEST).write_bytes(content)
    assert check_manifest(folder) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(study="other"),
        lambda m: m.update(more=1),
        lambda m: m.pop("study"),
        lambda m: m["files"]["a.txt"].update(bytes=8),
        lambda m: m.update(manifest_sha256="0" * 64),
    ],
)
def test_an_edited_manifest_is_found(folder, change):
    change_manifest(folder, change)
    assert f"{MANIFEST} is not the file that was written" in check_manifest(folder)


def test_another_layout_of_the_same_manifest_is_found(folder):
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    rewrite(folder / MANIFEST, json.dumps(manifest, sort_keys=True))
    assert check_manifest(folder) == [f"{MANIFEST} is not the file that was written"]


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"{}", b'{"files": 3}', b'{"files": {}}', b"\xff\xfe", b"[" * 100_000],
)
def test_what_is_no_manifest_is_told_so(folder, content):
    (folder / MANIFEST).write_bytes(content)
    assert check_manifest(folder) == [f"{MANIFEST} is not a manifest"]


def test_a_folder_that_is_not_there_is_told_so(tmp_path):
    assert check_manifest(tmp_path / "nowhere") == [f"{MANIFEST} is missing or cannot be read"]


def test_a_manifest_can_be_written_again(folder):
    rewrite(folder / "c.txt", "late")
    write_manifest(folder, {})
    assert check_manifest(folder) == []


def test_a_new_folder_replaces_the_old_one_whole(folder):
    publish(folder, a="second a", c="second c")
    assert texts(folder) == {"a.txt": "second a", "c.txt": "second c"}
    assert check_manifest(folder) == []
    assert siblings(folder) == ["report"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's exchange of two folders")
def test_the_exchange_is_a_single_step_between_two_complete_folders(folder, monkeypatch):
    seen = []
    exchange = publication._exchange

    def watched(one, other):
        seen.append((texts(one), texts(other), check_manifest(one), check_manifest(other)))
        done = exchange(one, other)
        seen.append((texts(one), texts(other), check_manifest(one), check_manifest(other)))
        return done and seen.append("in one step") is None

    monkeypatch.setattr(publication, "_exchange", watched)
    old = texts(folder)
    publish(folder, a="second")
    new = {"a.txt": "second"}
    assert seen == [(new, old, [], []), (old, new, [], []), "in one step"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_old_folder_stays_when_the_block_raises(folder, error):
    with pytest.raises(error):
        publish_half(folder, error)
    assert texts(folder) == {"a.txt": "first a", "b.txt": "first b"}
    assert check_manifest(folder) == []
    assert siblings(folder) == ["report"]


def test_nothing_appears_when_the_first_block_raises(tmp_path):
    with pytest.raises(ValueError, match="half"):
        publish_half(tmp_path / "out" / "report", ValueError)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal nobody can catch")
def test_a_killed_writer_changes_nothing_and_the_next_one_cleans_up(folder):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert siblings(folder) == [".report.draft", "report"]
    assert check_manifest(folder) == []
    publish(folder, a="second")
    assert texts(folder) == {"a.txt": "second"}
    assert siblings(folder) == ["report"]


@pytest.fixture
def two_steps(monkeypatch):
    """A system that cannot exchange two folders."""
    monkeypatch.setattr(publication, "_exchange", lambda one, other: False)


def test_replacing_in_two_steps_leaves_nothing_behind(folder, two_steps):
    publish(folder, a="second")
    assert texts(folder) == {"a.txt": "second"}
    assert siblings(folder) == ["report"]


def test_the_old_folder_comes_back_when_the_second_step_fails(folder, two_steps, monkeypatch):
    replace = type(folder).replace

    def failing(path, target):
        if path.name == ".report.draft":
            raise OSError("disk full")
        return replace(path, target)

    monkeypatch.setattr(type(folder), "replace", failing)
    with pytest.raises(OSError, match="disk full"):
        publish(folder, a="second")
    assert texts(folder) == {"a.txt": "first a", "b.txt": "first b"}
    assert siblings(folder) == ["report"]


def test_an_old_folder_that_a_killed_writer_moved_aside_comes_back(folder):
    os.rename(folder, folder.with_name(".report.old"))  # noqa: PTH104
    with pytest.raises(ValueError, match="half"):
        publish_half(folder, ValueError)
    assert check_manifest(folder) == []
    assert siblings(folder) == ["report"]


def test_an_old_folder_left_beside_the_new_one_is_removed(folder):
    folder.with_name(".report.old").mkdir()
    rewrite(folder.with_name(".report.old") / "a.txt", "older")
    publish(folder, a="second")
    assert texts(folder) == {"a.txt": "second"}
    assert siblings(folder) == ["report"]


def test_what_a_link_leads_to_is_replaced(folder, tmp_path):
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(folder, target_is_directory=True)
    for text in ("second", "third"):
        publish(link, a=text)
        assert texts(folder) == texts(link) == {"a.txt": text}
        assert link.is_symlink()
    assert siblings(link) == ["link"]
    assert siblings(folder) == ["elsewhere", "report"]
