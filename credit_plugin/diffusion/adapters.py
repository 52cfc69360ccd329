"""Low-rank adapters on a frozen network that a process holds once.

PEFT puts adapters into the network (LoRA, Hu et al. 2022: W x + (alpha / r) B A x). An
:class:`Adapted` model is then nothing but matrices A and B: calling it runs the shared network with
them, by ``torch.func.functional_call``. Copies, checkpoints and averages of weights hold adapters
alone, and an adapter of lower rank is one with fewer rows of A and columns of B.

On disk an adapter is a plain PEFT adapter (``adapter_config.json``, ``adapter_model.safetensors``)
and, beside it, the same in diffusers' own file (``pytorch_lora_weights.safetensors``). Ranks that
differ between layers are PEFT's ``rank_pattern``; ``alpha_pattern`` keeps the scale of every layer
at that before pruning. Layers of rank 0 are left out. Whatever loads them needs nothing of this
package: ``PeftModel.from_pretrained(unet, folder)`` or ``pipeline.load_lora_weights(folder,
weight_name="pytorch_lora_weights.safetensors")``.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear, LoraLayer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.func import functional_call

from credit_plugin.config import LoraSettings
from credit_plugin.errors import InputError

NAME = "default"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
DIFFUSERS_WEIGHTS = "pytorch_lora_weights.safetensors"
PEFT_PREFIX = "base_model.model."

Matrices = dict[str, tuple[Tensor, Tensor]]
"""By layer: A [r, inputs] and B [outputs, r]."""


class SharedNetwork:
    """A frozen network with a place for adapters.

    Args:
        network: Changed in place: PEFT's layers replace those that get an adapter.
        lora: Rank, scale and layers.
        component: What diffusers calls the network in its pipeline.

    Raises:
        InputError: If no layer fits ``diffusion.lora.targets``, or one that is not linear.
    """

    def __init__(self, network: nn.Module, lora: LoraSettings, component: str = "unet") -> None:
        self.component = component
        alpha: Any = lora.rank if lora.alpha is None else lora.alpha  # PEFT annotates it as int
        config = LoraConfig(r=lora.rank, lora_alpha=alpha, target_modules=list(lora.targets))
        network.requires_grad_(False).eval()
        try:
            inject_adapter_in_model(config, network, NAME)
        except ValueError as error:
            raise InputError(f"diffusion.lora.targets: {_first_line(error)}") from None
        for name, layer in network.named_modules():
            if isinstance(layer, LoraLayer) and not isinstance(layer, Linear):
                raise InputError(
                    f"diffusion.lora.targets: layer {name} is no linear one, and only these get "
                    "adapters; name others"
                )
        self.network = network.requires_grad_(False)
        self.rank, self.scale = int(lora.rank), float(alpha / lora.rank)
        self.sizes = {
            name: (int(layer.in_features or 0), int(layer.out_features or 0))
            for name, layer in network.named_modules()
            if isinstance(layer, Linear)
        }

    def untrained(self, seed: int) -> "Adapted":
        """Return adapters that change nothing yet: A is random as in PEFT, B is zero."""
        generator = torch.Generator().manual_seed(seed)
        matrices = {}
        for name, (inputs, outputs) in self.sizes.items():
            down = torch.empty(self.rank, inputs)
            nn.init.kaiming_uniform_(down, a=5**0.5, generator=generator)
            matrices[name] = down, torch.zeros(outputs, self.rank)
        return Adapted(self, matrices)

    def call(self, matrices: Mapping[str, tuple[Tensor, Tensor]], *args: Any, **given: Any) -> Any:
        """Run the network with adapters, on the device of their weights."""
        (first, _) = next(iter(matrices.values()))
        if next(self.network.parameters()).device != first.device:
            self.network.to(first.device)
        weights = {}
        for name, (down, up) in matrices.items():
            weights[f"{name}.lora_A.{NAME}.weight"] = down
            weights[f"{name}.lora_B.{NAME}.weight"] = up
        return functional_call(self.network, weights, args, given)


class Adapted(nn.Module):
    """A shared network with adapters of its own, which are its only weights.

    Args:
        shared: The frozen network.
        matrices: A and B of every layer.
    """

    def __init__(self, shared: SharedNetwork, matrices: Matrices) -> None:
        super().__init__()
        self.shared = shared
        self.layers = list(matrices)
        self.down = nn.ParameterList(down for down, _ in matrices.values())
        self.up = nn.ParameterList(up for _, up in matrices.values())

    def forward(self, *args: Any, **given: Any) -> Any:
        """Call the network."""
        return self.shared.call(self.matrices(), *args, **given)

    def matrices(self) -> Matrices:
        """Return A and B by layer, as they are, attached to the graph."""
        pairs = zip(self.down, self.up, strict=True)
        return dict(zip(self.layers, pairs, strict=True))

    def components(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Yield each layer's A and B, detached."""
        for name, (down, up) in self.matrices().items():
            yield name, down.detach(), up.detach()

    @torch.no_grad()
    def keep(self, kept: Mapping[str, Any]) -> None:
        """Leave some rank components of each layer.

        Args:
            kept: Indices by layer; a layer that is not there keeps none.
        """
        for index, name in enumerate(self.layers):
            down, up = self.down[index], self.up[index]
            rows = torch.as_tensor(kept.get(name, []), dtype=torch.long, device=down.device)
            self.down[index] = nn.Parameter(down[rows].clone())
            self.up[index] = nn.Parameter(up[:, rows].clone())

    def __deepcopy__(self, memo: dict[int, Any]) -> "Adapted":
        """Copy the adapters and share the network."""
        copies = {name: (down.clone(), up.clone()) for name, down, up in self.components()}
        return Adapted(self.shared, copies)


