"""Distances and manifolds against clean-fid, brute force and closed forms."""

import hashlib
import math

import numpy as np
import pytest
import torch
from cleanfid import fid
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from credit_plugin.config import PropertySettings
from credit_plugin.properties.observers.inception.network import InceptionNetwork
from credit_plugin.properties.registry import ImageSet, get_property

SETTINGS = PropertySettings()
FEATURES = npst.arrays(
    np.float32, st.tuples(st.integers(5, 30), st.just(4)), elements=st.integers(-8, 8)
)


def seen(features):
    none = np.empty((0, 0), np.float32)
    return ImageSet(np.zeros((len(features), 4, 4, 3), np.uint8), features, none)


def measure(name, samples, reference):
    found = get_property(name)
    statistics = found.prepare(seen(reference), SETTINGS, 0)
    return found.measure(seen(samples), statistics)


def normal(count, size=6, shift=0.0, seed=0):
    return (np.random.default_rng(seed).normal(size=(count, size)) + shift).astype(np.float32)


@pytest.mark.parametrize("name", ["frechet_distance", "fid"])
def test_the_frechet_distance_is_that_of_clean_fid(name):
    samples, real = normal(200), normal(300, shift=0.5, seed=1)
    moments = [(f.mean(0), np.cov(f, rowvar=False)) for f in (samples, real)]
    expected = fid.frechet_distance(*moments[0], *moments[1])
    assert measure(name, samples, real) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["kernel_distance", "kid"])
def test_the_kernel_distance_is_that_of_clean_fid(name):
    samples, real = normal(150), normal(150, shift=0.3, seed=1)
    expected = fid.kernel_distance(real, samples, num_subsets=1, max_subset_size=150)
    assert measure(name, samples, real) == pytest.approx(expected, rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(FEATURES, FEATURES)
def test_the_kernel_distance_is_its_definition(samples, real):
    one, other = samples.astype(float), real.astype(float)

    def kernel(a, b):
        return (a @ b / 4 + 1) ** 3

    def within(rows):
        pairs = [kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]
        return np.mean(pairs)

    between = np.mean([kernel(a, b) for a in one for b in other])
    expected = within(one) + within(other) - 2 * between
    scale = abs(within(one)) + abs(within(other)) + 1
    assert measure("kernel_distance", samples, real) == pytest.approx(expected, abs=1e-9 * scale)


def balls(points):
    """Return the distance of each point to its third nearest other one, by sorting."""
    return [sorted(np.linalg.norm(points - p, axis=1))[min(3, len(points) - 1)] for p in points]


@settings(max_examples=25, deadline=None)
@given(FEATURES, FEATURES)
def test_precision_and_recall_are_their_definitions(samples, real):
    one, other = samples.astype(float), real.astype(float)

    def inside(points, centres):
        reach = balls(centres)
        hits = [
            any(np.linalg.norm(p - c) <= r for c, r in zip(centres, reach, strict=True))
            for p in points
        ]
        return np.mean(hits)

    assert measure("precision", samples, real) == pytest.approx(inside(one, other))
    assert measure("recall", samples, real) == pytest.approx(inside(other, one))


def test_blocks_of_rows_do_not_matter(monkeypatch):
    from credit_plugin.properties import kernel_distance, manifold

    samples, real = normal(50), normal(70, shift=0.4, seed=2)
    names = ("kernel_distance", "precision", "recall")
    whole = [measure(name, samples, real) for name in names]
    for module in (kernel_distance, manifold):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    assert [measure(name, samples, real) for name in names] == pytest.approx(whole)


@settings(max_examples=25, deadline=None)
@given(FEATURES.filter(lambda f: (np.linalg.norm(f, axis=1) > 0).all()))
def test_the_pairwise_distance_is_the_mean_over_pairs(samples):
    unit = samples / np.linalg.norm(samples, axis=1, keepdims=True)
    pairs = [1 - a @ b for i, a in enumerate(unit) for b in unit[:i]]
    expected = np.mean(pairs)
    assert measure("pairwise_distance", samples, samples) == pytest.approx(expected, abs=1e-6)


def test_samples_like_the_real_images_are_close_and_others_are_not():
    real, like, unlike = normal(400), normal(400, seed=5), normal(400, shift=2.0, seed=6)
    for name in ("frechet_distance", "kernel_distance"):
        assert abs(measure(name, like, real)) < 0.2 * measure(name, unlike, real)
    for name in ("precision", "recall"):
        assert measure(name, like, real) > 0.8 > 0.4 > measure(name, unlike, real)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 12))
def test_the_inception_score_is_its_definition(seed, count, classes):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.3), count).astype(np.float32)
    marginal = [math.fsum(float(row[c]) for row in p) / count for c in range(classes)]
    divergence = math.fsum(
        float(row[c]) * (math.log(float(row[c])) - math.log(marginal[c]))
        for row in p
        for c in range(classes)
        if row[c] > 0
    )
    samples = ImageSet(np.zeros((count, 4, 4, 3), np.uint8), np.empty((0, 0)), p)
    found = get_property("inception_score").measure(samples, {})
    assert found == pytest.approx(math.exp(divergence / count), rel=1e-9)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Write two folders of pictures, and return them with their pixels."""
    place, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(3)
    written = {}
    for name, low in (("samples", 0), ("real", 60)):
        (place / name).mkdir()
        pixels = rng.integers(low, 256, (40, 16, 16, 3)).astype(np.uint8)
        for index, image in enumerate(pixels):
            Image.fromarray(image).save(place / name / f"{index:02d}.png")
        written[name] = (place / name, pixels)
    return written


class Small(torch.nn.Module):
    """A network of few features that takes what Inception takes."""

    def __init__(self):
        super().__init__()
        self.pool = torch.nn.AdaptiveAvgPool2d(2)
        self.project = torch.nn.Linear(12, 10)

    def forward(self, pixels):
        return self.project(self.pool((pixels - 128) / 128).flatten(1)).relu()


def test_fid_and_kid_of_files_are_those_of_clean_fid(folders, tmp_path, monkeypatch):
    torch.manual_seed(0)
    network = Small().eval()

    class Published(torch.nn.Module):
        """The same, which takes pixels that were scaled before."""

        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, pixels):
            return self.network(pixels * 128 + 128)

    torch.jit.script(Published()).save(tmp_path / "small.pt")
    digest = hashlib.sha256((tmp_path / "small.pt").read_bytes()).hexdigest()
    ours = InceptionNetwork(tmp_path / "small.pt", digest)
    features = {name: ours.features(pixels) for name, (_, pixels) in folders.items()}
    theirs = {
        name: fid.get_folder_features(
            str(folder),
            network,
            num_workers=0,
            device=torch.device("cpu"),
            mode="clean",
            verbose=False,
        )
        for name, (folder, _) in folders.items()
    }
    for name in folders:
        np.testing.assert_allclose(features[name], theirs[name], rtol=1e-4, atol=1e-4)
    places = [str(folders[name][0]) for name in ("samples", "real")]
    expected = fid.compute_fid(
        *places,
        mode="clean",
        num_workers=0,
        device=torch.device("cpu"),
        custom_feat_extractor=network,
        use_dataparallel=False,
        verbose=False,
    )
    found = measure("fid", features["samples"], features["real"])
    assert found == pytest.approx(expected, rel=1e-3)
    kernel = fid.kernel_distance(theirs["samples"], theirs["real"], 1, 40)
    assert measure("kid", features["samples"], features["real"]) == pytest.approx(kernel, rel=1e-3)
