import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from credit_plugin.errors import InputError
from credit_plugin.game.ledger import Evaluation, Ledger

WRITER = """
import sys
from credit_plugin.game.ledger import Evaluation, Ledger
ledger = Ledger(sys.argv[1])
# long lines, so that the kill has something to tear
losses = {f"step {i}": i / 7 for i in range(2000)}
for number in range(int(sys.argv[2]), 100_000):
    ledger.append(Evaluation(f"key {number}", "01", 1, 0, {"p": number / 3}, losses, {}, 1.0, 2.0))
    print(f"key {number}", flush=True)
"""


def evaluation(key="k", **changes):
    base = Evaluation(key, "0110", 3, 0, {"p": 0.1}, {"final": 0.2}, {"training": 1.5}, 10.0, 12.5)
    return replace(base, **changes)


def failed(key="k"):
    return evaluation(key, properties={}, error="the worker died", attempts=3)


def test_what_was_appended_is_found_again(tmp_path):
    path = tmp_path / "folder" / "ledger.jsonl"
    ledger = Ledger(path)
    assert ledger.evaluations == ()
    written = [evaluation(f"k{i}", repeat=i) for i in range(5)]
    for one in written:
        ledger.append(one)
    assert ledger.find("k3") == written[3]
    assert ledger.find("k9") is None
    assert Ledger(path).evaluations == tuple(written)


def test_each_append_is_synced_before_it_returns(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (real(fd), synced.append(os.fstat(fd).st_size)))
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(evaluation())
    assert synced[-1] == (tmp_path / "ledger.jsonl").stat().st_size


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_torn_last_line_is_dropped_and_truncated(tmp_path, kept):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append(evaluation("first"))
    whole = path.read_bytes()
    ledger.append(evaluation("second"))
    torn = path.read_bytes()[len(whole) :][:kept]
    path.write_bytes(whole + torn)
    again = Ledger(path)
    assert again.evaluations == (evaluation("first"),)
    assert path.read_bytes() == whole
    again.append(evaluation("second"))
    assert [e.key for e in Ledger(path).evaluations] == ["first", "second"]


DAMAGE = {
    "half a line": '{"key": "x", "coal',
    "no object": "[1, 2]",
    "a field is missing": '{"key": "x"}',
    "an unknown field": json.dumps(evaluation().__dict__ | {"colour": "red"}),
    "a wrong type": json.dumps(evaluation().__dict__ | {"seed": "one"}),
    "a wrong coalition": json.dumps(evaluation().__dict__ | {"coalition": "01x"}),
    "not a number": json.dumps(evaluation().__dict__ | {"properties": {"p": float("nan")}}),
    "an infinite number": json.dumps(evaluation().__dict__ | {"started": "1e999"}).replace(
        '"1e999"', "1e999"
    ),
    "text as a number": json.dumps(evaluation().__dict__ | {"properties": {"p": "high"}}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_line_in_the_middle_is_named(tmp_path, damage):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append(evaluation("first"))
    with path.open("a") as file:
        file.write(DAMAGE[damage] + "\n")
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        Ledger(path)
    assert f"{path}, line 2" in str(caught.value)
    assert path.read_bytes() == before


def test_a_key_is_evaluated_once_but_a_failure_can_be_superseded(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append(failed())
    ledger.append(evaluation("other"))
    assert not ledger.find("k").ok
    ledger.append(evaluation())
    assert ledger.find("k").ok
    with pytest.raises(InputError, match="already evaluated"):
        ledger.append(evaluation())
    with pytest.raises(InputError, match="already evaluated"):
        ledger.append(failed())
    again = Ledger(path)
    assert again.evaluations == (evaluation("other"), evaluation())


@pytest.mark.parametrize(
    "changes",
    [
        {"properties": {"p": float("nan")}},
        {"losses": {"final": float("inf")}},
        {"costs": {"training": float("-inf")}},
        {"finished": float("nan")},
    ],
)
def test_numbers_that_are_not_finite_are_refused(tmp_path, changes):
    path = tmp_path / "ledger.jsonl"
    with pytest.raises(InputError, match="only finite numbers"):
        Ledger(path).append(evaluation(**changes))
    assert not path.exists()


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append(evaluation("first"))
    before = path.read_bytes()
    real = os.write

    def half_then_full(fd, data):
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return real(fd, bytes(data)[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half_then_full)
        with pytest.raises(OSError, match="No space left"):
            ledger.append(evaluation("second"))
    assert path.read_bytes() == before
    ledger.append(evaluation("second"))
    assert len(Ledger(path).evaluations) == 2


def test_two_writers_see_each_other(tmp_path):
    path = tmp_path / "ledger.jsonl"
    one, other = Ledger(path), Ledger(path)
    one.append(evaluation("a"))
    other.append(evaluation("b"))
    with pytest.raises(InputError, match="already evaluated"):
        other.append(evaluation("a"))
    one.append(evaluation("c"))
    assert [e.key for e in one.evaluations] == ["a", "b", "c"]
    assert [e.key for e in Ledger(path).evaluations] == ["a", "b", "c"]


def test_a_file_that_was_cut_behind_our_back_is_not_written_to(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append(evaluation("a"))
    path.write_bytes(b"")
    with pytest.raises(InputError, match="was shortened while in use"):
        ledger.append(evaluation("b"))


def test_kill_9_in_the_middle_of_appends_loses_nothing_acknowledged(tmp_path):
    path = tmp_path / "ledger.jsonl"
    expected = 0
    for lines_before_kill in (3, 40, 17, 90):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(expected)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(lines_before_kill):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        # what the writer had announced but we had not read yet counts as acknowledged, too
        last = [f"key {expected + lines_before_kill - 1}", *writer.stdout.read().split("\n")[:-1]]
        writer.wait()
        writer.stdout.close()
        acknowledged = int(last[-1].split()[1])
        keys = [e.key for e in Ledger(path).evaluations]
        # at most one more: synced, but killed before it could say so
        assert keys[: acknowledged + 1] == [f"key {i}" for i in range(acknowledged + 1)]
        assert len(keys) <= acknowledged + 2
        assert path.read_bytes().endswith(b"\n")
        expected = len(keys)
