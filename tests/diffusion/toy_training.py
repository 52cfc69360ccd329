"""A network, a run and images small enough for tests of training."""

import torch

from credit_plugin.config import DiffusionSettings, NetworkSettings, NoiseSettings, TrainingSettings
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.tasks import create_task

NETWORK = NetworkSettings(
    block_out_channels=(8, 8), attention=(False, False), norm_num_groups=4, attention_head_dim=4
)


def make_task(patch_size=1, channels=1, dropout=0.0, **noise):
    network = NETWORK.model_copy(update={"patch_size": patch_size, "dropout": dropout})
    settings = DiffusionSettings(network=network, noise=NoiseSettings(**noise))
    return create_task(settings, ImageDomain(8, channels))


def settings(**changes):
    return TrainingSettings(**{"steps": 60, "batch_size": 8, "warmup_steps": 5, **changes})


def stripes(count=32):
    images = torch.zeros(count, 1, 8, 8)
    images[:, :, ::2] = 1.0
    return Examples(images * 2 - 1)
