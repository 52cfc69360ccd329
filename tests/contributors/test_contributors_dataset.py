import dataclasses
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from credit_plugin.config import DataSettings
from credit_plugin.contributors import ContributorDataset, load_contributors
from credit_plugin.errors import InputError


def dataset(**changes):
    images = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
    content = {
        "name": "six",
        "images": images,
        "contributor": np.array([0, 1, 0, 2, 1, 0]),
        "contributors": ("ann", "bob", "cleo"),
    }
    return ContributorDataset(**{**content, **changes})


def test_what_it_says_of_itself():
    six = dataset()
    assert (six.n_images, six.n_contributors, six.image_size, six.channels) == (6, 3, 4, 3)
    assert six.counts.dtype == np.int64
    assert six.counts.tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([False, False, False], []),
        ([True, False, False], [0, 2, 5]),
        ([False, True, True], [1, 3, 4]),
        ([True, True, True], [0, 1, 2, 3, 4, 5]),
    ],
)
def test_indices_of_a_coalition(members, expected):
    indices = dataset().indices(np.array(members))
    assert indices.dtype == np.int64
    assert indices.tolist() == expected


@pytest.mark.parametrize("wrong", [np.array([1, 0, 1]), np.array([True]), np.ones((1, 3), bool)])
def test_a_coalition_of_another_kind_is_refused(wrong):
    with pytest.raises(InputError, match=r"coalition must be bool \[3\]"):
        dataset().indices(wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((6, 4, 4, 3), np.float32)}, "images must be an array uint8"),
        ({"images": np.zeros((6, 4, 4), np.uint8)}, "images must be an array uint8"),
        ({"images": [[1]]}, "images must be an array uint8"),
        ({"images": np.zeros((6, 4, 5, 3), np.uint8)}, "images must be square"),
        ({"images": np.zeros((0, 4, 4, 3), np.uint8)}, "at least one"),
        ({"images": np.zeros((6, 4, 4, 2), np.uint8)}, "1 or 3 channels"),
        ({"contributor": np.zeros(5, np.int64)}, r"contributor must be an array int64 \[6\]"),
        ({"contributor": np.zeros(6, np.int32)}, r"contributor must be an array int64 \[6\]"),
        ({"contributor": np.array([0, 1, 0, 3, 1, 0])}, r"contributor must be in 0\.\.2"),
        ({"contributor": np.array([0, 1, 0, -1, 1, 0])}, r"contributor must be in 0\.\.2"),
        ({"contributor": np.array([0, 0, 0, 2, 0, 0])}, "'bob' has no image"),
        ({"contributors": ["ann", "bob", "cleo"]}, "must be a tuple"),
        ({"contributors": ()}, "contributors is empty"),
        ({"contributors": ("ann", " ", "cleo")}, "the name is empty"),
        ({"contributors": ("ann", "bob", "ann")}, "'ann' is there twice"),
        ({"contributors": ("ann", "b" * 121, "cleo")}, "121 characters; use at most 120"),
        ({"contributors": ("ann", "b\x1b[2Jb", "cleo")}, "control character"),
        ({"contributors": ("ann", "b\u2028b", "cleo")}, "control character"),
        ({"contributors": ("ann", "b\u202eb", "cleo")}, "control character"),
        ({"contributors": ("ann", "b\udc80b", "cleo")}, "control character"),
        ({"labels": np.zeros(5, np.int64)}, r"labels must be an array int64 \[6\]"),
        ({"labels": np.full(6, -1)}, "labels must be at least 0"),
        ({"captions": ("a",) * 5}, "captions must have one text for each image: 6, not 5"),
        ({"captions": (1,) * 6}, "captions must be a tuple of texts"),
        ({"attribution": ("a",)}, "attribution must have one text for each contributor"),
        ({"licences": ("a",) * 4}, "licences must have one text for each contributor"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=message) as refused:
        dataset(**changes)
    assert "\n" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_names_in_any_script_are_welcome():
    names = ("Zoë Müller", "田中 花子", "می‌خواهم")
    assert dataset(contributors=names).contributors == names


