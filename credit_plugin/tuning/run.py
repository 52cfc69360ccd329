"""Running a search: opens the engine, the study's folders and MLflow around it."""

from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from credit_plugin.config import Study
from credit_plugin.contributors.snapshot import save_snapshot
from credit_plugin.execution.engine import create_engine
from credit_plugin.progress import ProgressDisplay
from credit_plugin.study import DEFAULT_WORKDIR, open_study, tracked

if TYPE_CHECKING:
    from credit_plugin.tuning.result import TuningResult


def run_tuning(
    study: Study,
    *,
    workdir: Path = DEFAULT_WORKDIR,
    tracking_uri: str | None = None,
    experiment: str | None = None,
    display: ProgressDisplay | None = None,
) -> "tuple[TuningResult | None, Path]":
    """Search for the settings of pruning and fine-tuning that follow retraining at least cost.

    Args:
        study: The settings, from :func:`credit_plugin.load_study`.
        workdir: Folder for checkpoints, models, ledgers and trials.
        tracking_uri: MLflow tracking URI; MLflow's own default otherwise.
        experiment: MLflow experiment name; MLflow's own default otherwise.
        display: Shows progress; a new one on standard error otherwise.

    Returns:
        What was found, or None if other processes are still at trials, and the search's folder.

    Raises:
        InputError: If settings or data cannot be used; nothing has been started then.
        StudyFailedError: If the reference or every trial failed.

    Scripts that call this need ``if __name__ == "__main__":``, because workers are processes.
    """
    with create_engine(study.execution) as engine, display or ProgressDisplay() as shown:
        engine.warm_up()
        from credit_plugin.diffusion.domain import domain_of
        from credit_plugin.diffusion.tasks import create_task
        from credit_plugin.session import Session
        from credit_plugin.tuning.reference import reference_coalitions
        from credit_plugin.tuning.search import check_samplers, search_space
        from credit_plugin.tuning.storage import check_storage, make_sampler
        from credit_plugin.tuning.tuner import Tuner, tuning_folder

        intake, folders = open_study(study, workdir)
        dataset = intake.dataset
        task = create_task(study.diffusion, domain_of(study.diffusion, dataset)[0])
        check_samplers(study, search_space(study), task)
        make_sampler(study.tuning, 0)
        check_storage(study.tuning)
        reference_coalitions(study, dataset.n_contributors)
        folder = tuning_folder(folders)
        folders.base.mkdir(parents=True, exist_ok=True)
        memory = folder / "tracking.json"
        with tracked(study, dataset, memory, tracking_uri, experiment, "tuning") as tracker:
            tuner = Tuner(Session(study, intake, folders, engine, tracker, shown))
            # what all processes share is made by one of them while the others wait
            with FileLock(folders.base / "lock"):
                save_snapshot(dataset, folders.data)
                tuner.prepare()
            return tuner.run(), folder
