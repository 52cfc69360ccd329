"""Task latent: autoencoders of every format, scales, mirrored latents, models that carry theirs."""

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from small_autoencoders import AUTOENCODERS, write_taesd
from toy_training import NETWORK, settings

from credit_plugin.config import (
    AutoencoderSettings,
    DiffusionSettings,
    NoiseSettings,
    SamplingSettings,
)
from credit_plugin.diffusion.autoencoders import load_autoencoder
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.storage import LoadedModel, load_model_folder, save_model_folder
from credit_plugin.diffusion.tasks import create_task, frozen_digest
from credit_plugin.diffusion.training import Trainer
from credit_plugin.errors import InputError
from credit_plugin.frozen import digest_of

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8)
DOMAIN = ImageDomain(16, 3)
SAMPLING = SamplingSettings(steps=3, samples=16)


def latent(source, scaling="measured", **changes):
    return DiffusionSettings(
        task="latent",
        network=NETWORK,
        autoencoder=AutoencoderSettings(source=str(source), scaling=scaling, **changes),
        noise=NoiseSettings(prediction_type="sample", zero_terminal_snr=True),
    )


def prepared(diffusion, folder, mirrored=True):
    """Return the task of a study that has prepared its parts, and what it reported."""
    told = []
    folder.mkdir()
    task = create_task(diffusion, DOMAIN)
    task.prepare(IMAGES, mirrored, folder, lambda done, of: told.append((done, of)), "cpu")
    return create_task(diffusion, DOMAIN, folder), told


def examples_of(task, condition=None):
    return task.study_examples(IMAGES, condition, True)


@pytest.fixture(params=AUTOENCODERS)
def source(request, tmp_path):
    AUTOENCODERS[request.param](tmp_path / "autoencoder")
    return tmp_path / "autoencoder"


def test_every_format_encodes_and_decodes(source, tmp_path):
    task, told = prepared(latent(source, batch_size=8), tmp_path / "parts")
    examples = examples_of(task)
    side = 16 // task.latents.autoencoder.factor
    assert examples.clean.shape == (20, task.latents.autoencoder.channels, side, side)
    assert task.decode(examples.clean).shape == IMAGES.shape
    assert told == [(n, 40) for n in (8, 16, 20, 28, 36, 40)]


def test_prepared_latents_are_those_of_encoding(source, tmp_path):
    task, _ = prepared(latent(source), tmp_path / "parts")
    known, anew = (
        examples_of(task, np.arange(20)),
        task.encode(IMAGES, np.arange(20), mirrored=True),
    )
    for one, two in zip(known._parts, anew._parts, strict=True):
        torch.testing.assert_close(one, two)
    flipped = task.encode(IMAGES[:, :, ::-1])
    torch.testing.assert_close(task.mirror(known), flipped.clean)


def test_measured_latents_have_no_mean_and_unit_variance(source, tmp_path):
    task, _ = prepared(latent(source), tmp_path / "parts")
    clean = examples_of(task).clean
    none, one = torch.zeros(clean.shape[1]), torch.ones(clean.shape[1])
    torch.testing.assert_close(clean.mean((0, 2, 3)), none, atol=1e-4, rtol=0)
    torch.testing.assert_close(clean.std((0, 2, 3), correction=0), one)


