"""The decoded copy that workers map: equal to the data, whole or absent, and never stale."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from credit_plugin.config import DataSettings
from credit_plugin.contributors import snapshot
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.snapshot import load_snapshot, save_snapshot
from credit_plugin.contributors.sources import load_contributors


@pytest.fixture
def small():
    return ContributorDataset(
        name="small",
        images=np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8),
        contributor=np.array([0, 1, 2, 0, 1, 2]),
        contributors=("ann", "Łódź 李 👩‍🎨", "a/b"),
        captions=("a", "ö", "", "line\nbreak", "\ud800", "f"),
        attribution=("by ann", "by Ł", "by ab"),
        licences=("CC0", "CC-BY", "MIT"),
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "study" / "data-1"


def plain_fields(dataset):
    return {
        field.name: getattr(dataset, field.name)
        for field in dataclasses.fields(dataset)
        if not isinstance(getattr(dataset, field.name), np.ndarray)
    }


def test_every_part_comes_back(small, folder):
    save_snapshot(small, folder)
    loaded = load_snapshot(folder)
    assert loaded.digest() == small.digest()
    assert loaded.contributor_digests() == small.contributor_digests()
    assert plain_fields(loaded) == plain_fields(small)
    np.testing.assert_array_equal(loaded.images, small.images)


def test_labels_come_back(folder):
    digits = load_contributors(DataSettings(source="digits", image_size=8))
    save_snapshot(digits, folder)
    assert load_snapshot(folder).digest() == digits.digest()
    np.testing.assert_array_equal(load_snapshot(folder).labels, digits.labels)


@pytest.mark.parametrize("order", ["F", "strided"])
def test_the_layout_in_memory_does_not_matter(small, folder, order):
    images = np.asfortranarray(small.images) if order == "F" else small.images[::-1][::-1]
    save_snapshot(dataclasses.replace(small, images=images), folder)
    assert load_snapshot(folder).digest() == small.digest()


def test_images_are_a_read_only_memory_map(small, folder):
    save_snapshot(small, folder)
    images = load_snapshot(folder).images
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_the_folder_appears_only_when_it_is_complete(small, folder, monkeypatch):
    seen = []

    def look(*arguments, **settings):
        seen.append(folder.exists())
        return json.dumps(*arguments, **settings)

    monkeypatch.setattr(snapshot, "json", type("Json", (), {"dumps": look, "loads": json.loads}))
    save_snapshot(small, folder)
    assert seen == [False]
    assert sorted(p.name for p in folder.iterdir()) == [
        "contributor.npy", "dataset.json", "images.npy",
    ]  # fmt: skip
    assert [p.name for p in folder.parent.iterdir()] == ["data-1"]


def test_an_interrupted_one_leaves_nothing_to_load_and_is_made_again(small, folder, monkeypatch):
    def dies(*arguments, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "json", type("Json", (), {"dumps": dies}))
        with pytest.raises(KeyboardInterrupt):
            save_snapshot(small, folder)
    assert not folder.exists()
    partial = folder.with_name("data-1.partial")
    (partial / "left over.npy").write_bytes(b"x")
    save_snapshot(small, folder)
    assert load_snapshot(folder).digest() == small.digest()
    assert not (folder / "left over.npy").exists()
    assert not partial.exists()


def test_a_snapshot_of_the_same_data_is_left_as_it_is(small, folder):
    save_snapshot(small, folder)
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}
    save_snapshot(small, folder)
    assert {path.name: path.stat().st_ino for path in folder.iterdir()} == before


def flip_last_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a flipped byte": lambda folder: flip_last_byte(folder / "images.npy"),
    "cut short": lambda folder: (folder / "images.npy").write_bytes(
        (folder / "images.npy").read_bytes()[:-9]
    ),
    "an empty file": lambda folder: (folder / "images.npy").write_bytes(b""),
    "a missing file": lambda folder: (folder / "contributor.npy").unlink(),
    "no description": lambda folder: (folder / "dataset.json").unlink(),
    "a broken description": lambda folder: (folder / "dataset.json").write_text("{"),
    "half a description": lambda folder: (folder / "dataset.json").write_text("{}"),
    "nothing in it": lambda folder: [path.unlink() for path in folder.iterdir()],
    "labels of something else": lambda folder: np.save(folder / "labels.npy", np.arange(6)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_snapshot_is_replaced(small, folder, damage):
    save_snapshot(small, folder)
    damage(folder)
    save_snapshot(small, folder)
    assert load_snapshot(folder).digest() == small.digest()
    assert not (folder / "labels.npy").exists()


def test_a_snapshot_of_other_data_is_replaced(small, folder):
    other = dataclasses.replace(small, captions=None)
    save_snapshot(other, folder)
    save_snapshot(small, folder)
    assert load_snapshot(folder).digest() == small.digest() != other.digest()


def test_who_maps_the_old_one_keeps_it(small, folder):
    save_snapshot(small, folder)
    mapped = load_snapshot(folder)
    shutil.rmtree(folder)
    save_snapshot(dataclasses.replace(small, images=small.images[::-1].copy()), folder)
    assert mapped.digest() == small.digest()
