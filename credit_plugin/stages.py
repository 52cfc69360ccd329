"""Stages: single jobs that make what coalitions rest on, each unless it exists.

A stage is the reference that properties are measured by, the full model, the pruned model, or the
measurements of one of them. It uses all training threads, one worker, and shows its progress.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from credit_plugin.config import Study
from credit_plugin.diffusion.tasks import parts_effort
from credit_plugin.errors import InputError, StudyFailedError
from credit_plugin.execution.engine import Engine, Job, RunnerFactory
from credit_plugin.folders import StudyFolders
from credit_plugin.progress import ProgressDisplay
from credit_plugin.properties.suite import suite_effort
from credit_plugin.written import whole_file


@dataclass(frozen=True)
class Stages:
    """Makes the stages of one study.

    Attributes:
        study: The settings.
        folders: Where results go.
        factory: Makes the runner of the worker.
        engine: Runs the jobs.
        display: Shows progress.
    """

    study: Study
    folders: StudyFolders
    factory: RunnerFactory
    engine: Engine
    display: ProgressDisplay

    def parts(self, n_images: int) -> None:
        """Prepare what the task's frozen networks make of the images, if it has any.

        Args:
            n_images: Of all contributors.
        """
        if self.folders.frozen and not self.folders.parts.exists():
            effort = parts_effort(self.study.diffusion, n_images)
            self._run("frozen parts", {"job": "parts"}, effort, "images and steps")

    def reference(self, n_images: int) -> None:
        """Make what properties are measured by.

        Args:
            n_images: Of all contributors; progress is counted in passes over them.
        """
        if not self.folders.reference.exists():
            steps, unit = suite_effort(self.study.properties, n_images)
            self._run("reference", {"job": "reference"}, steps, unit)

    def model(self, kind: str) -> Path:
        """Make the model ``full`` or ``pruned``, and return its folder."""
        folder: Path = getattr(self.folders, kind)
        if not folder.exists():
            role, steps = ROLES[kind], self._training(kind).steps
            self._run(f"{kind} model", {"job": role}, steps, "steps")
        return folder

    def measured(self, kind: str) -> dict[str, Any]:
        """Return a model's own properties, measured once for each table as coalitions are."""
        payload, samples = {"job": "measure", "model": kind}, self.study.sampling.samples
        return self._kept(f"{kind}.json", f"{kind} samples", payload, samples, "images")

    def flops(self) -> dict[str, float]:
        """Return the floating-point operations of a coalition by phase, counted once a table."""
        return self._kept("flops.json", "operations", {"job": "flops"}, 1, "count")

    def _kept(
        self, file: str, name: str, payload: Mapping[str, Any], units: int, unit: str
    ) -> dict[str, Any]:
        """Return a job's result, run once for each table."""
        path = self.folders.table / file
        if not path.exists():
            result = self._run(name, payload, units, unit)
            with whole_file(path) as partial:
                partial.write_text(json.dumps(result), "utf-8")
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found

    def _training(self, kind: str) -> Any:
        pruned = kind == "pruned"
        return self.study.pruning.finetuning if pruned else self.study.diffusion.training

    def _run(self, name: str, payload: Mapping[str, Any], units: int, unit: str) -> Any:
        self.display.phase(name, units, unit=unit)
        outcomes = self.engine.run(
            self.factory,
            [Job(name, payload)],
            lambda _, done, total: self.display.update(done),
            workers=1,
            threads=self.study.execution.training_threads,
        )
        (outcome,) = list(outcomes)
        if outcome.refused:
            raise InputError(outcome.error)
        if outcome.error is not None:
            raise StudyFailedError(f"{name} failed: {outcome.error}")
        self.display.finish()
        return outcome.result


ROLES = {"full": "train", "pruned": "prune"}
"""Job, and tag ``credit.role`` of the run, by model."""
