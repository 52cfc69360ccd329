"""Task ``text_to_image_lora``: low-rank adapters of a pretrained text-to-image pipeline.

The pipeline (``diffusion.base``) is frozen: a denoiser that a process loads once
(:mod:`credit_plugin.diffusion.base_model`), an autoencoder that makes latents once for a study, and
text encoders that encode the distinct prompts once and are then let go. Trained, copied, averaged
and saved are adapters alone (:mod:`credit_plugin.diffusion.adapters`); pruning lowers their ranks
(:mod:`credit_plugin.diffusion.rank_pruning`). The forward process is the one that the pipeline's
scheduler names; ``diffusion.network`` and ``diffusion.noise`` are not used.

Where no pipeline can be had, ``diffusion.base.recipe`` trains a small one first
(:mod:`credit_plugin.diffusion.recipe`); ``diffusion.autoencoder`` then takes the place of the
pipeline's own, and models carry both.

The empty coalition is the base model itself. With ``sampling.guidance`` above 1 samples follow
prompt + (g - 1) (prompt - empty prompt), as in classifier-free guidance (Ho and Salimans 2022).
"""

import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from credit_plugin.config import DiffusionSettings, fingerprint
from credit_plugin.diffusion.adapters import Adapted, load_adapter, save_adapter
from credit_plugin.diffusion.base_model import (
    FIELD,
    BaseModel,
    as_base,
    load_base,
    load_encoders,
    locate_base,
)
from credit_plugin.diffusion.denoising import DenoisingTask
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.families import Inputs
from credit_plugin.diffusion.families.stable_diffusion import StableDiffusion
from credit_plugin.diffusion.latents import (
    AUTOENCODER,
    LatentSpace,
    locate_autoencoder,
    open_latents,
)
from credit_plugin.diffusion.process import ForwardProcess, Predict
from credit_plugin.diffusion.pruning import History
from credit_plugin.diffusion.rank_pruning import prune_ranks
from credit_plugin.diffusion.recipe import make_pipeline, recipe_digest, untrained_pipeline
from credit_plugin.diffusion.tasks import register_task
from credit_plugin.errors import InputError
from credit_plugin.frozen import digest_of

PROMPTS, BASE = "prompts.safetensors", "base"
DECODED_AT_ONCE = 8


