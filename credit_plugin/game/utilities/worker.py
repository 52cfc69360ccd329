"""The jobs that workers run, and how a worker comes by what they need.

Importing this module imports everything a worker uses (torch, diffusers, torch-pruning), so an
engine that forks its workers from a warmed process imports it there once.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from credit_plugin.config import Study, TrainingSettings
from credit_plugin.diffusion.beginnings import Beginnings, BeginningStore
from credit_plugin.diffusion.storage import LoadedModel, save_model_folder
from credit_plugin.diffusion.training import Trainer
from credit_plugin.folders import StudyFolders
from credit_plugin.game.utilities import Report, Stopwatch, TrainedUtility, get_utility
from credit_plugin.game.utilities.together import evaluate_together, find_capacity
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.properties.suite import prepare_suite
from credit_plugin.seeding import derive_seed
from credit_plugin.signs import heartbeat, standing


@dataclass(frozen=True)
class WorkerFactory:
    """Makes the function that runs a study's jobs; called once in every worker.

    Attributes:
        study: The settings.
        folders: Where the study keeps its data and models.
        beginnings: Where fine-tunings that begin alike share what they have in common.
    """

    study: Study
    folders: StudyFolders
    beginnings: BeginningStore | None = None

    @property
    def root(self) -> Path:
        """The folder of all studies."""
        return self.folders.root

    def inputs(self) -> list[Path]:
        """Return what jobs read: data, frozen parts, references, models, a checkpoint."""
        folders = self.folders
        models = (folders.full, folders.pruned)
        checkpoints = [model.with_suffix(".checkpoint") for model in models]
        read = (folders.data, folders.parts, folders.reference, *models, *checkpoints)
        return [path for path in read if path.exists()]

    def moved(self, root: Path) -> "WorkerFactory":
        """Return the factory for a copy of the inputs; beginnings stay where they are."""
        return WorkerFactory(self.study, replace(self.folders, root=root))

    def joinable(self, payload: Mapping[str, Any]) -> bool:
        """Return whether a job can be done together with others: a coalition that trains."""
        utility = get_utility(self.study.game.utility)
        trains = isinstance(utility, TrainedUtility) and "1" in payload.get("coalition", "")
        return payload["job"] == "evaluate" and trains and self.beginnings is None

    def joined(self, payloads: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return one job that does several."""
        return {"job": "together", "members": list(payloads)}

    def capacity(self) -> Mapping[str, Any]:
        """Return the job that finds out how many can be done together."""
        return {"job": "capacity"}

    def __call__(self, device: str) -> Callable[[Mapping[str, Any], Report], Any]:
        """Return a runner with a workbench of its own on ``device``."""
        bench = Workbench(self.study, self.folders, device, self.beginnings)

        def run(payload: Mapping[str, Any], report: Report) -> Any:
            return JOBS[payload["job"]](bench, payload, report)

        return run


def _parts(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    folder = bench.folders.parts
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    clock = Stopwatch()
    bench.task.prepare(
        bench.dataset.images, bench.study.diffusion.training.flip, partial, report, bench.device
    )
    partial.replace(folder)
    clock.lap("encoding")
    return {"costs": clock.seconds}


def _reference(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    clock = Stopwatch()
    facts: dict[str, Any] = prepare_suite(
        bench.study.properties,
        # a check by noise must not change what samples are measured by
        bench.dataset.without(bench.study.data.noise),
        bench.study.seed,
        bench.folders.reference,
        report,
        bench.device,
        bench.prompts,
    )
    clock.lap("training")
    return {**facts, "costs": clock.seconds}


def _train(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    study = bench.study
    seed = derive_seed(study.seed, "full", "training")
    model = bench.untrained(seed)
    loaded = LoadedModel(bench.task, model, study.sampling, shares=bench.shares())
    return _fit(bench, loaded, study.diffusion.training, bench.folders.full, seed, report, None)


def _prune(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    study, model = bench.study, bench.copy_of(bench.full)
    method, ratio = study.pruning.method, study.pruning.ratio
    seed = derive_seed(study.seed, "pruned", "pruning")
    history = bench.task.prune(model, method, ratio, bench.all_examples, seed)
    loaded = LoadedModel(bench.task, model, study.sampling, history, shares=bench.shares())
    seed = derive_seed(study.seed, "pruned", "training")
    recovery = study.pruning.finetuning
    alike = bench.beginnings_of(recovery, bench.folders.full.name, "pruned", method, str(ratio))
    return _fit(bench, loaded, recovery, bench.folders.pruned, seed, report, alike)


def _fit(
    bench: Workbench,
    loaded: LoadedModel,
    settings: TrainingSettings,
    folder: Path,
    seed: int,
    report: Report,
    beginnings: Beginnings | None,
) -> dict[str, Any]:
    """Train a model on everybody's data, with checkpoints, and save it to ``folder``."""
    checkpoint = folder.with_suffix(".checkpoint")
    trainer = Trainer(bench.task, bench.ready(loaded.model), settings, seed)
    every = bench.study.execution.checkpoint_seconds
    result = trainer.run(bench.all_examples, report, checkpoint, every, beginnings)
    loaded.facts = {
        "losses": result.losses,
        "costs": {"training": result.seconds},
        "reused": result.reused,
        "finished": time.time(),
    }
    save_model_folder(loaded, folder)
    checkpoint.unlink(missing_ok=True)
    return loaded.facts


def _measure(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    loaded: LoadedModel = getattr(bench, payload["model"])
    clock = Stopwatch()
    images = bench.sample(loaded.model, report=report)
    clock.lap("sampling")
    properties = bench.measure(images, report=standing(report, len(images), len(images)))
    bench.save_preview(payload["model"], images)
    clock.lap("measuring")
    return {"properties": properties, "costs": clock.seconds}


def _evaluate(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    return get_utility(bench.study.game.utility).evaluate(bench, payload, report)


def _together(bench: Workbench, payload: Mapping[str, Any], report: Report) -> list[dict[str, Any]]:
    return evaluate_together(_trained_utility(bench), bench, payload["members"], report)


def _capacity(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    with heartbeat(lambda: report(0, 1)):  # single steps, each timed
        return find_capacity(_trained_utility(bench), bench)


def _trained_utility(bench: Workbench) -> TrainedUtility:
    utility = get_utility(bench.study.game.utility)
    assert isinstance(utility, TrainedUtility)  # others are not joinable
    return utility


def _flops(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    return get_utility(bench.study.game.utility).flops(bench, standing(report, 0, 1))


JOBS: dict[str, Callable[[Workbench, Mapping[str, Any], Report], Any]] = {
    "parts": _parts,
    "reference": _reference,
    "train": _train,
    "prune": _prune,
    "measure": _measure,
    "evaluate": _evaluate,
    "together": _together,
    "capacity": _capacity,
    "flops": _flops,
}
