"""The phases of a study, one method each; :mod:`credit_plugin.study` opens and closes around them.

Every phase is idempotent: it looks for what exists, makes what is missing, and tells MLflow about
everything it has not been told yet. That one rule covers a first run, a resume and a repetition.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.config import Study
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.diffusion.storage import read_config
from credit_plugin.errors import StudyFailedError
from credit_plugin.execution.engine import Engine, Job, Outcome
from credit_plugin.folders import StudyFolders
from credit_plugin.game.assembly import assemble_table
from credit_plugin.game.ledger import Evaluation, Ledger
from credit_plugin.game.plan import PlannedEvaluation, plan_evaluations
from credit_plugin.game.table import UtilityTable
from credit_plugin.game.utilities import get_utility
from credit_plugin.game.utilities.worker import WorkerFactory
from credit_plugin.progress import ProgressDisplay
from credit_plugin.properties.suite import directions
from credit_plugin.reporting import publish_report
from credit_plugin.study import StudyResult
from credit_plugin.values import ContributorValues, estimate

if TYPE_CHECKING:
    from credit_plugin.tracking.tracker import PublishedModel, StudyTracker

CONVERGENCE_STEPS = 12
LIVE_RESAMPLES = 20


class Session:
    """One run of a study: holds its parts while the phases go by."""

    def __init__(
        self,
        study: Study,
        dataset: ContributorDataset,
        folders: StudyFolders,
        engine: Engine,
        tracker: "StudyTracker",
        display: ProgressDisplay,
    ) -> None:
        self.study, self.dataset, self.folders = study, dataset, folders
        self.engine, self.tracker, self.display = engine, tracker, display
        self.factory = WorkerFactory(study, folders)
        self.utility = get_utility(study.game.utility)
        self.directions = directions(study.properties)
        self.ledger = Ledger(folders.ledger)
        self.plan = plan_evaluations(dataset.n_contributors, study.game, study.seed)
        self.published: dict[str, PublishedModel] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.table: UtilityTable | None = None
        self.estimates: dict[str, ContributorValues] = {}
        self.convergence: list[tuple[int, ContributorValues]] = []
        self.report_folder: Path | None = None

    def run(self, phases: Sequence[str]) -> None:
        """Go through ``phases`` in order."""
        steps: dict[str, Callable[[], None]] = {
            "train": self.train,
            "prune": self.prune,
            "coalitions": self.coalitions,
            "values": self.values,
            "report": self.report,
        }
        for phase in phases:
            steps[phase]()

    def result(self) -> StudyResult:
        """Return what the phases found."""
        return StudyResult(
            study=self.study,
            folders=self.folders,
            parent_run_id=self.tracker.parent_run_id,
            table=self.table,
            values=self.estimates,
            directions=self.directions,
            lost=self.lost(),
            models={kind: f"{m.name}/{m.version}" for kind, m in self.published.items()},
            report=self.report_folder,
        )

    def train(self) -> None:
        """Train the classifier and, if the utility needs it, the full model."""
        if not self.folders.reference.exists():
            steps = self.study.properties.classifier.steps
            self._stage("classifier", {"job": "reference"}, steps, "steps")
        if "full" in self.utility.needs:
            self._model_stage("train", "full", self.folders.full, self.study.diffusion.training)

    def prune(self) -> None:
        """Prune the full model and let it recover, if the utility needs it."""
        if "pruned" in self.utility.needs:
            self._model_stage("prune", "pruned", self.folders.pruned, self.study.pruning)

    def coalitions(self) -> None:
        """Evaluate every planned coalition that the ledger does not hold yet."""
        jobs = []
        for position, planned in enumerate(self.plan):
            known = self.ledger.find(self._key(planned))
            if known is not None and known.ok:
                self._tell(known, position)
            else:
                jobs.append(self._job(planned, position))
        done = len(self.plan) - len(jobs)
        self.display.phase("coalitions", len(self.plan), done, "evaluations")
        shares: dict[str, float] = {}

        def progress(job: Job, part: int, total: int) -> None:
            shares[job.key] = part / max(total, 1)
            self.display.update(done + sum(shares.values()))

        for outcome in self.engine.run(self.factory, jobs, progress):
            shares.pop(outcome.job.key, None)
            done += 1
            evaluation = self._as_evaluation(outcome)
            self.ledger.append(evaluation)
            self._tell(evaluation, outcome.job.payload["position"])
            self._watch_convergence()
            self.display.update(done + sum(shares.values()))
        self.display.finish()
        self._watch_convergence()
        for line in self.lost():
            self.display.note(f"lost: {line}")

    def values(self) -> None:
        """Estimate the values of every property from the table."""
        self.table = self._table(self.evaluations())
        self._check_enough(self.table)
        settings = self.study.values
        for name in self.study.properties.names:
            self.estimates[name] = estimate(
                self.table,
                settings.estimator,
                self.study.seed,
                property=name,
                confidence=settings.confidence,
                resamples=settings.resamples,
            )
        headline = self.estimates[self.study.properties.headline]
        self.tracker.log_values(headline, len(self.plan))

    def report(self) -> None:
        """Write the compensation report and publish it with plots and pictures."""
        self.report_folder = publish_report(self)

    def lost(self) -> tuple[str, ...]:
        """Return one line for each planned evaluation that was given up."""
        given_up = [e for e in self.evaluations() if not e.ok]
        return tuple(
            f"coalition {e.coalition}, repeat {e.repeat}, after {e.attempts} attempts: {e.error}"
            for e in given_up
        )

    def _stage(self, name: str, payload: Mapping[str, Any], units: int, unit: str) -> Any:
        """Run one job that uses all training threads, and return its result."""
        self.display.phase(name, units, unit=unit)
        outcomes = self.engine.run(
            self.factory,
            [Job(name, payload)],
            lambda _, done, total: self.display.update(done),
            workers=1,
            threads=self.study.execution.training_threads,
        )
        (outcome,) = list(outcomes)
        if outcome.error is not None:
            raise StudyFailedError(f"{name} failed: {outcome.error}")
        self.display.finish()
        return outcome.result

    def _model_stage(self, role: str, kind: str, folder: Path, settings: Any) -> None:
        """Make a model unless it exists, and see that MLflow knows its run and its version."""
        training = settings.finetuning if kind == "pruned" else settings
        if not folder.exists():
            self._stage(f"{kind} model", {"job": role}, training.steps, "steps")
        config, measured = read_config(folder), self._measured(kind)
        made = config["facts"]
        costs = {**made["costs"], **measured["costs"]}
        self.facts[kind] = {"properties": measured["properties"], "costs": costs}
        metrics = {f"property/{name}": value for name, value in measured["properties"].items()}
        metrics |= {f"cost/{name}_seconds": value for name, value in costs.items()}
        metrics["parameters"] = config["parameters"]
        run_id = self.tracker.log_stage(
            role,
            folder.name,
            f"{kind} model",
            params=settings.model_dump(mode="json"),
            metrics=metrics,
            curves={"loss/training": [(int(s), float(v)) for s, v in made["losses"]]},
            started=made["finished"] - made["costs"]["training"],
            finished=made["finished"],
        )
        full = self.published.get("full")
        self.published[kind] = self.tracker.publish_model(
            kind,
            folder,
            run_id=run_id,
            content=folder.name,
            metrics=metrics,
            full_model_id=full.model_id if full and kind != "full" else None,
        )
        preview = self.folders.previews / f"{kind}.png"
        if preview.exists():
            self.tracker.log_image(f"images/{kind} model.png", preview)

    def _measured(self, kind: str) -> dict[str, Any]:
        """Return a model's own properties, measured once for each table as coalitions are."""
        path = self.folders.table / f"{kind}.json"
        if not path.exists():
            payload = {"job": "measure", "model": kind}
            samples = self.study.sampling.samples
            result = self._stage(f"{kind} samples", payload, samples, "images")
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(result), "utf-8")
            partial.replace(path)
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found

    def _key(self, planned: PlannedEvaluation) -> str:
        return self.folders.coalition_key(planned.coalition, planned.repeat)

    def _job(self, planned: PlannedEvaluation, position: int) -> Job:
        key = self._key(planned)
        payload = {
            "job": "evaluate",
            "key": key,
            "coalition": planned.coalition,
            "repeat": planned.repeat,
            "position": position,
        }
        return Job(key, payload)

    def _as_evaluation(self, outcome: Outcome) -> Evaluation:
        result = outcome.result or {"properties": {}, "losses": {}, "costs": {}}
        return Evaluation(
            key=outcome.job.key,
            coalition=outcome.job.payload["coalition"],
            seed=self.study.seed,
            repeat=outcome.job.payload["repeat"],
            properties=result["properties"],
            losses=result["losses"],
            costs=result["costs"],
            started=outcome.started,
            finished=outcome.finished,
            attempts=outcome.attempts,
            error=outcome.error,
        )

    def _tell(self, evaluation: Evaluation, position: int) -> None:
        size = evaluation.coalition.count("1")
        self.tracker.log_evaluation(
            evaluation, position + 1, len(self.plan), size, role=self.utility.role
        )

    def evaluations(self) -> list[Evaluation]:
        """Return the planned evaluations that the ledger holds, in the plan's order."""
        found = (self.ledger.find(self._key(planned)) for planned in self.plan)
        return [evaluation for evaluation in found if evaluation is not None]

    def _table(self, evaluations: Sequence[Evaluation]) -> UtilityTable:
        baseline = self.study.game.baseline
        given = {self.study.properties.headline: baseline} if isinstance(baseline, float) else {}
        return assemble_table(evaluations, self.dataset.contributors, self.directions, given)

    def _check_enough(self, table: UtilityTable) -> None:
        shortage = self._shortage(table)
        if shortage:
            first = (self.lost() or ("none",))[0]
            raise StudyFailedError(f"{shortage}. First loss: {first}")

    def _shortage(self, table: UtilityTable) -> str:
        """Say why a table is too small to estimate values from, or nothing."""
        n = self.dataset.n_contributors
        distinct = np.unique(table.coalitions, axis=0)
        sizes = set(distinct.sum(1).tolist())
        if 0 in sizes and n in sizes and len(distinct) >= n + 2:
            return ""
        return (
            f"only {len(distinct)} coalitions could be evaluated; values of {n} contributors "
            f"need at least {n + 2}, the empty and the full one among them"
        )

    def _watch_convergence(self) -> None:
        """Estimate the headline's values after growing parts of the plan, each of them once.

        Only complete beginnings of the plan count, so that the curve does not depend on which
        worker was faster.
        """
        known = [self.ledger.find(self._key(planned)) for planned in self.plan]
        complete = next((i for i, e in enumerate(known) if e is None), len(known))
        for step in self._convergence_steps():
            if step > complete or any(step == done for done, _ in self.convergence):
                continue
            table = self._table([e for e in known[:step] if e is not None])
            if self._shortage(table):
                continue
            values = estimate(
                table,
                self.study.values.estimator,
                self.study.seed,
                property=self.study.properties.headline,
                resamples=LIVE_RESAMPLES,
            )
            self.convergence.append((step, values))
            self.tracker.log_values(values, step)

    def _convergence_steps(self) -> list[int]:
        borders = 2 * self.study.game.border_repeats
        first = min(borders + self.dataset.n_contributors, len(self.plan))
        steps = np.linspace(first, len(self.plan), CONVERGENCE_STEPS)
        return sorted({round(step) for step in steps[:-1]})
