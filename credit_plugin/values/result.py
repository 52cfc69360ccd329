"""Contributor values, with their uncertainty and what is needed to judge them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.values.readout import SHAPLEY

if TYPE_CHECKING:
    import pandas as pd

_ARRAYS = ("values", "standard_errors", "ci_low", "ci_high")


@dataclass(frozen=True, eq=False)
class ContributorValues:
    """How much of v(full) - v(empty) came from whom.

    Attributes:
        contributors: Names.
        values: float64 [n], in the unit of the property; Shapley values sum to v_full - v_empty.
        standard_errors: float64 [n].
        ci_low: float64 [n], lower ends of the intervals.
        ci_high: float64 [n], upper ends.
        v_empty: Mean utility of the empty coalition.
        v_full: Mean utility of the full coalition.
        estimator: Name of the estimator.
        property: Name of the property.
        confidence: Level of the intervals.
        quantity: What the values are, for instance ``Shapley value``.
        diagnostics: Facts to judge the estimate by, see :func:`credit_plugin.values.estimate`.
        draws: float64 [r, n], the values under other choices of coalitions and other seeds, from
            which standard errors, ranks and shares get their uncertainty; empty [0, n] in values
            that were read from JSON, which does not hold them.
    """

    contributors: tuple[str, ...]
    values: np.ndarray
    standard_errors: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    v_empty: float
    v_full: float
    estimator: str
    property: str
    confidence: float
    quantity: str = SHAPLEY
    diagnostics: dict[str, Any] = field(default_factory=dict)
    draws: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    def shares(self) -> np.ndarray:
        """Return values clipped at 0 and renormalised, float64 [n]; zeros if none is positive."""
        positive = np.clip(self.values, 0, None)
        total = positive.sum()
        return np.asarray(positive / total) if total > 0 else np.zeros(len(positive))

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each contributor.

        Columns: contributor, value, standard_error, ci_low, ci_high, share.
        """
        import pandas as pd  # slow to import, and only needed here

        return pd.DataFrame(
            {
                "contributor": self.contributors,
                "value": self.values,
                "standard_error": self.standard_errors,
                "ci_low": self.ci_low,
                "ci_high": self.ci_high,
                "share": self.shares(),
            }
        )

    def to_json_dict(self) -> dict[str, Any]:
        """Return everything as types that JSON holds exactly."""
        return {
            "contributors": list(self.contributors),
            **{name: getattr(self, name).tolist() for name in _ARRAYS},
            "v_empty": self.v_empty,
            "v_full": self.v_full,
            "estimator": self.estimator,
            "property": self.property,
            "confidence": self.confidence,
            "quantity": self.quantity,
            "diagnostics": dict(self.diagnostics),
        }

    @classmethod
    def from_json_dict(cls, record: Mapping[str, Any]) -> "ContributorValues":
        """Rebuild values from :meth:`to_json_dict`."""
        arrays = {name: np.array(record[name], dtype=np.float64) for name in _ARRAYS}
        others = {name: record[name] for name in record if name not in _ARRAYS}
        names = tuple(record["contributors"])
        no_draws = np.empty((0, len(names)))
        return cls(**{**others, **arrays, "contributors": names, "draws": no_draws})
