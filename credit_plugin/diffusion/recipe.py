"""A small Stable Diffusion from scratch: a base model where none can be downloaded.

Text encoder (CLIP's architecture, its tokenizer's vocabulary as open_clip ships it) and denoiser
(UNet2DConditionModel) are trained together on captioned images, with a tenth of the texts left out
for guidance (Ho and Salimans 2022). The images are those of ``diffusion.base.recipe.data``, in the
latent space of the study; they are not valued. What comes out is a StableDiffusionPipeline in
diffusers' own format, without an autoencoder.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from credit_plugin.config import DiffusionSettings, RecipeSettings, fingerprint
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.diffusion.base_model import quiet_libraries
from credit_plugin.diffusion.domain import domain_of
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.latents import LatentSpace
from credit_plugin.diffusion.process import VariancePreserving
from credit_plugin.diffusion.training import Report, Trainer
from credit_plugin.seeding import derive_seed

TOKENS = 24
UNTOLD = 0.1
HEADS = 4
ENCODING = 0.4  # of the time, about


def recipe_digest(recipe: RecipeSettings) -> str:
    """Return what identifies the pipeline that a recipe makes.

    Raises:
        InputError: If its data is missing.
    """
    plain = recipe.model_dump(mode="json", exclude={"data": {"path"}})
    return fingerprint(plain, load_contributors(recipe.data, recipe.seed).digest())


def make_pipeline(
    recipe: RecipeSettings,
    latents: LatentSpace,
    folder: Path,
    checkpoint: Path,
    report: Report,
    device: str,
) -> None:
    """Train a pipeline and write it to ``folder``.

    Args:
        recipe: Data, network and training.
        latents: The latent space of the study.
        folder: Receives the pipeline.
        checkpoint: File to resume from if it exists; removed at the end.
        report: Called with (steps done, steps in all).
        device: Where it is trained.
    """
    dataset = load_contributors(recipe.data, recipe.seed)
    prompted = DiffusionSettings(condition="prompt", prompt=recipe.prompt)
    domain, condition = domain_of(prompted, dataset)
    pipeline = untrained_pipeline(recipe, latents.shape(dataset.image_size))
    texts = [*domain.conditions, ""]
    tokens = pipeline.tokenizer(
        texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids
    model = _TextToImage(pipeline.unet, pipeline.text_encoder, tokens).to(device)
    steps = recipe.training.steps
    encoding, training = _in_two(report, steps)
    examples = latents.encode(np.asarray(dataset.images), condition, recipe.training.flip, encoding)
    seed = derive_seed(recipe.seed, "base model", "training")
    Trainer(_Denoising(recipe), model, recipe.training, seed).run(examples, training, checkpoint)
    with quiet_libraries():
        pipeline.save_pretrained(folder, safe_serialization=True)
    checkpoint.unlink(missing_ok=True)


def _in_two(report: Report, steps: int) -> tuple[Report, Report]:
    """Return what encoding and what training report to: parts of the steps, for one display."""

    def part(start: float, share: float) -> Report:
        return lambda done, of: report(round(steps * (start + share * done / max(of, 1))), steps)

    return part(0.0, ENCODING), part(ENCODING, 1 - ENCODING)


def untrained_pipeline(recipe: RecipeSettings, shape: tuple[int, int, int]) -> Any:
    """Return the pipeline before training.

    Args:
        recipe: Network and text encoder.
        shape: Channels, height and width of latents.
    """
    tokenizer = _tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.text_width,
        intermediate_size=4 * recipe.text_width,
        num_hidden_layers=recipe.text_layers,
        num_attention_heads=HEADS,
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "base model", "weights"))
        unet = UNet2DConditionModel.from_config(denoiser_config(recipe, shape))
        text_encoder = CLIPTextModel(config)
    return StableDiffusionPipeline(
        vae=None,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=recipe_scheduler(recipe),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def denoiser_config(recipe: RecipeSettings, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Return the config of the denoiser, as diffusers writes it, for latents of a shape."""
    network = recipe.network
    width = network.attention_head_dim or network.block_out_channels[-1]
    down = ["CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in network.attention]
    up = ["CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in network.attention[::-1]]
    return {
        "_class_name": UNet2DConditionModel.__name__,
        "sample_size": shape[-1],
        "in_channels": shape[0],
        "out_channels": shape[0],
        "block_out_channels": network.block_out_channels,
        "layers_per_block": network.layers_per_block,
        "down_block_types": down,
        "up_block_types": up,
        # diffusers calls the number of heads their dimension here
        "attention_head_dim": [max(1, c // width) for c in network.block_out_channels],
        "norm_num_groups": network.norm_num_groups,
        "cross_attention_dim": recipe.text_width,
        "dropout": network.dropout,
    }


def recipe_scheduler(recipe: RecipeSettings) -> Any:
    """Return the scheduler that the pipeline is saved with."""
    # an offset means nothing with trailing steps, but pipelines warn of any other
    return DDIMScheduler.from_config(_process(recipe).scheduler.config, steps_offset=1)


def _process(recipe: RecipeSettings) -> VariancePreserving:
    return VariancePreserving.from_settings(recipe.noise, bounded=False)


class _TextToImage(nn.Module):
    """Denoiser and text encoder as one network to train.

    Args:
        unet: The denoiser.
        text_encoder: Of texts.
        tokens: int64 [k + 1, TOKENS], those of each condition and of the empty text.
    """

    def __init__(self, unet: Any, text_encoder: Any, tokens: Tensor) -> None:
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder
        self.tokens: Tensor
        self.register_buffer("tokens", tokens, persistent=False)

    def forward(self, noisy: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Return the prediction for noisy latents [n, c, h, w] of conditions [n]."""
        states = self.text_encoder(self.tokens[condition]).last_hidden_state
        prediction: Tensor = self.unet(noisy, time, encoder_hidden_states=states).sample
        return prediction


class _Denoising:
    """The objective: predict what the process wants from noisy latents and a text."""

    def __init__(self, recipe: RecipeSettings) -> None:
        self.process = _process(recipe)

    def mirror(self, examples: Examples) -> Tensor:
        assert examples.mirrored is not None  # encoded if the recipe flips
        return examples.mirrored

    def loss(self, model: _TextToImage, batch: Examples, generator: torch.Generator) -> Tensor:
        device, count = batch.clean.device, len(batch)
        noise = torch.randn(batch.clean.shape, generator=generator, device=device)
        levels = self.process.draw_levels(count, generator, device)
        untold = torch.rand(count, generator=generator, device=device) < UNTOLD
        assert batch.condition is not None  # every image has a text
        condition = torch.where(untold, len(model.tokens) - 1, batch.condition)
        noisy = self.process.noised(batch.clean, noise, levels)
        prediction = model(noisy, self.process.time(levels), condition)
        return functional.mse_loss(
            prediction.float(), self.process.target(batch.clean, noise, levels)
        )


def _tokenizer() -> Any:
    """Return CLIP's tokenizer, from the vocabulary that open_clip ships."""
    shipped = SimpleTokenizer()
    renamed = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {renamed.get(token, token): index for token, index in shipped.encoder.items()}
    merges = [" ".join(pair) for pair in sorted(shipped.bpe_ranks, key=shipped.bpe_ranks.get)]
    with TemporaryDirectory() as scratch:
        files = Path(scratch) / "vocab.json", Path(scratch) / "merges.txt"
        files[0].write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
        files[1].write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
        return CLIPTokenizer(*map(str, files), model_max_length=TOKENS)
