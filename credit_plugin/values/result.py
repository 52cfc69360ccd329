"""Contributor values with their uncertainty."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ContributorValues:
    """What each contributor added to a property.

    Attributes:
        contributors: n names.
        values: float64 [n]; they sum to v_full - v_empty. Positive made the property better.
        standard_errors: float64 [n].
        ci_low: float64 [n], lower end of the interval.
        ci_high: float64 [n], upper end of the interval.
        v_empty: Utility of the empty coalition (the baseline).
        v_full: Utility of the full coalition.
        estimator: Name of the estimator.
        property: What was measured.
        confidence: Level of the intervals, in (0, 1).
        diagnostics: What the estimate rests on: evaluations, coalitions, seed_noise, r_squared.
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
    confidence: float = 0.95
    diagnostics: dict[str, float | int | str] = field(default_factory=dict)

    def shares(self) -> np.ndarray:
        """Return the positive parts as shares [n] of 1; all zero if no value is positive."""
        positive = self.values.clip(min=0)
        total = positive.sum()
        return np.asarray(positive / total if total > 0 else np.zeros_like(positive))

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each contributor."""
        import pandas as pd

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
        """Return plain data that JSON can hold."""
        plain = asdict(self)
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in plain.items()}

    @classmethod
    def from_json_dict(cls, plain: dict[str, Any]) -> "ContributorValues":
        """Return what :meth:`to_json_dict` described."""
        arrays = ("values", "standard_errors", "ci_low", "ci_high")
        converted = {k: np.array(v, np.float64) if k in arrays else v for k, v in plain.items()}
        converted["contributors"] = tuple(plain["contributors"])
        return cls(**converted)
