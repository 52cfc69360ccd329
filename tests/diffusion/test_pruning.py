"""Structural pruning: the paper's sizes, exact rebuilding, whole heads."""

import pytest
import torch
from diffusers import UNet2DModel
from diffusers.models.attention_processor import Attention

from credit_plugin.config import DiffusionSettings, NetworkSettings, SamplingSettings, load_study
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.pruning import count_parameters, prune, rebuild, reset_parameters
from credit_plugin.diffusion.storage import LoadedModel, load_model_folder, save_model_folder
from credit_plugin.diffusion.tasks import create_task
from credit_plugin.errors import InputError

CIFAR20 = load_study("cifar20-ddpm").diffusion.network
CELEBA_HQ = load_study("celebahq-ldm").diffusion.network
SMALL = NetworkSettings(
    block_out_channels=(16, 24), attention=(False, True), attention_head_dim=8, norm_num_groups=4
)


def small_task(channels=3):
    return create_task(DiffusionSettings(network=SMALL), ImageDomain(8, channels))


def examples(task, count=40):
    generator = torch.Generator().manual_seed(0)
    return Examples(torch.randn(count, task.domain.channels, 8, 8, generator=generator))


@pytest.mark.parametrize(
    ("network", "size", "ratio", "full", "pruned"),
    [(CIFAR20, 32, 0.3, 35.75e6, 19.85e6), (CELEBA_HQ, 64, 0.5, 274.06e6, 70.93e6)],
    ids=["cifar20", "celeba-hq"],
)
def test_the_papers_networks_have_the_papers_sizes(network, size, ratio, full, pruned):
    task = create_task(DiffusionSettings(network=network), ImageDomain(size, 3))
    model = task.build(seed=0)
    assert count_parameters(model) == pytest.approx(full, rel=0.01)
    heads = [m.heads for m in model.modules() if isinstance(m, Attention)]
    prune(task, model, "magnitude", ratio, Examples(torch.zeros(1)), seed=0)
    assert count_parameters(model) == pytest.approx(pruned, rel=0.01)
    assert [m.heads for m in model.modules() if isinstance(m, Attention)] == heads
    with torch.inference_mode():
        output = model(**task.example_inputs()).sample
    assert output.shape == (1, 3, size, size)


@pytest.mark.parametrize("method", ["magnitude", "random", "taylor"])
def test_a_pruned_model_is_the_same_after_saving_and_loading(tmp_path, method):
    task = small_task()
    model = task.build(seed=1)
    before = count_parameters(model)
    history = prune(task, model, method, 0.5, examples(task), seed=3)
    assert count_parameters(model) < 0.5 * before
    loaded = LoadedModel(task, model, SamplingSettings(steps=3, samples=16), history, {"a": 1})
    save_model_folder(loaded, tmp_path / "pruned")
    again = load_model_folder(tmp_path / "pruned")
    inputs = {**task.example_inputs(), "sample": examples(task, 1).clean}
    with torch.inference_mode():
        assert torch.equal(model.eval()(**inputs).sample, again.model(**inputs).sample)
    assert (loaded.sample(5, seed=2) == again.sample(5, seed=2)).all()
    assert again.facts == {"a": 1}
    assert not list(tmp_path.rglob("*.p*kl"))


def test_pruning_is_a_function_of_its_seed():
    task = small_task()
    histories = [
        prune(task, task.build(seed=1), "random", 0.5, examples(task), seed) for seed in (1, 1, 2)
    ]
    assert histories[0] == histories[1] != histories[2]


def test_the_output_layer_stays_and_heads_stay_whole():
    task = small_task()
    model = task.build(seed=1)
    heads = [m.heads for m in model.modules() if isinstance(m, Attention)]
    prune(task, model, "magnitude", 0.5, examples(task), seed=0)
    assert model.conv_out.out_channels == 3
    for module, count in zip(
        (m for m in model.modules() if isinstance(m, Attention)), heads, strict=True
    ):
        assert module.heads == count
        assert module.to_q.out_features % count == 0


def test_resetting_forgets_the_weights_and_keeps_the_architecture():
    task = small_task()
    model = task.build(seed=1)
    history = prune(task, model, "magnitude", 0.5, examples(task), seed=0)
    one, two, other = (rebuild(task, history) for _ in range(3))
    for network, seed in ((one, 5), (two, 5), (other, 6)):
        reset_parameters(network, seed)
    weights = [n.conv_in.weight for n in (model, one, two, other)]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[1], weights[3])
    assert not torch.equal(weights[0], weights[1])
    assert count_parameters(one) == count_parameters(model)


def test_a_damaged_folder_is_refused_in_one_line(tmp_path):
    task = small_task()
    loaded = LoadedModel(task, task.build(0), SamplingSettings(steps=3, samples=16))
    save_model_folder(loaded, tmp_path / "full")
    (tmp_path / "full" / "config.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        load_model_folder(tmp_path / "full")


def test_diffusers_loads_a_full_model(tmp_path):
    task = small_task()
    loaded = LoadedModel(task, task.build(3).eval(), SamplingSettings(steps=3, samples=16))
    save_model_folder(loaded, tmp_path / "full")
    theirs = UNet2DModel.from_pretrained(tmp_path / "full" / "unet").eval()
    inputs = {**task.example_inputs(), "sample": examples(task, 2).clean}
    with torch.inference_mode():
        assert torch.equal(theirs(**inputs).sample, loaded.model(**inputs).sample)
    task.prune(loaded.model, "magnitude", 0.5, examples(task), seed=0)
    save_model_folder(loaded, tmp_path / "pruned")
    # diffusers cannot describe it, so nothing pretends that it can
    assert not (tmp_path / "pruned" / "unet" / "config.json").exists()
