"""What a study's models are measured against, kept with its run: artifacts ``reference/``.

They are the study's classifier, the statistics of its real images, and a manifest: the sha256 of
each file, the settings of properties and sampling, the images that models are measured on (how
many, and the seed of their initial noise), and the content names of the models that were measured
so. The tag ``credit.reference_sha256`` of the run is the hash of the manifest, so one line in the
tracking store vouches for every file in the artifact store. A reader trusts nothing before both
agree: the statistics are plain arrays and the classifier is safetensors, but a changed reference
changes every property.

Settings are those that measured, not those in a model's ``config.json``: a model that was trained
before the sampler was changed is measured with the new one.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from pydantic import BaseModel, ConfigDict, ValidationError

from credit_plugin.compensation.publication import (
    MANIFEST,
    check_manifest,
    sha256_of,
    write_manifest,
)
from credit_plugin.config import PropertySettings, SamplingSettings
from credit_plugin.errors import InputError
from credit_plugin.folders import StudyFolders
from credit_plugin.properties.registry import OWN

if TYPE_CHECKING:
    from credit_plugin.properties.suite import PropertySuite

REFERENCE, REFERENCE_TAG = "reference", "credit.reference_sha256"


class Measurement(BaseModel):
    """How a study measures a model.

    Attributes:
        properties: Names and parameters of the properties.
        sampling: How images are drawn.
        noise_seed: Seed of the initial noise of ``sampling.samples`` images.
        models: Content names of the study's models, by kind.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    properties: PropertySettings
    sampling: SamplingSettings
    noise_seed: int
    models: dict[str, str]


@dataclass(frozen=True)
class Reference:
    """A checked copy of a study's reference.

    Attributes:
        folder: Where it lies.
        measurement: How the study measures.
    """

    folder: Path
    measurement: Measurement

    def suite(self, device: str = "cpu") -> "PropertySuite":
        """Return the study's properties with this reference."""
        from credit_plugin.properties.suite import load_suite

        return load_suite(_without_code(self.measurement.properties), self.folder, device)

    def samples(self) -> pd.DataFrame:
        """Return the images that the study measures as one row (n, seed)."""
        measurement = self.measurement
        return pd.DataFrame({"n": [measurement.sampling.samples], "seed": [measurement.noise_seed]})


def log_reference(client: MlflowClient, run_id: str, folders: StudyFolders) -> None:
    """Log a study's reference as artifacts of its run, unless the run has this one.

    Args:
        client: Talks to the tracking store.
        run_id: The study's run.
        folders: Where the reference lies, and what the study's models are called.
    """
    with TemporaryDirectory() as scratch:
        draft = Path(scratch) / REFERENCE
        shutil.copytree(folders.reference, draft)
        write_manifest(draft, _statements(folders))
        digest = sha256_of(draft / MANIFEST)
        if client.get_run(run_id).data.tags.get(REFERENCE_TAG) == digest:
            return
        client.log_artifacts(run_id, str(draft), REFERENCE)
        # last: a run that is tagged has every file
        client.set_tag(run_id, REFERENCE_TAG, digest)


def fetch_reference(client: MlflowClient, run: Run, into: Path) -> Reference:
    """Download a study's reference and check every file.

    Args:
        client: Talks to the tracking store.
        run: The study's run.
        into: Existing folder for the copy.

    Raises:
        InputError: If the run has none, or a file is not the one that was logged.
    """
    run_id = run.info.run_id
    tagged = run.data.tags.get(REFERENCE_TAG)
    if tagged is None:
        raise InputError(f"study run {run_id} has no reference/: run `credit train` of it again")
    try:
        folder = Path(client.download_artifacts(run_id, REFERENCE, str(into)))
    except (MlflowException, OSError):
        raise InputError(f"study run {run_id}: artifacts reference/ cannot be read") from None
    complaints = check_manifest(folder)
    if not complaints and sha256_of(folder / MANIFEST) != tagged:
        complaints = [f"{MANIFEST} is not the file that tag {REFERENCE_TAG} names"]
    if complaints:
        raise InputError(f"study run {run_id}: reference/: {complaints[0]}")
    try:
        text = (folder / MANIFEST).read_text("utf-8")
        return Reference(folder, Measurement.model_validate_json(text))
    except ValidationError:
        raise InputError(
            f"study run {run_id}: reference/{MANIFEST} was written by another version of "
            "credit_plugin: evaluate with that version"
        ) from None


def _without_code(settings: PropertySettings) -> PropertySettings:
    """Return the settings without functions of the team's own: artifacts never name code to run.

    Raises:
        InputError: If nothing else was measured.
    """
    kept = tuple(name for name in settings.names if not name.startswith(OWN))
    if not kept:
        raise InputError(
            "properties.names: the study measures by functions of its own alone, which are not run "
            "from artifacts; measure another property too"
        )
    headline = settings.headline if settings.headline in kept else kept[0]
    return settings.model_copy(update={"names": kept, "headline": headline})


def _statements(folders: StudyFolders) -> dict[str, Any]:
    from credit_plugin.game.utilities.workbench import noise_seed  # imports torch

    study = folders.study
    measurement = Measurement(
        properties=study.properties,
        sampling=study.sampling,
        noise_seed=noise_seed(study.seed, repeat=0),
        models={"full": folders.full.name, "pruned": folders.pruned.name},
    )
    return measurement.model_dump(mode="json")
