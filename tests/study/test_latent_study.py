"""A whole study in latent space: parts are made once, models load alone, places do not matter."""

import shutil
import sys
from pathlib import Path

import mlflow
import pytest
from micro import micro_study, run_in

from credit_plugin.errors import InputError
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.tracking.flavors import diffusion

sys.path.insert(0, str(Path(__file__).parents[1] / "diffusion"))
from small_autoencoders import write_taesd

pytestmark = pytest.mark.slow


def latent_study(source, *overrides):
    return micro_study(
        "data={source: designers, image_size: 16}",
        "diffusion.task=latent",
        f"diffusion.autoencoder={{source: {source}, scaling: measured}}",
        "diffusion.network={block_out_channels: [8, 8], norm_num_groups: 4, patch_size: 1}",
        "diffusion.training.flip=true",
        "game.budget=20",
        "sampling.samples=16",
        *overrides,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("latent")
    write_taesd(place / "tiny")
    return place


@pytest.fixture(scope="module")
def result(place):
    return run_in(place, latent_study(place / "tiny"))


def test_latents_are_made_once_with_their_mirror_images(result):
    (parts,) = result.folders.base.glob("parts-*")
    names = sorted(path.name for path in parts.iterdir())
    assert names == ["autoencoder", "latents.npy", "mirrored.npy", "scale.json"]


def test_registered_models_load_without_the_study(result, place, tmp_path):
    bench = Workbench(latent_study(place / "tiny"), result.folders, "cpu")
    expected = {"full": bench.full.sample(3, 1), "pruned": bench.pruned.sample(3, 1)}
    hidden = Path(shutil.move(result.folders.base, tmp_path / "elsewhere"))
    try:
        mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow.db'}")
        for kind, images in expected.items():
            loaded = diffusion.load_model(f"models:/{result.models[kind]}")
            assert (loaded.sample(3, 1) == images).all()
    finally:
        mlflow.set_tracking_uri(None)
        shutil.move(hidden, result.folders.base)


def test_the_same_autoencoder_elsewhere_goes_on_with_the_table(result, place):
    shutil.copytree(place / "tiny", place / "copy")
    again = run_in(place, latent_study(place / "copy"))
    assert again.folders.table == result.folders.table
    assert list(again.headline.values) == list(result.headline.values)


def test_flips_that_nothing_was_encoded_for_are_refused(place, tmp_path):
    study = latent_study(
        place / "tiny", "diffusion.training.flip=false", "game.finetuning.flip=true"
    )
    with pytest.raises(InputError, match=r"^diffusion\.training\.flip: other trainings flip"):
        run_in(tmp_path, study)


def test_a_check_finds_the_latents_of_the_study(result, place):
    checked = run_in(
        place,
        latent_study(
            place / "tiny",
            "fidelity.alphas=[0.5]",
            "fidelity.coalitions=4",
            "fidelity.removals=[0.4]",
            "fidelity.removal_seeds=1",
            "fidelity.random_orders=1",
            "fidelity.resamples=100",
            "fidelity.curves=[]",
            "fidelity.methods=[gradient_similarity, journey_trak]",
            "fidelity.proxies=[]",
            "fidelity.images_each=2",
            "fidelity.generated=4",
            "fidelity.timesteps=1",
            "fidelity.projection=16",
        ),
        fidelity=True,
    )
    assert checked.folders.table == result.folders.table
    assert len(list(result.folders.base.glob("parts-*"))) == 1
    assert checked.fidelity.skipped == {}
