"""What images are of: conditions of a dataset, and which of them samples are drawn with."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_training import NETWORK, settings

from credit_plugin.config import DiffusionSettings, NoiseSettings, SamplingSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.diffusion.domain import ImageDomain, domain_of, draw_conditions
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.storage import LoadedModel, load_model_folder, save_model_folder
from credit_plugin.diffusion.tasks import create_task
from credit_plugin.diffusion.training import Trainer
from credit_plugin.errors import InputError

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any)
SAMPLING = SamplingSettings(steps=8, samples=16, batch_size=64)


def dataset(**changes):
    return ContributorDataset(
        **{
            "name": "four",
            "images": np.zeros((4, 8, 8, 1), np.uint8),
            "contributor": np.array([0, 1, 1, 0]),
            "contributors": ("ann", "bob"),
            "labels": np.array([10, 2, 2, 10]),
            "captions": ("a cat", "a dog", "a dog", "a tree"),
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("condition", "prompt", "conditions", "of_images"),
    [
        ("label", "", ("2", "10"), [1, 0, 0, 1]),
        ("contributor", "", ("ann", "bob"), [0, 1, 1, 0]),
        ("prompt", "a drawing", ("a drawing",), [0, 0, 0, 0]),
        ("prompt", "drawn by {contributor}", ("drawn by ann", "drawn by bob"), [0, 1, 1, 0]),
        ("prompt", "{caption}", ("a cat", "a dog", "a tree"), [0, 1, 1, 2]),
    ],
)
def test_conditions_come_from_the_data(condition, prompt, conditions, of_images):
    domain, found = domain_of(DiffusionSettings(condition=condition, prompt=prompt), dataset())
    assert domain == ImageDomain(8, 1, conditions)
    assert found.tolist() == of_images


def test_a_model_that_is_told_nothing_has_no_conditions():
    assert domain_of(DiffusionSettings(), dataset()) == (ImageDomain(8, 1), None)


def test_what_the_data_lacks_is_named():
    with pytest.raises(InputError, match=r"diffusion\.condition: the data has no labels"):
        domain_of(DiffusionSettings(condition="label"), dataset(labels=None))
    captioned = DiffusionSettings(condition="prompt", prompt="{caption}")
    with pytest.raises(InputError, match=r"diffusion\.prompt: .* the data has none"):
        domain_of(captioned, dataset(captions=None))


@given(COUNTS, st.integers(1, 300), st.integers(0, 5))
def test_conditions_are_drawn_in_proportion(shares, count, seed):
    drawn = torch.bincount(draw_conditions(shares, count, seed), minlength=len(shares)).numpy()
    expected = count * np.array(shares) / sum(shares)
    assert drawn.sum() == count
    assert (np.abs(drawn - expected) <= 1 + 1e-9).all()
    assert (drawn[np.array(shares) == 0] == 0).all()


@given(COUNTS, st.integers(1, 5), st.integers(1, 300), st.integers(0, 5))
def test_only_proportions_count(shares, factor, count, seed):
    more = [factor * share for share in shares]
    assert torch.equal(draw_conditions(shares, count, seed), draw_conditions(more, count, seed))


def bright_and_dark(count=64):
    """Images of two conditions that a network can tell only by being told."""
    condition = torch.arange(count) % 2
    clean = (2.0 * condition - 1)[:, None, None, None].expand(-1, 1, 8, 8).contiguous()
    return Examples(clean, condition)


@pytest.fixture(scope="module")
def trained():
    noise = NoiseSettings(prediction_type="sample", zero_terminal_snr=True)
    domain = ImageDomain(8, 1, ("dark", "bright"))
    task = create_task(DiffusionSettings(network=NETWORK, noise=noise), domain)
    model = task.build(0)
    Trainer(task, model, settings(steps=150, learning_rate=5e-3), 1).run(bright_and_dark())
    return task, model


def test_a_conditional_model_draws_what_it_is_told(trained):
    task, model = trained
    told = torch.arange(12) % 2
    images = sample_images(task, model, task.noise(12, 0), SAMPLING, condition=told)
    assert images[told == 1].mean() > 200
    assert images[told == 0].mean() < 55


@pytest.mark.parametrize("method", ["magnitude", "taylor"])
def test_a_pruned_conditional_model_is_the_same_after_saving(tmp_path, trained, method):
    task, trained_model = trained
    model = task.build(0)
    model.load_state_dict(trained_model.state_dict())
    history = task.prune(model, method, 0.5, bright_and_dark(), seed=0)
    assert model.class_embedding.num_embeddings == 2
    loaded = LoadedModel(task, model.eval(), SAMPLING, history, shares=(1, 3))
    save_model_folder(loaded, tmp_path / "pruned")
    again = load_model_folder(tmp_path / "pruned")
    assert again.shares == (1, 3)
    assert again.task.domain == task.domain
    assert (loaded.sample(8, seed=2) == again.sample(8, seed=2)).all()


def test_a_loaded_model_draws_conditions_as_often_as_it_was_trained_on_them(trained):
    task, model = trained
    images = LoadedModel(task, model.eval(), SAMPLING, shares=(1, 3)).sample(16)
    assert (images.mean((1, 2, 3)) > 128).sum() == 12
