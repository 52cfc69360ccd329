"""What an estimator is: it looks at the observations once and returns a way to read values off.

The split in two is for the bootstrap. Whatever depends on the design alone or is chosen once from
the data (which rows are pairs, a ridge penalty, chains of coalitions) is prepared once; ``solve``
then runs hundreds of times with other utilities and other weights.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

SHAPLEY = "Shapley value"
"""The quantity of estimators whose values sum to v(full) - v(empty)."""


@dataclass(frozen=True, eq=False)
class Readout:
    """A prepared estimator.

    Attributes:
        solve: (utilities float64 [d, k], weights float64 [u]) -> values float64 [n, k]. Each of
            the k columns is a version of the d mean utilities; the weights count how often each
            of the u units was drawn, all 1 for the estimate itself. For fixed weights the values
            are affine in the utilities; those of a Shapley value sum to each column's
            v(full) - v(empty).
        strata: int64 [u], the stratum of each unit that the bootstrap redraws; units are only
            exchanged within their stratum. Empty if nothing was left to chance.
        diagnostics: Facts about the estimate, for :class:`ContributorValues`.
        quantity: What is estimated, for instance ``Shapley value`` or ``Banzhaf value``.
        influence: (utilities float64 [d]) -> float64 [u, n], by how much the values change when a
            unit's weight grows by 1, to first order; where it is given, redrawing units costs one
            matrix product instead of hundreds of solutions.
        single_draw: Whether a single unit was left to chance: ``strata`` is empty, and yet other
            coalitions could have given other values.
    """

    solve: Callable[[np.ndarray, np.ndarray], np.ndarray]
    strata: np.ndarray
    diagnostics: dict[str, Any] = field(default_factory=dict)
    quantity: str = SHAPLEY
    influence: Callable[[np.ndarray], np.ndarray] | None = None
    single_draw: bool = False

    def explained(self, chosen: str, why: str) -> "Readout":
        """Return the same with the facts ``chosen`` and ``why``."""
        return replace(self, diagnostics={**self.diagnostics, "chosen": chosen, "why": why})


Estimator = Callable[..., Readout]
"""(observations, **options) -> readout; options are keyword-only."""


def distribute_gap(values: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Share evenly what is missing from the total.

    Args:
        values: float64 [n, k].
        gaps: float64 [k], v(full) - v(empty) of each column.

    Returns:
        float64 [n, k], columns sum to ``gaps``.
    """
    return np.asarray(values + (gaps - values.sum(axis=0)) / len(values))
