"""Does a proxy rank the members of a group as their values do?

What: Spearman's rank correlation of the scores with the values, within each group, since a score
only decides who gets how much of the same group's value. The groups' correlations are averaged
with the weights n_g - 1, the inverse of their variance if scores say nothing. Scores or values that
are all equal rank nobody: their correlation counts as 0.

How to read it: with one of .9 and two levels, a payout misallocates about half of what it does by
size (.12 against .23 to .28, with 20 to 50 groups). Values of nested games are themselves
estimates, whose noise makes the correlation smaller than that with the true values.

Source: Spearman (1904).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Agreement:
    """How alike scores and values rank the members of groups.

    Attributes:
        correlation: Mean of Spearman's correlations within groups; None if nothing was compared.
        contributors: How many were compared.
        groups: In how many groups.
        against: What the scores were compared with, for instance ``values of nested games``.
    """

    correlation: float | None
    contributors: int
    groups: int
    against: str

    @property
    def statement(self) -> str:
        """What was found, in plain words for a reviewer."""
        if self.correlation is None:
            return f"there are no {self.against} to compare with"
        in_groups = "one group" if self.groups == 1 else f"{self.groups} groups"
        return (
            f"rank correlation with {self.against}: {self.correlation:.2f} "
            f"(n = {self.contributors} contributors in {in_groups})"
        )

    def to_json_dict(self) -> dict[str, Any]:
        """Return everything as types that JSON holds exactly, the statement too."""
        return {**asdict(self), "statement": self.statement}


def agreement(compared: Iterable[tuple[np.ndarray, np.ndarray]], against: str) -> Agreement:
    """Compare scores with values.

    Args:
        compared: Scores [k] and values [k] of each group; groups of one are left out.
        against: What the values are, in words.
    """
    found = [
        (len(scores), spearman(scores, values)) for scores, values in compared if len(scores) > 1
    ]
    if not found:
        return Agreement(None, 0, 0, against)
    counts, correlations = np.array(found).T
    mean = float((counts - 1) @ correlations / (counts - 1).sum())
    return Agreement(mean, int(counts.sum()), len(found), against)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Return the rank correlation of two rankings [k], 0 if one of them ranks nobody."""
    from scipy.stats import rankdata  # half a second to import

    if any(np.ptp(values) <= _ROUNDING * np.abs(values).max() for values in (one, other)):
        return 0.0
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])
