"""Task ``ddpm``: denoising diffusion in pixel space, with or without a class.

The network is diffusers' UNet2DModel (:mod:`credit_plugin.diffusion.unet`); the forward process
and every sampler are diffusers' schedulers. Images in [0, 255] become examples in [-1, 1] (Ho et
al. 2020). ``diffusion.condition`` tells the network what an image is of: its label or contributor.

With ``patch_size`` p > 1 the p x p pixels of a patch become channels before the first layer and
pixels again after sampling: the same images at 1 / p^2 of the positions, several times cheaper.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.tasks import register_task
from credit_plugin.diffusion.unet import UNetTask


@register_task("ddpm")
class DDPMTask(UNetTask):
    """Diffusion of images of one size.

    Args:
        settings: Network, noise process and training.
        domain: Size and channels of the images, and what they can be of.
        parts: Not used.
    """

    is_bounded = True

    @property
    def pixels(self) -> int:
        """Side p of a patch."""
        return self.settings.network.patch_size

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels C p^2, and height and width in patches."""
        side = self.domain.image_size // self.pixels
        return self.domain.channels * self.pixels**2, side, side

    def encode(
        self, images: np.ndarray, condition: np.ndarray | None = None, mirrored: bool = False
    ) -> Examples:
        """Return float32 [N, C p^2, H / p, W / p] in [-1, 1]."""
        # a copy: images may be a read-only memory map
        pixels = torch.from_numpy(np.array(images.transpose(0, 3, 1, 2), order="C"))
        clean = functional.pixel_unshuffle(pixels.float().div_(127.5).sub_(1.0), self.pixels)
        return Examples(clean, None if condition is None else torch.from_numpy(condition))

    def decode(self, examples: Tensor) -> np.ndarray:
        """Return uint8 [n, H, W, C] of samples in [-1, 1]."""
        sample = functional.pixel_shuffle(examples, self.pixels)
        pixels = sample.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def mirror(self, examples: Examples) -> Tensor:
        """Reverse the columns of patches, and those within each patch."""
        patch = self.pixels
        # channels are in the order (C, row in the patch, column in the patch)
        return examples.clean.unflatten(1, (-1, patch, patch)).flip(3, -1).flatten(1, 3)
