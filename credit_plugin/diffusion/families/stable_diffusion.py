"""Stable Diffusion 1.x and 2.x: a UNet with cross-attention to one text encoder.

What the UNet is given of a prompt is the last hidden state of the encoder, float [tokens, width],
77 tokens of 768 (1.x) or 1,024 (2.x) numbers. It predicts what the scheduler of the pipeline's
folder says: noise, or velocity for some 2.x.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from credit_plugin.diffusion.families import Family, Inputs, register_family


@register_family("stable_diffusion")
class StableDiffusion(Family):
    """Texts are the hidden states of a CLIP text encoder."""

    pipelines = ("StableDiffusionPipeline",)

    def encode(
        self,
        pipeline: Any,
        prompts: Sequence[str],
        image_size: int,
        config: Mapping[str, Any],
        device: str,
    ) -> dict[str, Tensor]:
        """Return ``encoder_hidden_states`` [k, tokens, width]."""
        states, _ = pipeline.encode_prompt(list(prompts), device, 1, False)
        return {"encoder_hidden_states": states.cpu()}

    def predict(
        self, network: Callable[..., Any], noisy: Tensor, time: Tensor, given: Inputs
    ) -> Tensor:
        """Call the UNet."""
        prediction: Tensor = network(noisy, time, return_dict=False, **given)[0]
        return prediction
