import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from credit_plugin.config import DataSettings, load_study
from credit_plugin.contributors import (
    ContributorDataset,
    load_contributors,
    register_source,
    source_names,
)
from credit_plugin.contributors.resizing import resize_images
from credit_plugin.contributors.sources import designers as designers_module
from credit_plugin.errors import InputError

DESIGNERS = "ee6be382cfed134dfc1e0c422ef4d0cc00a32a197dad51dde2d1d3ba6defaa7a"
DIGITS = "4f54802bf9595f9eef68ad4fd3ccdcf1a68ae7daf9400a024608f617253f7545"


@pytest.fixture(scope="module")
def designers():
    return load_contributors(DataSettings())


@pytest.fixture(scope="module")
def digits():
    return load_contributors(DataSettings(source="digits", image_size=8))


def test_designers_are_twelve_with_160_avatars_each(designers):
    assert designers.images.shape == (1920, 16, 16, 3)
    assert designers.n_contributors == 12
    assert designers.counts.tolist() == [160] * 12
    assert "Pablo Stanley" in designers.contributors
    assert designers.digest() == DESIGNERS


def test_attribution_travels_with_the_designers(designers):
    document = (
        resources.files("credit_plugin.contributors") / "data" / "ATTRIBUTION.md"
    ).read_text("utf-8")
    for name, line in zip(designers.contributors, designers.attribution, strict=True):
        assert name in line
        assert "licensed under" in line
        assert line in document
    assert sorted(set(designers.licences)) == ["CC BY 4.0", "CC0 1.0"]
    assert designers.licences.count("CC BY 4.0") == 10


def test_designers_shrink_by_averaging_and_grow_smoothly(designers):
    small = load_contributors(DataSettings(image_size=8)).images
    blocks = designers.images.reshape(1920, 8, 2, 8, 2, 3).mean(axis=(2, 4))
    # rows and columns are rounded one after the other
    assert np.abs(small - blocks).max() <= 1
    assert load_contributors(DataSettings(image_size=32)).images.shape == (1920, 32, 32, 3)


def test_a_damaged_archive_is_not_opened(monkeypatch):
    monkeypatch.setattr(designers_module, "ARCHIVE_SHA256", "0" * 64)
    with pytest.raises(InputError, match="damaged; reinstall"):
        load_contributors(DataSettings())


def test_digits_facts(digits):
    assert digits.images.shape == (1370, 8, 8, 1)
    assert digits.images.max() == 255
    assert digits.n_contributors == 8
    assert digits.digest() == DIGITS
    counts = dict(zip(digits.contributors, digits.counts.tolist(), strict=True))
    assert counts["archive-a"] == counts["archive-b"] == 350
    assert counts["scanner-f"] == 50
    owned = {
        name: set(digits.labels[digits.contributor == index].tolist())
        for index, name in enumerate(digits.contributors)
    }
    assert set().union(*owned.values()) == set(range(10))
    assert [name for name, labels in owned.items() if 9 in labels] == ["school-e"]
    assert owned["archive-a"] & owned["archive-b"] == {4}


def test_digits_are_scikit_learns_under_their_own_labels(digits):
    from sklearn.datasets import load_digits

    source = load_digits()
    known = {
        (image / 16 * 255).round().astype(np.uint8).tobytes(): label
        for image, label in zip(source.images, source.target, strict=True)
    }
    noisy = digits.contributor == digits.contributors.index("noise")
    for image, label in zip(digits.images[~noisy], digits.labels[~noisy], strict=True):
        assert known[image.tobytes()] == label
    assert not any(image.tobytes() in known for image in digits.images[noisy])


def test_one_copies_another_and_nobody_else_does(digits):
    images = {
        name: digits.images[digits.contributor == index]
        for index, name in enumerate(digits.contributors)
    }
    np.testing.assert_array_equal(images["copycat"], images["office-c"])
    unique = len(np.unique(digits.images.reshape(digits.n_images, -1), axis=0))
    assert unique == digits.n_images - len(images["copycat"])


def test_noise_is_without_content(digits):
    noise = digits.images[digits.contributor == digits.contributors.index("noise")] / 255
    # uniform on 0..1: mean 1/2, variance 1/12, over 7,680 independent pixels; six sigma
    assert abs(noise.mean() - 1 / 2) < 6 * (1 / 12 / noise.size) ** 0.5
    assert abs(noise.var() - 1 / 12) < 6 * (1 / 180 / noise.size) ** 0.5


def test_digits_without_noise_and_copies_are_all_real_and_different():
    options = {"noisy": False, "duplicate": False}
    plain = load_contributors(DataSettings(source="digits", image_size=8, options=options))
    assert len(np.unique(plain.images.reshape(plain.n_images, -1), axis=0)) == plain.n_images
    assert plain.counts.tolist() == [350, 350, 140, 140, 80, 50, 120, 140]


@pytest.mark.parametrize("source", ["designers", "digits"])
def test_the_study_seed_does_not_change_who_gave_what(source):
    data = DataSettings(source=source, image_size=8)
    assert load_contributors(data, seed=1).digest() == load_contributors(data, seed=2).digest()


