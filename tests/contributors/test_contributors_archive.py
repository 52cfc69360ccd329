"""Source archive: what arrays become, and the one line for each archive that does not fit."""

import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from credit_plugin.config import DataSettings, load_study
from credit_plugin.contributors import load_contributors
from credit_plugin.contributors.sources.archive import load_archive
from credit_plugin.errors import InputError

SIZE = 6
DRAWERS = {
    "contributor": ["alphabet", "drawer"],
    "names": {"alphabet": "alphabet_names"},
    "title": "{alphabet}, drawer {drawer:02d}",
    "labels": "character",
}


def drawings():
    """Three alphabets of two characters, drawn by two drawers each."""
    alphabet, drawer, character = (
        a.ravel() for a in np.meshgrid([0, 1, 2], [1, 2], [0, 1], indexing="ij")
    )
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (12, SIZE, SIZE), dtype=np.uint8),
        "alphabet": alphabet.astype(np.uint8),
        "drawer": drawer.astype(np.uint8),
        "character": (2 * alphabet + character).astype(np.uint16),
        "alphabet_names": np.array(["Tagalog", "Greek", "Latin"]),
    }


def load(path, image_size=SIZE, **options):
    data = DataSettings(source="archive", path=path, image_size=image_size, options=options)
    return load_contributors(data)


@pytest.fixture
def archive(tmp_path):
    def write(**changes):
        arrays = {k: v for k, v in {**drawings(), **changes}.items() if v is not None}
        np.savez_compressed(tmp_path / "drawings.npz", **arrays)
        return tmp_path / "drawings.npz"

    return write


def refusal(path, **options):
    with pytest.raises(InputError) as refused:
        load(path, **options)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def test_combinations_of_two_arrays_are_the_contributors(archive):
    arrays = drawings()
    dataset = load(archive(), **DRAWERS)
    # in the order of the integers, not of the names
    assert dataset.contributors == (
        "Tagalog, drawer 01",
        "Tagalog, drawer 02",
        "Greek, drawer 01",
        "Greek, drawer 02",
        "Latin, drawer 01",
        "Latin, drawer 02",
    )
    np.testing.assert_array_equal(dataset.images[..., 0], arrays["images"])
    np.testing.assert_array_equal(
        dataset.contributor, 2 * arrays["alphabet"].astype(int) + arrays["drawer"] - 1
    )
    np.testing.assert_array_equal(dataset.labels, arrays["character"])
    assert dataset.name == "drawings"


def test_one_array_names_contributors_and_classes_at_once(archive):
    options = {"contributor": "alphabet", "labels": "alphabet"}
    plain = load(archive(), **options)
    assert plain.contributors == ("0", "1", "2")
    named = load(archive(), **options, names={"alphabet": "alphabet_names"})
    assert named.contributors == ("Tagalog", "Greek", "Latin")
    np.testing.assert_array_equal(named.contributor, named.labels)


def test_contributors_may_be_text(archive):
    owner = np.array(["zoe", "ann", "bob"]).repeat(4)
    dataset = load(archive(owner=owner), contributor="owner")
    assert dataset.contributors == ("ann", "bob", "zoe")
    assert [dataset.contributors[i] for i in dataset.contributor] == owner.tolist()
    assert dataset.labels is None


def test_kept_values_select_images_and_number_labels_anew(archive):
    arrays = drawings()
    dataset = load(archive(), **DRAWERS, keep={"alphabet": ["Tagalog", "Latin"], "drawer": [2]})
    rows = np.isin(arrays["alphabet"], [0, 2]) & (arrays["drawer"] == 2)
    np.testing.assert_array_equal(dataset.images[..., 0], arrays["images"][rows])
    assert dataset.contributors == ("Tagalog, drawer 02", "Latin, drawer 02")
    assert dataset.labels.tolist() == [0, 1, 2, 3]


def test_the_digest_is_that_of_content_and_not_of_the_file(archive, tmp_path):
    digest = load(archive(), **DRAWERS).digest()
    with np.load(archive()) as arrays:
        np.savez(tmp_path / "other.npz", **arrays)
    assert load(tmp_path / "other.npz", **DRAWERS).digest() == digest
    changed = drawings()["images"]
    changed[3, 2, 2] ^= 1
    assert load(archive(images=changed), **DRAWERS).digest() != digest


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_binary_images_become_black_and_white(archive, dtype):
    binary = np.random.default_rng(1).random((12, SIZE, SIZE)) < 0.3
    dataset = load(archive(images=binary.astype(dtype)), **DRAWERS)
    np.testing.assert_array_equal(dataset.images[..., 0], np.where(binary, 255, 0))


def test_colour_stays_and_other_sizes_are_resized(archive):
    colour = np.full((12, SIZE, SIZE, 3), (10, 200, 90), np.uint8)
    dataset = load(archive(images=colour), image_size=4, **DRAWERS)
    np.testing.assert_array_equal(dataset.images, colour[:, :4, :4])


