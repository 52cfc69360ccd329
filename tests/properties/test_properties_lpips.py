"""LPIPS: equal to torchmetrics' own, with an AlexNet of random weights in a file."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torchmetrics.functional.image.lpips import _LPIPS
from torchvision.models import alexnet

from credit_plugin.config import PropertySettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.properties.observers import lpips
from credit_plugin.properties.observers.lpips import LpipsNetwork, LpipsOptions
from credit_plugin.properties.registry import ImageSet, get_property
from credit_plugin.properties.suite import check_suite, load_suite, prepare_suite, suite_identity

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 96, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("lpips")
    torch.manual_seed(0)
    torch.save(alexnet(weights=None).state_dict(), place / "alexnet.pth")
    return place


@pytest.fixture(scope="module")
def theirs(place):
    network = _LPIPS(net="alex", pnet_rand=True)
    weights = torch.load(place / "alexnet.pth", weights_only=True)
    slices = network.net.state_dict()
    network.net.load_state_dict({n: weights[f"features.{n.split('.', 1)[1]}"] for n in slices})
    return network


def pixels(images):
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1


@pytest.mark.parametrize(("side", "size"), [(96, None), (96, 64), (32, 64), (32, None)])
def test_the_property_is_the_mean_over_pairs_of_torchmetrics_lpips(place, theirs, side, size):
    images = np.ascontiguousarray(IMAGES[:, :side, :side])
    options = LpipsOptions(path=place / "alexnet.pth", size=size, batch_size=2)
    features = LpipsNetwork(options, "cpu").features(images)
    theirs.resize = size
    pairs = [
        float(theirs(pixels(images[[a]]), pixels(images[[b]])))
        for a, b in combinations(range(len(images)), 2)
    ]
    seen = ImageSet(images, features, np.empty((0, 0), np.float32))
    assert get_property("lpips").measure(seen, {}) == pytest.approx(np.mean(pairs), rel=1e-4)


def test_the_documented_number_of_features_is_true(place):
    network = LpipsNetwork(LpipsOptions(path=place / "alexnet.pth"), "cpu")
    features = network.features(IMAGES[:1])
    assert features.shape == (1, 31_872)
    assert f"{features.shape[1]:,} features" in lpips.__doc__


def test_equal_samples_have_no_diversity_and_grey_ones_are_looked_at(place):
    grey = np.repeat(IMAGES[:1, :32, :32, :1], 4, axis=0)
    features = LpipsNetwork(LpipsOptions(path=place / "alexnet.pth"), "cpu").features(grey)
    seen = ImageSet(grey, features, np.empty((0, 0), np.float32))
    assert get_property("lpips").measure(seen, {}) == pytest.approx(0, abs=1e-6)
    assert np.isnan(get_property("lpips").measure(seen.part(np.array([0])), {}))


def test_images_that_alexnet_cannot_look_at_are_refused(place):
    network = LpipsNetwork(LpipsOptions(path=place / "alexnet.pth", size=None), "cpu")
    assert network.features(IMAGES[:1, :31, :31]).shape[0] == 1
    with pytest.raises(InputError, match=r"lpips\.size: images of 30 pixels .* at least 31"):
        network.features(IMAGES[:1, :30, :30])


def test_a_study_looks_through_it_beside_its_own_observer(place, tmp_path):
    settings = PropertySettings(
        names=["lpips", "pairwise_distance"],
        options={"pairwise_distance": {"observer": "lpips"}},
        headline="lpips",
        observers={"lpips": {"path": str(place / "alexnet.pth")}},
    )
    dataset = ContributorDataset("some", IMAGES[:, :32, :32], np.arange(5) % 2, ("a", "b"))
    check_suite(settings)
    prepare_suite(settings, dataset, 0, tmp_path / "suite")
    before = suite_identity(settings)
    assert load_suite(settings, tmp_path / "suite").measure(dataset.images)["lpips"] > 0
    other = alexnet(weights=None).state_dict()
    torch.save(other, tmp_path / "other.pth")
    changed = settings.model_copy(
        update={"observers": {"lpips": {"path": str(tmp_path / "other.pth")}}}
    )
    assert suite_identity(changed) != before
    with pytest.raises(InputError, match="another network"):
        load_suite(changed, tmp_path / "suite")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "nowhere.pth"}, "lpips.path: there is no file nowhere.pth"),
        ({"path": "text.pth"}, "lpips.path: text.pth is no file of tensors"),
        ({"path": "heads.pth"}, "lpips.path: heads.pth holds no AlexNet"),
        ({"heads": "alexnet.pth"}, "lpips.heads: alexnet.pth holds no layers of LPIPS"),
        ({"size": 8}, "size"),
    ],
)
def test_what_cannot_be_used_is_named(place, monkeypatch, options, said):
    monkeypatch.chdir(place)
    (place / "text.pth").write_text("no tensors")
    torch.save({"lin0.model.1.weight": torch.zeros(1)}, place / "heads.pth")
    settings = PropertySettings(
        names=["lpips"],
        headline="lpips",
        observers={"lpips": {"path": str(place / "alexnet.pth"), **options}},
    )
    with pytest.raises(InputError, match=said):
        check_suite(settings)


def test_what_is_not_here_is_named_with_its_source(place, monkeypatch, tmp_path):
    settings = PropertySettings(names=["lpips"], headline="lpips")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(lpips, "URL", "http://127.0.0.1:9/alexnet-owt-7be5be79.pth")
    with pytest.raises(InputError, match=r"lpips.path: AlexNet cannot be downloaded from http"):
        check_suite(settings)
    named = settings.model_copy(
        update={"observers": {"lpips": {"path": str(place / "alexnet.pth")}}}
    )
    monkeypatch.setattr(lpips, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'credit_plugin\[lpips\]'"):
        check_suite(named)
