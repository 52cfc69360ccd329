"""Estimator ``kernelshap_paper``: the paper's constrained least squares, to the letter.

With X the sampled coalitions (the borders are not among them), y their utilities, M their number,
A = X'X / M and b = X'(y - v0) / M,

    phi = A+ (b - 1 (1'A+ b - v1 + v0) / (1'A+ 1)),

A+ being the pseudo-inverse: no ridge, so the error grows without bound as M falls towards n.
Lu, Lin, Kim and Lee (ICLR 2025), after Covert and Lee (2021).
"""

import numpy as np

from credit_plugin.values.registry import register_estimator
from credit_plugin.values.sample import Sample, spread_gap


@register_estimator("kernelshap_paper")
def kernelshap_paper(sample: Sample) -> np.ndarray:
    """Return values [n] that sum to v(N) - v(empty)."""
    inner = (sample.sizes > 0) & (sample.sizes < sample.n_players)
    rows = sample.coalitions[inner].astype(np.float64)
    weights = sample.weights[inner] / max(sample.weights[inner].sum(), 1e-300)
    gram = rows.T @ (weights[:, None] * rows)
    moments = rows.T @ (weights * (sample.utilities[inner] - sample.v_empty))
    inverse = np.linalg.pinv(gram, hermitian=True)
    ones = np.ones(sample.n_players)
    excess = ones @ inverse @ moments - sample.v_full + sample.v_empty
    norm = ones @ inverse @ ones
    if abs(norm) < 1e-12:  # no coalition at all: nothing tells the players apart
        return spread_gap(np.zeros(sample.n_players), sample)
    # the formula is efficient up to rounding; the last digits are spread
    return spread_gap(inverse @ (moments - ones * excess / norm), sample)