def test_licence_and_attribution_go_to_every_contributor(archive):
    dataset = load(archive(), **DRAWERS, licence="MIT", attribution="B. Lake et al.")
    assert dataset.licences == ("MIT",) * 6
    assert dataset.attribution == ("B. Lake et al.",) * 6


@settings(max_examples=40, deadline=None)
@given(
    alphabet=npst.arrays(np.int64, 9, elements=st.integers(0, 3)),
    drawer=npst.arrays(np.int32, 9, elements=st.integers(-5, 5)),
)
def test_every_image_stays_with_who_made_it(tmp_path_factory, alphabet, drawer):
    path = tmp_path_factory.mktemp("law") / "a.npz"
    images = np.arange(9, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2) * 25
    np.savez(path, images=images, alphabet=alphabet, drawer=drawer)
    options = {"contributor": ["alphabet", "drawer"], "title": "{alphabet}/{drawer}"}
    dataset = load_archive(
        DataSettings(source="archive", path=path, image_size=4, options=options), 0
    )
    np.testing.assert_array_equal(dataset.images[..., 0], images)
    names = [dataset.contributors[index] for index in dataset.contributor]
    assert names == [f"{a}/{d}" for a, d in zip(alphabet, drawer, strict=True)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, "data.options.images: "),
        ({"drawer": None}, "has no array 'drawer'; it has images, alphabet, character"),
        ({"character": None}, "data.options.labels: "),
        ({"alphabet_names": None}, "data.options.names.alphabet: "),
        ({"images": np.zeros((12, SIZE, 5), np.uint8)}, "'images' is uint8 [12, 6, 5]; it must be"),
        ({"images": np.zeros((12, 4, 4, 2), np.uint8)}, "with 1 or 3 channels"),
        ({"images": np.zeros((12, 4, 4), np.float32)}, "'images' is float32 [12, 4, 4]"),
        ({"images": np.zeros((0, 4, 4), np.uint8)}, "'images' is uint8 [0, 4, 4]"),
        ({"drawer": np.zeros(11, np.uint8)}, "'drawer' is uint8 [11]; it must be integers or text"),
        ({"drawer": np.zeros((12, 1), int)}, "data.options.contributor: array 'drawer'"),
        ({"character": np.zeros(12)}, "data.options.labels: array 'character' is float64 [12]"),
        ({"alphabet": np.full(12, 3)}, "'alphabet' has entries from 3 to 3, but 'alphabet_names'"),
        ({"alphabet": np.full(12, -1)}, "'alphabet' has entries from -1 to -1"),
        ({"alphabet_names": np.zeros(3)}, "'alphabet_names' must be text [k]"),
        ({"alphabet": np.full(12, "Greek")}, "must be text [k] that names the integers"),
        ({"alphabet_names": np.array(["A", "A", "B"])}, "would be called 'A, drawer 01'"),
        ({"alphabet_names": np.array(["A", "a\nb", "C"])}, "control character"),
        ({"character": np.array([{}] * 12)}, "'character' holds Python objects"),
    ],
)
def test_arrays_that_do_not_fit_are_named(archive, changes, message):
    assert message in refusal(archive(**changes), **DRAWERS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "images"}, "data.options.image: source archive has no such option"),
        ({"contributor": []}, "data.options.contributor: "),
        ({"contributor": 3}, "data.options.contributor: "),
        ({"title": "{alphabet}"}, "data.options.title: several contributors would be called"),
        ({"title": "{nobody}"}, "data.options.title: '{nobody}' cannot be filled in; it may use"),
        ({"title": "{}"}, "it may use {alphabet}, {drawer}"),
        ({"title": "{drawer[0]}"}, "data.options.title: '{drawer[0]}' cannot be filled in"),
        ({"title": "{alphabet:02d}"}, "data.options.title"),
        ({"title": "{alphabet"}, "data.options.title"),
        ({"names": {"colour": "alphabet_names"}}, "data.options.names.colour: no option uses"),
        ({"keep": {"alphabet": ["Runes"]}}, "has no value 'Runes'; it has Tagalog, Greek, Latin"),
        (
            {"keep": {"drawer": ["1"]}},
            "data.options.keep.drawer: 'drawer' has no value '1'; it has 1, 2",
        ),
        ({"keep": {"alphabet": []}}, "data.options.keep: no image is left"),
        ({"keep": {"style": ["a"]}}, "data.options.keep: "),
    ],
)
def test_options_that_do_not_fit_are_named(archive, options, message):
    assert message in refusal(archive(), **{**DRAWERS, **options})


