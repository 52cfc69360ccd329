"""How PyTorch runs a network: the order of its weights in memory, and whether it is compiled.

Neither changes what is computed, but for rounding. Both are off unless asked for: what they bring
depends on the chip and on the network, ``python -m tests.benchmarks.gpu`` measures it there.

Compiling is PyTorch's own (``nn.Module.compile``); its mode ``reduce-overhead`` records CUDA
graphs, so that a small network is launched as one. Networks of one architecture share what was
compiled first, within a worker; a worker that starts later finds it in PyTorch's cache on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from credit_plugin.config import KernelSettings


def apply_kernels(model: nn.Module, settings: KernelSettings) -> nn.Module:
    """Arrange a network's weights, and have its calls compiled; changed in place.

    A copy of the network keeps the arrangement and is not compiled.

    Args:
        model: The network, on its device, with the layers that it will keep.
        settings: Memory format, and mode of compilation.
    """
    if settings.memory_format != "contiguous":
        model.to(memory_format=getattr(torch, settings.memory_format))
    if settings.compile != "off":
        model.compile(mode=settings.compile, dynamic=False)
    return model
