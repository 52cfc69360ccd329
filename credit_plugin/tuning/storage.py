"""Optuna's study: where trials are kept, and how several processes share it and survive a kill.

The storage is a journal file, or a database by its URL. Every process that works on it holds a lock
file of its own for as long as it lives; the operating system lets go of it when the process dies in
whatever way. A trial that is still marked as running although its process is gone was interrupted:
it is ended, and its settings are tried again, which takes little, because what it had finished is
in the ledger. Of a process on another machine only the trial's last sign of life is known, and it
counts as gone after ``execution.patience_seconds``; should it only have been slow, what it says of
that trial is left out.

Each trial's suggestions come from a sampler with a seed of its own, derived from the number of the
trial, so that a search that was interrupted goes on with the numbers that it would have had. What
was tried already tells nothing new: random settings take the place of such a suggestion.
Optuna's file lock can be left behind by a killed process; ours is the system's (fcntl), as in the
ledger.
"""

import logging
import os
import socket
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from credit_plugin.config import Study, TuningSettings
from credit_plugin.errors import InputError
from credit_plugin.seeding import derive_seed
from credit_plugin.tuning.search import Space
from credit_plugin.tuning.trial import COMPLETE, FAILED, STOPPED, Trial

JOURNAL = "journal.log"
RECORD, PROCESS, SEEN, OWN = "credit", "process", "seen", "own"
FEWEST_TO_COMPARE = 5
"""Complete trials without which nothing can be said of what matters."""

MOST_DRAWS = 500
"""Random settings among which one is looked for that was not tried."""

STATES = {
    COMPLETE: TrialState.COMPLETE,
    STOPPED: TrialState.PRUNED,
    # Optuna's samplers forget what it calls failed, and would propose the like of it again
    FAILED: TrialState.PRUNED,
}


class SystemLock:
    """A lock on the journal that ends with its process; has what Optuna's own locks have."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Let go of it."""
        self._lock.release()


def make_sampler(settings: TuningSettings, seed: int) -> optuna.samplers.BaseSampler:
    """Return the sampler of the settings.

    Raises:
        InputError: If Optuna has none of this name, or it does not take the options.
    """
    kind = getattr(optuna.samplers, settings.sampler, None)
    if not (isinstance(kind, type) and issubclass(kind, optuna.samplers.BaseSampler)):
        raise InputError(
            f"tuning.sampler: Optuna has no sampler {settings.sampler!r}; "
            "try TPESampler or NSGAIISampler"
        )
    try:
        return kind(**settings.sampler_options, seed=seed % 2**32)  # type: ignore[call-arg]
    except (TypeError, ValueError) as error:
        raise InputError(f"tuning.sampler_options: {error}") from None


