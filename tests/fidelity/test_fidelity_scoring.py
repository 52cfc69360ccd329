"""Scores of image methods are kept by everything that they depend on, and by nothing else."""

import pytest

from credit_plugin.config import load_study
from credit_plugin.fidelity.attribution import get_attribution
from credit_plugin.fidelity.scoring import scores_identity


def identity(*overrides, method="random_order"):
    return scores_identity(load_study("digits", overrides=overrides), get_attribution(method))


@pytest.mark.parametrize(
    "override",
    [
        "fidelity.random_orders=4",
        "fidelity.images_each=5",
        "fidelity.timesteps=1",
        "fidelity.damping=1",
        "sampling.steps=3",
        "properties.headline=diversity",
    ],
)
def test_what_an_image_method_looks_at_changes_its_scores(override):
    assert identity(override) != identity()


@pytest.mark.parametrize(
    "override",
    [
        "fidelity.coalitions=5",
        "fidelity.alphas=0.5",
        "fidelity.methods=trak",
        "fidelity.removals=0.2",
        "properties.observers={inception: {path: elsewhere}}",
        "execution.workers=1",
    ],
)
def test_what_tests_it_does_not(override):
    assert identity(override) == identity()


def test_a_file_of_weights_counts_by_its_content(tmp_path):
    weights = tmp_path / "clip.safetensors"
    chosen = f"fidelity.clip_weights={weights}"
    weights.write_bytes(b"one")
    one = identity(chosen, method="clip_similarity")
    weights.write_bytes(b"two")
    assert identity(chosen, method="clip_similarity") != one
    weights.write_bytes(b"one")
    assert identity(chosen, method="clip_similarity") == one
