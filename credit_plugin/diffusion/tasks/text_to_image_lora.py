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
    load_base,
    load_encoders,
    locate_base,
)
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.families import Inputs
from credit_plugin.diffusion.families.stable_diffusion import StableDiffusion
from credit_plugin.diffusion.latents import (
    AUTOENCODER,
    LatentSpace,
    LatentSpaceTask,
    locate_autoencoder,
    open_latents,
)
from credit_plugin.diffusion.process import ForwardProcess, Predict
from credit_plugin.diffusion.pruning import History
from credit_plugin.diffusion.rank_pruning import prune_ranks
from credit_plugin.diffusion.recipe import (
    denoiser_config,
    make_pipeline,
    recipe_digest,
    recipe_scheduler,
)
from credit_plugin.diffusion.tasks import register_task
from credit_plugin.errors import InputError
from credit_plugin.frozen import digest_of

PROMPTS, BASE = "prompts.safetensors", "base"
DECODED_AT_ONCE, PROMPTS_AT_ONCE = 8, 64


@register_task("text_to_image_lora")
class TextToImageLoraTask(LatentSpaceTask):
    """Adapters of a pipeline, for images of one size.

    Args:
        settings: Base, adapters and training.
        domain: Size of the images, and their prompts.
        parts: Folder with encoded prompts, the scale and, in a study, the latents.

    Raises:
        InputError: If the base is missing or does not fit the images.
    """

    sections = frozenset({"autoencoder", "base", "lora"})
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
        if parts is None:  # a study that is being checked
            self.base.check_targets()

    @classmethod
    def frozen_digest(cls, settings: DiffusionSettings) -> str:
        """Return what identifies the pipeline, and the autoencoder if it is another one."""
        recipe = settings.base.recipe if settings.base else None
        base = recipe_digest(recipe) if recipe else digest_of(locate_base(settings.base))
        if settings.autoencoder is None and recipe is None:
            return base
        return fingerprint(base, digest_of(locate_autoencoder(settings.autoencoder)))

    @classmethod
    def effort(cls, settings: DiffusionSettings, images: int) -> int:
        """Return the images to encode, and the steps of a recipe."""
        recipe = settings.base.recipe if settings.base else None
        return super().effort(settings, images) + (recipe.training.steps if recipe else 0)

    @cached_property
    def base(self) -> BaseModel:
        """The frozen pipeline, shared by all tasks of this process."""
        lora, recipe, precision = self.settings.lora, self._base.recipe, self._base.precision
        made = self.parts / BASE if self.parts else None
        if made and made.is_dir():
            return load_base(made, precision, lora)
        if recipe is not None:  # not made yet: what can be checked, is checked on its description
            config, scheduler = denoiser_config(recipe, self.shape), recipe_scheduler(recipe)
            return BaseModel(StableDiffusion(), config, scheduler, None, precision, lora)
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
        done, recipe = len(images) * (1 + mirrored), self._base.recipe
        total = done + (recipe.training.steps if recipe else 0)
        self.latents.prepare(
            images, mirrored, folder, lambda image, _: report(image, total), device
        )
        if self._own_autoencoder:
            self.latents.autoencoder.save(folder / AUTOENCODER)
        if recipe is not None:
            make_pipeline(
                recipe,
                open_latents(self.settings.autoencoder, folder),
                folder / BASE,
                folder.with_name(f"{folder.name}.checkpoint"),
                lambda step, _: report(done + step, total),
                device,
            )
        self._encode_prompts(folder, device, lambda: report(total, total))

    def _encode_prompts(self, folder: Path, device: str, alive: Callable[[], None]) -> None:
        made = folder / BASE
        source = made if made.is_dir() else locate_base(self._base)
        pipeline = load_encoders(source, self.base.family)
        pipeline.to(device)
        texts = [*self.domain.conditions, ""]  # the last one is what guidance leads away from
        size, config = self.domain.image_size, self.base.config
        encoded: list[dict[str, Tensor]] = []
        for start in range(0, len(texts), PROMPTS_AT_ONCE):
            some = texts[start : start + PROMPTS_AT_ONCE]
            with torch.inference_mode():
                encoded.append(self.base.family.encode(pipeline, some, size, config, device))
            alive()
        tables = {name: torch.cat([part[name] for part in encoded]) for name in encoded[0]}
        save_file(tables, folder / PROMPTS)

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

    def guided(
        self, model: Callable[..., Any], condition: Tensor | None, guidance: float
    ) -> Predict:
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
        unit = autoencoder.factor * self.base.taken_together
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


def _adapted(model: nn.Module) -> Adapted:
    assert isinstance(model, Adapted)  # the task built it
    return model


def _given(condition: Tensor | None) -> Tensor:
    assert condition is not None  # the domain has prompts
    return condition
