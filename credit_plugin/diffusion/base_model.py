"""The frozen pipeline under adapters: where it is, and its parts, loaded once in a process."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DDPMScheduler, DiffusionPipeline

from credit_plugin.config import BaseSettings, LoraSettings
from credit_plugin.diffusion.adapters import SharedNetwork
from credit_plugin.diffusion.autoencoders import Autoencoder, load_autoencoder
from credit_plugin.diffusion.families import Family, family_of
from credit_plugin.diffusion.flow import FlowMatching, is_flow
from credit_plugin.diffusion.process import ForwardProcess, VariancePreserving
from credit_plugin.errors import InputError
from credit_plugin.frozen import download_failure

FIELD = "diffusion.base.source"


class BaseModel:
    """What training and sampling need of a pipeline; prompts are encoded before.

    Weights are read when they are first asked for: a study is checked on the settings alone.

    Args:
        family: How the denoiser is called.
        config: Of the denoiser.
        scheduler: With which the pipeline was trained.
        folder: Of the pipeline; None for one that is not made yet.
        precision: Of the denoiser's weights.
        lora: Of the adapters.
    """

    def __init__(
        self,
        family: Family,
        config: Mapping[str, Any],
        scheduler: Any,
        folder: Path | None,
        precision: str,
        lora: LoraSettings,
    ) -> None:
        self.family, self.config, self.scheduler = family, config, scheduler
        self.folder, self.precision, self.lora = folder, precision, lora

    @cached_property
    def network(self) -> SharedNetwork:
        """The denoiser with a place for adapters."""
        assert self.folder is not None  # nothing is trained before the base is made
        place, dtype = self.folder / self.family.component, getattr(torch, self.precision)
        with _readable(self.folder):
            denoiser = self._kind.from_pretrained(place, torch_dtype=dtype, use_safetensors=True)
        return SharedNetwork(denoiser, self.lora, self.family.component)

    def check_targets(self) -> None:
        """Put adapters into a denoiser without weights.

        Raises:
            InputError: If no layer fits ``diffusion.lora.targets``.
        """
        with torch.device("meta"):
            denoiser = self._kind.from_config(dict(self.config))
            SharedNetwork(denoiser, self.lora, self.family.component)

    @property
    def _kind(self) -> Any:
        return getattr(diffusers, self.config["_class_name"])

    @cached_property
    def autoencoder(self) -> Autoencoder | None:
        """The pipeline's own, in full precision: half overflows in some. None if it has none."""
        vae = None if self.folder is None else self.folder / "vae"
        return load_autoencoder(vae, FIELD) if vae and vae.is_dir() else None

    @property
    def channels(self) -> int:
        """Channels of the latents that the denoiser sees."""
        return int(self.config["in_channels"]) // self.family.packed

    @property
    def taken_together(self) -> int:
        """Latent positions, in height and in width, that the denoiser takes together at most."""
        blocks = self.config.get("block_out_channels")
        return 2 ** (len(blocks) - 1) if blocks else self.family.patch

    def process(self, side: int) -> ForwardProcess:
        """Return the forward process for latents of a height and width."""
        if is_flow(self.scheduler):
            return FlowMatching(self.scheduler, (side // self.family.patch) ** 2)
        # latents are not bounded, and diffusers clips them where a config does not say
        return VariancePreserving(
            DDPMScheduler.from_config(self.scheduler.config, clip_sample=False)
        )


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
    """Return the pipeline in a folder; a process reads it once.

    Args:
        folder: Of the pipeline.
        precision: Of the denoiser's weights.
        lora: Of the adapters.

    Raises:
        InputError: If the pipeline is of a family that is not known, or damaged.
    """
    family = family_of(folder, FIELD)
    with _readable(folder):
        config = json.loads((folder / family.component / "config.json").read_text("utf-8"))
        kind = getattr(diffusers, _declared(folder)["scheduler"][1])
        scheduler = kind.from_pretrained(folder / "scheduler")
    return BaseModel(family, config, scheduler, folder, precision, lora)


def load_encoders(folder: Path, family: Family) -> Any:
    """Return the pipeline with its text encoders, without denoiser and autoencoder.

    Raises:
        InputError: If it is damaged.
    """
    declared = _declared(folder)
    kind = getattr(diffusers, declared["_class_name"])
    # what a pipeline was saved without must be left out in so many words
    absent = {name for name, part in declared.items() if part == [None, None]}
    left_out = dict.fromkeys((absent | {"vae", family.component}) & set(declared))
    with _readable(folder):
        return kind.from_pretrained(folder, use_safetensors=True, local_files_only=True, **left_out)


def _declared(folder: Path) -> dict[str, Any]:
    """Return what the pipeline says of its components."""
    declared: dict[str, Any] = DiffusionPipeline.load_config(folder)
    return declared


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Turn whatever libraries say of a damaged folder into one line, without their own bars."""
    try:
        with quiet_libraries():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{FIELD}: {folder} cannot be loaded: {reason}") from None


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the libraries' progress bars and remarks out of the study's own."""
    loggers = [library.utils.logging for library in (diffusers, transformers)]
    shown = [logger for logger in loggers if logger.is_progress_bar_enabled()]
    told = [logger.get_verbosity() for logger in loggers]
    for logger in loggers:
        logger.disable_progress_bar()
        logger.set_verbosity_error()
    try:
        yield
    finally:
        for logger in shown:
            logger.enable_progress_bar()
        for logger, verbosity in zip(loggers, told, strict=True):
            logger.set_verbosity(verbosity)
