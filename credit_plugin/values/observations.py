"""What estimators see of a table: distinct coalitions, mean utilities, and how noisy these are.

Repeats of a coalition are averaged first, each with its row's weight, and how much weight there
was is kept. The seed noise is the variance of one evaluation of weight 1, pooled over all
coalitions that were evaluated more than once:

    sigma^2 = sum over rows of w (u - mean of its coalition)^2  /  sum over coalitions of (r - 1),

with r rows of the coalition; its mean then has variance sigma^2 / (sum of its weights). When the
repeats of the empty coalition agree to the last bit although others do not, or nothing else was
repeated, v(empty) is a stated number and not a measurement: it has no noise and says nothing about
that of the others.
"""

from dataclasses import dataclass
from math import comb

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import complements, distinct_rows
from credit_plugin.game.table import UtilityTable


@dataclass(frozen=True, eq=False)
class Observations:
    """Distinct coalitions of one property.

    Attributes:
        coalitions: bool [d, n], distinct.
        utilities: float64 [d], means over repeats.
        weights: float64 [d], evaluations behind each mean: the sum of its rows' weights.
        empty: Row of the empty coalition.
        full: Row of the full coalition.
        noise_variance: float64 [d], variance of each mean that is due to seeds.
        noise_degrees: Degrees of freedom of the seed noise; 0 if the table holds no repeats.
        noise_sd: Standard deviation of one evaluation; 0 if it is unknown.
    """

    coalitions: np.ndarray
    utilities: np.ndarray
    weights: np.ndarray
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

    @property
    def trust(self) -> np.ndarray:
        """How much each coalition counts in a fit or a mean, float64 [d], at most 1.

        Repeating an evaluation does not make its coalition count more often, which would bias
        means over coalitions; but one whose rows weigh less than an evaluation counts less.
        """
        return np.minimum(self.weights, 1.0)

    @property
    def enumerated(self) -> np.ndarray:
        """Whether all coalitions of each coalition's size were evaluated, bool [d]."""
        n, sizes = self.n_players, self.sizes
        counts = np.bincount(sizes, minlength=n + 1)
        return np.array([counts[size] == comb(n, size) for size in range(n + 1)])[sizes]

    def need_interior(self) -> None:
        """Refuse a table that holds the empty and the full coalition alone.

        Raises:
            InputError: If it does.
        """
        if not len(self.interior):
            raise InputError(
                "table: only the empty and the full coalition are evaluated; evaluate others too"
            )

    def single_rows(self, estimator: str, absent: bool) -> np.ndarray:
        """Return for each player the row without it alone, or of it alone, int64 [n].

        Args:
            estimator: Who needs them, for the error.
            absent: Whether the player is the one that is missing.

        Raises:
            InputError: If one of them was not evaluated.
        """
        rows = np.flatnonzero(self.sizes == (self.n_players - 1 if absent else 1))
        players = (self.coalitions[rows] != absent).argmax(axis=1)
        missing = np.setdiff1d(np.arange(self.n_players), players)
        if len(missing):
            which = "without" if absent else "of"
            raise InputError(
                f"values.estimator: {estimator} needs the coalition {which} each single "
                f"contributor; {len(missing)} of {self.n_players} are missing, for instance "
                f"{which} contributor {missing[0] + 1}; use regression_adjusted"
            )
        return rows[np.argsort(players)]

    def partner_rows(self, estimator: str) -> np.ndarray:
        """Return for each coalition the row of its complement, int64 [d], or -1 if it is missing.

        Args:
            estimator: Who needs them, for the error.

        Raises:
            InputError: If the empty and the full coalition are the only pair.
        """
        rows = complements(self.coalitions)
        if (rows[self.interior] < 0).all():
            raise InputError(
                f"values.estimator: {estimator} needs coalitions together with their complements, "
                "as design paired_border has them, and the table has none; use regression_adjusted"
            )
        return rows

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
    row_weights = np.asarray(table.weights)
    weights = np.bincount(group, row_weights)
    # from the first repeat, so that repeats which agree have exactly their common value as mean
    offsets = table.utilities - table.utilities[first][group]
    means = table.utilities[first] + np.bincount(group, row_weights * offsets) / weights
    squares = np.bincount(group, row_weights * (table.utilities - means[group]) ** 2)
    sizes = coalitions.sum(axis=1)
    empty = _the_row(sizes == 0, "empty")
    full = _the_row(sizes == table.n_contributors, "full")

    degrees = np.bincount(group) - 1
    noise = np.ones(len(first), dtype=bool)
    others_agree = degrees.sum() > degrees[empty] and squares.sum() == 0
    noise[empty] = squares[empty] > 0 or others_agree or degrees[empty] == 0
    total = int(degrees[noise].sum())
    variance = float(squares[noise].sum() / total) if total else 0.0
    return Observations(
        coalitions=coalitions,
        utilities=means,
        weights=weights,
        empty=empty,
        full=full,
        noise_variance=np.where(noise, variance / weights, 0.0),
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
