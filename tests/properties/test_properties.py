"""Properties against known answers."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from credit_plugin.config import ClassifierSettings, PropertySettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.properties.classifier import load_classifier, save_classifier, train_classifier
from credit_plugin.properties.frechet_distance import frechet_distance
from credit_plugin.properties.registry import ImageSet, get_property, property_names
from credit_plugin.properties.suite import prepare_suite

SETTINGS = PropertySettings(clusters=4)


def image_set(images=None, features=None, probabilities=None):
    empty = np.zeros((1, 1))
    return ImageSet(
        np.zeros((1, 4, 4, 3), np.uint8) if images is None else images,
        empty if features is None else features,
        empty if probabilities is None else probabilities,
    )


def measure(name, samples, reference=None):
    property_ = get_property(name)
    return property_.measure(samples, property_.prepare(reference or samples, SETTINGS, 0))


def test_all_are_registered_and_say_which_way_is_better():
    directions = {name: get_property(name).direction for name in property_names()}
    assert directions == {
        "aesthetic": 1,
        "clip_score": 1,
        "colourfulness": 1,
        "diversity": 1,
        "fid": -1,
        "frechet_distance": -1,
        "inception_score": 1,
        "kernel_distance": -1,
        "kid": -1,
        "lpips": 1,
        "pairwise_distance": 1,
        "precision": 1,
        "recall": 1,
    }


def test_an_unknown_property_is_named():
    with pytest.raises(InputError, match="'beauty' is not a property"):
        get_property("beauty")


def test_grey_is_not_colourful_and_red_and_cyan_are():
    grey = np.full((3, 4, 4, 3), 77, np.uint8)
    assert measure("colourfulness", image_set(grey)) == 0
    halves = np.zeros((1, 4, 4, 3), np.uint8)
    halves[:, :2, :, 0] = 255
    halves[:, 2:, :, 1:] = 255
    # rg is +-255, yb is 127.5 and -127.5: by hand
    assert measure("colourfulness", image_set(halves)) == pytest.approx(np.hypot(255, 127.5))


def test_colourfulness_of_one_channel_is_zero():
    assert measure("colourfulness", image_set(np.full((2, 4, 4, 1), 9, np.uint8))) == 0


def test_inception_score_of_sure_and_balanced_and_of_undecided_classes():
    assert measure("inception_score", image_set(probabilities=np.eye(5))) == pytest.approx(5)
    flat = np.full((7, 5), 0.2)
    assert measure("inception_score", image_set(probabilities=flat)) == pytest.approx(1)
    one = np.tile(np.eye(5)[0], (7, 1))
    assert measure("inception_score", image_set(probabilities=one)) == pytest.approx(1)


def test_diversity_counts_clusters_in_bits():
    corners = np.array([[0.0, 0], [0, 9], [9, 0], [9, 9]]).repeat(20, axis=0)
    reference = image_set(features=corners + np.random.default_rng(0).normal(0, 0.1, corners.shape))
    evenly = image_set(features=corners)
    assert measure("diversity", evenly, reference) == pytest.approx(2)
    assert measure("diversity", image_set(features=corners[:20]), reference) == 0
    half = image_set(features=corners[:40])
    assert measure("diversity", half, reference) == pytest.approx(1)


def test_frechet_distance_agrees_with_the_textbook_formula():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 50, 6))
    b = b * 1.7 + 0.4
    moments = [(x.mean(0), np.cov(x, rowvar=False)) for x in (a, b)]
    (mean_a, cov_a), (mean_b, cov_b) = moments
    textbook = np.sum((mean_a - mean_b) ** 2) + np.trace(
        cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real
    )
    assert frechet_distance(mean_a, cov_a, mean_b, cov_b) == pytest.approx(textbook, rel=1e-9)
    assert measure("frechet_distance", image_set(features=b), image_set(features=a)) == (
        pytest.approx(textbook, rel=1e-9)
    )
    same = measure("frechet_distance", image_set(features=a), image_set(features=a))
    assert same == pytest.approx(0, abs=1e-9)


def test_the_classifier_learns_keeps_and_repeats_itself(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    images = (rng.random((300, 8, 8, 1)) * 60 + labels[:, None, None, None] * 80).astype(np.uint8)
    settings = ClassifierSettings(steps=80, width=4)
    model, accuracy = train_classifier(images, labels, settings, seed=1)
    assert accuracy > 0.9
    save_classifier(model, 8, tmp_path / "classifier.safetensors")
    again = load_classifier(tmp_path / "classifier.safetensors")
    one, two = model.describe(images[:9]), again.describe(images[:9])
    assert (one.features == two.features).all()
    assert one.probabilities.sum(1) == pytest.approx(1)
    repeated, _ = train_classifier(images, labels, settings, seed=1)
    assert (repeated.describe(images[:9]).features == one.features).all()


def test_too_few_images_for_the_classifier_are_named(tmp_path):
    images = np.zeros((9, 8, 8, 1), np.uint8)
    dataset = ContributorDataset("few", images, np.arange(9) % 2, ("a", "b"))
    with pytest.raises(
        InputError, match=r"properties\.observer: classifier .* 9 are fewer than 10"
    ):
        prepare_suite(PropertySettings(), dataset, 0, tmp_path / "suite")
