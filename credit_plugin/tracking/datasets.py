"""The contributor dataset as MLflow dataset inputs: the whole, and one for each contributor."""

import json
from collections.abc import Mapping

from mlflow.entities import Dataset, DatasetInput, InputTag

from credit_plugin.config import DataSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.plugin.dataset import ContributorsSource
from credit_plugin.tracking.names import metric_names

DIGEST_LENGTH = 36


def dataset_inputs(dataset: ContributorDataset, data: DataSettings) -> list[DatasetInput]:
    """Return the inputs to log on the study's run; digests are the first 36 digits of sha256.

    A contributor's profile holds the exact name beside the metric that was named after it.

    Args:
        dataset: The data.
        data: Where it came from.
    """
    source = ContributorsSource.from_settings(data)
    profile = {
        "images": dataset.n_images,
        "contributors": dataset.n_contributors,
        "image_size": dataset.image_size,
        "channels": dataset.channels,
    }
    inputs = [_input(dataset.name, dataset.digest(), source, profile, "all contributors")]
    digests = dataset.contributor_digests()
    metrics = metric_names("value", dataset.contributors)
    for name, count in zip(dataset.contributors, dataset.counts, strict=True):
        part = {"images": int(count), "contributor": name, "metric": metrics[name]}
        title = f"{dataset.name}/{name}"[:500]
        inputs.append(_input(title, digests[name], source, part, "contributor"))
    return inputs


def _input(
    name: str, digest: str, source: ContributorsSource, profile: Mapping[str, object], context: str
) -> DatasetInput:
    entity = Dataset(
        name=name,
        digest=digest[:DIGEST_LENGTH],
        source_type="contributors",
        source=source.to_json(),
        schema=json.dumps({"images": "uint8 [N, H, W, C]"}),
        profile=json.dumps(profile),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", context)])
