"""Grids of samples: every image in its place, apart from its neighbours, never blurred."""

import numpy as np
import pytest

from credit_plugin.game.utilities.workbench import image_grid


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
@pytest.mark.parametrize("count", [1, 4, 7])
def test_images_stand_in_order_with_lines_between(channels, mode, count):
    images = np.random.default_rng(0).integers(0, 256, (count, 5, 6, channels), dtype=np.uint8)
    picture = image_grid(images, side=2, pixels=1)
    assert (picture.mode, picture.size) == (mode, (13, 11))
    grid = np.asarray(picture).reshape(11, 13, channels)
    for place in range(4):
        top, left = 6 * (place // 2), 7 * (place % 2)
        expected = images[place] if place < count else 255
        assert (grid[top : top + 5, left : left + 6] == expected).all()
    assert (grid[5] == 128).all()
    assert (grid[:, 6] == 128).all()


def test_small_grids_are_enlarged_without_blur():
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    small, large = (image_grid(images, side=2, pixels=pixels) for pixels in (1, 50))
    factor = large.width // small.width
    assert large.width >= 50
    assert (np.asarray(large)[::factor, ::factor] == np.asarray(small)).all()
