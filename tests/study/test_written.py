"""Files appear whole or not at all."""

import os

import pytest

from credit_plugin.written import first_file, whole_file


def test_a_file_takes_its_place_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "found.json"
    with whole_file(path) as partial:
        partial.write_text("half", "utf-8")
        assert not path.exists()
        partial.write_text("whole", "utf-8")
    assert path.read_text("utf-8") == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "found.json"
    path.write_text("older", "utf-8")

    def fail():
        with whole_file(path) as partial:
            partial.write_text("half", "utf-8")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert path.read_text("utf-8") == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_at_the_same_time_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "found.json"
    with whole_file(path) as first:
        first.write_text("first", "utf-8")
        with whole_file(path) as second:
            second.write_text("second", "utf-8")
        assert path.read_text("utf-8") == "second"
    assert path.read_text("utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_for_the_first_writer_is_left_alone_by_the_others(tmp_path, monkeypatch, links):
    def refuse(*paths):
        raise PermissionError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "store.db"
    with first_file(path) as first:
        first.write_text("late", "utf-8")
        with first_file(path) as second:
            second.write_text("early", "utf-8")
            assert not path.exists()
        assert path.read_text("utf-8") == "early"
    assert path.read_text("utf-8") == "early"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_removed_but_not_what_a_living_one_writes(tmp_path):
    path = tmp_path / "found.json"
    killed, living = (tmp_path / f"found.json.{name}.partial" for name in ("killed", "living"))
    for left in (killed, living):
        left.write_text("half", "utf-8")
    os.utime(killed, (0, 0))
    with whole_file(path) as partial:
        partial.write_text("whole", "utf-8")
    assert sorted(tmp_path.iterdir()) == [path, living]
