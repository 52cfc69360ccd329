"""The contributor dataset as MLflow dataset inputs: the whole, and one for each contributor."""

import json
from collections.abc import Mapping

from mlflow.entities import Dataset, DatasetInput, InputTag

from credit_plugin.contributors.dataset import ContributorDataset

DIGEST_LENGTH = 36


def dataset_inputs(dataset: ContributorDataset) -> list[DatasetInput]:
    """Return the inputs to log on the study's run; digests are the first 36 digits of sha256."""
    profile = {
        "images": dataset.n_images,
        "contributors": dataset.n_contributors,
        "image_size": dataset.image_size,
        "channels": dataset.channels,
    }
    inputs = [_input(dataset.name, dataset.digest(), profile, "all contributors")]
    digests = dataset.contributor_digests()
    for index, name in enumerate(dataset.contributors):
        part = {"images": int(dataset.counts[index]), "contributor": name}
        inputs.append(_input(f"{dataset.name}/{name}"[:500], digests[name], part, "contributor"))
    return inputs


def _input(name: str, digest: str, profile: Mapping[str, object], context: str) -> DatasetInput:
    entity = Dataset(
        name=name,
        digest=digest[:DIGEST_LENGTH],
        source_type="contributors",
        source=json.dumps({"dataset": name}),
        schema=json.dumps({"images": "uint8 [N, H, W, C]"}),
        profile=json.dumps(profile),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", context)])
