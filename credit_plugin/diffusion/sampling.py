"""Drawing images from a model: batches of shared initial noise.

The noise of sample i depends on (study seed, repeat) alone and is the same for every coalition
(common random numbers), so that differences between coalitions are not blurred by luck of the
draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from credit_plugin.diffusion.tasks import DiffusionTask

if TYPE_CHECKING:
    from credit_plugin.config import SamplingSettings


def sample_images(
    task: DiffusionTask,
    model: nn.Module,
    noise: Tensor,
    sampling: SamplingSettings,
    report: Callable[[int, int], None] | None = None,
    condition: Tensor | None = None,
) -> np.ndarray:
    """Return one uint8 image [H, W, C] for each row of ``noise``.

    Args:
        task: Knows how to denoise a batch.
        model: The network; its device is used.
        noise: Initial noise [n, ...] on the CPU.
        sampling: Sampler, steps and batch size.
        report: Called with (images done, images in all).
        condition: int64 [n], what each image is to be of; None for a model without conditions.

    Returns:
        Images [n, H, W, C].
    """
    device = next(model.parameters()).device
    model.eval()
    batches = []
    for start in range(0, len(noise), sampling.batch_size):
        rows = slice(start, start + sampling.batch_size)
        given = None if condition is None else condition[rows].to(device)
        with torch.inference_mode():
            batches.append(task.sample(model, noise[rows].to(device), sampling, given))
        if report is not None:
            report(min(rows.stop, len(noise)), len(noise))
    return np.concatenate(batches)
