"""The training loop: it learns, resumes exactly, restarts its average, and says when it breaks."""

import numpy as np
import pytest
import torch
from toy_training import NETWORK, make_task, settings, stripes

from credit_plugin.config import (
    DiffusionSettings,
    KernelSettings,
    LoraSettings,
    NoiseSettings,
    SamplingSettings,
    load_study,
)
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.kernels import apply_kernels
from credit_plugin.diffusion.process import VariancePreserving, denoise
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.tasks import create_task, used_settings
from credit_plugin.diffusion.training import Trainer
from credit_plugin.errors import InputError
from credit_plugin.folders import StudyFolders

SAMPLING = SamplingSettings(steps=4, samples=16, batch_size=6)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_training_lowers_the_loss(prediction):
    task = make_task(prediction_type=prediction, zero_terminal_snr=prediction != "epsilon")
    result = Trainer(task, task.build(0), settings(steps=120, learning_rate=4e-3), 1).run(stripes())
    assert result.losses[-1][1] < 0.7 * result.losses[0][1]
    assert result.losses[-1][0] == 120


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize(
    ("schedule", "dropout"),
    [("constant", 0.0), ("constant", 0.3), ("cooldown", 0.0), ("cosine", 0.0)],
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path, ema, schedule, dropout, memory_format
):
    task, kernels = make_task(dropout=dropout), KernelSettings(memory_format=memory_format)
    plan = settings(steps=16, ema_decay=ema, lr_schedule=schedule, flip=True)
    straight = apply_kernels(task.build(0), kernels)
    losses = Trainer(task, straight, plan, 7).run(stripes()).losses

    interrupted = Trainer(task, apply_kernels(task.build(0), kernels), plan, 7)
    path = tmp_path / "run.checkpoint"

    def stop_after_the_save(done, total):
        if done == 12:
            interrupted.save(path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted.run(stripes(), stop_after_the_save)
    resumed = apply_kernels(task.build(5), kernels)
    again = Trainer(task, resumed, plan, 7).run(stripes(), checkpoint=path)
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    assert again.losses == losses


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_seed_decides_and_global_random_state_does_not(dropout):
    task = make_task(dropout=dropout)
    weights = []
    for seed, noise in ((1, 0), (1, 99), (2, 0)):
        torch.manual_seed(noise)
        model = task.build(0)
        Trainer(task, model, settings(steps=5, warmup_steps=0), seed).run(stripes())
        weights.append(model.conv_in.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_average_starts_afresh_with_every_run():
    task = make_task()
    model = task.build(0)
    plan = settings(ema_decay=0.9999, steps=3, warmup_steps=0)
    first = Trainer(task, model, plan, 1)
    first.run(stripes())
    second = Trainer(task, model, plan, 1)
    assert second.ema.optimization_step == 0
    before = model.conv_in.weight.detach().clone()
    second.run(stripes())
    assert not torch.equal(before, model.conv_in.weight)


def test_a_loss_that_is_not_finite_ends_the_run_with_advice():
    task = make_task()
    broken = stripes()
    broken.clean[0] = float("nan")
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        Trainer(task, task.build(0), settings(batch_size=64), 1).run(broken)


@pytest.mark.parametrize(
    "scheduler",
    ["DDIMScheduler", "DPMSolverMultistepScheduler", "DDPMScheduler", "EulerDiscreteScheduler"],
)
def test_any_scheduler_of_diffusers_draws_images(scheduler):
    task = make_task()
    model = task.build(0)
    sampling = SAMPLING.model_copy(update={"scheduler": scheduler})
    noise = task.noise(10, seed=3)
    images = sample_images(task, model, noise, sampling)
    assert images.shape == (10, 8, 8, 1)
    assert images.dtype.name == "uint8"
    assert (images == sample_images(task, model, noise, sampling)).all()


@pytest.mark.parametrize(
    ("scheduler", "draws"),
    [
        ("DDIMScheduler", False),
        ("DPMSolverMultistepScheduler", False),
        ("EulerDiscreteScheduler", False),
        ("PNDMScheduler", False),
        ("DDPMScheduler", True),
        ("EulerAncestralDiscreteScheduler", True),
        ("LCMScheduler", True),
    ],
)
def test_every_batch_and_repeat_draws_noise_of_its_own(scheduler, draws):
    process = VariancePreserving.from_settings(NoiseSettings(), bounded=False)
    sampling = SAMPLING.model_copy(update={"scheduler": scheduler, "steps": 6})

    def samples(noise):
        return list(denoise(process, lambda state, time: 0 * state, noise, sampling))[-1].after

    first, second, third = (make_task().noise(4, seed) for seed in range(3))
    assert torch.equal(samples(first), samples(first.clone()))  # as those of another coalition
    # samples are linear in the initial noise here, but for what the sampler draws
    apart = samples(first) + samples(second) - samples(third) - samples(first + second - third)
    assert (apart.norm() > 1e-3 * samples(first).norm()) == draws


def test_dpm_solver_follows_zero_terminal_snr():
    task = make_task(prediction_type="v_prediction", zero_terminal_snr=True)
    sampling = SAMPLING.model_copy(update={"scheduler": "DPMSolverMultistepScheduler"})
    assert sample_images(task, task.build(0), task.noise(4, 0), sampling).std() > 0


def test_an_unknown_scheduler_is_named():
    task = make_task()
    sampling = SAMPLING.model_copy(update={"scheduler": "UNet2DModel"})
    with pytest.raises(InputError, match=r"sampling\.scheduler"):
        sample_images(task, task.build(0), task.noise(2, 0), sampling)


@pytest.mark.parametrize(
    ("sampler", "noise", "message"),
    [
        ({"scheduler": "FlowMatchEulerDiscreteScheduler"}, {}, "has another noise schedule"),
        ({"scheduler": "EDMEulerScheduler"}, {}, "has another noise schedule"),
        (
            {"scheduler": "PNDMScheduler"},
            {"zero_terminal_snr": True, "prediction_type": "v_prediction"},
            "has another noise schedule",
        ),
        (
            {"scheduler": "EulerAncestralDiscreteScheduler"},
            {"prediction_type": "sample"},
            "prediction_type not implemented yet",
        ),
        ({"scheduler": "AmusedScheduler"}, {}, "mask_token_id"),
        ({"scheduler": "DDIMInverseScheduler"}, {}, "no images"),
        ({"scheduler": "PNDMScheduler", "steps": 2}, {}, "in 2 steps"),
        ({"steps": 40}, {"train_timesteps": 30}, "^sampling.steps = 40 is more than the 30 noise"),
    ],
)
def test_a_sampler_that_cannot_run_the_process_is_refused(sampler, noise, message):
    with pytest.raises(InputError, match=message) as caught:
        make_task(**noise).check_sampling(SAMPLING.model_copy(update=sampler))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("sampling.")


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(
    "scheduler",
    [
        "DDIMScheduler",
        "DDPMScheduler",
        "DPMSolverMultistepScheduler",
        "DPMSolverSinglestepScheduler",
        "UniPCMultistepScheduler",
        "PNDMScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "HeunDiscreteScheduler",
        "LMSDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "LCMScheduler",
        "TCDScheduler",
        "DEISMultistepScheduler",
        "SASolverScheduler",
    ],
)
def test_samplers_that_can_are_accepted(scheduler, prediction):
    task = make_task(prediction_type=prediction)
    task.check_sampling(SAMPLING.model_copy(update={"scheduler": scheduler, "steps": 15}))


def test_initial_noise_does_not_depend_on_how_many_are_drawn_at_once():
    task = make_task()
    model = task.build(0)
    noise = task.noise(12, seed=1)
    one = sample_images(task, model, noise, SAMPLING.model_copy(update={"batch_size": 12}))
    many = sample_images(task, model, noise, SAMPLING.model_copy(update={"batch_size": 5}))
    assert abs(one.astype(int) - many.astype(int)).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_a_mirrored_example_is_the_example_of_the_mirrored_image(patch_size, channels):
    task = make_task(patch_size, channels)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, channels), np.uint8)
    assert torch.equal(task.mirror(task.encode(images)), task.encode(images[:, :, ::-1]).clean)


