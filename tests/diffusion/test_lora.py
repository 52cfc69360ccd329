"""Task text_to_image_lora: families, shared bases, rank pruning, and files that others can load."""

import copy
import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import (
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    StableDiffusionPipeline,
)
from hypothesis import given
from hypothesis import strategies as st
from peft import PeftModel
from small_pipelines import PIPELINES, write_pipeline
from toy_training import settings

from credit_plugin.config import BaseSettings, DiffusionSettings, LoraSettings, SamplingSettings
from credit_plugin.diffusion.adapters import Adapted
from credit_plugin.diffusion.base_model import load_base
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.flow import FlowMatching
from credit_plugin.diffusion.pruning import count_parameters
from credit_plugin.diffusion.rank_pruning import choose_components
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.storage import LoadedModel, load_model_folder, save_model_folder
from credit_plugin.diffusion.tasks import create_task, frozen_digest
from credit_plugin.diffusion.training import Trainer
from credit_plugin.errors import InputError
from credit_plugin.fidelity.gradients import per_sample_gradients

PROMPTS = ("a cat", "a dog")
DOMAIN = ImageDomain(16, 3, PROMPTS)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)
CONDITION = np.arange(12) % 2
FLOW = ("stable_diffusion_3", "flux")


def lora(folder, **changes):
    return DiffusionSettings(
        **{
            "task": "text_to_image_lora",
            "condition": "prompt",
            "prompt": "{contributor}",
            "base": BaseSettings(source=str(folder)),
            "lora": LoraSettings(rank=4, alpha=6),
            **changes,
        }
    )


def sampling(family, **changes):
    scheduler = "FlowMatchEulerDiscreteScheduler" if family in FLOW else "DDIMScheduler"
    return SamplingSettings(scheduler=scheduler, steps=3, samples=16, **changes)


def prepared(folder):
    """Return the task of a study that has prepared its parts beside the pipeline."""
    parts = folder.with_name(f"{folder.name} parts")
    parts.mkdir()
    create_task(lora(folder), DOMAIN).prepare(IMAGES, True, parts, lambda *_: None, "cpu")
    return create_task(lora(folder), DOMAIN, parts)


def trained(task, steps=20):
    model = task.build(1)
    plan = settings(steps=steps, warmup_steps=0, learning_rate=1e-2, flip=True, batch_size=4)
    result = Trainer(task, model, plan, 1).run(task.study_examples(IMAGES, CONDITION, True))
    return model.eval(), result


@pytest.fixture(scope="module", params=PIPELINES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory, family):
    folder = tmp_path_factory.mktemp("pipelines") / family
    write_pipeline(family, folder)
    load_base.cache_clear()
    return folder


@pytest.fixture(scope="module")
def task(folder):
    return prepared(folder)


@pytest.fixture(scope="module")
def model(task):
    return trained(task)[0]


@pytest.fixture(scope="module")
def stable(tmp_path_factory):
    """Return a prepared task, a trained adapter and the folder of a small Stable Diffusion."""
    folder = tmp_path_factory.mktemp("stable") / "pipeline"
    write_pipeline("stable_diffusion", folder)
    load_base.cache_clear()
    task = prepared(folder)
    return task, trained(task)[0], folder


def outputs(task, model):
    """Return what a model predicts for a few noised examples."""
    generator = torch.Generator().manual_seed(3)
    batch = task.study_examples(IMAGES, CONDITION, True)[:4]
    noise = torch.randn(batch.clean.shape, generator=generator)
    levels = torch.linspace(0, task.total_levels - 1, 4).long()
    with torch.no_grad():
        return task.predict(model, batch, noise, levels)[0]