def save_adapter(model: Adapted, folder: Path) -> None:
    """Write an adapter for PEFT and for diffusers to a folder, which exists."""
    config, component = _config(model), model.shared.component
    (folder / CONFIG).write_text(json.dumps(config, indent=1), "utf-8")
    peft, diffusers = {}, {}
    for name, down, up in model.components():
        for key, matrix in ((f"{name}.lora_A.weight", down), (f"{name}.lora_B.weight", up)):
            if matrix.numel():
                peft[PEFT_PREFIX + key] = matrix.cpu().contiguous()
                diffusers[f"{component}.{key}"] = peft[PEFT_PREFIX + key]
    save_file(peft, folder / WEIGHTS, metadata={"format": "pt"})
    described = {f"{component}.{key}": value for key, value in config.items()}
    metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(described)}
    save_file(diffusers, folder / DIFFUSERS_WEIGHTS, metadata=metadata)


def load_adapter(model: Adapted, folder: Path) -> None:
    """Read into a model of the same ranks what :func:`save_adapter` wrote.

    Raises:
        InputError: If the adapter is one of another network.
    """
    found = load_file(folder / WEIGHTS)
    with torch.no_grad():
        for name, (down, up) in model.matrices().items():
            for key, matrix in ((f"{name}.lora_A.weight", down), (f"{name}.lora_B.weight", up)):
                if not matrix.numel():
                    continue
                stored = found.get(PEFT_PREFIX + key)
                if stored is None or stored.shape != matrix.shape:
                    raise InputError(
                        f"diffusion.base.source: the adapter in {folder} does not fit this base "
                        f"model (layer {name}); give the one that it was trained on"
                    )
                matrix.copy_(stored)


def _config(model: Adapted) -> dict[str, Any]:
    """Return PEFT's description of an adapter, as JSON can hold it."""
    ranks = {name: len(down) for name, down, _ in model.components() if len(down)}
    usual = Counter(ranks.values()).most_common(1)[0][0] if ranks else 1
    others = {name: rank for name, rank in ranks.items() if rank != usual}
    scale: Any = model.shared.scale  # PEFT annotates alpha as int
    config = LoraConfig(
        r=usual,
        lora_alpha=scale * usual,
        target_modules=sorted(ranks),
        rank_pattern={f"^{re.escape(name)}": rank for name, rank in others.items()},
        alpha_pattern={f"^{re.escape(name)}": scale * rank for name, rank in others.items()},
    )
    described = config.to_dict()
    return {k: sorted(v) if isinstance(v, set) else v for k, v in described.items()}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
