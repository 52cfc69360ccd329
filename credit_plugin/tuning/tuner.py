"""The search: reference, trials, choice, check on held-out coalitions, and what is written.

The loop asks Optuna for settings, tries them and tells it what became of them. Everything that
trials leave behind lies in folders and ledgers addressed by settings, so a search that was killed
goes on with the trial that it was at, and other processes may take trials from the same storage.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from credit_plugin.config import fingerprint
from credit_plugin.diffusion.beginnings import BeginningStore
from credit_plugin.errors import StudyFailedError
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.folders import StudyFolders
from credit_plugin.games import RETRAINING, study_with
from credit_plugin.session import Session
from credit_plugin.tuning.attempt import Attempt, Workshop
from credit_plugin.tuning.figures import tuning_figures
from credit_plugin.tuning.judging import OVER_LIMIT, why_stop
from credit_plugin.tuning.progress import TrialDisplay
from credit_plugin.tuning.reference import reference_coalitions
from credit_plugin.tuning.result import CHOSEN, RECORD, TABLE, TuningResult
from credit_plugin.tuning.scores import Fidelity, fidelity, lead
from credit_plugin.tuning.search import (
    Parameters,
    apply,
    own_parameters,
    possible_runs,
    search_space,
)
from credit_plugin.tuning.selection import choose, complete_trials
from credit_plugin.tuning.storage import OWN, Search, journal_of
from credit_plugin.tuning.trial import COMPLETE, FAILED, STOPPED, HeldOut, Trial
from credit_plugin.tuning.wording import description, study_file, version_tags
from credit_plugin.written import whole_file

if TYPE_CHECKING:
    from credit_plugin.tracking.tracker import StudyTracker

STATUS = {COMPLETE: "FINISHED", STOPPED: "KILLED", FAILED: "FAILED"}
"""How a trial's run ends in MLflow."""

UNSEARCHED = {"trials", "storage", "keep_beginnings", "rule", "within"}
"""Settings of a search that may change while it goes on."""


def tuning_folder(folders: StudyFolders) -> Path:
    """Return the folder of a search; another search over the same study has another one."""
    study = folders.study
    digits = fingerprint(
        folders.table_hash,
        replace(folders, study=study_with(study, RETRAINING)).table_hash,
        study.properties.headline,
        study.tuning.model_dump(mode="json", exclude=UNSEARCHED),
    )
    return folders.base / f"tuning-{digits}"


