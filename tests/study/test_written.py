"""Files appear whole or not at all."""

import pytest

from credit_plugin.written import whole_file


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
