"""FID: the Frechet distance between Inception features (Heusel et al. 2017), as clean-fid has it.

The formula is that of property ``frechet_distance``, the network always observer ``inception``, the
resizing clean-fid's (Parmar, Zhang and Zhu 2022). Range [0, inf), lower is better; comparable with
published numbers only at their number of samples and reference images. Biased upwards by about a
constant over N, so compare at equal N. Fewer samples than the 2,048 features leave the covariance
singular: the distance is defined, but noisy; the customary number is 10,000 to 50,000, and at least
2,049 should be drawn. Reference: at most ``properties.reference_images`` real images.
"""

from credit_plugin.properties.frechet_distance import FrechetDistance
from credit_plugin.properties.registry import register_property


@register_property("fid")
class Fid(FrechetDistance):
    """Frechet distance of Inception features; lower is better."""

    observer = "inception"
    unit = "FID"
