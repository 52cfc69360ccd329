"""One trial: make its pruned model, evaluate reference coalitions, and stop if it is clearly worse.

Whatever an earlier trial has made is used: a pruned model and a table belong to their settings and
not to a trial, and trainings that begin alike share their beginnings. What a trial costs is counted
as if nothing had been there, or the order of trials would decide which of them looks cheap.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from credit_plugin.compensation.commitment import commit_study
from credit_plugin.config import Study
from credit_plugin.diffusion.beginnings import BeginningStore
from credit_plugin.diffusion.storage import read_config
from credit_plugin.errors import InputError, StudyFailedError
from credit_plugin.evaluating import Evaluator, Plan
from credit_plugin.execution.engine import Engine
from credit_plugin.folders import StudyFolders
from credit_plugin.game.ledger import Evaluation
from credit_plugin.game.plan import PlannedEvaluation
from credit_plugin.game.utilities import get_utility
from credit_plugin.game.utilities.worker import WorkerFactory
from credit_plugin.progress import ProgressDisplay
from credit_plugin.properties.suite import directions
from credit_plugin.stages import Stages
from credit_plugin.tuning.trial import COMPLETE, FAILED, STOPPED, Trial

if TYPE_CHECKING:
    from credit_plugin.tracking.tracker import StudyTracker

Judge = Callable[[Trial], str]
"""Why a trial that is not complete should be stopped, or the empty string."""


@dataclass(frozen=True)
class Workshop:
    """What all trials of a search share.

    Attributes:
        folders: Of the study that is tuned; those of a trial lie beside them.
        engine: Runs jobs.
        display: Shows progress of one trial.
        beginnings: Of trainings that begin alike.
    """

    folders: StudyFolders
    engine: Engine
    display: ProgressDisplay
    beginnings: BeginningStore


class Attempt:
    """The evaluations of one choice of settings.

    Args:
        study: With the settings of the trial.
        shop: What trials share.
        tracker: Writes to the trial's run.
    """

    def __init__(self, study: Study, shop: Workshop, tracker: "StudyTracker") -> None:
        self.study, self.tracker = study, tracker
        self.folders = replace(shop.folders, study=study)
        factory = WorkerFactory(study, self.folders, shop.beginnings)
        self.stages = Stages(study, self.folders, factory, shop.engine, shop.display)
        self.evaluator = Evaluator(
            shop.engine, factory, self.folders, study.game.utility, tracker, shop.display
        )
        self._directions = directions(study.properties)
        self._direction = self._directions[study.properties.headline]

    def run(self, trial: Trial, coalitions: tuple[str, ...], first: int, judge: Judge) -> Trial:
        """Return the trial with what it gave; its fidelity is for the caller to say.

        Args:
            trial: Number and parameters.
            coalitions: To evaluate, bit strings.
            first: How many of them before it is judged.
            judge: Says why to stop.
        """
        plan = tuple(PlannedEvaluation(bits, 0) for bits in coalitions)
        try:
            trial = self._make_models(trial)
        except (InputError, StudyFailedError) as error:
            # parameters that cannot be used end a trial, not the search
            return replace(trial, state=FAILED, reason=str(error))
        try:
            trial = self._evaluate(trial, plan[:first])
            reason = judge(trial) if trial.state == COMPLETE and first < len(plan) else ""
            if reason:
                return replace(trial, state=STOPPED, reason=reason)
            return self._evaluate(trial, plan) if trial.state == COMPLETE else trial
        except StudyFailedError as error:
            return replace(trial, state=FAILED, reason=str(error))

    def said(self, coalitions: tuple[str, ...]) -> tuple[float, ...]:
        """Evaluate further coalitions and return their oriented utilities.

        Raises:
            StudyFailedError: If one of them was lost.
        """
        plan = tuple(PlannedEvaluation(bits, 0) for bits in coalitions)
        self._run(plan)
        lost = self.evaluator.lost(plan)
        if lost:
            raise StudyFailedError(lost[0])
        return self._oriented(self.evaluator.found(plan))

    def _make_models(self, trial: Trial) -> Trial:
        spent = alone = 0.0
        if "pruned" in get_utility(self.study.game.utility).needs:
            with self._alone_in(self.folders.pruned):
                made_before = self.folders.pruned.exists()
                facts = read_config(self.stages.model("pruned"))["facts"]
            alone = facts["costs"]["training"]
            spent = 0.0 if made_before else alone - facts.get("reused", 0.0)
        with self._alone_in(self.folders.table):
            flops = sum(self.stages.flops().values())
        return replace(trial, spent=spent, alone=alone, flops=flops)

    def _evaluate(self, trial: Trial, plan: Plan) -> Trial:
        known = {e.key for e in self.evaluator.found(plan) if e.ok}
        self._run(plan)
        lost = self.evaluator.lost(plan)
        if lost:
            return replace(trial, state=FAILED, reason=lost[0])
        found = self.evaluator.found(plan)
        costs = np.array([sum(e.costs.values()) for e in found])
        new = [e for e in found if e.key not in known]
        return replace(
            trial,
            said=self._oriented(found),
            seconds=float(costs.mean()),
            spent=trial.spent + sum(e.finished - e.started for e in new),
            alone=trial.alone + float(costs[len(trial.said) :].sum()),
        )

    def _run(self, plan: Plan) -> None:
        with self._alone_in(self.folders.table):
            known = len(self.evaluator.ledger.evaluations)
            commit_study(self.study, self._directions, self.folders.table, known)
            self.evaluator.run(plan, "trial")

    def _oriented(self, evaluations: list[Evaluation]) -> tuple[float, ...]:
        name = self.study.properties.headline
        return tuple(self._direction * e.properties[name] for e in evaluations)

    def _alone_in(self, folder: Path) -> FileLock:
        """Return a lock by which processes make what is in a folder one after the other."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(folder.with_name(f"{folder.name}.lock"))