class Tuner:
    """One search over the settings of one study.

    Args:
        session: Of the study that is tuned; its run is the tuning run.
    """

    def __init__(self, session: Session) -> None:
        self.session, self.study, self.dataset = session, session.study, session.dataset
        self.folders, self.engine = session.folders, session.engine
        self.tracker, self.display = session.tracker, session.display
        self.settings, self.headline = self.study.tuning, self.study.properties.headline
        self.space = search_space(self.study)
        self.coalitions = reference_coalitions(self.study, self.dataset.n_contributors)
        self.folder = tuning_folder(self.folders)
        runs = possible_runs(self.study, self.space)
        self.beginnings = BeginningStore.for_lengths(self.folder / "beginnings", runs)
        self.shown = TrialDisplay(self.display, len(self.coalitions.tuning))
        self.shop = Workshop(self.folders, self.engine, self.shown, self.beginnings)

    def prepare(self) -> None:
        """Make the full model and retrain the reference coalitions, unless they exist."""
        self.session.train()
        evaluator = self.session.games.evaluator(RETRAINING)
        plan = self.coalitions.plan(self.settings.seeds)
        evaluator.run(plan, "retrainings")
        lost = evaluator.lost(plan)
        if lost:
            raise StudyFailedError(f"a reference coalition could not be retrained: {lost[0]}")
        found = evaluator.found(plan)
        self.reference_seconds = sum(sum(e.costs.values()) for e in found)
        direction = self.session.directions[self.headline]
        self.retrained: dict[str, list[float]] = {}
        for e in found:
            own = self.retrained.setdefault(e.coalition, [])
            own.append(direction * e.properties[self.headline])

    def run(self) -> TuningResult | None:
        """Try what is left to try; return what was found, or None if others still try."""
        name = f"{self.study.name}-{self.folder.name}"
        with Search(self.study, self.space, self.folder, name) as search:
            try:
                self._try_all(search)
            finally:  # whoever ends last ends the run, even if this process is interrupted
                self.tracker.shared = search.others() > 0
            if self.tracker.shared:
                return None
            with FileLock(self.folder / "concluding.lock"):  # two may end at the same time
                return self._conclude(search)

    def _try_all(self, search: Search) -> None:
        if not search.others():
            self.tracker.close_orphans()
        own, total = own_parameters(self.study, self.space), self.settings.trials
        self.display.phase("trials", total, len(search.trials()), "trials")
        while (asked := search.ask(own)) is not None:
            self.shown.done = len(search.trials())
            self.shown.beat = partial(search.seen, asked)
            own_mark = bool(asked.user_attrs.get(OWN))
            trial = self._try(Trial(asked.number, asked.params, COMPLETE, own_mark), search)
            search.tell(asked, trial)
            self.display.update(len(search.trials()))
        self.display.finish()

    def _try(self, trial: Trial, search: Search) -> Trial:
        """Make one trial, and tell MLflow."""
        study = apply(self.study, trial.parameters)
        tracker = self.tracker.open_trial(trial.number, study, trial.parameters)
        attempt, rivals = Attempt(study, self.shop, tracker), complete_trials(search.trials())
        trial = attempt.run(
            replace(trial, run_id=tracker.parent_run_id),
            self.coalitions.tuning,
            self.settings.judge_after,
            lambda begun: self._why_stop(begun, rivals),
        )
        if trial.state == COMPLETE:
            found = self._fidelity(trial.said, self.coalitions.tuning)
            trial = replace(trial, fidelity=found.value, error=found.error)
            limit = self.settings.cost_limit
            if limit is not None and trial.cost(self.settings.cost) > limit:
                trial = replace(trial, state=STOPPED, reason=OVER_LIMIT)
        self._log(tracker, trial)
        return trial

    def _why_stop(self, begun: Trial, rivals: list[Trial]) -> str:
        exact = self._exact(self.coalitions.tuning[: len(begun.said)])
        return why_stop(begun, rivals, exact, self.settings, self.study.seed)

    def _fidelity(self, said: tuple[float, ...], coalitions: tuple[str, ...]) -> Fidelity:
        return fidelity(
            np.array(said), self._exact(coalitions), self.settings.fidelity, self.study.seed
        )

    def _exact(self, coalitions: tuple[str, ...]) -> np.ndarray:
        """Return retrained utilities, float [m, s]."""
        return np.array([self.retrained[bits][: self.settings.seeds] for bits in coalitions])

    def _log(self, tracker: "StudyTracker", trial: Trial) -> None:
        named = {
            "fidelity": trial.fidelity,
            "fidelity_error": trial.error,
            "cost/seconds": trial.seconds,
            "cost/flops": trial.flops,
            "spent/seconds": trial.spent,
            "alone/seconds": trial.alone,
        }
        tracker.log_metrics({key: value for key, value in named.items() if value == value})
        tracker.tag({"credit.state": trial.state})
        if trial.reason:
            tracker.tag({"credit.reason": trial.reason})
        tracker.finish(STATUS[trial.state])

    def _conclude(self, search: Search) -> TuningResult:
        self.shown.close()
        trials = search.trials()
        chosen = choose(trials, self.settings)
        compared = [t for t in complete_trials(trials) if t.own or t is chosen]
        held_out = {trial.number: self._check(trial) for trial in compared}
        result = TuningResult(
            study=self.study.name,
            property=self.headline,
            settings=self.settings,
            trials=tuple(trials),
            chosen=chosen.number,
            held_out=held_out,
            lead=self._lead(chosen, compared, held_out),
            importances=search.importances(),
            size=self.coalitions.size,
            coalitions=len(self.coalitions.tuning),
            kept_back=len(self.coalitions.held_out),
            whole_study=len(self.session.plan),
            reference_seconds=self.reference_seconds,
        )
        self._publish(result, chosen.parameters)
        if not self.settings.keep_beginnings:
            shutil.rmtree(self.beginnings.root, ignore_errors=True)
        return result

    def _check(self, trial: Trial) -> HeldOut:
        """Return what the coalitions say that no trial has seen."""
        study = apply(self.study, trial.parameters)
        tracker = self.tracker.open_trial(trial.number, study, trial.parameters)
        said = Attempt(study, self.shop, tracker).said(self.coalitions.held_out)
        found = self._fidelity(said, self.coalitions.held_out)
        tracker.log_metrics({"held_out_fidelity": found.value, "held_out_error": found.error})
        tracker.finish(STATUS[trial.state])
        return HeldOut(said, found)

    def _lead(
        self, chosen: Trial, compared: list[Trial], held_out: Mapping[int, HeldOut]
    ) -> Interval | None:
        """Return how far the chosen trial is ahead of the study's own on held-out coalitions."""
        others = [held_out[t.number] for t in compared if t is not chosen]
        if not others:
            return None
        said, rival = np.array(held_out[chosen.number].said), np.array(others[0].said)
        exact = self._exact(self.coalitions.held_out)
        return lead(said, rival, exact, self.settings.fidelity, self.study.seed)

    def _publish(self, result: TuningResult, parameters: Parameters) -> None:
        """Write what was found, register the chosen pruned model, and tell MLflow."""
        chosen = apply(self.study, parameters)
        result.save(self.folder)
        with whole_file(self.folder / CHOSEN) as partial:
            partial.write_text(study_file(chosen, result), "utf-8")
        journal = journal_of(self.settings, self.folder)
        files = [self.folder / name for name in (RECORD, TABLE, CHOSEN)]
        for path in (*files, *([journal] if journal else [])):
            self.tracker.log_artifact(path, "tuning")
        for name, figure in tuning_figures(result).items():
            self.tracker.log_figure(figure, f"tuning/{name}.png")
        self.tracker.log_metrics(result.metrics())
        folders = replace(self.folders, study=chosen)
        session = Session(
            chosen, self.session.intake, folders, self.engine, self.tracker, self.shown
        )
        session.train()
        session.prune()
        if "pruned" in session.published:
            self.tracker.tag(
                version_tags(result, self.tracker.parent_run_id), session.published["pruned"]
            )
        self.tracker.tag({"mlflow.note.content": description(result)})
