"""Signs of progress and of life: parts told as parts of the whole, and a heart that stops."""

import time

from credit_plugin import signs


def test_a_part_is_told_as_a_part_of_the_whole():
    told = []
    part = signs.shifted(lambda done, total: told.append((done, total)), 30, 100)
    part(1, 5)
    signs.standing(lambda done, total: told.append((done, total)), 100, 100)(2, 5)
    assert told == [(31, 100), (100, 100)]


def test_a_heartbeat_goes_on_until_the_work_ends(monkeypatch):
    monkeypatch.setattr(signs, "BEAT_SECONDS", 0.01)
    beats = []
    with signs.heartbeat(lambda: beats.append(1)):
        while len(beats) < 3:
            time.sleep(0.01)
    made = len(beats)
    time.sleep(0.05)
    assert len(beats) == made


def test_a_heartbeat_does_not_speak_for_ever(monkeypatch):
    monkeypatch.setattr(signs, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(signs, "LONGEST_SECONDS", 0.0)
    beats = []
    with signs.heartbeat(lambda: beats.append(1)):
        time.sleep(0.1)
    assert beats == []