def test_files_that_are_no_archives_are_refused(tmp_path):
    missing = refusal(tmp_path / "absent.npz", **DRAWERS)
    assert missing.startswith(f"data.path: {tmp_path / 'absent.npz'} cannot be read: No such file")
    assert "cannot be read" in refusal(tmp_path, **DRAWERS)
    (tmp_path / "text.npz").write_text("no archive")
    assert "is not an .npz archive" in refusal(tmp_path / "text.npz", **DRAWERS)
    (tmp_path / "empty.npz").write_bytes(b"")
    assert "is not an .npz archive" in refusal(tmp_path / "empty.npz", **DRAWERS)
    with (tmp_path / "bare.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    assert "is not an .npz archive" in refusal(tmp_path / "bare.npz", **DRAWERS)
    with zipfile.ZipFile(tmp_path / "notes.npz", "w") as zipped:
        zipped.writestr("images", "no array")
    assert "data.options.images: 'images'" in refusal(tmp_path / "notes.npz", **DRAWERS)


def test_a_damaged_archive_is_named(archive):
    path = archive()
    content = bytearray(path.read_bytes())
    at = content.index(b"images.npy") + 60
    content[at : at + 40] = bytes(40)
    path.write_bytes(content)
    assert "is damaged: array 'images' cannot be read" in refusal(path, **DRAWERS)


@pytest.mark.parametrize("preset", ["tiny_imagenet_mammals20", "omniglot_drawers"])
def test_presets_of_real_data_say_which_file_they_need(preset):
    with pytest.raises(InputError) as refused:
        load_contributors(load_study(preset).data)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("data.path is missing; set it to the file")
    assert ".npz" in line


def test_the_preset_of_classes_reads_an_archive_of_its_layout(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(20).repeat(2).astype(np.uint8)
    np.savez(
        tmp_path / "a.npz",
        train_images=rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8),
        train_labels=labels,
        label_names=np.array([f"mammal {i}" for i in range(20)]),
    )
    study = load_study("tiny_imagenet_mammals20", overrides=[f"data.path={tmp_path / 'a.npz'}"])
    dataset = load_contributors(study.data)
    assert dataset.contributors == tuple(f"mammal {i}" for i in range(20))
    np.testing.assert_array_equal(dataset.contributor, labels)
    np.testing.assert_array_equal(dataset.labels, labels)


def test_the_preset_of_drawers_reads_an_archive_of_its_layout(tmp_path):
    study = load_study("omniglot_drawers", overrides=[f"data.path={tmp_path / 'a.npz'}"])
    kept = study.data.options["keep"]["alphabet"]
    alphabet = np.arange(3).repeat(40)
    np.savez(
        tmp_path / "a.npz",
        images=np.random.default_rng(0).integers(0, 256, (120, 28, 28), dtype=np.uint8),
        alphabet=alphabet.astype(np.uint8),
        drawer=np.tile(np.arange(1, 21).repeat(2), 3).astype(np.uint8),
        character=(2 * alphabet + np.tile([0, 1], 60)).astype(np.uint16),
        alphabet_names=np.array([*kept, "Another"]),
    )
    dataset = load_contributors(study.data)
    assert dataset.n_contributors == 40
    assert dataset.contributors[6] == f"{kept[0]}, drawer 07"
    assert dataset.counts.tolist() == [2] * 40
    assert sorted(set(dataset.labels.tolist())) == [0, 1, 2, 3]


GRID = {"axes": ["vendor", "concept"], "contributor": "vendor", "names": {"vendor": "vendors"}}


@pytest.fixture
def grid(archive):
    images = np.random.default_rng(1).integers(0, 256, (2, 3, SIZE, SIZE, 3), np.uint8)
    path = archive(
        images=images,
        vendors=np.array(["noto", "twemoji"]),
        captions=np.array(["airplane", "clown", "tree"]),
    )
    return path, images


def test_axes_before_height_say_who_gave_what(grid):
    path, images = grid
    names = {**GRID["names"], "concept": "captions"}
    loaded = load(path, **{**GRID, "names": names, "captions": "concept", "labels": "concept"})
    assert loaded.contributors == ("noto", "twemoji")
    assert loaded.captions == ("airplane", "clown", "tree") * 2
    assert loaded.labels.tolist() == [0, 1, 2] * 2
    assert (loaded.images == images.reshape(6, SIZE, SIZE, 3)).all()


def test_kept_vendors_keep_their_captions(grid):
    path, images = grid
    options = {**GRID, "names": {**GRID["names"], "concept": "captions"}, "captions": "concept"}
    kept = {"vendor": ["twemoji"], "concept": ["tree", "airplane"]}
    loaded = load_archive(
        DataSettings(
            source="archive", path=path, image_size=SIZE, options={**options, "keep": kept}
        ),
        0,
    )
    assert loaded.captions == ("airplane", "tree")
    assert (loaded.images == images[1, [0, 2]]).all()


@pytest.mark.parametrize("axes", [["vendor"], ["a", "b", "c", "d"]])
def test_axes_that_do_not_fit_are_named(grid, axes):
    path, _ = grid
    assert "data.options.axes: array 'images'" in refusal(path, axes=axes, contributor=axes[0])
