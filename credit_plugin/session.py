"""The phases of a study, one method each; :mod:`credit_plugin.study` opens and closes around them.

Every phase is idempotent: it looks for what exists, makes what is missing, and tells MLflow about
everything it has not been told yet. That one rule covers a first run, a resume and a repetition.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.compensation.commitment import commit_study
from credit_plugin.compensation.valuing import groups_of, valuation_of
from credit_plugin.config import Study
from credit_plugin.contributors.intake import Intake
from credit_plugin.diffusion.storage import read_config
from credit_plugin.errors import InputError, StudyFailedError
from credit_plugin.evaluating import Plan
from credit_plugin.execution.engine import Engine
from credit_plugin.fidelity.checking import check_fidelity, known_result
from credit_plugin.fidelity.result import FidelityResult
from credit_plugin.folders import StudyFolders
from credit_plugin.game.assembly import assemble_table
from credit_plugin.game.ledger import Evaluation
from credit_plugin.game.plan import plan_evaluations
from credit_plugin.game.table import UtilityTable
from credit_plugin.game.utilities import get_utility
from credit_plugin.game.utilities.worker import WorkerFactory
from credit_plugin.games import RETRAINING, Games
from credit_plugin.progress import ProgressDisplay
from credit_plugin.properties.suite import directions
from credit_plugin.reporting import publish_report
from credit_plugin.retrainings import Retrainings, plan_retrainings
from credit_plugin.rounds import evaluate_until
from credit_plugin.stages import ROLES, Stages
from credit_plugin.study import StudyResult, stopping_rule
from credit_plugin.values import ContributorValues, Reliability

if TYPE_CHECKING:
    from credit_plugin.tracking.tracker import PublishedModel, StudyTracker

CONVERGENCE_STEPS = 12
LIVE_RESAMPLES = 20


class Session:
    """One run of a study: holds its parts while the phases go by."""

    def __init__(
        self,
        study: Study,
        intake: Intake,
        folders: StudyFolders,
        engine: Engine,
        tracker: "StudyTracker",
        display: ProgressDisplay,
    ) -> None:
        dataset = intake.dataset
        self.study, self.intake, self.dataset, self.folders = study, intake, dataset, folders
        self.engine, self.tracker, self.display = engine, tracker, display
        self.factory = WorkerFactory(study, folders)
        self.stages = Stages(study, folders, self.factory, engine, display)
        self.utility = get_utility(study.game.utility)
        self.directions = directions(study.properties)
        self.games = Games(study, folders, engine, tracker, display)
        self.evaluator = self.games.evaluator(study.game.utility)
        self.rule = stopping_rule(study)
        self.groups = groups_of(study.compensation, dataset.contributors)
        self.valuation = valuation_of(study, dataset.contributors, dataset.counts)
        self.plan: Plan = plan_evaluations(
            dataset.n_contributors, study.game, study.seed, self.groups
        )
        self.stopped = ""
        retrained = plan_retrainings(dataset.n_contributors, study.game, study.seed)
        self.retrainings = Retrainings(retrained, self.games.evaluator(RETRAINING))
        self.published: dict[str, PublishedModel] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.table: UtilityTable | None = None
        self.retrained_table: UtilityTable | None = None
        self.estimates: dict[str, ContributorValues] = {}
        self.cheap_estimates: dict[str, ContributorValues] = {}
        self.reliability: dict[str, Reliability] = {}
        self.convergence: list[tuple[int, ContributorValues]] = []
        self.fidelity_result: FidelityResult | None = None
        self.report_folder: Path | None = None

    def run(self, phases: Sequence[str]) -> None:
        """Go through ``phases`` in order."""
        steps: dict[str, Callable[[], None]] = {
            "train": self.train,
            "prune": self.prune,
            "coalitions": self.coalitions,
            "values": self.values,
            "fidelity": self.fidelity,
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
            reliability=self.reliability,
            directions=self.directions,
            lost=self.lost(),
            stopped=self.stopped,
            models={kind: f"{m.name}/{m.version}" for kind, m in self.published.items()},
            fidelity=self.fidelity_result,
            report=self.report_folder,
        )

    def train(self) -> None:
        """Make what properties are measured by and, if the utility needs it, the full model."""
        self.stages.parts(self.dataset.n_images)
        self.stages.reference(self.dataset.n_images)
        if "full" in self.utility.needs:
            self._model_stage("full", self.study.diffusion.training)
        self.tracker.log_reference(self.folders)

    def prune(self) -> None:
        """Prune the full model and let it recover, if the utility needs it."""
        if "pruned" in self.utility.needs:
            self._model_stage("pruned", self.study.pruning)

    def coalitions(self) -> None:
        """Evaluate the coalitions that the ledger lacks, all of them or until a rule holds."""
        self._commit_policy()
        if self.rule is None:
            self.evaluator.run(self.plan, "coalitions", watch=self.watch_convergence)
            self.watch_convergence()
        else:
            self.stopped = evaluate_until(self, self.rule)
        self.retrainings.run()
        for line in self.lost():
            self.display.note(f"lost: {line}")

    def _commit_policy(self) -> None:
        """See that the payout policy is written down before the first coalition is known."""
        known = len(self.evaluator.ledger.evaluations) + len(self.retrainings.evaluations())
        standing = commit_study(self.study, self.directions, self.folders.table, known)
        self.tracker.log_policy(standing.first, standing.policy_sha256, self.dataset.digest())
        for complaint in standing.complaints:
            self.display.note(f"cannot be sealed: {complaint}")

    def values(self) -> None:
        """Estimate the values of every property from the table."""
        self.table = self.table_of(self.evaluations())
        self._check_enough(self.table)
        for name in self.study.properties.names:
            self.estimates[name] = self._estimate(self.table, name)
        if self.retrainings.plan:
            self._add_retrainings(self.table)
        for name, values in self.estimates.items():
            self.reliability[name] = self.valuation.reliability(
                self.table, values, self.retrained_table
            )
        headline = self.estimates[self.study.properties.headline]
        self.tracker.log_values(headline, len(self.plan) + len(self.retrainings.plan))
        self.tracker.log_reliability(self.reliability[headline.property])

    def fidelity(self) -> None:
        """Check the values against retraining, and tell MLflow."""
        self.fidelity_result = check_fidelity(self)
        self.tracker.log_metrics(self.fidelity_result.metrics())

    def report(self) -> None:
        """Write the compensation report and publish it with plots and pictures."""
        if self.fidelity_result is None:
            self.fidelity_result = known_result(self)
        self.report_folder = publish_report(self)

    def evaluations(self) -> list[Evaluation]:
        """Return the planned evaluations that the ledger holds, in the plan's order."""
        return self.evaluator.found(self.plan)

    def lost(self) -> tuple[str, ...]:
        """Return one line for each planned evaluation that was given up."""
        return (*self.evaluator.lost(self.plan), *self.retrainings.lost())

    def headline_from(
        self, evaluations: Sequence[Evaluation], resamples: int | None = None
    ) -> ContributorValues:
        """Estimate the headline's values from some evaluations.

        Args:
            evaluations: Those to use.
            resamples: Behind the intervals; as the settings say by default.

        Raises:
            InputError: If they are too few.
        """
        table = self.table_of(evaluations)
        shortage = self._shortage(table)
        if shortage:
            raise InputError(shortage)
        return self._estimate(table, self.study.properties.headline, resamples)

    def remember_values(self, values: ContributorValues, evaluations: int) -> None:
        """Keep the headline's values after so many evaluations, and tell MLflow."""
        self.convergence.append((evaluations, values))
        self.tracker.log_values(values, evaluations)

    def watch_convergence(self) -> None:
        """Estimate the headline's values after growing parts of the plan, each of them once.

        Only complete beginnings of the plan count, so that the curve does not depend on which
        worker was faster.
        """
        known = self.evaluator.complete(self.plan)
        for step in self._convergence_steps():
            if step > len(known) or any(step == done for done, _ in self.convergence):
                continue
            with suppress(InputError):  # too few for this estimator yet
                self.remember_values(self.headline_from(known[:step], LIVE_RESAMPLES), step)

    def _model_stage(self, kind: str, settings: Any) -> None:
        """Make a model unless it exists, and see that MLflow knows its run and its version."""
        folder = self.stages.model(kind)
        config, measured = read_config(folder), self.stages.measured(kind)
        made = config["facts"]
        costs = {**made["costs"], **measured["costs"]}
        self.facts[kind] = {"properties": measured["properties"], "costs": costs}
        metrics = {f"property/{name}": value for name, value in measured["properties"].items()}
        metrics |= {f"cost/{name}_seconds": value for name, value in costs.items()}
        metrics["parameters"] = config["parameters"]
        run_id = self.tracker.log_stage(
            ROLES[kind],
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

    def table_of(self, evaluations: Sequence[Evaluation]) -> UtilityTable:
        """Return oriented utilities of some evaluations, with the stated baseline."""
        baseline = self.study.game.baseline
        given = {self.study.properties.headline: baseline} if isinstance(baseline, float) else {}
        return assemble_table(evaluations, self.dataset.contributors, self.directions, given)

    def _estimate(
        self, table: UtilityTable, name: str, resamples: int | None = None
    ) -> ContributorValues:
        return self.valuation.values(table, name, resamples=resamples)

    def _add_retrainings(self, table: UtilityTable) -> None:
        """Make the values those of the game of retraining."""
        self.retrained_table = self.table_of(self.retrainings.evaluations())
        self._check_enough(self.retrained_table)
        self.cheap_estimates = self.estimates
        self.estimates = {
            name: self.valuation.values(table, name, self.retrained_table)
            for name in self.cheap_estimates
        }

    def _check_enough(self, table: UtilityTable) -> None:
        shortage = self._shortage(table)
        if shortage:
            first = (self.lost() or ("none",))[0]
            raise StudyFailedError(f"{shortage}. First loss: {first}")

    def _shortage(self, table: UtilityTable) -> str:
        """Say why a table is too small to estimate values from, or nothing."""
        grouping = self.valuation.grouping
        players = self.dataset.n_contributors if grouping is None else len(grouping.groups)
        distinct = np.unique(table.coalitions, axis=0)
        sizes = set(distinct.sum(1).tolist())
        least = min(players + 2, 2**players)
        if {0, self.dataset.n_contributors} <= sizes and len(distinct) >= least:
            return ""
        who = "contributors" if grouping is None else "groups"
        return (
            f"only {len(distinct)} coalitions could be evaluated; values of {players} {who} "
            f"need at least {least}, the empty and the full one among them"
        )

    def _convergence_steps(self) -> list[int]:
        borders = 2 * self.study.game.border_repeats
        first = min(borders + self.dataset.n_contributors, len(self.plan))
        steps = np.linspace(first, len(self.plan), CONVERGENCE_STEPS)
        return sorted({round(step) for step in steps} - {len(self.plan)})
