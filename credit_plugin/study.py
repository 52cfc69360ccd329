"""The study: composes contributors, diffusion, game, values and compensation into one run.

``run_study`` goes through phases, each of which finds out what exists already and makes the rest:

    train -> prune -> coalitions -> values (-> fidelity) -> report

Finished work lies in folders addressed by what it was made from (:mod:`credit_plugin.folders`),
and every finished evaluation is one fsynced line of the ledger before anybody else hears of it.
A study that was killed at any moment therefore goes on where it was. The heavy work happens in the
engine's workers; this process only coordinates, keeps the ledger and is the single writer to
MLflow.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from credit_plugin.compensation.terms import check_policy
from credit_plugin.compensation.valuing import groups_of
from credit_plugin.config import Study, dump_study
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.intake import Intake, take_in
from credit_plugin.contributors.snapshot import save_snapshot
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.errors import InputError, StudyFailedError
from credit_plugin.execution.engine import create_engine
from credit_plugin.folders import StudyFolders
from credit_plugin.game.plan import plan_evaluations
from credit_plugin.progress import ProgressDisplay

if TYPE_CHECKING:
    from credit_plugin.fidelity.result import FidelityResult
    from credit_plugin.game.table import UtilityTable
    from credit_plugin.tracking.tracker import StudyTracker
    from credit_plugin.values import ContributorValues, Reliability
    from credit_plugin.values.stopping import Rule

PHASES = ("train", "prune", "coalitions", "values", "report")
DEFAULT_WORKDIR = Path("credit_studies")


@dataclass(frozen=True, eq=False)
class StudyResult:
    """What a study found; later fields are empty when it was asked to stop earlier.

    Attributes:
        study: The settings.
        folders: Where everything lies.
        parent_run_id: The study's MLflow run.
        table: Oriented utilities of every evaluated coalition.
        values: Values by property.
        reliability: Whether anybody may be paid by them, by property.
        directions: By property, 1.0 where more is better and -1.0 where less is.
        lost: One line for each evaluation that was given up.
        stopped: Where and why the stopping rule ended the evaluations; empty without one.
        models: Registered model versions, ``name/version`` by kind.
        fidelity: How the values compare with retraining, if that was checked.
        report: Folder of the compensation report.
    """

    study: Study
    folders: StudyFolders
    parent_run_id: str
    table: "UtilityTable | None"
    values: "Mapping[str, ContributorValues]"
    reliability: "Mapping[str, Reliability]"
    directions: Mapping[str, float]
    lost: tuple[str, ...]
    stopped: str
    models: Mapping[str, str]
    fidelity: "FidelityResult | None"
    report: Path | None

    @property
    def headline(self) -> "ContributorValues":
        """The values of the property that is paid by."""
        if not self.values:
            raise StudyFailedError("the study stopped before its values were estimated")
        return self.values[self.study.properties.headline]


def run_study(
    study: Study,
    *,
    until: str = "report",
    fidelity: bool = False,
    workdir: Path = DEFAULT_WORKDIR,
    tracking_uri: str | None = None,
    experiment: str | None = None,
    display: ProgressDisplay | None = None,
) -> StudyResult:
    """Run a study to the end of a phase, or go on with it.

    Args:
        study: The settings, from :func:`credit_plugin.load_study`.
        until: Last phase: ``train``, ``prune``, ``coalitions``, ``values`` or ``report``.
        fidelity: Also check the values against retraining, between ``values`` and ``report``.
        workdir: Folder for checkpoints, models, ledgers and reports.
        tracking_uri: MLflow tracking URI; MLflow's own default otherwise.
        experiment: MLflow experiment name; MLflow's own default otherwise.
        display: Shows progress; a new one on standard error otherwise.

    Raises:
        InputError: If settings or data cannot be used; nothing has been started then.
        StudyFailedError: If too much of the work failed.

    Scripts that call this need ``if __name__ == "__main__":``, because workers are processes.
    """
    with create_engine(study.execution) as engine, display or ProgressDisplay() as shown:
        engine.warm_up()
        # torch and all that comes with it load here while they load in the workers' server too
        from credit_plugin.fidelity.checking import check_settings
        from credit_plugin.session import Session

        intake, folders = open_study(study, workdir)
        dataset = intake.dataset
        if fidelity:
            groups = groups_of(study.compensation, dataset.contributors)
            check_settings(study, dataset.n_contributors, groups)
        with _locked(folders):
            save_snapshot(dataset, folders.data)
            folders.table.mkdir(parents=True, exist_ok=True)
            (folders.table / "study.yaml").write_text(dump_study(study), "utf-8")
            memory = folders.table / "tracking.json"
            with tracked(study, dataset, memory, tracking_uri, experiment) as tracker:
                session = Session(study, intake, folders, engine, tracker, shown)
                session.run(_phases(until, fidelity))
                return session.result()


def _phases(until: str, fidelity: bool) -> list[str]:
    phases = list(PHASES[: PHASES.index(until) + 1])
    if fidelity:
        phases.insert(PHASES.index("values") + 1, "fidelity")
    return phases


def open_study(study: Study, workdir: Path) -> tuple[Intake, StudyFolders]:
    """Load a study's data, decide who plays, refuse what cannot be run, say where results go.

    Raises:
        InputError: Lines that name the field and the mend.
    """
    from credit_plugin.diffusion.tasks import frozen_digest
    from credit_plugin.properties.suite import suite_identity

    intake = take_in(load_contributors(study.data, study.seed), study.compensation)
    dataset = intake.dataset
    check_study(study, dataset)
    frozen, observed = frozen_digest(study.diffusion), suite_identity(study.properties)
    if frozen and study.flips and not study.diffusion.training.flip:
        raise InputError(
            "diffusion.training.flip: other trainings flip images, and mirror images are encoded "
            "for this one; flip here too, or nowhere"
        )
    return intake, StudyFolders(workdir.resolve(), study, dataset.digest(), frozen, observed)


def check_study(study: Study, dataset: ContributorDataset) -> None:
    """Refuse what only the data or the registries can tell is impossible.

    Raises:
        InputError: One line that names the field.
    """
    from credit_plugin.diffusion.domain import domain_of
    from credit_plugin.diffusion.tasks import create_task
    from credit_plugin.game.utilities import get_utility
    from credit_plugin.properties.suite import check_suite, directions
    from credit_plugin.retrainings import plan_retrainings
    from credit_plugin.values.estimation import shares_a_total

    task = create_task(study.diffusion, domain_of(study.diffusion, dataset)[0])
    task.check_sampling(study.sampling)
    unsuitable = get_utility(study.game.utility).unsuitable(study)
    if unsuitable:
        raise InputError(unsuitable)
    check_policy(study.compensation, dataset.contributors, directions(study.properties))
    check_suite(study.properties, prompts=study.diffusion.condition == "prompt")
    if not shares_a_total(study.values.estimator, study.values.options):
        raise InputError(
            f"values.estimator: the values of {study.values.estimator} do not sum to what is to be "
            "shared out; pay by auto, and look at it with credit estimate"
        )
    for name in study.data.noise:
        if name not in dataset.contributors:
            raise InputError(
                f"data.noise: {name!r} is no player once compensation.owners, withdrawals and "
                "copies are decided; noise is to be seen at the bottom, so leave it a player"
            )
    groups = groups_of(study.compensation, dataset.contributors)
    for field, asked in (("retrainings", study.game.retrainings), ("stop", study.game.stop)):
        if groups is not None and asked:
            raise InputError(
                f"game.{field}: groups are valued from one table that is planned as a whole; leave "
                "it out, or compensation.groups"
            )
    plan_evaluations(dataset.n_contributors, study.game, study.seed, groups)
    plan_retrainings(dataset.n_contributors, study.game, study.seed)
    rule = stopping_rule(study)
    if rule is not None:
        rule.suits(dataset.n_contributors)
    baseline = study.game.baseline
    if isinstance(baseline, str) and baseline != task.untrained_is:
        raise InputError(
            f"game.baseline = {baseline}: the empty coalition of task {study.diffusion.task} is "
            f"another model; use {task.untrained_is} or a number"
        )


def stopping_rule(study: Study) -> "Rule | None":
    """Return the rule of ``game.stop``, or None if the whole budget is evaluated in one go.

    Raises:
        InputError: If there is no such rule.
    """
    from credit_plugin.values.stopping_text import parse_rule

    if not study.game.stop.strip():
        return None
    return parse_rule(study.game.stop, per_hour=study.execution.cost_per_hour)


@contextmanager
def _locked(folders: StudyFolders) -> Iterator[None]:
    folders.base.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folders.base / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"study {folders.study.name!r} is being run by another process in {folders.root}: "
            "wait for it, or give this one another name or --workdir"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def tracked(
    study: Study,
    dataset: ContributorDataset,
    memory: Path,
    tracking_uri: str | None,
    experiment: str | None,
    role: str = "study",
) -> "Iterator[StudyTracker]":
    """Open an MLflow run and end it in the state that the work ended in.

    A search that other processes go on with is left running, and so are its children.

    Args:
        study: The settings.
        dataset: Logged as inputs.
        memory: File that remembers the run for each tracking URI.
        tracking_uri: MLflow's own default if left out.
        experiment: MLflow's own default if left out.
        role: ``study`` or ``tuning``.
    """
    from credit_plugin.tracking.store import STORE_ERRORS
    from credit_plugin.tracking.tracker import StudyTracker, state_after

    tracker = StudyTracker.start(study, dataset, memory, tracking_uri, experiment, role)
    try:
        yield tracker
    except BaseException as error:
        with suppress(*STORE_ERRORS):  # the store may be what failed; what is told is the first
            tracker.close(state_after(error))
        raise
    tracker.close("FINISHED")
