"""Autoencoders of every format, small and untrained, written to a folder as they are published."""

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, VQModel

from credit_plugin.diffusion.autoencoders import taesd

WIDTHS = (8, 8)
BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "block_out_channels": WIDTHS,
    "norm_num_groups": 4,
}


def _diffusers(kind, **config):
    def write(folder):
        torch.manual_seed(0)
        kind(**config).save_pretrained(folder)

    return write


def write_taesd(folder, channels=5, pooled=False):
    """Write the two files of a TAESD with random weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for name, build in (("encoder", taesd._encoder), ("decoder", taesd._decoder)):
        weights = {k: w.half() for k, w in build(channels, pooled).state_dict().items()}
        torch.save(weights, folder / f"small_{name}.pth")


AUTOENCODERS = {
    "AutoencoderKL": _diffusers(AutoencoderKL, latent_channels=2, scaling_factor=0.5, **BLOCKS),
    "VQModel": _diffusers(VQModel, latent_channels=2, num_vq_embeddings=16, **BLOCKS),
    "AutoencoderTiny": _diffusers(
        AutoencoderTiny,
        latent_channels=2,
        encoder_block_out_channels=WIDTHS,
        decoder_block_out_channels=WIDTHS,
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ),
    "TAESD": write_taesd,
    "TAEF2": lambda folder: write_taesd(folder, pooled=True),
}