class Search:
    """One Optuna study, shared by any number of processes; use it as a context manager.

    Args:
        study: The settings.
        space: Distribution of every searched setting.
        folder: Where the journal and the lock files lie.
        name: Of the Optuna study in its storage.
    """

    def __init__(self, study: Study, space: Space, folder: Path, name: str) -> None:
        self.study, self.space, self.folder = study, space, folder
        self.process = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._alive = FileLock(self._lock_file(self.process))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        logging.getLogger("optuna").propagate = False
        make_sampler(study.tuning, 0)
        self.optuna = optuna.create_study(
            study_name=name,
            storage=_storage(study.tuning, folder),
            directions=["maximize"] if self._single else ["maximize", "minimize"],
            load_if_exists=True,
        )

    def __enter__(self) -> "Search":
        self._lock_file(self.process).parent.mkdir(parents=True, exist_ok=True)
        self._alive.acquire()
        return self

    def __exit__(self, *ending: object) -> None:
        self._alive.release()

    @property
    def _single(self) -> bool:
        return self.study.tuning.cost_limit is not None

    def ask(self, own: Mapping[str, Any]) -> optuna.Trial | None:
        """Return the next trial, or None if there are enough, or nothing else to try.

        Args:
            own: The study's own settings, the first trial.
        """
        with FileLock(self.folder / "asking.lock"):  # two processes must not both take the last
            return self._ask(own)

    def _ask(self, own: Mapping[str, Any]) -> optuna.Trial | None:
        self._end_interrupted()
        counted = [t for t in self.optuna.get_trials(deepcopy=False) if not _interrupted(t)]
        begun = [t for t in counted if t.state != TrialState.WAITING]
        if len(begun) >= self.study.tuning.trials:
            return None
        if not counted:
            self.optuna.enqueue_trial(dict(own), user_attrs={OWN: True})
        seed = derive_seed(self.study.seed, f"trial {len(begun)}", "sampler of tuning")
        self.optuna.sampler = make_sampler(self.study.tuning, seed)
        trial = self.optuna.ask(dict(self.space))
        tried = [t.params for t in begun]
        if trial.params in tried:  # a sampler that is sure of itself repeats what it knows
            self.optuna.tell(trial, state=TrialState.FAIL)
            untried = self._untried(tried, seed)
            if untried is None:
                return None
            self.optuna.enqueue_trial(untried)
            trial = self.optuna.ask(dict(self.space))
        trial.set_user_attr(PROCESS, self.process)
        self.seen(trial)
        return trial

    def _untried(self, tried: list[dict[str, Any]], seed: int) -> dict[str, Any] | None:
        """Return random settings that no trial had, or None if there seem to be none left."""
        chance = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed % 2**32))
        for _ in range(MOST_DRAWS):
            drawn = chance.ask(dict(self.space)).params
            if drawn not in tried:
                return drawn
        return None

    def seen(self, trial: optuna.Trial) -> None:
        """Give a sign of life."""
        with suppress(UpdateFinishedTrialError):  # others took this process for gone
            trial.set_user_attr(SEEN, time.time())

    def tell(self, asked: optuna.Trial, trial: Trial) -> None:
        """Keep what became of a trial; when this returns it is in the storage."""
        with suppress(UpdateFinishedTrialError):  # others took this process for gone
            asked.set_user_attr(RECORD, trial.record())
            self._end(trial)

    def _end(self, trial: Trial) -> None:
        values = None
        if trial.state == COMPLETE:
            values = [trial.fidelity]
            values += [] if self._single else [trial.cost(self.study.tuning.cost)]
        self.optuna.tell(trial.number, values, state=STATES[trial.state], skip_if_finished=True)

    def trials(self) -> list[Trial]:
        """Return all finished trials but interrupted ones, in the order of their numbers."""
        return [_recorded(t) for t in self.optuna.get_trials(deepcopy=False) if _is_over(t)]

    def others(self) -> int:
        """Return how many trials other processes are at."""
        return sum(self._runs_elsewhere(t) for t in self.optuna.get_trials(deepcopy=False))

    def importances(self) -> dict[str, dict[str, float]]:
        """Return by objective how much each setting matters (fANOVA), empty if nothing is known."""
        found: dict[str, dict[str, float]] = {}
        names = ["fidelity"] if self._single else ["fidelity", "cost"]
        if sum(trial.state == COMPLETE for trial in self.trials()) < FEWEST_TO_COMPARE:
            return {}
        for index, name in enumerate(names):
            evaluator = optuna.importance.FanovaImportanceEvaluator(
                seed=derive_seed(self.study.seed, name, "importances of tuning") % 2**32
            )
            try:
                found[name] = optuna.importance.get_param_importances(
                    self.optuna, evaluator=evaluator, target=partial(_objective, index)
                )
            except (ValueError, RuntimeError):  # they are all alike
                continue
        return found

    def _end_interrupted(self) -> None:
        for trial in self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._runs_elsewhere(trial) or trial.user_attrs.get(PROCESS) == self.process:
                continue
            if _is_over(trial):  # its process ended between saying so and telling the sampler
                self._end(_recorded(trial))
                continue
            self.optuna.tell(trial.number, state=TrialState.FAIL)
            if set(trial.params) == set(self.space):
                mark = {OWN: True} if trial.user_attrs.get(OWN) else None
                self.optuna.enqueue_trial(trial.params, user_attrs=mark)

    def _runs_elsewhere(self, trial: FrozenTrial) -> bool:
        process = trial.user_attrs.get(PROCESS, "")
        if trial.state != TrialState.RUNNING or process == self.process:
            return False
        lock = self._lock_file(process)
        if process and lock.exists():
            return not _is_free(lock)
        age = time.time() - trial.user_attrs.get(SEEN, 0.0)
        return process != "" and age < self.study.execution.patience_seconds

    def _lock_file(self, process: str) -> Path:
        return self.folder / "processes" / f"{process}.lock"


def check_storage(settings: TuningSettings) -> None:
    """Open the database that trials are kept in, if it is one.

    Raises:
        InputError: If it cannot be opened.
    """
    if "://" in settings.storage:
        _database(settings.storage)


def _database(url: str) -> RDBStorage:
    try:
        return RDBStorage(url)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises is about this URL
        line = str(error).strip().splitlines()[0]
        raise InputError(f"tuning.storage: cannot be opened: {line}") from None


def _storage(settings: TuningSettings, folder: Path) -> BaseStorage:
    if "://" in settings.storage:
        return _database(settings.storage)
    path = journal_of(settings, folder)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = SystemLock(path.with_name(f"{path.name}.lock"))
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))  # type: ignore[arg-type]


def _objective(index: int, trial: FrozenTrial) -> float:
    return float(trial.values[index])


def _is_over(trial: FrozenTrial) -> bool:
    """Whether somebody said what became of a trial."""
    return RECORD in trial.user_attrs


def _recorded(trial: FrozenTrial) -> Trial:
    return Trial.from_record(trial.number, trial.params, trial.user_attrs[RECORD])


def _interrupted(trial: FrozenTrial) -> bool:
    """Whether a trial ended without anybody saying what became of it."""
    return trial.state == TrialState.FAIL and not _is_over(trial)


def _is_free(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def journal_of(settings: TuningSettings, folder: Path) -> Path | None:
    """Return the journal, or None if trials are kept in a database."""
    if "://" in settings.storage:
        return None
    return Path(settings.storage) if settings.storage else folder / JOURNAL