def test_the_digest_is_that_of_a_fixed_encoding():
    captions = ("", "ä", "b", "c", "d", "ef")
    labelled = dataset(labels=np.arange(6), captions=captions)
    stream = (
        b"contributor dataset 1"
        b"\ncontributors text 3\n3:ann3:bob4:cleo"
        b"\ncontributor <i8 [6]\n" + struct.pack("<6q", 0, 1, 0, 2, 1, 0)
    )
    stream += b"\nimages |u1 [6, 4, 4, 3]\n" + bytes(n % 256 for n in range(288))
    assert dataset().digest() == hashlib.sha256(stream).hexdigest()
    stream += b"\nlabels <i8 [6]\n" + struct.pack("<6q", *range(6))
    stream += b"\ncaptions text 6\n0:2:\xc3\xa41:b1:c1:d2:ef"
    assert labelled.digest() == hashlib.sha256(stream).hexdigest()


def test_names_of_things_do_not_change_the_digest():
    texts = ("a", "b", "c")
    other = dataset(name="other", attribution=texts, licences=texts)
    assert other.digest() == dataset().digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"contributors": ("ann", "bob", "cleO")},
        {"contributor": np.array([0, 1, 0, 2, 0, 1])},
        {"labels": np.zeros(6, np.int64)},
        {"captions": ("",) * 6},
        {"images": np.arange(288, dtype=np.uint8).reshape(6, 4, 4, 3)[::-1]},
    ],
)
def test_content_changes_the_digest(changes):
    assert dataset(**changes).digest() != dataset().digest()


def test_the_boundary_between_texts_counts():
    one = dataset(captions=("ab", "c", "", "", "", ""))
    two = dataset(captions=("a", "bc", "", "", "", ""))
    assert one.digest() != two.digest()


def test_the_shape_counts_when_the_bytes_are_the_same():
    raw = np.zeros(48, np.uint8)
    grey = ContributorDataset("x", raw.reshape(3, 4, 4, 1), np.zeros(3, np.int64), ("a",))
    colour = ContributorDataset("x", raw.reshape(1, 4, 4, 3), np.zeros(1, np.int64), ("a",))
    assert grey.contributor_digests() != colour.contributor_digests()


IMAGES = hnp.arrays(np.uint8, (6, 4, 4, 3))


@settings(max_examples=60, deadline=None)
@given(IMAGES)
def test_memory_layout_does_not_change_the_digests(images):
    wide = np.zeros((6, 4, 8, 3), np.uint8)
    wide[:, :, ::2] = images
    backwards = np.ascontiguousarray(images[::-1])[::-1]
    one = dataset(images=images)
    for layout in (np.asfortranarray(images), wide[:, :, ::2], backwards):
        other = dataset(images=layout)
        assert other.digest() == one.digest()
        assert other.contributor_digests() == one.contributor_digests()


@settings(max_examples=60, deadline=None)
@given(IMAGES, IMAGES)
def test_the_digest_changes_if_and_only_if_pixels_do(first, second):
    same = np.array_equal(first, second)
    assert (dataset(images=first).digest() == dataset(images=second).digest()) == same


@settings(max_examples=60, deadline=None)
@given(IMAGES, st.integers(0, 5), st.integers(1, 255))
def test_one_changed_pixel_changes_the_digest_of_its_owner_alone(images, row, change):
    before = dataset(images=images)
    altered = images.copy()
    altered[row, 1, 2, 0] ^= change
    after = dataset(images=altered)
    owner = before.contributors[before.contributor[row]]
    digests = after.contributor_digests()
    changed = {
        name for name, digest in before.contributor_digests().items() if digests[name] != digest
    }
    assert changed == {owner}
    assert after.digest() != before.digest()


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(6)))
def test_a_contributors_digest_depends_on_its_own_images_in_their_order(order):
    plain = dataset(labels=np.arange(6))
    order = np.array(order)
    mixed = dataclasses.replace(
        plain,
        images=plain.images[order],
        contributor=plain.contributor[order],
        labels=plain.labels[order],
    )
    digests = mixed.contributor_digests()
    for index, name in enumerate(plain.contributors):
        kept = np.array_equal(
            order[plain.contributor[order] == index], np.flatnonzero(plain.contributor == index)
        )
        assert (digests[name] == plain.contributor_digests()[name]) == kept


def test_without_some_contributors_the_others_stay_as_they_were():
    data = load_contributors(DataSettings(source="digits", image_size=8))
    left = data.without(["noise", "archive-a"])
    assert left.contributors == tuple(
        n for n in data.contributors if n not in ("noise", "archive-a")
    )
    before = data.contributor_digests()
    assert left.contributor_digests() == {name: before[name] for name in left.contributors}
    assert data.without([]).digest() == data.digest()
    with pytest.raises(InputError):
        data.without(data.contributors)
