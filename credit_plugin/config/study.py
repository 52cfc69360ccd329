"""The root of the study file, and what identifies settings."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, Field, model_validator

from credit_plugin.config.fields import Settings
from credit_plugin.config.game import FidelitySettings, GameSettings, ValuesSettings
from credit_plugin.config.models import (
    DataSettings,
    DiffusionSettings,
    PropertySettings,
    PruningSettings,
    SamplingSettings,
    TrainingSettings,
)
from credit_plugin.config.operation import ExecutionSettings
from credit_plugin.config.policy import CompensationSettings, unmeasured
from credit_plugin.config.tuning import TuningSettings


class Study(Settings):
    """A whole study: the root of the study file."""

    name: str = Field(
        "designers",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$",
        description="Names runs, models and the study's folder.",
    )
    description: str = Field("", description="One line for lists of presets.")
    needs: str = Field("", description="Time and hardware, for lists of presets.")
    seed: int = Field(0, ge=0, description="Root of every random number.")
    data: DataSettings = DataSettings()
    diffusion: DiffusionSettings = DiffusionSettings()
    pruning: PruningSettings = PruningSettings()
    sampling: SamplingSettings = SamplingSettings()
    properties: PropertySettings = PropertySettings()
    game: GameSettings = GameSettings()
    values: ValuesSettings = ValuesSettings()
    fidelity: FidelitySettings = FidelitySettings()
    tuning: TuningSettings = TuningSettings()
    execution: ExecutionSettings = ExecutionSettings()
    compensation: CompensationSettings = CompensationSettings()

    @model_validator(mode="after")
    def _policy_is_measured(self) -> "Study":
        complaint = unmeasured(self.compensation, self.properties.names)
        if complaint:
            raise ValueError(complaint)
        return self

    @property
    def flips(self) -> bool:
        """Whether any training sees mirrored images."""
        return any(run.flip for run in self.trainings)

    @property
    def trainings(self) -> tuple[TrainingSettings, ...]:
        """All runs of gradient descent that the study may make."""
        return self.diffusion.training, self.pruning.finetuning, self.game.finetuning


def fingerprint(*parts: Any) -> str:
    """Return 12 hexadecimal digits that identify settings and digests.

    Args:
        parts: Settings (their JSON form counts) or anything JSON can hold.
    """
    plain = [p.model_dump(mode="json") if isinstance(p, BaseModel) else p for p in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
