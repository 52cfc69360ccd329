"""The frozen pipeline under adapters: where it is, and its parts, loaded once in a process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DDPMScheduler, DiffusionPipeline

from credit_plugin.config import BaseSettings, LoraSettings
from credit_plugin.diffusion.adapters import SharedNetwork
from credit_plugin.diffusion.autoencoders import Autoencoder
from credit_plugin.diffusion.autoencoders.diffusers_models import DiffusersAutoencoder
from credit_plugin.diffusion.families import Family, family_of
from credit_plugin.diffusion.flow import FlowMatching, is_flow
from credit_plugin.diffusion.process import ForwardProcess, VariancePreserving
from credit_plugin.errors import InputError
from credit_plugin.frozen import download_failure

FIELD = "diffusion.base.source"


@dataclass(frozen=True)
class BaseModel:
    """What training and sampling need of a pipeline; prompts are encoded before.

    Attributes:
        family: How the denoiser is called.
        network: The denoiser with a place for adapters.
        config: Of the denoiser.
        autoencoder: Between images and latents; None if the pipeline has none of its own.
        scheduler: With which the pipeline was trained.
    """

    family: Family
    network: SharedNetwork
    config: dict[str, Any]
    autoencoder: Autoencoder | None
    scheduler: Any

    @property
    def channels(self) -> int:
        """Channels of the latents that the denoiser sees."""
        return int(self.config["in_channels"]) // self.family.packed

    def process(self, side: int) -> ForwardProcess:
        """Return the forward process for latents of a height and width."""
        if is_flow(self.scheduler):
            return FlowMatching(self.scheduler, (side // self.family.patch) ** 2)
        return VariancePreserving(DDPMScheduler.from_config(self.scheduler.config))


def locate_base(base: BaseSettings | None) -> Path:
    """Return the folder of the pipeline, downloaded if need be.

    Raises:
        InputError: If it is missing, with the mend.
    """
    if base is None or not base.source:
        raise InputError(f"{FIELD} is missing; task text_to_image_lora needs a base model")
    folder = Path(base.source).expanduser()
    if folder.is_dir():
        return folder
    with download_failure(base.source, FIELD):
        return Path(
            DiffusionPipeline.download(base.source, revision=base.revision, use_safetensors=True)
        )


@lru_cache(maxsize=1)
def load_base(folder: Path, precision: str, lora: LoraSettings) -> BaseModel:
    """Return the parts of the pipeline in a folder; a process loads them once.

    Args:
        folder: Of the pipeline.
        precision: Of the denoiser's weights.
        lora: Of the adapters.

    Raises:
        InputError: If the pipeline is of a family that is not known, or damaged.
    """
    family = family_of(folder, FIELD)
    dtype = getattr(torch, precision)
    left_out = dict.fromkeys(family.encoders)
    pipeline = _load(folder, family, torch_dtype=dtype, **left_out)
    return as_base(pipeline, family, lora)


def as_base(pipeline: Any, family: Family, lora: LoraSettings) -> BaseModel:
    """Return the parts of a pipeline, whose denoiser gets a place for adapters."""
    denoiser = getattr(pipeline, family.component)
    config = dict(denoiser.config)
    return BaseModel(
        family,
        SharedNetwork(denoiser, lora, family.component),
        config,
        # half precision overflows in some
        DiffusersAutoencoder(pipeline.vae.float()) if pipeline.vae else None,
        pipeline.scheduler,
    )


def load_encoders(folder: Path, family: Family) -> Any:
    """Return the pipeline with its text encoders, without denoiser and autoencoder."""
    return _load(folder, family, vae=None, **{family.component: None})


def _load(folder: Path, family: Family, **given: Any) -> Any:
    declared = DiffusionPipeline.load_config(folder)
    kind = getattr(diffusers, declared["_class_name"])
    given = {n: value for n, value in given.items() if n in declared or n == "torch_dtype"}
    # what a pipeline was saved without must be left out in so many words
    given |= {name: None for name, part in declared.items() if part == [None, None]}
    try:
        with _no_bars():
            return kind.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, **given
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{FIELD}: {folder} cannot be loaded: {reason}") from None


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep the libraries' progress bars out of the study's own."""
    loggers = [library.utils.logging for library in (diffusers, transformers)]
    shown = [logger for logger in loggers if logger.is_progress_bar_enabled()]
    for logger in shown:
        logger.disable_progress_bar()
    try:
        yield
    finally:
        for logger in shown:
            logger.enable_progress_bar()