def test_an_unknown_task_is_named():
    with pytest.raises(InputError, match=r"diffusion\.task"):
        create_task(DiffusionSettings(task="gan"), ImageDomain(8, 1))


@pytest.mark.parametrize("section", ["autoencoder", "base"])
def test_a_frozen_network_that_the_task_would_ignore_is_refused(section, tmp_path):
    study = load_study("digits", overrides=[f"diffusion.{section}={{source: x}}"])
    refused = rf"^diffusion\.{section}: task ddpm does not use it; set it to null, .*$"
    with pytest.raises(InputError, match=refused):
        create_task(study.diffusion, ImageDomain(8, 1))
    create_task(study.diffusion, ImageDomain(8, 1), tmp_path)  # a model that was made before


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("diffusion.lora.rank=8", True),
        ("diffusion.autoencoder={source: x, scaling: measured}", True),
        ("diffusion.noise.beta_end=0.03", False),
        ("diffusion.network.dropout=0.1", False),
    ],
)
def test_sections_that_the_task_does_not_use_leave_results_where_they_are(override, same, tmp_path):
    one, other = (
        StudyFolders(tmp_path, load_study("digits", overrides=told), "")
        for told in ((), (override,))
    )
    for folder in ("full", "pruned", "table"):
        assert (getattr(one, folder) == getattr(other, folder)) == same


def test_adapters_of_a_base_depend_on_no_network_of_the_study():
    settings = DiffusionSettings(task="text_to_image_lora", network=NETWORK)
    assert used_settings(settings) == DiffusionSettings(task="text_to_image_lora")
    lora = settings.model_copy(update={"lora": LoraSettings(rank=8)})
    assert used_settings(lora).lora.rank == 8


@pytest.mark.parametrize(("patch_size", "size", "unit"), [(1, 9, 2), (4, 12, 8), (4, 18, 8)])
def test_a_size_that_the_network_cannot_halve_is_named(patch_size, size, unit):
    network = NETWORK.model_copy(update={"patch_size": patch_size})
    with pytest.raises(InputError, match=rf"data\.image_size = {size} .*multiple of {unit}$"):
        create_task(DiffusionSettings(network=network), ImageDomain(size, 1))