def test_the_scale_of_the_config_is_that_of_diffusers(tmp_path):
    AUTOENCODERS["AutoencoderKL"](tmp_path / "kl")
    task, _ = prepared(latent(tmp_path / "kl", scaling="config"), tmp_path / "parts")
    model = AutoencoderKL.from_pretrained(tmp_path / "kl").eval()
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        expected = model.encode(pixels).latent_dist.mean * model.config.scaling_factor
        decoded = model.decode(expected / model.config.scaling_factor).sample
    torch.testing.assert_close(examples_of(task).clean, expected, atol=1e-5, rtol=1e-4)
    shown = ((decoded.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    assert np.abs(task.decode(expected) - shown).max() <= 1


def test_a_model_carries_its_autoencoder(source, tmp_path):
    task, _ = prepared(latent(source), tmp_path / "parts")
    model = task.build(1)
    Trainer(task, model, settings(steps=4, warmup_steps=0, flip=True), 1).run(examples_of(task))
    history = task.prune(model, "magnitude", 0.5, examples_of(task), seed=0)
    loaded = LoadedModel(task, model.eval(), SAMPLING, history)
    images = loaded.sample(5, seed=2)
    save_model_folder(loaded, tmp_path / "model")
    for gone in (source, tmp_path / "parts"):
        gone.rename(gone.with_name(f"{gone.name} elsewhere"))
    load_autoencoder.cache_clear()
    assert (load_model_folder(tmp_path / "model").sample(5, seed=2) == images).all()
    suffixes = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert suffixes == {".safetensors", ".json"}


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "DDPMScheduler"])
def test_samplers_leave_latents_beyond_one_alone(tmp_path, monkeypatch, scheduler):
    write_taesd(tmp_path / "tiny")
    task, _ = prepared(latent(tmp_path / "tiny"), tmp_path / "parts")
    decoded = []
    monkeypatch.setattr(task, "decode", decoded.append)
    sampling = SAMPLING.model_copy(update={"scheduler": scheduler})

    def far(noisy, time, return_dict):  # predicts the clean example
        return (torch.full_like(noisy, 3.0),)

    task.sample(far, task.noise(2, 0), sampling)
    torch.testing.assert_close(decoded[0], torch.full_like(decoded[0], 3.0), atol=0.1, rtol=0)


def test_the_content_of_an_autoencoder_identifies_it_and_its_place_does_not(tmp_path):
    for name, channels in (("one", 4), ("two", 4), ("other", 5)):
        write_taesd(tmp_path / name, channels)
    digests = {name: frozen_digest(latent(tmp_path / name)) for name in ("one", "two", "other")}
    assert digests["one"] == digests["two"] != digests["other"]
    assert latent(tmp_path / "one").identity() == latent(tmp_path / "two").identity()
    (tmp_path / "one" / "notes.md").write_text("read by nobody")
    assert digest_of(tmp_path / "one") == digests["two"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "there is no folder"),
        (lambda folder: folder.mkdir(), "no config.json, and not the two files of TAESD"),
        (
            lambda folder: (
                folder.mkdir(),
                (folder / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel"})),
            ),
            "class UNet2DModel",
        ),
        (
            lambda folder: (
                folder.mkdir(),
                (folder / "an_encoder.pth").write_bytes(b"x"),
                (folder / "a_decoder.pth").write_bytes(b"x"),
            ),
            "cannot be loaded",
        ),
    ],
)
def test_an_autoencoder_that_cannot_be_used_is_named_in_one_line(tmp_path, make, message):
    make(tmp_path / "source")
    with pytest.raises(
        InputError, match=rf"^diffusion\.autoencoder\.source: .*{message}"
    ) as caught:
        create_task(latent(tmp_path / "source"), DOMAIN)
    assert "\n" not in str(caught.value)


def test_a_repository_that_cannot_be_reached_is_named_with_the_mend(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"^diffusion\.autoencoder\.source: .* path of a copy$"):
        frozen_digest(latent("nobody/nothing"))


def test_images_that_do_not_fit_are_refused(tmp_path):
    write_taesd(tmp_path / "tiny")
    diffusion = latent(tmp_path / "tiny")
    with pytest.raises(InputError, match=r"images of 3 channels, .* have 1$"):
        create_task(diffusion, ImageDomain(16, 1))
    with pytest.raises(InputError, match=r"data\.image_size = 24 .* multiple of 16$"):
        create_task(diffusion, ImageDomain(24, 3))
    patches = {"network": NETWORK.model_copy(update={"patch_size": 2})}
    with pytest.raises(InputError, match=r"^diffusion\.network\.patch_size = 2: .* use 1$"):
        create_task(diffusion.model_copy(update=patches), DOMAIN)
    with pytest.raises(InputError, match="needs an autoencoder"):
        create_task(diffusion.model_copy(update={"autoencoder": None}), DOMAIN)
