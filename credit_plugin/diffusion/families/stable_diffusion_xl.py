"""SDXL: two text encoders, a pooled text, and the size of the image as further inputs.

The UNet is told that images are as large as they are trained, and not cropped (Podell et al.
2023: ``time_ids`` are original size, crop and target size).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from credit_plugin.diffusion.families import Family, Inputs, register_family


@register_family("stable_diffusion_xl")
class StableDiffusionXL(Family):
    """Texts are hidden states of two encoders, and the pooled state of the second."""

    pipelines = ("StableDiffusionXLPipeline",)

    def encode(
        self,
        pipeline: Any,
        prompts: Sequence[str],
        image_size: int,
        config: Mapping[str, Any],
        device: str,
    ) -> dict[str, Tensor]:
        """Return hidden states [k, tokens, width], pooled states [k, d] and ``time_ids`` [k, 6]."""
        states, _, pooled, _ = pipeline.encode_prompt(
            list(prompts), device=device, do_classifier_free_guidance=False
        )
        ids = torch.tensor([image_size, image_size, 0, 0, image_size, image_size])
        return {
            "encoder_hidden_states": states.cpu(),
            "text_embeds": pooled.cpu(),
            "time_ids": ids.float().expand(len(prompts), -1).contiguous(),
        }

    def predict(
        self, network: Callable[..., Any], noisy: Tensor, time: Tensor, given: Inputs
    ) -> Tensor:
        """Call the UNet."""
        prediction: Tensor = network(
            noisy,
            time,
            encoder_hidden_states=given["encoder_hidden_states"],
            added_cond_kwargs={key: given[key] for key in ("text_embeds", "time_ids")},
            return_dict=False,
        )[0]
        return prediction
