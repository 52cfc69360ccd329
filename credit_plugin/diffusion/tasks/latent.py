"""Task ``latent``: diffusion in the latent space of a frozen autoencoder.

The network is that of task ``ddpm`` on latents instead of pixels (Rombach et al. 2022); the
autoencoder (:mod:`credit_plugin.diffusion.autoencoders`) is named by ``diffusion.autoencoder`` and
never trained. Latents of all images, and of their mirror images where trainings flip, are computed
once for a study and kept beside the autoencoder and the scale in the study's folder of *parts*;
samples are decoded in small batches.

Examples are (latent - mean) / deviation. With ``scaling: config`` these are the autoencoder's own
shift and scale; with ``measured``, mean and deviation of each channel over all images of the
study, so that a network whose maker states no scale still sees unit variance.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from credit_plugin.config import AutoencoderSettings, DiffusionSettings
from credit_plugin.diffusion.autoencoders import Autoencoder, load_autoencoder
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.frozen import digest_of, locate
from credit_plugin.diffusion.tasks import register_task
from credit_plugin.diffusion.unet import UNetTask
from credit_plugin.errors import InputError

FIELD = "diffusion.autoencoder.source"
AUTOENCODER, SCALE, LATENTS, MIRRORED = "autoencoder", "scale.json", "latents.npy", "mirrored.npy"


@register_task("latent")
class LatentTask(UNetTask):
    """Diffusion of the latents of images of one size.

    Args:
        settings: Network, autoencoder, noise process and training.
        domain: Size of the images, and what they can be of.
        parts: Folder with the autoencoder, the scale and, in a study, the latents.
    """

    def __init__(
        self, settings: DiffusionSettings, domain: ImageDomain, parts: Path | None = None
    ) -> None:
        if settings.autoencoder is None:
            raise InputError(f"{FIELD} is missing; task latent needs an autoencoder")
        if settings.network.patch_size > 1:
            raise InputError(
                f"diffusion.network.patch_size = {settings.network.patch_size}: latents have no "
                "patches; use 1"
            )
        super().__init__(settings, domain, parts)
        if self.autoencoder.image_channels != domain.channels:
            raise InputError(
                f"{FIELD}: the autoencoder is for images of {self.autoencoder.image_channels} "
                f"channels, and those of the data have {domain.channels}"
            )

    @classmethod
    def frozen_digest(cls, settings: DiffusionSettings) -> str:
        """Return what identifies the autoencoder."""
        return digest_of(_located(settings))

    @property
    def pixels(self) -> int:
        """Pixels of one latent position."""
        return self.autoencoder.factor

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latent channels, and height and width of latents."""
        side = self.domain.image_size // self.pixels
        return self.autoencoder.channels, side, side

    @cached_property
    def autoencoder(self) -> Autoencoder:
        """The frozen autoencoder, shared by all tasks of this process."""
        folder = self.parts / AUTOENCODER if self.parts else None
        if folder is None or not folder.is_dir():
            folder = _located(self.settings)
        return load_autoencoder(folder, FIELD)

    def prepare(
        self,
        images: np.ndarray,
        mirrored: bool,
        folder: Path,
        report: Callable[[int, int], None],
        device: str,
    ) -> None:
        """Write autoencoder, scale and latents to ``folder``, which exists.

        Args:
            images: uint8 [N, H, W, C], all of the study's.
            mirrored: Whether trainings flip images.
            folder: Receives the files.
            report: Called with (images done, images in all).
            device: Where the autoencoder runs.
        """
        passes = {LATENTS: images, MIRRORED: images[:, :, ::-1]} if mirrored else {LATENTS: images}
        total, done = len(images) * len(passes), 0
        for name, those in passes.items():
            array = np.lib.format.open_memmap(
                folder / name, "w+", np.float32, (len(images), *self.shape)
            )
            for rows, latents in self._encoded(those, torch.device(device)):
                array[rows] = latents.cpu().numpy()
                done += len(latents)
                report(done, total)
            array.flush()
        mean, deviation = self._measured(np.load(folder / LATENTS, mmap_mode="r"))
        scale = {"mean": mean.tolist(), "deviation": deviation.tolist()}
        (folder / SCALE).write_text(json.dumps(scale), "utf-8")
        self.autoencoder.save(folder / AUTOENCODER)

    def prepared(self, condition: np.ndarray | None) -> Examples:
        """Return all images of the study as :meth:`prepare` left them."""
        assert self.parts is not None  # a study's tasks have parts
        clean, mirrored = (
            self._scaled(torch.from_numpy(np.load(path))) if path.exists() else None
            for path in (self.parts / LATENTS, self.parts / MIRRORED)
        )
        assert clean is not None
        return Examples(clean, None if condition is None else torch.from_numpy(condition), mirrored)

    def write_parts(self, folder: Path) -> None:
        """Copy autoencoder and scale into the folder of a model."""
        assert self.parts is not None
        shutil.copytree(self.parts / AUTOENCODER, folder / AUTOENCODER)
        shutil.copyfile(self.parts / SCALE, folder / SCALE)

    def encode(
        self, images: np.ndarray, condition: np.ndarray | None = None, mirrored: bool = False
    ) -> Examples:
        """Return float32 [N, c, h, w] with unit variance."""
        passes = [images, images[:, :, ::-1]] if mirrored else [images]
        clean, *flipped = (
            self._scaled(torch.cat([part.cpu() for _, part in self._encoded(those)]))
            for those in passes
        )
        given = None if condition is None else torch.from_numpy(condition)
        return Examples(clean, given, flipped[0] if flipped else None)

    def mirror(self, examples: Examples) -> Tensor:
        """Return the latents of the mirrored images, which are no mirrored latents."""
        assert examples.mirrored is not None  # studies that flip prepare them
        return examples.mirrored

    @torch.inference_mode()
    def decode(self, examples: Tensor) -> np.ndarray:
        """Return uint8 [n, H, W, C]."""
        mean, deviation = (part.to(examples.device) for part in self._scale)
        latents = examples * deviation + mean
        self.autoencoder.to(examples.device)
        decoded = []
        for part in latents.split(self._options.batch_size):
            pixels = self.autoencoder.decode(part).clamp(-1, 1).add(1).mul(127.5).round()
            decoded.append(pixels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(decoded)

    @torch.inference_mode()
    def _encoded(
        self, images: np.ndarray, device: torch.device | None = None
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yield latents as the autoencoder gives them, by rows of the images."""
        device = device or torch.device("cpu")
        self.autoencoder.to(device)
        for start in range(0, len(images), self._options.batch_size):
            rows = slice(start, start + self._options.batch_size)
            batch = np.array(images[rows].transpose(0, 3, 1, 2), order="C")
            pixels = torch.from_numpy(batch).to(device).float().div_(127.5).sub_(1.0)
            yield rows, self.autoencoder.encode(pixels)

    def _scaled(self, latents: Tensor) -> Tensor:
        mean, deviation = self._scale
        return (latents - mean) / deviation

    def _measured(self, latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of each channel, float64 [c]."""
        channels = self.autoencoder.channels
        if self._options.scaling == "config":
            shift, scale = self.autoencoder.shift, self.autoencoder.scale
            return np.full(channels, shift), np.full(channels, 1 / scale)
        axes = (0, 2, 3)
        mean = latents.mean(axes, dtype=np.float64)
        return mean, latents.std(axes, dtype=np.float64).clip(min=1e-6)

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, float32 [c, 1, 1]."""
        if self.parts is None:
            mean, deviation = np.zeros(1), np.ones(1)
        else:
            found = json.loads((self.parts / SCALE).read_text("utf-8"))
            mean, deviation = np.array(found["mean"]), np.array(found["deviation"])
        return (
            torch.from_numpy(mean).float()[:, None, None],
            torch.from_numpy(deviation).float()[:, None, None],
        )

    @property
    def _options(self) -> AutoencoderSettings:
        assert self.settings.autoencoder is not None
        return self.settings.autoencoder


def _located(settings: DiffusionSettings) -> Path:
    options = settings.autoencoder
    if options is None:
        raise InputError(f"{FIELD} is missing; task latent needs an autoencoder")
    return locate(options.source, FIELD, options.revision, options.subfolder)
