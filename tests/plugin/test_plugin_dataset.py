"""``mlflow.data.from_contributors``: found through the entry point, logged, and found again."""

import json

import mlflow
import mlflow.data
import pytest
from mlflow.data.dataset_source_registry import get_registered_sources

from credit_plugin.config import DataSettings
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.errors import InputError
from credit_plugin.plugin import dataset as plugin


@pytest.fixture(scope="module")
def digits():
    return mlflow.data.from_contributors("digits", image_size=8)


@pytest.fixture(scope="module")
def expected():
    return load_contributors(DataSettings(source="digits", image_size=8))


@pytest.fixture
def logged(client, digits):
    """The input of a run as the store gives it back."""
    with mlflow.start_run(experiment_id="0") as run:
        mlflow.log_input(digits, context="training")
    return client.get_run(run.info.run_id).inputs.dataset_inputs[0]


def test_the_entry_points_bring_constructor_and_source():
    assert mlflow.data.from_contributors is plugin.from_contributors
    assert plugin.ContributorsSource in get_registered_sources()


def test_the_dataset_says_what_it_is(digits, expected):
    assert isinstance(digits, plugin.ContributorsDataset)
    assert digits.name == "digits"
    assert digits.digest == expected.digest()[:36]
    assert len(digits.digest) == 36
    assert digits.profile == {
        "images": expected.n_images,
        "contributors": expected.n_contributors,
        "image_size": 8,
    }
    assert digits.schema is None
    assert digits.data.contributors == expected.contributors


def test_it_is_logged_as_an_input(logged, digits):
    assert logged.dataset.name == "digits"
    assert logged.dataset.digest == digits.digest
    assert logged.dataset.source_type == "contributors"
    assert json.loads(logged.dataset.profile) == digits.profile
    assert {tag.key: tag.value for tag in logged.tags} == {"mlflow.data.context": "training"}


def test_the_logged_source_leads_back_to_the_data(logged, expected):
    source = mlflow.data.get_source(logged)
    assert isinstance(source, plugin.ContributorsSource)
    assert source.load().digest() == expected.digest()


def test_a_name_and_a_digest_can_be_given():
    made = mlflow.data.from_contributors("digits", image_size=8, name="mine", digest="abc")
    assert (made.name, made.digest) == ("mine", "abc")


def test_options_of_the_source_travel_with_it(digits):
    made = mlflow.data.from_contributors("digits", image_size=8, options={"noisy": False})
    assert made.digest != digits.digest
    again = plugin.ContributorsSource.from_json(made.source.to_json())
    assert again.to_dict() == made.source.to_dict()
    assert again.load().digest()[:36] == made.digest


def test_a_source_of_settings_leads_to_the_same_data(expected, tmp_path):
    source = plugin.ContributorsSource.from_settings(DataSettings(source="digits", image_size=8))
    assert source.load().digest() == expected.digest()
    folder = DataSettings(source="imagefolder", path=tmp_path, image_size=32)
    assert plugin.ContributorsSource.from_settings(folder).to_dict() == {
        "source": "imagefolder",
        "path": str(tmp_path),
        "image_size": 32,
        "options": {},
    }


def test_a_folder_of_images_with_few_each_is_a_dataset(tmp_path):
    from PIL import Image

    for number, owner in enumerate(("ann", "bob")):
        (tmp_path / "pictures" / owner).mkdir(parents=True)
        picture = Image.effect_noise((32, 32), 60 + number).convert("RGB")
        picture.save(tmp_path / "pictures" / owner / "1.png")
    made = mlflow.data.from_contributors("imagefolder", str(tmp_path / "pictures"), image_size=8)
    assert made.profile == {"images": 2, "contributors": 2, "image_size": 8}
    assert plugin.ContributorsSource.from_json(made.source.to_json()).load().n_images == 2


def test_an_unknown_source_is_one_line():
    with pytest.raises(InputError, match="did you mean digits") as caught:
        mlflow.data.from_contributors("digit")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raw", ["s3://bucket/data", "/some/folder", {"source": "digits"}])
def test_the_source_claims_nothing_by_guessing(raw):
    assert plugin.ContributorsSource._can_resolve(raw) is False
    with pytest.raises(ValueError, match="not guessed"):
        plugin.ContributorsSource._resolve(raw)
