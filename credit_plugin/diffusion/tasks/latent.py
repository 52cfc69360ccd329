"""Task ``latent``: diffusion in the latent space of a frozen autoencoder.

The network is that of task ``ddpm`` on latents instead of pixels (Rombach et al. 2022); the
autoencoder (:mod:`credit_plugin.diffusion.autoencoders`) is named by ``diffusion.autoencoder`` and
never trained. Latents are computed once for a study (:mod:`credit_plugin.diffusion.latents`), and a
saved model carries its autoencoder.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np

from credit_plugin.config import DiffusionSettings
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.latents import (
    AUTOENCODER,
    FIELD,
    LatentSpace,
    LatentSpaceTask,
    locate_autoencoder,
    open_latents,
)
from credit_plugin.diffusion.tasks import register_task
from credit_plugin.diffusion.unet import UNetTask
from credit_plugin.errors import InputError
from credit_plugin.frozen import digest_of


@register_task("latent")
class LatentTask(LatentSpaceTask, UNetTask):
    """Diffusion of the latents of images of one size.

    Args:
        settings: Network, autoencoder, noise process and training.
        domain: Size of the images, and what they can be of.
        parts: Folder with the autoencoder, the scale and, in a study, the latents.
    """

    sections = UNetTask.sections | {"autoencoder"}

    def __init__(
        self, settings: DiffusionSettings, domain: ImageDomain, parts: Path | None = None
    ) -> None:
        if settings.network.patch_size > 1:
            raise InputError(
                f"diffusion.network.patch_size = {settings.network.patch_size}: latents have no "
                "patches; use 1"
            )
        super().__init__(settings, domain, parts)
        channels = self.latents.autoencoder.image_channels
        if channels != domain.channels:
            raise InputError(
                f"{FIELD}: the autoencoder is for images of {channels} channels, and those of the "
                f"data have {domain.channels}"
            )

    @classmethod
    def frozen_digest(cls, settings: DiffusionSettings) -> str:
        """Return what identifies the autoencoder."""
        return digest_of(locate_autoencoder(settings.autoencoder))

    @property
    def pixels(self) -> int:
        """Pixels of one latent position."""
        return self.latents.autoencoder.factor

    @cached_property
    def latents(self) -> LatentSpace:
        """Between images and latents, with the autoencoder that all tasks of a process share."""
        return open_latents(self.settings.autoencoder, self.parts)

    def prepare(
        self,
        images: np.ndarray,
        mirrored: bool,
        folder: Path,
        report: Callable[[int, int], None],
        device: str,
    ) -> None:
        """Write autoencoder, scale and latents to ``folder``, which exists."""
        self.latents.prepare(images, mirrored, folder, report, device)
        self.latents.autoencoder.save(folder / AUTOENCODER)

    def write_parts(self, folder: Path) -> None:
        """Copy autoencoder and scale into the folder of a model."""
        self.latents.copy_to(folder, autoencoder=True)
