"""Design ``shapley_iid``: independent draws from the Shapley kernel, as in the paper.

What: sizes s = 1..n-1 with p(s) ~ 1/(s(n-s)), then a uniform subset of that size, all draws
independent; a coalition may come twice. This is the one design with repeats, and asking for it is
asking for them: without, the draws would not follow the kernel that the least squares relies on.
In a study a coalition that is drawn twice is evaluated twice, with seeds of its own. For the
kernel without repeats there is ``paired_border``.

When: for the estimator ``kernelshap_paper``.

Source: "An Efficient Framework for Crediting Data Contributors of Diffusion Models" (Lu et al.,
ICLR 2025), the sampling that its least squares assumes. Departure: none in the draws; the empty
and the full coalition, which the paper evaluates apart, are the first two rows.
"""

import numpy as np

from credit_plugin.game.design import register_design
from credit_plugin.game.subsets import random_subsets
from credit_plugin.seeding import numpy_generator


def kernel_of_sizes(n_players: int) -> np.ndarray:
    """Return the probability of the sizes 1..n-1 under the Shapley kernel, float64 [n - 1]."""
    sizes = np.arange(1, n_players)
    weights = 1.0 / (sizes * (n_players - sizes))
    return weights / weights.sum()


@register_design("shapley_iid")
def shapley_iid(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return independent draws, bool [rows, n]."""
    uniform = numpy_generator(seed, "", "design sizes").random(rows)
    steps = np.cumsum(kernel_of_sizes(n_players))[:-1]
    sizes = 1 + np.searchsorted(steps, uniform, side="right")
    return random_subsets(numpy_generator(seed, "", "design subsets"), n_players, sizes)
