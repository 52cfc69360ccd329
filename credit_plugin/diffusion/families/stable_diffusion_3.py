"""Stable Diffusion 3: a transformer over latents and texts, trained by flow matching.

What it is given of a prompt are the joined hidden states of its encoders, float [tokens, width],
and their pooled states, float [d]. It predicts the velocity from latents to noise
(:mod:`credit_plugin.diffusion.flow`). Latents are cut into patches of 2 x 2, so their sides are
even.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from credit_plugin.diffusion.families import Family, Inputs, register_family


@register_family("stable_diffusion_3")
class StableDiffusion3(Family):
    """Texts are the states of two CLIP encoders and of T5, where it is there."""

    pipelines = ("StableDiffusion3Pipeline",)
    component = "transformer"
    patch = 2

    def encode(
        self,
        pipeline: Any,
        prompts: Sequence[str],
        image_size: int,
        config: Mapping[str, Any],
        device: str,
    ) -> dict[str, Tensor]:
        """Return hidden states [k, tokens, width] and pooled states [k, d]."""
        texts = list(prompts)
        states, _, pooled, _ = pipeline.encode_prompt(
            texts, texts, texts, device=device, do_classifier_free_guidance=False
        )
        return {"encoder_hidden_states": states.cpu(), "pooled_projections": pooled.cpu()}

    def predict(
        self, network: Callable[..., Any], noisy: Tensor, time: Tensor, given: Inputs
    ) -> Tensor:
        """Call the transformer."""
        prediction: Tensor = network(
            hidden_states=noisy, timestep=time.expand(len(noisy)), return_dict=False, **given
        )[0]
        return prediction
