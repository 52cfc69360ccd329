"""Training examples: images as a task's network sees them, with what each of them is of."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Examples:
    """Encoded images.

    Attributes:
        clean: float32 [N, ...], pixels or latents.
        condition: int64 [N], index into the conditions of the task's domain; None without any.
        mirrored: Like ``clean``, encoded from the mirrored images; None where the task derives
            it, or where nothing is trained on mirrored images.
    """

    clean: Tensor
    condition: Tensor | None = None
    mirrored: Tensor | None = None

    def __len__(self) -> int:
        """Return N."""
        return len(self.clean)

    def __getitem__(self, rows: Any) -> "Examples":
        """Return the examples that a slice or a tensor of indices selects."""
        return Examples(*(None if part is None else part[rows] for part in self._parts))  # type: ignore[arg-type]

    def to(self, device: torch.device | str) -> "Examples":
        """Return the examples on a device."""
        return Examples(*(None if part is None else part.to(device) for part in self._parts))  # type: ignore[arg-type]

    def replaced(self, clean: Tensor) -> "Examples":
        """Return other pixels or latents under the same conditions."""
        return Examples(clean, self.condition)

    @property
    def _parts(self) -> tuple[Tensor | None, ...]:
        return self.clean, self.condition, self.mirrored
