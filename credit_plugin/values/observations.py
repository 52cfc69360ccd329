"""What estimators see of a table: distinct coalitions, mean utilities, and how noisy these are.

Repeats of a coalition are averaged first, and how many there were is kept. The seed noise is the
variance of one evaluation about its coalition's mean, pooled over all coalitions that were
evaluated more than once:

    sigma^2 = sum over coalitions of (r - 1) s^2  /  sum of (r - 1),

with r repeats and sample variance s^2; a mean of r repeats then has variance sigma^2 / r. When the
repeats of the empty coalition agree to the last bit although others do not, v(empty) is a stated
number and not a measurement: it has no noise and says nothing about that of the others.
"""

from dataclasses import dataclass

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import distinct_rows
from credit_plugin.game.table import UtilityTable


@dataclass(frozen=True, eq=False)
class Observations:
    """Distinct coalitions of one property.

    Attributes:
        coalitions: bool [d, n], distinct.
        utilities: float64 [d], means over repeats.
        repeats: int64 [d], evaluations behind each mean.
        empty: Row of the empty coalition.
        full: Row of the full coalition.
        noise_variance: float64 [d], variance of each mean that is due to seeds.
        noise_degrees: Degrees of freedom of the seed noise; 0 if the table holds no repeats.
        noise_sd: Standard deviation of one evaluation; 0 if it is unknown.
    """

    coalitions: np.ndarray
    utilities: np.ndarray
    repeats: np.ndarray
    empty: int
    full: int
    noise_variance: np.ndarray
    noise_degrees: int
    noise_sd: float

    @property
    def n_players(self) -> int:
        """Number of contributors n."""
        return int(self.coalitions.shape[1])

    @property
    def sizes(self) -> np.ndarray:
        """Members of each coalition, int64 [d]."""
        return np.asarray(self.coalitions.sum(axis=1))

    @property
    def interior(self) -> np.ndarray:
        """Rows of coalitions that are neither empty nor full, int64 [d - 2]."""
        return np.flatnonzero((self.sizes > 0) & (self.sizes < self.n_players))

    def gap(self, utilities: np.ndarray) -> float:
        """Return v(full) - v(empty), which all values together must be."""
        return float(utilities[self.full] - utilities[self.empty])


def observe(table: UtilityTable) -> Observations:
    """Average the repeats of a table with one property.

    Raises:
        InputError: If the empty or the full coalition is missing.
    """
    first, group = distinct_rows(table.coalitions)
    coalitions = table.coalitions[first]
    repeats = np.bincount(group)
    # from the first repeat, so that repeats which agree have exactly their common value as mean
    offsets = table.utilities - table.utilities[first][group]
    means = table.utilities[first] + np.bincount(group, offsets) / repeats
    squares = np.bincount(group, (table.utilities - means[group]) ** 2)
    sizes = coalitions.sum(axis=1)
    empty = _the_row(sizes == 0, "empty")
    full = _the_row(sizes == table.n_contributors, "full")

    degrees = repeats - 1
    noise = np.ones(len(first), dtype=bool)
    noise[empty] = not (degrees[empty] > 0 and squares[empty] == 0 < squares.sum())
    total = int(degrees[noise].sum())
    variance = float(squares[noise].sum() / total) if total else 0.0
    return Observations(
        coalitions=coalitions,
        utilities=means,
        repeats=repeats,
        empty=empty,
        full=full,
        noise_variance=np.where(noise, variance / repeats, 0.0),
        noise_degrees=total,
        noise_sd=variance**0.5,
    )


def _the_row(matches: np.ndarray, name: str) -> int:
    rows = np.flatnonzero(matches)
    if not len(rows):
        raise InputError(
            f"table: the {name} coalition is missing; evaluate it, every value rests on it"
        )
    return int(rows[0])
