"""FLUX.1: a transformer over two-by-two patches of latents, trained by flow matching.

The guidance that a distilled network is told is 3.5, as its pipeline does; ``sampling.guidance``
stays at 1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from credit_plugin.diffusion.families import Family, Inputs, register_family

DISTILLED_GUIDANCE = 3.5
TIME_SCALE = 1000.0


@register_family("flux")
class Flux(Family):
    """Texts are the states of T5 and the pooled state of CLIP."""

    pipelines = ("FluxPipeline",)
    component = "transformer"
    patch = 2
    packed = 4

    def encode(
        self,
        pipeline: Any,
        prompts: Sequence[str],
        image_size: int,
        config: Mapping[str, Any],
        device: str,
    ) -> dict[str, Tensor]:
        """Return hidden states [k, tokens, width], pooled states [k, d] and, if told, guidance."""
        texts = list(prompts)
        states, pooled, _ = pipeline.encode_prompt(texts, texts, device=device)
        given = {"encoder_hidden_states": states.cpu(), "pooled_projections": pooled.cpu()}
        if config["guidance_embeds"]:
            given["guidance"] = torch.full((len(texts),), DISTILLED_GUIDANCE)
        return given

    def predict(
        self, network: Callable[..., Any], noisy: Tensor, time: Tensor, given: Inputs
    ) -> Tensor:
        """Call the transformer on patches of latents, one token each."""
        height, width = (side // self.patch for side in noisy.shape[-2:])
        tokens = functional.pixel_unshuffle(noisy, self.patch).flatten(2).transpose(1, 2)
        texts = given["encoder_hidden_states"].shape[1]
        prediction: Tensor = network(
            hidden_states=tokens,
            timestep=time.expand(len(noisy)) / TIME_SCALE,
            txt_ids=torch.zeros(texts, 3, device=noisy.device),
            img_ids=_places(height, width, noisy.device),
            return_dict=False,
            **given,
        )[0]
        patches = prediction.transpose(1, 2).unflatten(2, (height, width))
        return functional.pixel_shuffle(patches, self.patch)


def _places(height: int, width: int, device: torch.device) -> Tensor:
    """Return (0, row, column) of each token, [height * width, 3]."""
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([torch.zeros_like(row), row, column], -1).flatten(0, 1)
    return places.float().to(device)
