"""How far images are from others': nothing for copies, and far for what nobody else has."""

import numpy as np
import pytest

from credit_plugin.contributors import unusual
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.unusual import distances


def dataset_of(images, owner):
    names = tuple(f"owner {k}" for k in range(max(owner) + 1))
    return ContributorDataset("toy", np.stack(images), np.array(owner, np.int64), names)


def grey(level, size=32):
    return np.full((size, size, 3), level, np.uint8)


def test_the_distance_is_in_grey_levels_and_to_the_nearest_of_others():
    # owner 0 has 10 and 20; owner 1 has 26 (6 from 20); owner 2 has 126 (100 from 26)
    data = dataset_of([grey(10), grey(20), grey(26), grey(126)], [0, 0, 1, 2])
    assert distances(data) == pytest.approx([(16 + 6) / 2, 6, 100], abs=1e-3)


def test_a_copy_is_at_no_distance_and_own_images_do_not_count():
    data = dataset_of([grey(10), grey(10), grey(200), grey(200)], [0, 1, 2, 2])
    assert distances(data) == pytest.approx([0, 0, 190], abs=1e-3)


def test_of_many_images_some_are_looked_at_and_nobody_is_left_out(monkeypatch):
    monkeypatch.setattr(unusual, "LOOKED_AT", 6)
    owner = [0] * 50 + [1, 2]
    data = dataset_of([grey(k) for k in range(50)] + [grey(80), grey(90)], owner)
    # of owner 0 the first and the last are looked at
    assert distances(data) == pytest.approx([(80 + 31) / 2, 10, 10], abs=1e-3)
