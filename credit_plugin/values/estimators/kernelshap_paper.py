"""Estimator ``kernelshap_paper``: the constrained least squares of the paper, to the letter.

What: with X the memberships of the M evaluated coalitions other than the empty and the full one,
y their utilities, v0 = v(empty) and v1 = v(full),

    A = X'X / M,  b = X'(y - v0) / M,
    phi = A+ (b - 1 (1'A+ b - v1 + v0) / (1'A+ 1)),

where A+ is the pseudo-inverse. Every evaluation is a row, so a coalition that was evaluated r
times has weight r. Efficiency holds by the constraint, and v0 and v1 are taken as exact.

The formula has no weights because it assumes that the coalitions were drawn from the Shapley kernel
(design ``shapley_iid``). On another design it estimates something else; the diagnostic
``kernel_mismatch`` says how far the sizes in the table are from the kernel's (total variation
distance, 0 to 1).

Source: "An Efficient Framework for Crediting Data Contributors of Diffusion Models" (Lu et al.,
ICLR 2025), after Covert and Lee (AISTATS 2021). Departures: none. It is here for comparison;
``regression_adjusted`` needs a fraction of the evaluations for the same error.
"""

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.designs.shapley_iid import kernel_of_sizes
from credit_plugin.values.observations import Observations
from credit_plugin.values.readout import Readout, distribute_gap
from credit_plugin.values.registry import register_estimator
from credit_plugin.values.units import pair_units

# eigenvalues below this share of the largest one are rounding, not information
_RELATIVE_ZERO = 1e-11


@register_estimator("kernelshap_paper")
def kernelshap_paper(observed: Observations) -> Readout:
    """Prepare the paper's least squares.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    rows = observed.interior
    if not len(rows):
        raise InputError(
            "table: only the empty and the full coalition are evaluated; evaluate others as well"
        )
    units = pair_units(observed)
    members = observed.coalitions[rows].astype(np.float64)

    def solve(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        counts = (units.row_weights(weights) * observed.weights)[rows]
        gaps = utilities[observed.full] - utilities[observed.empty]
        values = _constrained(members, utilities[rows] - utilities[observed.empty], counts, gaps)
        return distribute_gap(values, gaps)  # the constraint's rounding error, nothing more

    return Readout(
        solve=solve,
        strata=units.strata,
        diagnostics={"efficiency_gap_before": 0.0, "kernel_mismatch": _mismatch(observed)},
    )


def _constrained(
    members: np.ndarray, gains: np.ndarray, counts: np.ndarray, gaps: np.ndarray
) -> np.ndarray:
    """Return phi [n, k] for gains over v0 [r, k] and the number of times each row counts [r]."""
    weighted = members.T * (counts / counts.sum())
    inverse = np.linalg.pinv(weighted @ members, rcond=_RELATIVE_ZERO, hermitian=True)
    free = inverse @ (weighted @ gains)
    ones = inverse.sum(axis=1)
    return np.asarray(free - np.outer(ones, (free.sum(axis=0) - gaps) / ones.sum()))


def _mismatch(observed: Observations) -> float:
    sizes = observed.sizes[observed.interior]
    counts = np.bincount(sizes, observed.weights[observed.interior], minlength=observed.n_players)
    found = counts[1 : observed.n_players] / counts.sum()
    return float(np.abs(found - kernel_of_sizes(observed.n_players)).sum() / 2)
