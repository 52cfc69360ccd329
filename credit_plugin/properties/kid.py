"""KID: the kernel distance between Inception features (Binkowski et al. 2018).

Property ``kernel_distance`` through observer ``inception``, whatever the study's own is. Range
about [0, inf) with single values below 0, lower is better, unbiased at any N >= 2. Use 100 samples
or more.
"""

from credit_plugin.properties.kernel_distance import KernelDistance
from credit_plugin.properties.registry import register_property


@register_property("kid")
class Kid(KernelDistance):
    """Kernel distance of Inception features; lower is better."""

    observer = "inception"
    unit = "KID"
