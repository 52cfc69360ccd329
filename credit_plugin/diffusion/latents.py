"""Latents of a study's images: computed once, scaled, mirrored, and decoded in small batches.

A folder of *parts* holds the autoencoder, its scale, and the latents of all images and, where
trainings flip, of their mirror images. Examples are (latent - mean) / deviation. With ``scaling:
config`` these are the autoencoder's own shift and scale; with ``measured``, mean and deviation of
each channel over all images of the study, so that a network whose maker states no scale still sees
unit variance.
"""

import json
import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from credit_plugin.config import AutoencoderSettings, DiffusionSettings
from credit_plugin.diffusion.autoencoders import Autoencoder, load_autoencoder
from credit_plugin.diffusion.denoising import DenoisingTask
from credit_plugin.diffusion.examples import Examples
from credit_plugin.errors import InputError
from credit_plugin.frozen import locate

FIELD = "diffusion.autoencoder.source"

AUTOENCODER, SCALE, LATENTS, MIRRORED = "autoencoder", "scale.json", "latents.npy", "mirrored.npy"

Report = Callable[[int, int], None]


class LatentSpace:
    """Between images and the examples that a network in latent space sees.

    Args:
        autoencoder: Frozen.
        scaling: ``config`` or ``measured``.
        batch_size: Images encoded or decoded at once.
        parts: Folder with the scale and, in a study, the latents; None before it was prepared.
    """

    def __init__(
        self, autoencoder: Autoencoder, scaling: str, batch_size: int, parts: Path | None
    ) -> None:
        self.autoencoder, self.scaling = autoencoder, scaling
        self.batch_size, self.parts = batch_size, parts

    def shape(self, image_size: int) -> tuple[int, int, int]:
        """Return latent channels, height and width of images of a size."""
        side = image_size // self.autoencoder.factor
        return self.autoencoder.channels, side, side

    def prepare(
        self, images: np.ndarray, mirrored: bool, folder: Path, report: Report, device: str
    ) -> None:
        """Write scale and latents to ``folder``, which exists.

        Args:
            images: uint8 [N, H, W, C], all of the study's.
            mirrored: Whether to encode the mirror images too.
            folder: Receives the files.
            report: Called with (images done, images in all).
            device: Where the autoencoder runs.
        """
        passes = {LATENTS: images, MIRRORED: images[:, :, ::-1]} if mirrored else {LATENTS: images}
        total, done = len(images) * len(passes), 0
        shape = (len(images), *self.shape(images.shape[1]))
        for name, those in passes.items():
            array = np.lib.format.open_memmap(folder / name, "w+", np.float32, shape)
            for rows, latents in self._encoded(those, device):
                array[rows] = latents.cpu().numpy()
                done += len(latents)
                report(done, total)
            array.flush()
        mean, deviation = self._measured(np.load(folder / LATENTS, mmap_mode="r"))
        scale = {"mean": mean.tolist(), "deviation": deviation.tolist()}
        (folder / SCALE).write_text(json.dumps(scale), "utf-8")

    def prepared(self, condition: np.ndarray | None) -> Examples:
        """Return all images of the study as :meth:`prepare` left them."""
        assert self.parts is not None  # a study's tasks have parts
        clean = self._scaled(torch.from_numpy(np.load(self.parts / LATENTS)))
        path = self.parts / MIRRORED
        mirrored = self._scaled(torch.from_numpy(np.load(path))) if path.exists() else None
        return Examples(clean, None if condition is None else torch.from_numpy(condition), mirrored)

    def encode(
        self,
        images: np.ndarray,
        condition: np.ndarray | None = None,
        mirrored: bool = False,
        report: Report = lambda done, total: None,
    ) -> Examples:
        """Return float32 [N, c, h, w] of uint8 images [N, H, W, C].

        Args:
            images: To encode.
            condition: What each is of, int64 [N].
            mirrored: Whether to encode the mirror images too.
            report: Called with (images done, images in all).
        """
        passes = [images, images[:, :, ::-1]] if mirrored else [images]
        device, total, parts = str(self.autoencoder.device), len(images) * len(passes), []
        for those in passes:
            for _, part in self._encoded(those, device):
                parts.append(part.cpu())
                report(sum(map(len, parts)), total)
        clean, *flipped = self._scaled(torch.cat(parts)).split(len(images))
        given = None if condition is None else torch.from_numpy(condition)
        return Examples(clean, given, flipped[0] if flipped else None)

    @torch.inference_mode()
    def decode(self, examples: Tensor) -> np.ndarray:
        """Return uint8 images [n, H, W, C] of samples [n, c, h, w]."""
        mean, deviation = (part.to(examples.device) for part in self._scale)
        self.autoencoder.to(examples.device)
        decoded = []
        for part in (examples * deviation + mean).split(self.batch_size):
            pixels = self.autoencoder.decode(part).clamp(-1, 1).add(1).mul(127.5).round()
            decoded.append(pixels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(decoded)

    def copy_to(self, folder: Path, autoencoder: bool) -> None:
        """Write to a model's folder what decoding needs.

        Args:
            folder: Of the model.
            autoencoder: Whether to copy the autoencoder too.
        """
        assert self.parts is not None
        shutil.copyfile(self.parts / SCALE, folder / SCALE)
        if autoencoder:
            shutil.copytree(self.parts / AUTOENCODER, folder / AUTOENCODER)

    @torch.inference_mode()
    def _encoded(self, images: np.ndarray, device: str) -> Iterator[tuple[slice, Tensor]]:
        """Yield latents as the autoencoder gives them, by rows of the images."""
        self.autoencoder.to(torch.device(device))
        for start in range(0, len(images), self.batch_size):
            rows = slice(start, start + self.batch_size)
            batch = np.array(images[rows].transpose(0, 3, 1, 2), order="C")
            pixels = torch.from_numpy(batch).to(device).float().div_(127.5).sub_(1.0)
            yield rows, self.autoencoder.encode(pixels)

    def _scaled(self, latents: Tensor) -> Tensor:
        mean, deviation = self._scale
        return (latents - mean) / deviation

    def _measured(self, latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of each channel, float64 [c]."""
        channels = self.autoencoder.channels
        if self.scaling == "config":
            shift, scale = self.autoencoder.shift, self.autoencoder.scale
            return np.full(channels, shift), np.full(channels, 1 / scale)
        axes = (0, 2, 3)
        mean = latents.mean(axes, dtype=np.float64)
        return mean, latents.std(axes, dtype=np.float64).clip(min=1e-6)

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, float32 [c, 1, 1]."""
        found: dict[str, list[float]] = {"mean": [0.0], "deviation": [1.0]}
        if self.parts is not None:
            found = json.loads((self.parts / SCALE).read_text("utf-8"))
        mean, deviation = (torch.tensor(found[key])[:, None, None] for key in ("mean", "deviation"))
        return mean, deviation


class LatentSpaceTask(DenoisingTask):
    """Base of tasks whose examples are latents, computed once for a study."""

    @property
    @abstractmethod
    def latents(self) -> LatentSpace:
        """Between images and latents."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latent channels, and height and width of latents."""
        return self.latents.shape(self.domain.image_size)

    @classmethod
    def effort(cls, settings: DiffusionSettings, images: int) -> int:
        """Return the images to encode."""
        return images * (1 + settings.training.flip)

    def study_examples(
        self, images: np.ndarray, condition: np.ndarray | None, mirrored: bool
    ) -> Examples:
        """Return all images of the study as they were prepared."""
        return self.latents.prepared(condition)

    def encode(
        self, images: np.ndarray, condition: np.ndarray | None = None, mirrored: bool = False
    ) -> Examples:
        """Return float32 [N, c, h, w]."""
        return self.latents.encode(images, condition, mirrored)

    def mirror(self, examples: Examples) -> Tensor:
        """Return the latents of the mirrored images, which are no mirrored latents."""
        assert examples.mirrored is not None  # studies that flip prepare them
        return examples.mirrored

    def decode(self, examples: Tensor) -> np.ndarray:
        """Return uint8 [n, H, W, C]."""
        return self.latents.decode(examples)


def locate_autoencoder(options: AutoencoderSettings | None) -> Path:
    """Return the folder of the autoencoder that settings name, downloaded if need be.

    Raises:
        InputError: If they name none, or it is missing.
    """
    if options is None:
        raise InputError(f"{FIELD} is missing; the task needs an autoencoder")
    return locate(options.source, FIELD, options.revision, options.subfolder)


def open_latents(options: AutoencoderSettings | None, parts: Path | None) -> LatentSpace:
    """Return the latent space of the autoencoder that settings name.

    Args:
        options: Which autoencoder, and the scale of its latents.
        parts: Folder that may hold a copy of it.

    Raises:
        InputError: If they name none, or it is missing or damaged.
    """
    kept = parts / AUTOENCODER if parts else None
    folder = kept if kept and kept.is_dir() else locate_autoencoder(options)
    assert options is not None  # or there is none to copy or to locate
    autoencoder = load_autoencoder(folder, FIELD)
    return LatentSpace(autoencoder, options.scaling, options.batch_size, parts)