@register_task("text_to_image_lora")
class TextToImageLoraTask(DenoisingTask):
    """Adapters of a pipeline, for images of one size.

    Args:
        settings: Base, adapters and training.
        domain: Size of the images, and their prompts.
        parts: Folder with encoded prompts, the scale and, in a study, the latents.

    Raises:
        InputError: If the base is missing or does not fit the images.
    """

    untrained_is = "base_model"

    def __init__(
        self, settings: DiffusionSettings, domain: ImageDomain, parts: Path | None = None
    ) -> None:
        super().__init__(settings, domain, parts)
        self._encoded_prompts: dict[torch.device, dict[str, Tensor]] = {}
        if settings.condition != "prompt":
            raise InputError(
                f"diffusion.condition = {settings.condition}: task text_to_image_lora needs "
                "condition prompt, and diffusion.prompt"
            )
        if settings.base is None:
            raise InputError(f"{FIELD} is missing; task text_to_image_lora needs a base model")
        self._base = settings.base
        self._check_images()

    @classmethod
    def frozen_digest(cls, settings: DiffusionSettings) -> str:
        """Return what identifies the pipeline, and the autoencoder if it is another one."""
        recipe = settings.base.recipe if settings.base else None
        base = recipe_digest(recipe) if recipe else digest_of(locate_base(settings.base))
        if settings.autoencoder is None and recipe is None:
            return base
        return fingerprint(base, digest_of(locate_autoencoder(settings.autoencoder)))

    @cached_property
    def base(self) -> BaseModel:
        """The frozen pipeline, shared by all tasks of this process."""
        lora, recipe, precision = self.settings.lora, self._base.recipe, self._base.precision
        made = self.parts / BASE if self.parts else None
        if made and made.is_dir():
            return load_base(made, precision, lora)
        if recipe is not None:  # not trained yet: what can be checked, can be checked on it
            return as_base(untrained_pipeline(recipe, self.shape), StableDiffusion(), lora)
        return load_base(locate_base(self._base), precision, lora)

    @cached_property
    def latents(self) -> LatentSpace:
        """Between images and latents: with ``diffusion.autoencoder``, or the pipeline's own."""
        if self._own_autoencoder:
            return open_latents(self.settings.autoencoder, self.parts)
        if self.base.autoencoder is None:
            raise InputError(
                "diffusion.autoencoder.source is missing; the base model has no autoencoder of its "
                "own"
            )
        return LatentSpace(self.base.autoencoder, "config", DECODED_AT_ONCE, self.parts)

    @cached_property
    def process(self) -> ForwardProcess:
        """The forward process that the pipeline was trained with."""
        return self.base.process(self.shape[-1])

    def prepare(
        self,
        images: np.ndarray,
        mirrored: bool,
        folder: Path,
        report: Callable[[int, int], None],
        device: str,
    ) -> None:
        """Write encoded prompts, scale and latents to ``folder``, which exists.

        With a recipe, the base is trained first and written there too.
        """
        self.latents.prepare(images, mirrored, folder, report, device)
        if self._own_autoencoder:
            self.latents.autoencoder.save(folder / AUTOENCODER)
        recipe = self._base.recipe
        if recipe is not None:
            done = len(images) * (1 + mirrored)
            make_pipeline(
                recipe,
                open_latents(self.settings.autoencoder, folder),
                folder / BASE,
                folder.with_name(f"{folder.name}.checkpoint"),
                lambda step, steps: report(done + step, done + steps),
                device,
            )
        self._encode_prompts(folder, device)

    def _encode_prompts(self, folder: Path, device: str) -> None:
        made = folder / BASE
        source = made if made.is_dir() else locate_base(self._base)
        pipeline = load_encoders(source, self.base.family)
        pipeline.to(device)
        texts = [*self.domain.conditions, ""]  # the last one is what guidance leads away from
        size, config = self.domain.image_size, self.base.config
        with torch.inference_mode():
            encoded = self.base.family.encode(pipeline, texts, size, config, device)
        save_file({name: rows.contiguous() for name, rows in encoded.items()}, folder / PROMPTS)

    def prepared(self, condition: np.ndarray | None) -> Examples:
        """Return all images of the study as :meth:`prepare` left them."""
        return self.latents.prepared(condition)

    def write_parts(self, folder: Path) -> None:
        """Copy what nobody else has into the folder of a model: prompts, scale, a made base."""
        save_file(self._prompts_on(torch.device("cpu")), folder / PROMPTS)
        self.latents.copy_to(folder, autoencoder=self._own_autoencoder)
        assert self.parts is not None
        if (self.parts / BASE).is_dir():
            shutil.copytree(self.parts / BASE, folder / BASE)

    def save_weights(self, model: nn.Module, folder: Path) -> None:
        """Write the adapter for PEFT and diffusers."""
        save_adapter(_adapted(model), folder)

    def load_weights(self, model: nn.Module, folder: Path) -> None:
        """Read the adapter."""
        load_adapter(_adapted(model), folder)

    def build(self, seed: int) -> nn.Module:
        """Return adapters that change nothing yet."""
        return self.base.network.untrained(seed)

    def prune(
        self, model: nn.Module, method: str, ratio: float, examples: Examples, seed: int
    ) -> History:
        """Lower ranks in place (:mod:`credit_plugin.diffusion.rank_pruning`)."""
        return prune_ranks(self, _adapted(model), method, ratio, examples, seed)

    def rebuild(self, history: History, seed: int) -> nn.Module:
        """Return adapters of the ranks that pruning left, which change nothing yet."""
        model = self.base.network.untrained(seed)
        model.keep(dict(history))
        return model

    def encode(
        self, images: np.ndarray, condition: np.ndarray | None = None, mirrored: bool = False
    ) -> Examples:
        """Return float32 [N, c, h, w]."""
        return self.latents.encode(images, condition, mirrored)

    def mirror(self, examples: Examples) -> Tensor:
        """Return the latents of the mirrored images."""
        assert examples.mirrored is not None  # studies that flip prepare them
        return examples.mirrored

    def guided(self, model: nn.Module, condition: Tensor | None, guidance: float) -> Predict:
        """Return a function that calls the denoiser with classifier-free guidance."""
        told = self.caller(model, condition)
        if guidance == 1:
            return told
        untold = self.caller(model, torch.full_like(_given(condition), len(self.domain.conditions)))

        def predict(noisy: Tensor, time: Tensor) -> Tensor:
            plain = untold(noisy, time)
            return plain + guidance * (told(noisy, time) - plain)

        return predict

    def caller(self, model: Callable[..., Any], condition: Tensor | None) -> Predict:
        """Return a function that calls the denoiser with the prompts of its examples."""
        rows = _given(condition)
        precision = getattr(torch, self._base.precision)
        given: Inputs = {
            name: table[rows].to(precision) for name, table in self._prompts_on(rows.device).items()
        }

        def predict(noisy: Tensor, time: Tensor) -> Tensor:
            found = self.base.family.predict(model, noisy.to(precision), time, given)
            return found.float()

        return predict

    def _prompts_on(self, device: torch.device) -> dict[str, Tensor]:
        """What the denoiser gets of each condition and, last, of the empty prompt."""
        if device not in self._encoded_prompts:
            assert self.parts is not None  # models and studies have parts
            self._encoded_prompts[device] = load_file(self.parts / PROMPTS, str(device))
        return self._encoded_prompts[device]

    def _check_images(self) -> None:
        autoencoder = self.latents.autoencoder
        size, channels = self.domain.image_size, autoencoder.image_channels
        unit = autoencoder.factor * self._halvings
        if self.domain.channels != channels:
            raise InputError(
                f"{FIELD}: the base model is for images of {channels} channels, and those of the "
                f"data have {self.domain.channels}"
            )
        if self.base.channels != autoencoder.channels:
            raise InputError(
                f"diffusion.autoencoder.source: its latents have {autoencoder.channels} channels, "
                f"and those of the base model {self.base.channels}"
            )
        if size % unit:
            raise InputError(
                f"data.image_size = {size} does not fit the base model: use a multiple of {unit}"
            )

    @property
    def _own_autoencoder(self) -> bool:
        """Whether the autoencoder is named beside the pipeline."""
        return self.settings.autoencoder is not None or self._base.recipe is not None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of latents."""
        return self.latents.shape(self.domain.image_size)

    def decode(self, examples: Tensor) -> np.ndarray:
        """Return uint8 [n, H, W, C]."""
        return self.latents.decode(examples)

    @property
    def _halvings(self) -> int:
        """Latent positions, in height and in width, that the denoiser takes together at most."""
        blocks = self.base.config.get("block_out_channels")
        return 2 ** (len(blocks) - 1) if blocks else self.base.family.patch


def _adapted(model: nn.Module) -> Adapted:
    assert isinstance(model, Adapted)  # the task built it
    return model


def _given(condition: Tensor | None) -> Tensor:
    assert condition is not None  # the domain has prompts
    return condition
