"""The jobs that workers run, and how a worker comes by what they need.

Importing this module imports everything a worker uses (torch, diffusers, torch-pruning), so an
engine that forks its workers from a warmed process imports it there once.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from credit_plugin.config import Study
from credit_plugin.diffusion.pruning import count_parameters, prune
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.storage import LoadedModel, save_model_folder
from credit_plugin.diffusion.training import Trainer, TrainingResult
from credit_plugin.folders import StudyFolders
from credit_plugin.game.utilities import Report, Stopwatch, get_utility
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.properties.suite import prepare_suite
from credit_plugin.seeding import derive_seed


@dataclass(frozen=True)
class WorkerFactory:
    """Makes the function that runs a study's jobs; called once in every worker.

    Attributes:
        study: The settings.
        folders: Where the study keeps its data and models.
    """

    study: Study
    folders: StudyFolders

    def __call__(self, device: str) -> Callable[[Mapping[str, Any], Report], Any]:
        """Return a runner with a workbench of its own on ``device``."""
        bench = Workbench(self.study, self.folders, device)

        def run(payload: Mapping[str, Any], report: Report) -> Any:
            return JOBS[payload["job"]](bench, payload, report)

        return run


def _reference(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    clock = Stopwatch()
    facts: dict[str, Any] = prepare_suite(
        bench.study.properties, bench.dataset, bench.study.seed, bench.folders.reference, report
    )
    clock.lap("training")
    return {**facts, "costs": clock.seconds}


def _train(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    study, folders = bench.study, bench.folders
    clock = Stopwatch()
    seed = derive_seed(study.seed, "full", "training")
    trainer = Trainer(bench.task, bench.untrained(seed), study.diffusion.training, seed)
    result = trainer.run(
        bench.all_examples,
        report,
        folders.full.with_suffix(".checkpoint"),
        study.execution.checkpoint_seconds,
    )
    clock.lap("training")
    loaded = LoadedModel(bench.task, trainer.model, study.sampling)
    loaded.facts = _describe(bench, trainer.model, result, folders.full.name, clock)
    save_model_folder(loaded, folders.full)
    folders.full.with_suffix(".checkpoint").unlink(missing_ok=True)
    return loaded.facts


def _prune(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    study, folders = bench.study, bench.folders
    clock = Stopwatch()
    model = bench.copy_of(bench.full)
    seed = derive_seed(study.seed, "pruned", "pruning")
    history = prune(
        bench.task, model, study.pruning.method, study.pruning.ratio, bench.all_examples, seed
    )
    seed = derive_seed(study.seed, "pruned", "training")
    trainer = Trainer(bench.task, model, study.pruning.finetuning, seed)
    result = trainer.run(
        bench.all_examples,
        report,
        folders.pruned.with_suffix(".checkpoint"),
        study.execution.checkpoint_seconds,
    )
    clock.lap("training")
    loaded = LoadedModel(bench.task, model, study.sampling, history)
    loaded.facts = _describe(bench, model, result, folders.pruned.name, clock)
    save_model_folder(loaded, folders.pruned)
    folders.pruned.with_suffix(".checkpoint").unlink(missing_ok=True)
    return loaded.facts


def _evaluate(bench: Workbench, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    return get_utility(bench.study.game.utility).evaluate(bench, payload, report)


def _describe(
    bench: Workbench, model: torch.nn.Module, result: TrainingResult, name: str, clock: Stopwatch
) -> dict[str, Any]:
    images: np.ndarray = sample_images(bench.task, model, bench.noise(0), bench.study.sampling)
    clock.lap("sampling")
    properties = bench.measure(images)
    bench.save_preview(name, images)
    clock.lap("measuring")
    return {
        "properties": properties,
        "parameters": count_parameters(model),
        "losses": result.losses,
        "costs": {**clock.seconds, "training": result.seconds},
        "finished": time.time(),
    }


JOBS: dict[str, Callable[[Workbench, Mapping[str, Any], Report], dict[str, Any]]] = {
    "reference": _reference,
    "train": _train,
    "prune": _prune,
    "evaluate": _evaluate,
}
