"""Methods that look at images: laws of similarity, known answers, a real CLIP of small size."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from credit_plugin.config import FidelitySettings, load_study
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.snapshot import save_snapshot
from credit_plugin.errors import InputError
from credit_plugin.fidelity.attribution import get_attribution
from credit_plugin.fidelity.attributions.clip_similarity import load_clip
from credit_plugin.fidelity.attributions.pixel_similarity import cosine_about_grey
from credit_plugin.fidelity.counterfactual import random_removal, removal
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.similarity import cosine, negative_distance, similarity_scores
from credit_plugin.folders import StudyFolders
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.properties.registry import ImageSet, get_property
from credit_plugin.properties.suite import prepare_suite

MEASURES = (cosine, negative_distance)
COLOURS = {"greys": (120, 120, 120), "reds": (230, 40, 40), "blues": (90, 90, 180)}
COUNTS = {"greys": 12, "reds": 7, "blues": 5}


@st.composite
def vectors(draw):
    """Draw vectors of images [m, d], their owners [m] and vectors of generated images [g, d]."""
    n, d, g = draw(st.integers(2, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    owner = np.repeat(np.arange(n), draw(st.lists(st.integers(1, 4), min_size=n, max_size=n)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    own, generated = rng.normal(size=(len(owner), d)), rng.normal(size=(g, d))
    shuffled = rng.permutation(len(owner))
    return own[shuffled], owner[shuffled], generated


def same(one, two):
    assert one.keys() == two.keys() == {"avg", "max"}
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-9)


def test_cosine_and_distance_of_known_vectors():
    right = np.array([[1.0, 0], [0, 2], [-3, 0], [0, 0]])
    assert cosine(right[:1], right).tolist() == [[1, 0, -1, 0]]
    assert cosine(np.array([[3.0, 4]]), np.array([[4.0, 3]]))[0, 0] == pytest.approx(24 / 25)
    assert negative_distance(np.array([[0.0, 0]]), np.array([[3.0, 4]])).tolist() == [[-5]]


def test_scores_by_hand():
    own, owner = np.array([[1.0], [5.0], [2.0]]), np.array([0, 0, 1])
    found = similarity_scores(own, owner, np.array([[1.0], [3.0]]), negative_distance)
    # distances from 1: 0, 4, 1; from 3: 2, 2, 1
    assert found["avg"].tolist() == [-2, -1]
    assert found["max"].tolist() == [-1, -1]


@pytest.mark.parametrize("measure", MEASURES)
@given(given_vectors=vectors())
@settings(max_examples=30, deadline=None)
def test_the_average_is_at_most_the_maximum(measure, given_vectors):
    found = similarity_scores(*given_vectors, measure)
    assert (found["avg"] <= found["max"] + 1e-12).all()


@pytest.mark.parametrize("measure", MEASURES)
@given(given_vectors=vectors(), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_order_and_blocks_of_images_and_twice_the_generated_ones_change_nothing(
    measure, given_vectors, seed
):
    own, owner, generated = given_vectors
    found = similarity_scores(own, owner, generated, measure)
    order = np.random.default_rng(seed).permutation(len(own))
    same(found, similarity_scores(own[order], owner[order], generated[::-1], measure))
    same(found, similarity_scores(own, owner, np.repeat(generated, 2, axis=0), measure))
    same(found, similarity_scores(own, owner, generated, measure, numbers_at_once=1))


@pytest.mark.parametrize("measure", MEASURES)
@given(given_vectors=vectors(), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_contributors_in_another_order_get_the_same_scores(measure, given_vectors, seed):
    own, owner, generated = given_vectors
    place = np.random.default_rng(seed).permutation(owner.max() + 1)
    moved = similarity_scores(own, place[owner], generated, measure)
    found = similarity_scores(own, owner, generated, measure)
    same(found, {name: scores[place] for name, scores in moved.items()})


@pytest.mark.parametrize("measure", MEASURES)
@given(given_vectors=vectors())
@settings(max_examples=30, deadline=None)
def test_nobody_is_above_whose_images_are_the_generated_ones(measure, given_vectors):
    own, owner, _ = given_vectors
    for player in range(owner.max() + 1):
        found = similarity_scores(own, owner, own[owner == player], measure)["max"]
        assert found[player] == pytest.approx(measure(own[:1], own[:1])[0, 0], abs=1e-9)
        assert (found <= found[player] + 1e-9).all()


def test_an_image_is_most_similar_to_itself_and_opposite_to_its_negative():
    images = np.random.default_rng(0).integers(0, 256, (20, 48)).astype(np.uint8)
    table = cosine_about_grey(images, images)
    assert (table.argmax(axis=1) == np.arange(20)).all()
    assert np.diag(table) == pytest.approx(1)
    assert np.diag(cosine_about_grey(images, 255 - images)) == pytest.approx(-1)


def coloured(name, count, seed):
    """Return noisy uint8 [count, 8, 8, 3] of one colour."""
    noise = np.random.default_rng(seed).normal(0, 12, (count, 8, 8, 3))
    return np.clip(np.array(COLOURS[name]) + noise, 0, 255).astype(np.uint8)


def contributed(grey=False):
    images = np.concatenate([coloured(name, count, 1) for name, count in COUNTS.items()])
    owner = np.repeat(np.arange(3), list(COUNTS.values()))
    order = np.random.default_rng(2).permutation(len(owner))
    shown = images[order].mean(axis=-1, keepdims=True).astype(np.uint8) if grey else images[order]
    return ContributorDataset("colours", shown, owner[order].astype(np.int64), tuple(COUNTS))


def evidence_of(folder, *overrides, grey=False):
    """Return evidence on three contributors whose full model would generate reds."""
    names = "properties.names=[colourfulness, inception_score, frechet_distance]"
    usual = (names, "properties.headline=colourfulness", "properties.classifier.steps=40")
    study = load_study("designers", overrides=("data.image_size=8", *usual, *overrides))
    data = contributed(grey)
    folders = StudyFolders(folder, study, data.digest())
    save_snapshot(data, folders.data)
    if not folders.reference.exists():
        prepare_suite(study.properties, data, study.seed, folders.reference)
    evidence = Evidence(Workbench(study, folders, "cpu"))
    reds = coloured("reds", 9, 3)
    evidence.generated = reds.mean(axis=-1, keepdims=True).astype(np.uint8) if grey else reds
    return evidence


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("colours")


@pytest.fixture(scope="module")
def evidence(place):
    return evidence_of(place)


@pytest.mark.parametrize("method", ["pixel_similarity", "embedding_similarity"])
def test_who_gave_what_is_generated_comes_first(evidence, method):
    found = get_attribution(method).score(evidence)
    for scores in found.values():
        assert scores.shape == (3,)
        assert scores.argmax() == list(COUNTS).index("reds")


def test_pixels_are_compared_as_the_network_sees_them(evidence):
    found = get_attribution("pixel_similarity").score(evidence)

    def scaled(images):
        return images.reshape(len(images), -1) / 127.5 - 1

    expected = similarity_scores(
        scaled(evidence.images), evidence.owner, scaled(evidence.generated), cosine
    )
    same(found, expected)


def test_own_property_measures_sets_and_best_images(evidence):
    found = get_attribution("own_property").score(evidence)
    colourfulness = get_property("colourfulness")
    for player in range(3):
        mine = evidence.images[evidence.owner == player]
        each = [measure_pixels(colourfulness, image[None]) for image in mine]
        assert found["avg"][player] == pytest.approx(np.mean(each))
        assert found["max"][player] == max(each)
    assert list(np.argsort(found["avg"])) == [0, 2, 1]


def measure_pixels(property_, images):
    return property_.measure(ImageSet(images, np.empty(0), np.empty(0)), {})


def test_own_property_of_sets_has_no_best_image_and_higher_is_better(place):
    spread = evidence_of(place, "properties.headline=inception_score")
    assert get_attribution("own_property").score(spread).keys() == {"avg"}
    distance = evidence_of(place, "properties.headline=frechet_distance")
    found = get_attribution("own_property").score(distance)
    assert found.keys() == {"avg"}
    for player in range(3):
        measured = distance.bench.measure(distance.images[distance.owner == player])
        assert found["avg"][player] == pytest.approx(-measured["frechet_distance"])
    assert (found["avg"] < 0).all()


def test_a_property_without_a_value_for_one_image_says_what_to_raise(place):
    single = evidence_of(place, "properties.headline=frechet_distance", "fidelity.images_each=1")
    with pytest.raises(
        InputError, match=r"own_property needs more images of \w+ than 1.*images_each"
    ):
        get_attribution("own_property").score(single)


def test_image_count_counts_all_images_and_not_only_those_that_are_looked_at(place):
    few = evidence_of(place, "fidelity.images_each=2")
    assert len(few.images) == 6
    assert get_attribution("image_count").score(few)[""].tolist() == list(COUNTS.values())


def test_random_orders_are_seeded_orders_that_more_of_them_do_not_change(place):
    three = get_attribution("random_order").score(evidence_of(place, "fidelity.random_orders=3"))
    nine = get_attribution("random_order").score(evidence_of(place, "fidelity.random_orders=9"))
    assert list(three) == ["1", "2", "3"]
    for name, scores in three.items():
        assert sorted(scores) == [1, 2, 3]
        assert scores.tolist() == nine[name].tolist()
    assert len({tuple(scores) for scores in nine.values()}) > 1


def test_random_orders_leave_out_whom_random_removals_leave_out(evidence):
    for share in (0.4, 0.7):
        expected = random_removal(3, share, 3, evidence.study.seed).rest
        scores = get_attribution("random_order").score(evidence).values()
        assert tuple(removal("any", own, share, True).rest[0] for own in scores) == expected


TINY = "tiny-vision-for-tests"
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def clip_file(place):
    """Weights of a small CLIP of the class that ViT-B-32 has."""
    import open_clip

    for name, width in ((TINY, 32), (f"{TINY}-wider", 48)):
        vision = {**CONFIG["vision_cfg"], "width": width}
        path = place / f"{name}.json"
        path.write_text(json.dumps({**CONFIG, "vision_cfg": vision}))
        open_clip.add_model_config(path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.create_model(TINY)
    weights = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    save_file(weights, place / "clip.safetensors")
    return place / "clip.safetensors"


def with_clip(place, weights, model=TINY, grey=False):
    return evidence_of(
        place, f"fidelity.clip_model={model}", f"fidelity.clip_weights={weights}", grey=grey
    )


def test_clip_embeds_as_open_clip_does(evidence, clip_file):
    import open_clip

    clip = load_clip(FidelitySettings(clip_model=TINY, clip_weights=str(clip_file)), "cpu")
    found = clip.features(evidence.images)
    model, transform = open_clip.create_model_from_pretrained(TINY, pretrained=str(clip_file))
    with torch.inference_mode():
        one = transform(Image.fromarray(evidence.images[5]))[None]
        expected = model.eval().encode_image(one).numpy()
    assert found.shape == (24, 16)
    np.testing.assert_allclose(found[5:6], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("grey", [False, True])
def test_clip_similarity_scores_images_of_one_and_of_three_channels(place, clip_file, grey):
    shown = with_clip(place, clip_file, grey=grey)
    method = get_attribution("clip_similarity")
    assert method.unavailable(shown.study) is None
    found = method.score(shown)
    assert (np.abs(found["max"]) <= 1 + 1e-9).all()
    assert (found["avg"] <= found["max"]).all()
    player = 2
    shown.generated = shown.images[shown.owner == player]
    assert method.score(shown)["max"][player] == pytest.approx(1)


def test_clip_weights_may_be_a_name_that_open_clip_knows(
    evidence, clip_file, monkeypatch, tmp_path
):
    from open_clip import pretrained

    torch.save(load_file(clip_file), tmp_path / "clip.pt")
    known = {"safe": {"file": str(clip_file)}, "old": {"file": str(tmp_path / "clip.pt")}}
    monkeypatch.setitem(pretrained._PRETRAINED, TINY, known)
    by_name, by_file = (
        load_clip(FidelitySettings(clip_model=TINY, clip_weights=weights), "cpu")
        for weights in ("safe", str(clip_file))
    )
    some = evidence.images[:3]
    assert (by_name.features(some) == by_file.features(some)).all()
    with pytest.raises(InputError, match="pickled weights are not read"):
        load_clip(FidelitySettings(clip_model=TINY, clip_weights="old"), "cpu")
    study = load_study(overrides=(f"fidelity.clip_model={TINY}", "fidelity.clip_weights=new"))
    assert "one of safe, old" in get_attribution("clip_similarity").unavailable(study)


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def wrong_file(kind, clip_file, folder):
    """Write a file that is not what it should be and return its path."""
    weights = load_file(clip_file)
    if kind == "a layer is missing":
        del weights["visual.proj"]
    elif kind == "other weights":
        weights = {"weight": torch.zeros(3)}
    elif kind == "nothing":
        weights = {}
    path = folder / ("weights.pt" if kind == "pickled" else "weights.safetensors")
    save_file(weights, path)
    if kind in ("pickled", "pickled under another name"):
        path.write_bytes(pickle.dumps(Canary()))
    elif kind == "cut off":
        path.write_bytes(clip_file.read_bytes()[:1000])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "a layer is missing",
        "other weights",
        "nothing",
        "cut off",
        "pickled",
        "pickled under another name",
    ],
)
def test_a_wrong_file_of_weights_gives_one_line(kind, clip_file, tmp_path):
    path = wrong_file(kind, clip_file, tmp_path)
    with pytest.raises(InputError) as caught:
        load_clip(FidelitySettings(clip_model=TINY, clip_weights=str(path)), "cpu")
    line = str(caught.value)
    assert line.startswith("fidelity.clip_weights: ")
    assert str(path) in line
    assert "\n" not in line
    assert not Path("unpickled").exists()


def test_weights_of_a_wider_model_are_refused(clip_file):
    wider = FidelitySettings(clip_model=f"{TINY}-wider", clip_weights=str(clip_file))
    with pytest.raises(InputError, match=f"does not hold the weights of {TINY}-wider"):
        load_clip(wider, "cpu")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("fidelity.clip_weights=null", "fidelity.clip_weights is null: give"),
        ("fidelity.clip_weights=absent.safetensors", "is no file, and no name of weights of ViT"),
        ("fidelity.clip_model=ViT-Z-1", "fidelity.clip_model: 'ViT-Z-1' is not an architecture"),
    ],
)
def test_clip_says_what_is_missing_before_it_is_used(override, line):
    study = load_study(overrides=("fidelity.clip_weights=laion2b_s34b_b79k", override))
    said = get_attribution("clip_similarity").unavailable(study)
    assert line in said
    assert "\n" not in said
    with pytest.raises(InputError, match=r"fidelity\.clip"):
        load_clip(study.fidelity, "cpu")