def test_untrained_adapters_are_the_base_model(task):
    base = task.base
    rows = torch.from_numpy(CONDITION[:4])
    given = {name: table[rows] for name, table in task._prompts_on(torch.device("cpu")).items()}
    noisy = torch.randn(4, *task.latents.shape(16))
    time = task.process.time(torch.tensor([0, 10, 500, 999]))
    with torch.no_grad():
        adapted = base.family.predict(task.build(0), noisy, time, given)
        alone = base.family.predict(base.network.network, noisy, time, given)
    # PEFT's own adapters in the network are untrained and change nothing
    assert torch.equal(adapted, alone)


def test_training_lowers_the_loss_and_leaves_the_base_alone(task):
    frozen = {k: w.clone() for k, w in task.base.network.network.state_dict().items()}
    model, result = trained(task, steps=75)
    assert result.losses[-1][1] < result.losses[0][1]
    for key, weight in task.base.network.network.state_dict().items():
        assert torch.equal(weight, frozen[key]), key
    assert not torch.allclose(outputs(task, model), outputs(task, task.build(0)))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_samples_depend_on_the_prompt_and_on_the_adapter(task, model, family, guidance):
    plan, noise = sampling(family, guidance=guidance), task.noise(2, 0)
    cat, dog = torch.zeros(2).long(), torch.ones(2).long()
    images = [sample_images(task, model, noise, plan, condition=told) for told in (cat, dog)]
    assert images[0].shape == (2, 16, 16, 3)
    assert (images[0] != images[1]).any()
    assert (images[0] != sample_images(task, task.build(0), noise, plan, condition=cat)).any()


def test_the_last_state_of_the_trajectory_is_the_sample(task, model, family):
    plan, told = sampling(family), torch.tensor([0, 1])
    *_, (level, last) = task.trajectory(model, task.noise(2, 0), plan, told)
    images = task.sample(model, task.noise(2, 0), plan, told)
    assert np.abs(task.latents.decode(last).astype(int) - images).max() <= 1
    assert 0 <= level < task.total_levels


def test_copies_share_the_base_and_nothing_else(model):
    twin = copy.deepcopy(model)
    assert twin.shared is model.shared
    with torch.no_grad():
        twin.up[0].add_(1.0)
    assert not torch.equal(twin.up[0], model.up[0])
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"down", "up"}


@pytest.mark.parametrize("method", ["magnitude", "taylor", "random"])
def test_a_pruned_adapter_is_the_masked_full_one(task, model, method):
    pruned, masked = copy.deepcopy(model), copy.deepcopy(model)
    history = task.prune(pruned, method, 0.5, task.study_examples(IMAGES, CONDITION, True), seed=0)
    with torch.no_grad():
        for up, (_, kept) in zip(masked.up, history, strict=True):
            gone = [i for i in range(4) if i not in kept]
            up[:, gone] = 0
    torch.testing.assert_close(outputs(task, pruned), outputs(task, masked), rtol=1e-4, atol=1e-5)
    cheapest = min(sum(size) for size in model.shared.sizes.values())
    half = count_parameters(model) / 2
    assert half - cheapest < count_parameters(pruned) <= half


