"""Copies of real pictures are found through mirrors, crops, recompression and tints."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from credit_plugin import load_study
from credit_plugin.contributors.duplicates import same_pictures
from credit_plugin.contributors.lookalike import find_alike, has_contrast, thumbnails
from credit_plugin.contributors.sources import load_contributors

SIZE = 64


@pytest.fixture(scope="module")
def photographs():
    """Return tiles of the two photographs that scikit-learn ships, uint8 [N, 64, 64, 3].

    Tiles of nothing but sky are left out: no picture to copy.
    """
    tiles = []
    for photograph in load_sample_images().images:
        height, width = photograph.shape[:2]
        for top in range(0, height - SIZE + 1, SIZE):
            for left in range(0, width - SIZE + 1, SIZE):
                tile = photograph[top : top + SIZE, left : left + SIZE]
                if tile.std(axis=(0, 1)).mean() >= 12:
                    tiles.append(tile)
    assert len(tiles) >= 70
    return np.stack(tiles)


@pytest.fixture(scope="module")
def avatars():
    """Return the drawings of the demo with their designers, at 16 pixels."""
    dataset = load_contributors(load_study("designers").data)
    return dataset.images, dataset.contributor


def mirrored(image, generator):
    return image[:, ::-1]


def cropped(image, generator):
    side = round(0.9 * len(image))
    top, left = generator.integers(0, len(image) - side + 1, 2)
    picture = Image.fromarray(image[top : top + side, left : left + side])
    return np.asarray(picture.resize(image.shape[:2], Image.Resampling.BICUBIC))


def recompressed(image, generator):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=50)
    return np.asarray(Image.open(stream).convert("RGB"))


def tinted(image, generator):
    shift = generator.choice([0.95, 1.05], 3)
    return np.clip(image * shift, 0, 255).astype(np.uint8)


def all_of_it(image, generator):
    for change in (mirrored, cropped, tinted, recompressed):
        image = change(image, generator)
    return image


def found_of(images, change):
    """Return the share of the pictures that are found again after a change."""
    generator = np.random.default_rng(0)
    changed = np.stack([change(image, generator) for image in images])
    count = len(images)
    both = thumbnails(np.concatenate([images, changed]))
    pairs = find_alike(both, np.repeat([0, 1], count))
    return sum(pair.second == pair.first + count for pair in pairs) / count


@pytest.mark.parametrize("change", [mirrored, cropped, recompressed, tinted, all_of_it])
def test_changed_photographs_are_found(photographs, change):
    assert found_of(photographs, change) >= 0.95


@pytest.mark.parametrize("change", [mirrored, cropped, tinted])
def test_changed_drawings_are_found_even_at_16_pixels(avatars, change):
    images, _ = avatars
    assert found_of(images[::10], change) >= 0.95


def test_unrelated_photographs_are_not_taken_for_copies(photographs):
    owner = np.arange(len(photographs))
    assert find_alike(thumbnails(photographs), owner) == []


def test_unrelated_drawings_are_hardly_ever_taken_for_copies(avatars):
    images, owner = avatars
    pairs = find_alike(thumbnails(images), owner)
    # of 1,920 drawings
    assert len({pair.second for pair in pairs}) / len(images) <= 0.001


def test_flat_pictures_look_like_nothing(photographs):
    flat = np.full((2, SIZE, SIZE, 3), 90, np.uint8)
    flat[1] = 200
    pictures = thumbnails(np.concatenate([flat, photographs[:1]]))
    assert has_contrast(pictures).tolist() == [False, False, True]
    assert find_alike(pictures, np.arange(3)) == []


def test_grey_pictures_are_compared_too(photographs):
    grey = photographs[:8].mean(axis=-1, keepdims=True).astype(np.uint8)
    pairs = find_alike(thumbnails(np.concatenate([grey, grey[:, :, ::-1]])), np.repeat([0, 1], 8))
    assert [(pair.first, pair.second) for pair in pairs] == [(k, k + 8) for k in range(8)]


def test_clusters_join_copies_of_several_owners(photographs):
    generator = np.random.default_rng(1)
    images = np.concatenate([
        photographs[:4],  # of owner 0
        [mirrored(photographs[1], generator), photographs[60]],  # of owner 1
        [cropped(photographs[1], generator), photographs[60]],  # of owner 2
        [photographs[60]],  # of owner 2, once more
    ])  # fmt: skip
    owner = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
    assert [rows.tolist() for rows in same_pictures(images, owner)] == [[1, 4, 6], [5, 7, 8]]


def test_copies_within_an_owner_are_no_cluster(photographs):
    images = photographs[[0, 0, 1, 2]]
    assert same_pictures(images, np.array([0, 0, 1, 2])) == []


def test_small_pictures_are_compared_exactly(avatars):
    images, _ = avatars
    both = np.concatenate([images[:3], images[1:2], images[2:3, :, ::-1]])
    clusters = same_pictures(both, np.array([0, 0, 0, 1, 1]))
    assert [rows.tolist() for rows in clusters] == [[1, 3]]
