"""CLIP score: do samples show what they were asked for (Hessel et al. 2021)?

100 max(cos(image, text), 0) of a sample and its prompt in CLIP's space, the mean over samples.
Range [0, 100], higher is better, in practice 15 to 40. A mean over samples: unbiased, one image is
enough. Needs observer ``open_clip`` and a task with prompts.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.errors import InputError
from credit_plugin.properties.registry import ImageSet, Statistics, register_property


@register_property("clip_score")
class ClipScore:
    """Agreement of samples with their prompts; higher is better."""

    direction = 1
    unit = "100 x cosine"
    observer = "open_clip"
    needs = "texts"
    per_image = True

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Return the prompts' embeddings."""
        if reference.texts is None:
            raise InputError("properties.names: clip_score needs diffusion.condition prompt")
        return {"texts": reference.texts}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the mean over samples."""
        assert samples.condition is not None  # the study has prompts
        texts = statistics["texts"][samples.condition].astype(np.float64)
        cosine = (samples.features * texts).sum(1)
        return float(100 * np.maximum(cosine, 0).mean())