def test_pruned_adapters_are_the_same_after_saving(tmp_path, task, model, family):
    pruned = copy.deepcopy(model)
    history = task.prune(
        pruned, "magnitude", 0.6, task.study_examples(IMAGES, CONDITION, True), seed=0
    )
    loaded = LoadedModel(task, pruned, sampling(family), history, shares=(6, 6))
    save_model_folder(loaded, tmp_path / "model")
    again = load_model_folder(tmp_path / "model")
    assert torch.equal(outputs(task, again.model), outputs(task, pruned))
    assert (again.sample(3, seed=1) == loaded.sample(3, seed=1)).all()
    suffixes = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert suffixes == {".json", ".safetensors"}
    config = json.loads((tmp_path / "model" / "adapter_config.json").read_text())
    assert len(set(config["rank_pattern"].values()) | {config["r"]}) > 1


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_diffusers_and_peft_load_a_saved_adapter(tmp_path, task, model, folder, family, share):
    saved, history = copy.deepcopy(model), []
    if share:
        history = task.prune(
            saved, "magnitude", share, task.study_examples(IMAGES, CONDITION, True), seed=0
        )
    save_model_folder(LoadedModel(task, saved, sampling(family), history), tmp_path / "model")
    kind, component = task.base.family, task.base.family.component
    noisy = torch.randn(2, *task.shape, generator=torch.Generator().manual_seed(0))
    time = task.process.time(torch.tensor([5, 700]))
    prompts = task._prompts_on(torch.device("cpu"))
    given = {name: table[:2] for name, table in prompts.items()}

    def published():
        return getattr(DiffusionPipeline.from_pretrained(folder), component)

    with torch.no_grad():
        expected = kind.predict(saved, noisy, time, given)
        before = kind.predict(published(), noisy, time, given)

        by_diffusers = published()
        by_diffusers.load_lora_adapter(
            tmp_path / "model",
            prefix=component,
            weight_name="pytorch_lora_weights.safetensors",
        )
        by_peft = PeftModel.from_pretrained(published(), tmp_path / "model")
        found = [kind.predict(network, noisy, time, given) for network in (by_diffusers, by_peft)]
    assert not torch.allclose(expected, before, atol=1e-3)
    for prediction in found:
        torch.testing.assert_close(prediction, expected, rtol=1e-4, atol=1e-5)


def test_a_pipeline_of_stable_diffusion_loads_a_saved_adapter(tmp_path, stable):
    task, model, folder = stable
    save_model_folder(LoadedModel(task, model, sampling("sd")), tmp_path / "model")
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.load_lora_weights(tmp_path / "model", weight_name="pytorch_lora_weights.safetensors")
    assert pipeline.get_active_adapters()


def test_gradients_of_single_images_are_those_of_autograd(stable):
    task, model, _ = stable
    examples = task.study_examples(IMAGES, CONDITION, True)[:3]
    levels = torch.tensor([100, 800])
    clean = examples.clean[:, None].expand(-1, 2, -1, -1, -1)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    mse = torch.nn.functional.mse_loss
    together = per_sample_gradients(task, model, mse, examples.replaced(clean), noise, levels)
    for image in range(3):
        batch = examples[[image, image]]
        value = mse(*task.predict(model, batch, noise[image], levels))
        singly = torch.autograd.grad(value, list(model.parameters()))
        for (name, _), gradient in zip(model.named_parameters(), singly, strict=True):
            torch.testing.assert_close(together[name][image], gradient, rtol=1e-3, atol=1e-6)


def test_the_paper_keeps_half_of_the_parameters_of_its_adapters():
    # UNet of Stable Diffusion 1: two attentions in each of 16 blocks, widths 320 to 1280
    widths = [320] * 5 + [640] * 5 + [1280] * 6
    layers = [s for w in widths for s in ((w, w),) * 4 + ((w, w), (768, w), (768, w), (w, w))]
    costs = np.repeat([a + b for a, b in layers], 256)
    scores = np.random.default_rng(0).random(len(costs))
    kept = costs[choose_components(scores, costs, 0.5)].sum()
    assert kept / costs.sum() == pytest.approx(0.5, abs=1e-4)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=40),
    st.floats(0.01, 0.99),
)
def test_components_are_kept_by_importance_within_the_share(components, ratio):
    scores, costs = (np.array(part) for part in zip(*components, strict=True))
    chosen = choose_components(scores, costs, ratio)
    budget = np.floor((1 - ratio) * costs.sum() + 1e-6)
    assert costs[chosen].sum() <= budget
    # whatever went did not fit beside the more important ones that stayed
    order = np.argsort(-scores, kind="stable")
    spent = np.cumsum(np.where(chosen, costs, 0)[order])
    gone = ~chosen[order]
    assert (spent[gone] + costs[order][gone] > budget).all()


