"""Diffusion models in the registry: the same network comes out that went in."""

import shutil
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from stores import using

from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.pruning import count_parameters
from credit_plugin.diffusion.storage import LoadedModel, save_model_folder
from credit_plugin.diffusion.tasks import create_task
from credit_plugin.errors import InputError
from credit_plugin.tracking.flavors import diffusion, values
from credit_plugin.tracking.registry import Registry


@pytest.fixture(scope="session")
def models(study):
    """An untrained network and what pruning leaves of it."""
    task = create_task(study.diffusion, ImageDomain(8, 1))
    sampling = study.sampling.model_copy(update={"steps": 2})
    full = LoadedModel(task, task.build(seed=5).eval(), sampling, facts={"losses": [[1, 0.5]]})
    network = task.build(seed=5).eval()
    history = task.prune(network, "magnitude", 0.5, Examples(task.noise(4, 0)), seed=0)
    return {"full": full, "pruned": LoadedModel(task, network, sampling, history)}


@pytest.fixture(scope="session")
def shelved(models, shelf, tmp_path_factory):
    """URIs of both models on the shelf."""
    root, uris = tmp_path_factory.mktemp("models"), {}
    with using(shelf) as client:
        run_id = client.create_run("0").info.run_id
        for kind, model in models.items():
            save_model_folder(model, root / kind)
            version = Registry(client, "toy").publish_model(
                kind, root / kind, run_id=run_id, content=kind, metrics={}
            )
            uris[kind] = version.uri
    return uris


@pytest.fixture
def uris(shelf, shelved):
    with using(shelf):
        yield shelved


@pytest.fixture(scope="session")
def function(shelf, shelved):
    """The pruned model as a python function, loaded where pickles are forbidden."""
    with using(shelf), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        return mlflow.pyfunc.load_model(shelved["pruned"])


@pytest.mark.parametrize("kind", ["full", "pruned"])
def test_the_same_network_comes_back(models, uris, kind, monkeypatch, no_pickle):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    loaded = diffusion.load_model(uris[kind])
    assert count_parameters(loaded.model) == count_parameters(models[kind].model)
    np.testing.assert_array_equal(loaded.sample(3, seed=1), models[kind].sample(3, seed=1))
    assert loaded.facts == models[kind].facts
    assert no_pickle(Path(mlflow.artifacts.download_artifacts(uris[kind]))) == []


def test_pruning_is_part_of_what_is_published(uris):
    full, pruned = (diffusion.load_model(uris[kind]) for kind in ("full", "pruned"))
    assert count_parameters(pruned.model) < 0.5 * count_parameters(full.model)
    assert pruned.history
    assert not full.history


def test_the_function_draws_the_models_images(models, function):
    drawn = function.predict(pd.DataFrame({"n": [3, 0, 1], "seed": [1, 2, 7]}))
    assert drawn["seed"].tolist() == [1, 1, 1, 7]
    pictures = [Image.open(BytesIO(b64decode(text))) for text in drawn["image"]]
    assert {picture.format for picture in pictures} == {"PNG"}
    expected = models["pruned"].sample(3, seed=1)[..., 0]
    np.testing.assert_array_equal(np.stack([np.asarray(p) for p in pictures[:3]]), expected)


def test_colour_images_are_png_too():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    picture = Image.open(BytesIO(b64decode(diffusion._as_png(pixels))))
    np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("n", [-1, diffusion.MOST_IMAGES + 1])
def test_what_cannot_be_drawn_is_refused(function, n):
    with pytest.raises(InputError, match=f"^n: {n} images cannot be drawn; ask for 0 to 4096$"):
        function.predict(pd.DataFrame({"n": [n], "seed": [1]}))


def test_a_request_for_nothing_gives_an_empty_table(function):
    drawn = function.predict(pd.DataFrame({"n": [0], "seed": [1]}))
    assert list(drawn.columns) == ["seed", "image"]
    assert len(drawn) == 0


@pytest.mark.parametrize(
    "name", ["unet/diffusion_pytorch_model.safetensors", "config.json", "pruning_history.json"]
)
def test_a_changed_byte_is_refused(uris, tmp_path, name):
    root = tmp_path / "model"
    shutil.copytree(mlflow.artifacts.download_artifacts(uris["pruned"]), root)
    content = bytearray((root / "content" / name).read_bytes())
    content[-10] ^= 1
    (root / "content" / name).write_bytes(content)
    for load in (diffusion.load_model, mlflow.pyfunc.load_model):
        with pytest.raises(InputError, match=f"file '{name}' is not the one that was logged"):
            load(str(root))


def test_a_diffusion_model_has_no_values(uris):
    with pytest.raises(InputError, match="is not a model of flavor credit_values"):
        values.load_model(uris["full"])
