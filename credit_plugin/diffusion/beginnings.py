"""Beginnings of trainings, kept for other trainings that begin alike.

Two runs of gradient descent that differ in length alone make the same steps for as long as the
learning rate does not depend on the length: all of them at a constant rate, all before the last
fifth under schedule ``cooldown`` (Haegele et al. 2024, "Scaling Laws and Compute-Optimal Training
Beyond Fixed Training Durations"). A search over lengths therefore trains a trunk once and
branches off it. Whole runs are kept as well, for searches over what comes after training.

A state is a checkpoint of :class:`credit_plugin.diffusion.training.Trainer`, so that going on from
it equals an uninterrupted run bit for bit. It is three times as large as the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from credit_plugin.config import TrainingSettings, fingerprint


@dataclass(frozen=True)
class BeginningStore:
    """A folder of beginnings.

    Attributes:
        root: The folder.
        milestones: Steps after which a state is kept if other lengths may branch off there; the
            end of the run's own shared steps is always kept.
    """

    root: Path
    milestones: tuple[int, ...] = ()

    @classmethod
    def for_lengths(cls, root: Path, runs: Sequence[TrainingSettings]) -> "BeginningStore":
        """Return a store with milestones where each of these runs would branch off."""
        return cls(root, tuple(sorted({run.shared_steps for run in runs if run.shared_steps})))

    def of(self, settings: TrainingSettings, *start: str) -> "Beginnings":
        """Return the beginnings that a run shares.

        Args:
            settings: Of the run.
            start: Everything else that the run depends on: network, data, seeds.
        """
        alike = settings.model_dump(mode="json", exclude={"steps", "lr_schedule"})
        return Beginnings(self.root / fingerprint(alike, *start), self.milestones, settings)


@dataclass(frozen=True)
class Beginnings:
    """States of one run and of all that begin like it.

    Attributes:
        folder: Where they are.
        milestones: See :class:`BeginningStore`.
        settings: Of the run.
    """

    folder: Path
    milestones: tuple[int, ...]
    settings: TrainingSettings

    def latest(self) -> Path | None:
        """Return the longest state that the run may go on from, if there is one."""
        whole = self._whole()
        if whole.exists():
            return whole
        kept = {_step(path): path for path in self.folder.glob("step-*.safetensors")}
        usable = [step for step in kept if step <= self.settings.shared_steps]
        return kept[max(usable)] if usable else None

    def place(self, step: int) -> Path | None:
        """Return where to keep the state after ``step``, or None if nobody would use it."""
        shared = self.settings.shared_steps
        if 0 < step == shared or (step < shared and step in self.milestones):
            return self.folder / f"step-{step}.safetensors"
        return self._whole() if step == self.settings.steps else None

    def _whole(self) -> Path:
        return self.folder / f"whole-{fingerprint(self.settings)}.safetensors"


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))