def test_digits_at_another_size():
    assert load_contributors(DataSettings(source="digits", image_size=16)).image_size == 16


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [3, 5, 8])
def test_resizing_keeps_flat_images_flat(channels, size):
    flat = np.full((2, 5, 5, channels), 77, np.uint8)
    np.testing.assert_array_equal(
        resize_images(flat, size), np.full((2, size, size, channels), 77, np.uint8)
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"source": "digit"}, "data.source: 'digit' is not a source; did you mean digits?"),
        ({"source": "x"}, "choose from archive, designers, digits, huggingface"),
        ({"options": {"crop": "none"}}, "data.options.crop: source designers has no such option"),
        ({"path": "photos"}, "data.path: source designers brings its own images"),
        ({"source": "digits", "path": "photos"}, "data.path: source digits brings its own"),
        (
            {"source": "digits", "options": {"noise": True}},
            "data.options.noise: source digits has no such option; it knows noisy, duplicate",
        ),
        (
            {"source": "digits", "options": {"noisy": "loud"}},
            "data.options.noisy: input should be a valid boolean",
        ),
        (
            {"source": "digits", "image_size": 8, "min_images": 60},
            "data.min_images = 60: too few images ('scanner-f' has 50)",
        ),
    ],
)
def test_settings_that_cannot_be_used_are_named(data, message):
    with pytest.raises(InputError) as refused:
        load_contributors(DataSettings(**data))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_bad_option_has_its_line():
    data = DataSettings(source="digits", options={"noisy": 7, "loud": 1})
    with pytest.raises(InputError) as refused:
        load_contributors(data)
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize("preset", ["designers", "digits"])
def test_the_presets_load(preset):
    data = load_study(preset).data
    assert load_contributors(data).image_size == data.image_size


@pytest.fixture
def registry(monkeypatch):
    import credit_plugin.contributors.sources as sources

    monkeypatch.setattr(sources.SOURCES, "_entries", dict(sources.SOURCES._entries))


@pytest.mark.usefixtures("registry")
def test_a_source_of_ones_own():
    seeds = []

    @register_source("mine")
    def load_mine(data, seed):
        seeds.append(seed)
        images = np.zeros((4, 16, 16, 1), np.uint8)
        names = ("a", "b")[: data.options["n"]]
        return ContributorDataset("mine", images, np.arange(4) % len(names), names)

    assert "mine" in source_names()
    load_contributors(DataSettings(source="mine", options={"n": 2}), seed=5)
    assert seeds == [5]
    with pytest.raises(InputError, match=r"data\.image_size = 8: source 'mine' gives images of 16"):
        load_contributors(DataSettings(source="mine", image_size=8, options={"n": 2}))
    with pytest.raises(InputError, match="one contributor only"):
        load_contributors(DataSettings(source="mine", options={"n": 1}))


@pytest.mark.usefixtures("registry")
def test_a_source_of_an_installed_package(tmp_path, monkeypatch):
    described = tmp_path / "strangers-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[credit_plugin.sources]\ngrey = strangers_grey\n")
    (tmp_path / "strangers_grey.py").write_text(
        "import numpy as np\n"
        "from credit_plugin.contributors import ContributorDataset, register_source\n"
        "@register_source('grey')\n"
        "def load(data, seed):\n"
        "    images = np.full((4, 16, 16, 1), 128, np.uint8)\n"
        "    return ContributorDataset('grey', images, np.arange(4) % 2, ('a', 'b'))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "grey" in source_names()
    assert load_contributors(DataSettings(source="grey")).images.max() == 128


def test_importing_the_package_is_light():
    code = (
        "import sys, credit_plugin.contributors as c; c.source_names(); "
        "print([m for m in ('PIL', 'torch', 'sklearn', 'scipy', 'mlflow') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_noise_replaces_the_images_of_a_contributor_and_nothing_else():
    data = DataSettings(source="digits", image_size=8)
    real = load_contributors(data)
    noisy = load_contributors(data.model_copy(update={"noise": ("school-e",)}))
    own = real.contributor == real.contributors.index("school-e")
    assert (noisy.images[~own] == real.images[~own]).all()
    assert (noisy.labels == real.labels).all()
    counts = np.histogram(noisy.images[own], bins=8, range=(0, 256))[0]
    assert counts.min() > 0.8 * counts.mean()
    assert noisy.digest() != real.digest()
    again = load_contributors(data.model_copy(update={"noise": ("school-e",)}))
    assert again.digest() == noisy.digest()
    other_seed = load_contributors(data.model_copy(update={"noise": ("school-e",)}), seed=1)
    assert other_seed.digest() != noisy.digest()


def test_noise_of_nobody_is_named():
    with pytest.raises(InputError, match=r"^data\.noise: .*'school-f'; did you mean 'school-e'\?"):
        load_contributors(DataSettings(source="digits", image_size=8, noise="school-f"))
