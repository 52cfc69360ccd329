"""Evaluating a registered model of a study: its properties, and how far its study can be trusted.

A full or pruned model is measured as its study measured it: images drawn by the study's sampler
from given initial noise, described by the study's classifier, compared with the study's reference.
From the initial noise of the study (:func:`evaluation_data`) this gives the numbers that the study
logged, to the rounding of the device. Units, ranges and biases are those of each property, see
:mod:`credit_plugin.properties`; another number of images is biased otherwise, so compare models on
the same rows.

=================  =================================================================
model              metrics
=================  =================================================================
full, pruned       ``property/<name>`` measured now, ``fidelity/...`` of the study
values             ``fidelity/...`` and ``reliability/...`` of the study
=================  =================================================================

A model that several runs of its study share, as after a change of the sampler, is measured as the
last one that finished measures it. Values belong to the run that published them.

Fidelity and reliability are metrics of the study's run, carried over. They speak of the study's
newest values, so an older version of the values is refused.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pandas as pd
from mlflow.entities import LoggedModelInput, Metric, Run
from mlflow.exceptions import MlflowException
from mlflow.models import get_model_info
from mlflow.models.model import ModelInfo
from mlflow.tracking import MlflowClient

from credit_plugin.compensation.payout import as_amount
from credit_plugin.errors import InputError
from credit_plugin.tracking.flavors import diffusion, values
from credit_plugin.tracking.flavors.files import checked_content
from credit_plugin.tracking.parent import PARENT_TAG
from credit_plugin.tracking.reference import fetch_reference
from credit_plugin.tracking.studies import last_finished_with

FEWEST_IMAGES = 16  # as for sampling.samples
Flavors = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Subject:
    """A logged model of a study.

    Attributes:
        client: Talks to the tracking store.
        model_id: The logged model.
        flavor: Which of this package's flavors it has.
        content: Its files, checked.
        made_by: The run that logged it.
        study: The study's run; if there are several with this model, see :class:`Kind`.
    """

    client: MlflowClient
    model_id: str
    flavor: str
    content: Path
    made_by: Run
    study: Run

    def carried(self, prefix: str) -> dict[str, float]:
        """Return the metrics of the study's run whose names begin so."""
        return {k: float(v) for k, v in self.study.data.metrics.items() if k.startswith(prefix)}


def evaluation_data(model_uri: str) -> pd.DataFrame:
    """Return rows to evaluate a model on.

    Args:
        model_uri: Any MLflow URI of a model of a study.

    Returns:
        For a full or pruned model one row (n, seed): the images that its study measured. For
        values one row (budget): the pool of the report.

    Raises:
        InputError: If it is no model of a study in this tracking store.
    """
    subject = find_subject(model_uri)
    return KINDS[subject.flavor].data(subject)


def evaluate_model(model_uri: str, rows: Any, device: str = "cpu") -> dict[str, float]:
    """Return the metrics of a model of a study.

    Args:
        model_uri: Any MLflow URI of the model.
        rows: For a full or pruned model a frame with columns n and seed; see
            :func:`drawn_images`. Nothing is computed from the rows of a values model.
        device: Where images are drawn and described: ``cpu`` or ``cuda:i``.

    Raises:
        InputError: If the model, its reference or the rows cannot be used.
    """
    subject = find_subject(model_uri)
    return KINDS[subject.flavor].metrics(subject, rows, device)


def find_subject(model_uri: str) -> Subject:
    """Return a model with the study that it belongs to, after checking its files.

    Raises:
        InputError: If it is no model of a study in this tracking store.
    """
    client = MlflowClient()
    info = _described(model_uri)
    flavor = own_flavor(info.flavors, model_uri)
    try:
        source = client.get_run(client.get_logged_model(info.model_id).source_run_id or "")
        study = KINDS[flavor].study(client, source)
    except (MlflowException, KeyError):
        raise InputError(f"{model_uri} was not logged by a study in this tracking store") from None
    content = checked_content(model_uri, flavor, KINDS[flavor].module.__name__)
    return Subject(client, info.model_id, flavor, content, source, study)


def own_flavor(flavors: Flavors, what: str) -> str:
    """Return the name of this package's flavor.

    Raises:
        InputError: If there is none.
    """
    found = [name for name in KINDS if name in flavors]
    if not found:
        raise InputError(
            f"{what} has none of the flavors {', '.join(KINDS)}: evaluator credit is for models "
            "that a study registered"
        )
    return found[0]


def check_same_files(passed: Flavors, model_id: str) -> None:
    """Refuse a loaded model whose files are not those of the logged model that it names.

    Raises:
        InputError: If they differ, or the model is of no study.
    """
    flavor = own_flavor(passed, "the model")
    logged = _described(f"models:/{model_id}").flavors
    if passed[flavor].get("files") != logged.get(flavor, {}).get("files"):
        raise InputError(f"the model is a changed copy of {model_id}: give models:/{model_id}")


def log_evaluation(run_id: str, model_id: str, metrics: Mapping[str, float], dataset: Any) -> None:
    """Log metrics on a run and on the logged model that they are of.

    Args:
        run_id: The evaluation's run.
        model_id: The logged model.
        metrics: By name.
        dataset: What it was evaluated on, with a name and a digest.
    """
    client = MlflowClient()
    client.log_inputs(run_id, models=[LoggedModelInput(model_id)])
    on = {"dataset_name": dataset.name, "dataset_digest": dataset.digest}
    now = int(time.time() * 1000)
    stamped = [
        Metric(name, value, now, 0, model_id=model_id, run_id=run_id, **on)
        for name, value in metrics.items()
    ]
    client.log_batch(run_id, metrics=stamped)


