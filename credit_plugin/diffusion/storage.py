"""Models on disk: safetensors, JSON, and the pruning history. Nothing is ever unpickled.

A folder holds ``config.json`` (what the network is: settings of task, sampler and image domain,
with a format version), the weights as the task writes them and, for a pruned model,
``pruning_history.json`` (what rebuilds its architecture). Loading gives the same outputs, bit for
bit, as before saving. Where diffusers or PEFT can represent a model, they can load it too.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from credit_plugin.config import DiffusionSettings, SamplingSettings
from credit_plugin.diffusion.domain import ImageDomain, draw_conditions
from credit_plugin.diffusion.pruning import History, count_parameters
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.tasks import DiffusionTask, create_task
from credit_plugin.errors import InputError

FORMAT = 2
CONFIG, HISTORY = "config.json", "pruning_history.json"


@dataclass
class LoadedModel:
    """A network with the task and the sampler settings that belong to it.

    Attributes:
        task: The task that built it.
        model: The network.
        sampling: How its samples are drawn.
        history: What was pruned; empty for a full model.
        facts: What its maker noted: losses, seconds, properties.
        shares: Images of each condition that it was trained on; empty without conditions.
    """

    task: DiffusionTask
    model: nn.Module
    sampling: SamplingSettings
    history: History = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    shares: tuple[int, ...] = ()

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Return ``n`` images, uint8 [n, H, W, C]; the same seed gives the same images.

        A conditional model draws every condition as often as it was trained on it.
        """
        noise, condition = self.task.noise(n, seed), self.conditions(n, seed)
        return sample_images(self.task, self.model, noise, self.sampling, condition=condition)

    def conditions(self, n: int, seed: int = 0) -> Tensor | None:
        """Return what the images of :meth:`sample` are of, int64 [n]; None without conditions."""
        return draw_conditions(self.shares, n, seed) if self.shares else None


def save_model_folder(loaded: LoadedModel, folder: Path) -> None:
    """Write a model to ``folder``, which appears only when it is complete."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    loaded.task.save_weights(loaded.model, partial)
    config = {
        "format": FORMAT,
        "diffusion": loaded.task.settings.model_dump(mode="json"),
        "sampling": loaded.sampling.model_dump(mode="json"),
        "domain": asdict(loaded.task.domain),
        "shares": loaded.shares,
        "parameters": count_parameters(loaded.model),
        "facts": loaded.facts,
    }
    (partial / CONFIG).write_text(json.dumps(config, indent=1), "utf-8")
    loaded.task.write_parts(partial)
    if loaded.history:
        (partial / HISTORY).write_text(json.dumps(loaded.history), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def load_model_folder(folder: Path, device: str = "cpu") -> LoadedModel:
    """Read what :func:`save_model_folder` wrote.

    Raises:
        InputError: If the folder was written by another format version or is incomplete.
    """
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        history = _read_history(folder)
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"model folder {folder} cannot be read: {error}") from None
    if config["format"] != FORMAT:
        raise InputError(
            f"model folder {folder} has format {config['format']}, this version reads {FORMAT}"
        )
    settings = DiffusionSettings.model_validate(config["diffusion"])
    task = create_task(settings, _domain(config["domain"]), folder)
    model = task.rebuild(history, seed=0) if history else task.build(seed=0)
    try:
        task.load_weights(model, folder)
    except (OSError, RuntimeError) as error:
        raise InputError(f"model folder {folder} cannot be read: {error}") from None
    model.to(device).eval()
    sampling = SamplingSettings.model_validate(config["sampling"])
    return LoadedModel(task, model, sampling, history, config["facts"], tuple(config["shares"]))


def read_config(folder: Path) -> dict[str, Any]:
    """Return ``config.json`` of a model folder, without loading the weights."""
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
    return config


def _domain(found: dict[str, Any]) -> ImageDomain:
    return ImageDomain(found["image_size"], found["channels"], tuple(found["conditions"]))


def _read_history(folder: Path) -> History:
    path = folder / HISTORY
    history: History = json.loads(path.read_text("utf-8")) if path.exists() else []
    return history
