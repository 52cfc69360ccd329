"""A base model from scratch: trained on captions, resumed exactly, and carried by its adapters."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from small_autoencoders import write_taesd

from credit_plugin.config import (
    AutoencoderSettings,
    BaseSettings,
    DataSettings,
    DiffusionSettings,
    LoraSettings,
    NetworkSettings,
    NoiseSettings,
    RecipeSettings,
    SamplingSettings,
    TrainingSettings,
)
from credit_plugin.diffusion.autoencoders import load_autoencoder
from credit_plugin.diffusion.base_model import load_base
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.recipe import denoiser_config
from credit_plugin.diffusion.storage import LoadedModel, load_model_folder, save_model_folder
from credit_plugin.diffusion.tasks import create_task, frozen_digest
from credit_plugin.diffusion.training import Trainer
from credit_plugin.errors import InputError

DOMAIN = ImageDomain(32, 3, ("a tree", "a house"))
SAMPLING = SamplingSettings(steps=3, samples=16, guidance=2.0)
PAINTINGS = np.random.default_rng(5).integers(0, 256, (8, 32, 32, 3), np.uint8)


def write_icons(path, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (2, 6, 32, 32, 3), np.uint8)
    captions = np.array(["tree", "house", "grinning face", "sun", "red car", "fish"])
    np.savez(path, images=images, vendors=np.array(["noto", "twemoji"]), captions=captions)
    return path


def diffusion(place, **changes):
    icons = {
        "axes": ["vendor", "concept"],
        "contributor": "vendor",
        "captions": "concept",
        "names": {"vendor": "vendors", "concept": "captions"},
    }
    recipe = {
        "data": DataSettings(
            source="archive", path=place / "icons.npz", image_size=32, options=icons
        ),
        "network": NetworkSettings(
            block_out_channels=(8, 8), attention=(False, True), norm_num_groups=4
        ),
        "text_width": 16,
        "noise": NoiseSettings(prediction_type="v_prediction", zero_terminal_snr=True),
        "training": TrainingSettings(steps=30, batch_size=4, flip=True),
        **changes,
    }
    return DiffusionSettings(
        task="text_to_image_lora",
        condition="prompt",
        prompt="{caption}",
        autoencoder=AutoencoderSettings(source=str(place / "tiny"), scaling="measured"),
        base=BaseSettings(recipe=RecipeSettings(**recipe)),
        lora=LoraSettings(rank=2),
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("recipe")
    write_taesd(place / "tiny")
    write_icons(place / "icons.npz")
    return place


def prepare(place, name, report=lambda *_: None):
    folder = place / name
    folder.mkdir(exist_ok=True)
    create_task(diffusion(place), DOMAIN).prepare(PAINTINGS, False, folder, report, "cpu")
    return folder


@pytest.fixture(scope="module")
def parts(place):
    return prepare(place, "parts")


def test_a_base_is_a_pipeline_that_diffusers_loads(parts):
    pipeline = StableDiffusionPipeline.from_pretrained(parts / "base", vae=None)
    assert pipeline.unet.config.cross_attention_dim == 16
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    names = {path.name for path in parts.iterdir()}
    assert names == {"base", "autoencoder", "latents.npy", "scale.json", "prompts.safetensors"}


def test_dropout_of_a_recipe_is_that_of_its_network(place):
    network = diffusion(place).base.recipe.network
    dropping = diffusion(place, network=network.model_copy(update={"dropout": 0.25}))
    config = denoiser_config(dropping.base.recipe, (4, 8, 8))
    rates = {
        layer.p
        for layer in UNet2DConditionModel.from_config(config).modules()
        if isinstance(layer, torch.nn.Dropout) and layer.p
    }
    assert rates == {0.25}


def test_nothing_but_the_study_writes_to_the_terminal(place, capfd):
    prepare(place, "quiet")
    assert capfd.readouterr() == ("", "")


def test_training_of_the_base_goes_on_where_it_was(place, parts):
    def stop(done, total):
        if done == len(PAINTINGS) + 27:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        # checkpoints at every chance, not only every twenty seconds
        patch.setattr(Trainer.run, "__defaults__", (None, None, 0.0, None))
        with pytest.raises(KeyboardInterrupt):
            prepare(place, "again", stop)
    assert (place / "again.checkpoint").exists()
    again = prepare(place, "again")
    assert not (place / "again.checkpoint").exists()
    one, two = (
        StableDiffusionPipeline.from_pretrained(folder / "base", vae=None).unet.state_dict()
        for folder in (parts, again)
    )
    for key, weight in one.items():
        assert torch.equal(weight, two[key]), key


def test_a_model_carries_the_base_that_was_made_for_it(place, parts, tmp_path):
    load_base.cache_clear()
    task = create_task(diffusion(place), DOMAIN, parts)
    loaded = LoadedModel(task, task.build(1).eval(), SAMPLING, shares=(1, 1))
    images = loaded.sample(4, seed=3)
    save_model_folder(loaded, tmp_path / "model")
    for cache in (load_base, load_autoencoder):
        cache.cache_clear()
    hidden = [
        path.rename(path.with_name(f"{path.name} hidden")) for path in (parts, place / "tiny")
    ]
    try:
        assert (load_model_folder(tmp_path / "model").sample(4, seed=3) == images).all()
    finally:
        for path in hidden:
            path.rename(path.with_name(path.name.removesuffix(" hidden")))


def test_what_a_recipe_is_made_of_identifies_it(place, tmp_path):
    before = frozen_digest(diffusion(place))
    assert frozen_digest(diffusion(place, text_layers=1)) != before
    assert frozen_digest(diffusion(place, seed=1)) != before
    write_taesd(tmp_path / "tiny")
    write_icons(tmp_path / "icons.npz")
    assert frozen_digest(diffusion(tmp_path)) == before
    write_icons(tmp_path / "icons.npz", seed=1)
    assert frozen_digest(diffusion(tmp_path)) != before


def test_a_recipe_needs_an_autoencoder(place):
    alone = diffusion(place).model_copy(update={"autoencoder": None})
    with pytest.raises(InputError, match=r"^diffusion\.autoencoder\.source is missing"):
        create_task(alone, DOMAIN)


@pytest.mark.parametrize("base", [{}, {"source": "a/b", "recipe": {"data": {"source": "digits"}}}])
def test_a_base_has_a_source_or_a_recipe(base):
    with pytest.raises(ValueError, match="one of the two"):
        BaseSettings(**base)
