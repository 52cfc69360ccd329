"""Colourfulness of Hasler and Suesstrunk (2003).

With rg = R - G and yb = (R + G) / 2 - B on the pixels of an image, on the scale 0 to 255,
M = sqrt(var(rg) + var(yb)) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2). The property is the mean of M over
the samples: 0 for grey images, around 15 for slightly and above 100 for extremely colourful ones.
It needs no network and no reference; one image is enough, and its bias does not depend on N.

Source: "Measuring colourfulness in natural images", Human Vision and Electronic Imaging VIII.
"""

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.properties.registry import ImageSet, Statistics, register_property


@register_property("colourfulness")
class Colourfulness:
    """Mean colourfulness of the samples, in [0, about 190]; higher is more colourful."""

    direction = 1
    unit = "M of Hasler and Suesstrunk"
    per_image = True  # a mean over images: a single one has the property as well

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Nothing needs to be known of real images."""
        return {}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return the mean of M over the images; grey images with one channel give 0."""
        pixels = samples.images.astype(np.float64)
        if pixels.shape[-1] == 1:
            return 0.0
        red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
        rg, yb = red - green, (red + green) / 2 - blue
        axes = (1, 2)
        spread = np.sqrt(rg.var(axes) + yb.var(axes))
        offset = np.hypot(rg.mean(axes), yb.mean(axes))
        return float(np.mean(spread + 0.3 * offset))