def drawn_images(rows: Any) -> list[tuple[int, int]]:
    """Return how many images are drawn from which seed; all rows together are one set of images.

    Args:
        rows: A frame with integer columns n and seed, 16 images or more in all.

    Raises:
        InputError: If it is none.
    """
    mend = "give credit_plugin.tracking.evaluation.evaluation_data(model_uri)"
    columns = getattr(rows, "columns", ())
    for name in ("n", "seed"):
        if name not in columns:
            raise InputError(f"data: has no column {name!r}; {mend}")
        if rows[name].dtype.kind not in "iu" or (rows[name] < 0).any():
            raise InputError(f"data: column {name!r} must hold integers of 0 or more; {mend}")
    total = int(rows["n"].sum())
    if total < FEWEST_IMAGES:
        raise InputError(f"data: {total} images are too few, {FEWEST_IMAGES} is the least; {mend}")
    return list(zip(map(int, rows["n"]), map(int, rows["seed"]), strict=True))


def _described(model_uri: str) -> ModelInfo:
    try:
        return get_model_info(model_uri)
    except (MlflowException, OSError) as error:
        raise InputError(f"{model_uri} cannot be read: {str(error).splitlines()[0]}") from None


def _model_data(subject: Subject) -> pd.DataFrame:
    with TemporaryDirectory() as scratch:
        return fetch_reference(subject.client, subject.study, Path(scratch)).samples()


def _model_metrics(subject: Subject, rows: Any, device: str) -> dict[str, float]:
    import numpy as np

    from credit_plugin.diffusion.storage import load_model_folder

    plan = drawn_images(rows)
    with TemporaryDirectory() as scratch:
        reference = fetch_reference(subject.client, subject.study, Path(scratch))
        _check_fit(subject, reference.measurement.models)
        loaded = load_model_folder(subject.content, device)
        loaded.sampling = reference.measurement.sampling
        drawn = [(n, seed) for n, seed in plan if n]
        images = np.concatenate([loaded.sample(n, seed) for n, seed in drawn])
        told = [t.numpy() for n, seed in drawn if (t := loaded.conditions(n, seed)) is not None]
        condition = np.concatenate(told) if told else None
        measured = reference.suite(device).measure(images, condition)
    properties = {f"property/{name}": float(value) for name, value in measured.items()}
    return properties | subject.carried("fidelity/")


def _values_data(subject: Subject) -> pd.DataFrame:
    facts = json.loads((subject.content / "values.json").read_text("utf-8"))
    return pd.DataFrame({"budget": [as_amount(facts["pool_minor"], facts["currency"])]})


def _values_metrics(subject: Subject, rows: Any, device: str) -> dict[str, float]:
    _check_newest(subject)
    metrics = subject.carried("fidelity/") | subject.carried("reliability/")
    if not metrics:
        raise InputError(
            f"study run {subject.study.info.run_id} has no metrics fidelity/... or "
            "reliability/...: run `credit values` of it again"
        )
    return metrics


def _check_fit(subject: Subject, models: Mapping[str, str]) -> None:
    """Refuse a reference that other models were measured against."""
    stage = subject.made_by.data.tags.get("credit.stage")
    if stage not in models.values():
        raise InputError(
            f"study run {subject.study.info.run_id}: its reference is for {sorted(models.values())}"
            f", not for {stage}: run the model's own study again"
        )


def _check_newest(subject: Subject) -> None:
    """Refuse values that are no longer those of the study's run."""
    run_id = subject.study.info.run_id
    with TemporaryDirectory() as scratch:
        try:
            newest = subject.client.download_artifacts(run_id, "values.json", scratch)
        except (MlflowException, OSError):
            raise InputError(f"study run {run_id}: values.json cannot be read") from None
        theirs = json.loads(Path(newest).read_text("utf-8"))
    ours = json.loads((subject.content / "values.json").read_text("utf-8"))
    if any(theirs.get(key) != ours[key] for key in ("property", "properties")):
        raise InputError(
            f"study run {run_id} went on after these values were published, and its metrics are "
            "of later ones: evaluate the newest version"
        )


def _study_of(client: MlflowClient, run: Run) -> Run:
    """Return the study's run of a run that belongs to it; KeyError if it belongs to none."""
    tags = run.data.tags
    return run if tags["credit.role"] == "study" else client.get_run(tags[PARENT_TAG])


def _last_study_of(client: MlflowClient, run: Run) -> Run:
    """Return the study's run that used a model last; KeyError if it is no model of a study.

    A model is registered by the first of them. A later one may measure it with another sampler or
    other properties, or have checked its values.
    """
    return last_finished_with(client, run) or _study_of(client, run)


@dataclass(frozen=True)
class Kind:
    """How models of one flavor are evaluated.

    Attributes:
        module: The flavor.
        study: Returns the study's run, given the run that logged the model: the last one that
            finished with a full or pruned model, and the one that values are of.
        data: Returns rows to evaluate a model on.
        metrics: Returns the metrics on given rows.
    """

    module: ModuleType
    study: Callable[[MlflowClient, Run], Run]
    data: Callable[[Subject], pd.DataFrame]
    metrics: Callable[[Subject, Any, str], dict[str, float]]


KINDS = {
    diffusion.FLAVOR: Kind(diffusion, _last_study_of, _model_data, _model_metrics),
    values.FLAVOR: Kind(values, _study_of, _values_data, _values_metrics),
}
