"""What training and sampling need to be installed: torch, diffusers and what these bring along."""

import json
import subprocess
import sys

SETTINGS = """
from types import SimpleNamespace as Settings

network = Settings(
    patch_size=1, block_out_channels=(8, 8), layers_per_block=1, attention=(False, True),
    attention_head_dim=4, norm_num_groups=4, dropout=0.0, downsample_padding=1,
)
noise = Settings(
    train_timesteps=1000, beta_schedule="linear", beta_start=1e-4, beta_end=0.02,
    prediction_type="epsilon", zero_terminal_snr=False,
)
diffusion = Settings(task="ddpm", network=network, noise=noise, condition="none")
training = Settings(
    steps=2, batch_size=4, learning_rate=1e-3, weight_decay=0.0, lr_schedule="constant",
    warmup_steps=0, cooldown_steps=0, gradient_clip=1.0, ema_decay=0.9, flip=True,
)
sampling = Settings(
    scheduler="DPMSolverMultistepScheduler", steps=2, samples=4, batch_size=4, guidance=1.0,
)
"""
LIBRARIES = """
import numpy, torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
"""
PATH = """
import torch
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.stacked import Stack, StackedExamples, StackedTrainer, sample_stack
from credit_plugin.diffusion.tasks.ddpm import DDPMTask
from credit_plugin.diffusion.training import Trainer

task = DDPMTask(diffusion, ImageDomain(8, 1))
examples = Examples(torch.zeros(6, 1, 8, 8))
network = task.build(0)
Trainer(task, network, training, 0).run(examples)
images = sample_images(task, network, task.noise(4, 0), sampling)
assert images.shape == (4, 8, 8, 1)
stack = Stack([task.build(0), task.build(0)])
data = StackedExamples(examples, [torch.arange(3), torch.arange(6)])
StackedTrainer(task, stack, training, [0, 1]).run(data)
assert len(sample_stack(task, stack, [task.noise(4, 0)] * 2, sampling)) == 2
"""
LOADED = """
import json, sys
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_training_and_sampling_load_nothing_but_torch_and_diffusers():
    program = LIBRARIES + LOADED + SETTINGS + PATH + LOADED
    run = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    libraries, path = (set(json.loads(line)) for line in done.stdout.splitlines()[-2:])
    assert path - libraries - set(sys.stdlib_module_names) == {"credit_plugin"}