@pytest.mark.parametrize("dynamic", [False, True])
def test_flow_matching_counts_as_its_scheduler_does(dynamic):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=dynamic)
    process = FlowMatching(scheduler, positions=1024)
    sampler = process.sampler(SamplingSettings(scheduler="FlowMatchEulerDiscreteScheduler"))
    process.set_steps(sampler, 10, torch.device("cpu"))
    clean, noise = torch.randn(2, 7, generator=torch.Generator().manual_seed(0)).chunk(2)
    for time in sampler.timesteps:
        share = time / 1000
        level, found = process.clean((1 - share) * clean + share * noise, noise - clean, time)
        torch.testing.assert_close(found, clean, atol=1e-5, rtol=1e-4)
        again = process.time(torch.tensor([level]))
        assert abs(float(again - time)) < 1000 / process.total * 3
    levels = process.draw_levels(2000, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert int(levels.min()) >= 0
    assert int(levels.max()) < process.total
    assert 400 < float(levels.float().median()) < 600


def test_the_content_of_a_base_identifies_it_and_its_place_does_not(stable, tmp_path):
    _, _, folder = stable
    shutil.copytree(folder, tmp_path / "copy")
    assert frozen_digest(lora(folder)) == frozen_digest(lora(tmp_path / "copy"))
    assert lora(folder).identity() == lora(tmp_path / "copy").identity()


@pytest.mark.parametrize("stated", [None, False, True])
def test_latents_are_never_clipped(stable, tmp_path, stated):
    shutil.copytree(stable[2], tmp_path / "base")
    path = tmp_path / "base" / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text("utf-8"))
    config.pop("clip_sample")
    path.write_text(json.dumps(config if stated is None else {**config, "clip_sample": stated}))
    load_base.cache_clear()
    process = create_task(lora(tmp_path / "base"), DOMAIN).process
    assert process.sampler(sampling("sd")).config.clip_sample is False


def test_what_does_not_fit_is_refused_in_one_line(stable, tmp_path):
    _, _, folder = stable
    cases = {
        r"^diffusion\.condition = none": (lora(folder, condition="none", prompt=""), DOMAIN),
        r"^diffusion\.base\.source is missing": (lora(folder, base=None), DOMAIN),
        r"^diffusion\.base\.source: .* channels": (lora(folder), ImageDomain(16, 1, PROMPTS)),
        r"^data\.image_size = 18 .* multiple of 4$": (lora(folder), ImageDomain(18, 3, PROMPTS)),
        r"no model_index\.json": (lora(tmp_path), DOMAIN),
        r"^diffusion\.lora\.targets: ": (
            lora(folder, lora=LoraSettings(targets=("nowhere",))),
            DOMAIN,
        ),
        r"^diffusion\.lora\.targets: layer .*conv1 is no linear one": (
            lora(folder, lora=LoraSettings(targets=("to_q", "conv1"))),
            DOMAIN,
        ),
    }
    for message, (diffusion, domain) in cases.items():
        load_base.cache_clear()
        with pytest.raises(InputError, match=message) as caught:
            create_task(diffusion, domain)
        assert "\n" not in str(caught.value)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "DDPMPipeline"}))
    with pytest.raises(InputError, match="DDPMPipeline are not known; known are FluxPipeline"):
        create_task(lora(tmp_path), DOMAIN)


def test_a_sampler_of_another_process_is_refused(task, family):
    wrong = SamplingSettings(
        scheduler="DDIMScheduler" if family in FLOW else "UNet2DModel", steps=3, samples=16
    )
    with pytest.raises(InputError, match=r"^sampling\.scheduler"):
        task.check_sampling(wrong)
    task.check_sampling(sampling(family))


def test_an_adapter_of_another_base_is_refused(tmp_path, stable):
    task, model, _ = stable
    save_model_folder(LoadedModel(task, model, sampling("sd")), tmp_path / "model")
    other = Adapted(model.shared, {f"{name} 2": m for name, m in model.matrices().items()})
    with pytest.raises(InputError, match="does not fit this base model"):
        task.load_weights(other, tmp_path / "model")
