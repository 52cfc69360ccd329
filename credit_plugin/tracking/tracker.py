"""The one writer of a study: everything that MLflow is told, in the coordinator's process.

Workers never log (a worker that inherits ``MLFLOW_RUN_ID`` would get the parent run back and end
it). A finished evaluation costs one ``create_run`` with every tag, one ``log_batch`` and one
``set_terminated``; what is there already is listed once at the start, so that telling MLflow the
same thing again costs nothing.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from mlflow.entities import Metric, RunTag
from PIL import Image

from credit_plugin.compensation.commitment import Commitment
from credit_plugin.config import Study
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.folders import StudyFolders
from credit_plugin.game.ledger import Evaluation
from credit_plugin.interrupts import uninterrupted
from credit_plugin.tracking.datasets import dataset_inputs
from credit_plugin.tracking.names import metric_names
from credit_plugin.tracking.parent import COMMITTED, PARENT_TAG, children_of, find_parent
from credit_plugin.tracking.previews import log_previews
from credit_plugin.tracking.reference import log_reference
from credit_plugin.tracking.registry import PublishedModel, Registry
from credit_plugin.tracking.settings import flat, log_settings
from credit_plugin.tracking.store import STORE_ERRORS, open_store
from credit_plugin.tracking.studies import studies_on
from credit_plugin.tracking.views import artifact_page, share_view
from credit_plugin.values import ContributorValues, Reliability

BATCH = 900
LONGEST_NAME = 250
LONGEST_TAG = 5000


def state_after(error: BaseException) -> str:
    """Return the state of a run whose work ended with an error."""
    return "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"


class StudyTracker:
    """Writes one study to MLflow; see :meth:`start`."""

    def __init__(
        self,
        client: Any,
        study: Study,
        experiment_id: str,
        parent_run_id: str,
    ) -> None:
        self.client, self.study = client, study
        self.experiment_id, self.parent_run_id = experiment_id, parent_run_id
        self.registry = Registry(client, study.name)
        self.shared = False  # whether other processes write to the run and will end it
        self._children = self._listed()
        self._logged_steps = {
            metric.step for metric in client.get_metric_history(parent_run_id, "evaluations")
        }
        self._progress = {
            metric.step: metric.value
            for metric in client.get_metric_history(parent_run_id, "stopping/progress")
        }

    @classmethod
    def start(
        cls,
        study: Study,
        dataset: ContributorDataset,
        memory: Path,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        role: str = "study",
    ) -> "StudyTracker":
        """Open the store and the study's run.

        Args:
            study: The settings, logged as parameters ``study/...``.
            dataset: Logged as inputs.
            memory: File that remembers the study's run for each tracking URI.
            tracking_uri: MLflow's own default if left out.
            experiment: MLflow's own default if left out.
            role: ``study``, or ``tuning`` for a search over its settings.
        """
        client, chosen = open_store(tracking_uri, experiment)
        tags = {"credit.study": study.name, "credit.role": role}
        name = study.name if role == "study" else f"{study.name} {role}"
        parent = None
        try:
            with uninterrupted():  # whoever is interrupted must know which run to end
                parent = find_parent(client, chosen.experiment_id, name, memory, tags)
            tracker = cls(client, study, chosen.experiment_id, parent)
            log_settings(client, parent, flat(study.model_dump(mode="json"), "study/"))
            inputs = client.get_run(parent).inputs
            if inputs is None or not inputs.dataset_inputs:
                client.log_inputs(parent, datasets=dataset_inputs(dataset, study.data))
        except BaseException as error:
            if parent is not None:
                with suppress(*STORE_ERRORS):  # what is told is what came first
                    client.set_terminated(parent, state_after(error))
            raise
        return tracker

    def log_stage(
        self,
        role: str,
        key: str,
        name: str,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        curves: Mapping[str, Sequence[tuple[int, float]]],
        started: float,
        finished: float,
    ) -> str:
        """Log a finished stage as a nested run, once, and return the run's id.

        Args:
            role: ``train`` or ``prune``.
            key: Identifies the stage's result.
            name: Name of the run.
            params: Settings of the stage.
            metrics: Single numbers.
            curves: Pairs (step, value) by metric.
            started: Unix time.
            finished: Unix time.
        """
        known = self._children.get(key)
        if known is not None and known[1] == "FINISHED":
            return known[0]
        tags = {"credit.study": self.study.name, "credit.role": role, "credit.stage": key}
        run_id = known[0] if known else self._create(name, tags, started)
        stamp = int(finished * 1000)
        numbers = [Metric(k, v, stamp, 0) for k, v in metrics.items()]
        numbers += [Metric(k, v, stamp, step) for k, c in curves.items() for step, v in c]
        log_settings(self.client, run_id, flat(params))
        self._end(run_id, numbers, "FINISHED", finished)
        self._children[key] = (run_id, "FINISHED")
        return run_id

    def _listed(self) -> dict[str, tuple[str, str]]:
        """Return run id and status of every nested run, by coalition key or stage."""
        return {
            child.data.tags.get("credit.coalition_key")
            or child.data.tags.get("credit.stage", ""): (child.info.run_id, child.info.status)
            for child in children_of(self.client, self.experiment_id, self.parent_run_id)
        }

    def open_trial(self, number: int, study: Study, params: Mapping[str, Any]) -> "StudyTracker":
        """Return the tracker of a trial, whose run is nested here and whose coalitions are there.

        Args:
            number: Of the trial.
            study: Its settings.
            params: Those that were searched.
        """
        key, tags = f"trial {number}", {"credit.study": study.name, "credit.role": "trial"}
        if key not in self._children:  # another process may have made it meanwhile
            self._children = self._listed()
        known = self._children.get(key)
        if known is None:
            run_id = self._create(key, {**tags, "credit.stage": key}, time.time())
        else:
            run_id = known[0]
            self.client.update_run(run_id, status="RUNNING")
        self._children[key] = (run_id, "RUNNING")
        log_settings(self.client, run_id, params)
        return StudyTracker(self.client, study, self.experiment_id, run_id)

    def log_evaluation(
        self,
        evaluation: Evaluation,
        position: int,
        total: int,
        size: int,
        role: str = "coalition",
        utility: str = "",
    ) -> None:
        """Log an evaluated coalition as a nested run, unless MLflow knows it.

        Args:
            evaluation: What the ledger holds.
            position: Place in the plan, from 1.
            total: Length of the plan.
            size: Members of the coalition.
            role: ``coalition`` or ``retrain``.
            utility: Registered utility; there may be several in a study.
        """
        known = self._children.get(evaluation.key)
        if known is not None and known[1] == "FINISHED":
            return
        players = len(evaluation.coalition)
        name = f"{size}/{players} {evaluation.coalition} r{evaluation.repeat}"
        tags = {
            "credit.study": self.study.name,
            "credit.role": role,
            "credit.coalition": evaluation.coalition,
            "credit.coalition_key": evaluation.key,
            "credit.repeat": str(evaluation.repeat),
            "credit.seed": str(evaluation.seed),
            "credit.position": f"{position}/{total}",
        }
        if utility:
            tags["credit.utility"] = utility
        if evaluation.error:
            tags["credit.error"] = evaluation.error[:LONGEST_TAG]
        if known is None:
            run_id = self._create(name, tags, evaluation.started)
        else:
            run_id = known[0]
            self._retag(run_id, tags)
        stamp = int(evaluation.finished * 1000)
        named = {
            **{f"property/{k}": v for k, v in evaluation.properties.items()},
            **{f"loss/{k}": v for k, v in evaluation.losses.items()},
            **{f"cost/{k}_seconds": v for k, v in evaluation.costs.items()},
            "coalition/size": float(size),
            "coalition/attempts": float(evaluation.attempts),
        }
        numbers = [Metric(k, v, stamp, 0) for k, v in named.items()]
        status = "FINISHED" if evaluation.ok else "FAILED"
        self._end(run_id, numbers, status, evaluation.finished)
        self._children[evaluation.key] = (run_id, status)

    def log_values(self, values: ContributorValues, step: int) -> None:
        """Log the values after ``step`` evaluations, once, as step metrics of the study's run."""
        if step in self._logged_steps:
            return
        self._logged_steps.add(step)
        stamp = int(time.time() * 1000)
        numbers = []
        for prefix, column in (("value", values.values), ("value_se", values.standard_errors)):
            names = metric_names(prefix, values.contributors)
            numbers += [
                Metric(names[c], float(x), stamp, step)
                for c, x in zip(values.contributors, column, strict=True)
            ]
        # this one last: a step without it was interrupted and is logged again
        numbers.append(Metric("evaluations", float(step), stamp, step))
        self._log_metrics(self.parent_run_id, numbers)

    def log_verdict(self, evaluations: int, progress: float, words: str) -> None:
        """Log what a stopping rule said after a round, once, as a step of the study's run.

        Args:
            evaluations: So far; the step.
            progress: How far the rule was from holding, 0 to 1; 1 if it held.
            words: Where the study is; shown as the tag ``credit.stopping``.
        """
        if self._progress.get(evaluations) != progress:
            self._progress[evaluations] = progress
            stamp = int(time.time() * 1000)
            metric = Metric("stopping/progress", progress, stamp, evaluations)
            self._log_metrics(self.parent_run_id, [metric])
        self.client.set_tag(self.parent_run_id, "credit.stopping", words[:LONGEST_TAG])

    def log_reliability(self, reliability: Reliability) -> None:
        """Log whether anybody may be paid by the headline's values: numbers, and words as a tag."""
        numbers = {
            "reliability/misallocation": reliability.misallocation,
            "reliability/settled_ranks": float(reliability.settled_ranks),
            "reliability/passed": float(reliability.passed),
        }
        if reliability.split_half.correlation is not None:
            numbers["reliability/split_half"] = reliability.split_half.correlation
        self.log_metrics(numbers)
        words = reliability.statement[:LONGEST_TAG]
        self.client.set_tag(self.parent_run_id, "credit.reliability", words)

    def log_policy(self, first: Commitment, policy_sha256: str, data_sha256: str) -> None:
        """Log the policy that binds, where nobody can change it, and which one is used now.

        Args:
            first: What was written down before the first coalition.
            policy_sha256: Of the study's policy now.
            data_sha256: Of the data, so that other studies on it are found.

        Raises:
            InputError: If the run names another policy as the first one.
        """
        self.tag({"credit.policy_sha256": policy_sha256, "credit.data_sha256": data_sha256})
        known = self.client.get_run(self.parent_run_id).data.params.get(COMMITTED)
        if known not in (None, first.policy_sha256):
            raise InputError(
                f"run {self.parent_run_id}: the policy {known[:12]} was written down in it first, "
                f"and the table's file of commitments begins with {first.policy_sha256[:12]}; "
                "bring that file back, or start the study in a run of its own"
            )
        if known is None:
            self.client.log_param(self.parent_run_id, COMMITTED, first.policy_sha256)
            self.client.log_dict(self.parent_run_id, dict(first.policy), "policy.json")

    def other_studies(self, data_sha256: str) -> list[dict[str, str]]:
        """Return every other study on the same data that the store knows, oldest first."""
        return studies_on(self.client, data_sha256, but=self.parent_run_id)

    def log_version_metrics(self, model: PublishedModel, metrics: Mapping[str, float]) -> None:
        """Log single numbers on a registered version, by way of the study's run."""
        stamp = int(time.time() * 1000)
        numbers = [Metric(k, v, stamp, 0, model_id=model.model_id) for k, v in metrics.items()]
        self._log_metrics(self.parent_run_id, numbers)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log single numbers on the study's run."""
        stamp = int(time.time() * 1000)
        self._log_metrics(self.parent_run_id, [Metric(k, v, stamp, 0) for k, v in metrics.items()])

    def log_image(self, artifact: str, path: Path) -> None:
        """Log a picture as an artifact of the study's run.

        MLflow's image grid is left alone: it writes all parameters of a run above every picture,
        and a study has so many that the pictures cannot be seen.
        """
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        self.client.log_image(self.parent_run_id, pixels, artifact)

    def log_figure(self, figure: Figure, artifact: str) -> None:
        """Log a figure as an artifact of the study's run."""
        self.client.log_figure(self.parent_run_id, figure, artifact)

    def log_artifact(self, path: Path, artifact_path: str | None = None) -> None:
        """Log a file as an artifact of the study's run."""
        self.client.log_artifact(self.parent_run_id, str(path), artifact_path)

    def log_artifacts(self, folder: Path, artifact_path: str | None = None) -> None:
        """Log every file of a folder as an artifact of the study's run."""
        self.client.log_artifacts(self.parent_run_id, str(folder), artifact_path)

    def log_previews(self, folder: Path) -> None:
        """Log samples of coalitions as artifacts ``previews/`` of the study's run, each once."""
        log_previews(self.client, self.parent_run_id, folder)

    def log_reference(self, folders: StudyFolders) -> None:
        """Log what models are measured against as artifacts ``reference/``, once."""
        log_reference(self.client, self.parent_run_id, folders)

    def publish_model(
        self,
        kind: str,
        folder: Path,
        *,
        run_id: str,
        content: str,
        metrics: Mapping[str, float],
        full_model_id: str | None = None,
    ) -> PublishedModel:
        """Register ``<study>.<kind>`` from a model folder (see ``Registry.publish_model``)."""
        return self.registry.publish_model(
            kind,
            folder,
            run_id=run_id,
            content=content,
            metrics=metrics,
            full_model_id=full_model_id,
        )

    def publish_values(
        self,
        folder: Path,
        content: str,
        full: PublishedModel | None,
        pruned: PublishedModel | None,
    ) -> PublishedModel:
        """Register ``<study>.values`` from a report's folder (see ``Registry``)."""
        return self.registry.publish_values(
            folder, self.parent_run_id, content, [m for m in (full, pruned) if m is not None]
        )

    def tag(self, tags: Mapping[str, str], model: PublishedModel | None = None) -> None:
        """Tag the run, or a registered version."""
        for key, value in tags.items():
            if model is None:
                self.client.set_tag(self.parent_run_id, key, value[:LONGEST_TAG])
            else:
                self.client.set_model_version_tag(model.name, model.version, key, value)

    def describe(
        self, markdown: str, artifacts: Mapping[str, str] | None = None, ascending: bool = False
    ) -> None:
        """Set the description that MLflow shows on the study's run, and add links.

        Args:
            markdown: What the study found.
            artifacts: Artifacts of the run to link to, by the words of the link.
            ascending: Whether the table of coalitions begins with the lowest headline.
        """
        experiment, run = self.experiment_id, self.parent_run_id
        pages = {
            words: artifact_page(experiment, run, path) for words, path in (artifacts or {}).items()
        }
        pages[f"all coalitions, sorted by {self.study.properties.headline}"] = share_view(
            self.client, experiment, self.study, run, ascending
        )
        links = " · ".join(f"[{words}]({page})" for words, page in pages.items())
        self.client.set_tag(run, "mlflow.note.content", f"{markdown}  \nLook at: {links}")

    def close_orphans(self, parent_run_id: str | None = None) -> None:
        """End children that a kill or Ctrl-C left RUNNING and that nothing completed since.

        Args:
            parent_run_id: Whose children, and theirs; those of the study's run by default.
        """
        parent = parent_run_id or self.parent_run_id
        for child in children_of(self.client, self.experiment_id, parent):
            if child.info.status == "RUNNING":
                if child.data.tags.get("credit.role") == "trial":
                    self.close_orphans(child.info.run_id)
                self.client.set_terminated(child.info.run_id, "KILLED")

    @uninterrupted()  # or what is open would stay so
    def close(self, status: str) -> None:
        """End the run and what is open below it, unless other processes go on with it.

        Args:
            status: FINISHED, FAILED or KILLED.
        """
        if not self.shared:
            self.close_orphans()
            self.finish(status)

    def finish(self, status: str) -> None:
        """End the study's run as FINISHED, FAILED or KILLED."""
        self.client.set_terminated(self.parent_run_id, status)

    def _create(self, name: str, tags: Mapping[str, str], started: float) -> str:
        run = self.client.create_run(
            self.experiment_id,
            start_time=int(started * 1000),
            tags={**tags, PARENT_TAG: self.parent_run_id},
            run_name=name[:LONGEST_NAME],
        )
        return str(run.info.run_id)

    def _retag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Tag a run whose evaluation was repeated; an error of last time is no longer true."""
        old = self.client.get_run(run_id).data.tags
        if "credit.error" in old and "credit.error" not in tags:
            self.client.delete_tag(run_id, "credit.error")
        self.client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def _end(self, run_id: str, metrics: Iterable[Metric], status: str, finished: float) -> None:
        self._log_metrics(run_id, list(metrics))
        self.client.set_terminated(run_id, status, int(finished * 1000))

    def _log_metrics(self, run_id: str, metrics: Sequence[Metric]) -> None:
        for start in range(0, len(metrics), BATCH):
            self.client.log_batch(run_id, metrics=metrics[start : start + BATCH])
