"""Interactions: which contributors substitute or complement each other.

What: the Shapley interaction index of every pair, by how much two contributors add more together
than apart, averaged over the others as the Shapley value does,

    I_ij = sum over S without i, j of |S|! (n - |S| - 2)! / (n - 1)!
           [v(S + i + j) - v(S + i) - v(S + j) + v(S)],

in the unit of the property. Below 0 the two substitute each other: duplicates are the extreme, the
second adds nothing where the first is. Above 0 they complement each other. In an additive game all
are 0. The index is linear in the game, so I(v) = I(proxy) + I(v - proxy):

1. Fit the proxy of :mod:`pair_proxy`; the coefficients of its products are its interactions.
2. For the residual e, every size, and each of the four kinds of coalitions (with both, with i
   alone, with j alone, with neither), add the mean over the kind's evaluated coalitions with the
   sign +1, -1, -1, +1, over n - 1. A kind's mean is shrunk to that of its size, as if three more
   coalitions with that mean had been seen, fewer as the kind gets known: 3 (1 - seen / all). A
   size of which nothing was seen lies on the line between its neighbours.

Whatever the proxy, step 2 makes the index exact when all coalitions are evaluated. It must be
shrunk because with s members a kind has only a few of the coalitions that its size has. Measured on
the games of ``tests/benchmarks/games.py`` (8 to 12 contributors, 28 to 256 evaluations): without
shrinking the squared error is 3 to 14 % larger, with 1 or 10 coalitions instead of 3 up to 3 %,
and without step 2 it is 5 to 18 times as large, because products are wrong about the smallest
coalitions. That the rows of the index sum to v(N) - v(N - i) - v(i) + v(empty) could be enforced
where these were evaluated; it changes little.

Errors: the choice of coalitions and the seeds as for values (:mod:`uncertainty`), and what
shrinkage leaves open: deviations of pairs are drawn with the spread that the table shows, and what
the read-out gets wrong about them is a third variance, 0 when all coalitions are known. With it
intervals cover .77 to 1.00 at nominal .95 on the same games, .96 on average; without it .46 to .99,
since an index that is shrunk varies little. The low end is where the noise is small and few
coalitions beyond the border are known. Intervals hold for each pair alone: of a hundred pairs
without interaction about five seem to have one.

Cost: 12 contributors and 128 coalitions take two seconds, 258 and 1,000 some minutes; a resample
takes as many operations as sizes times pairs, and a solution for as many unknowns as coalitions.

Source: Grabisch and Roubens, "An axiomatic approach to the concept of interaction among players in
cooperative games" (Int. J. Game Theory, 1999); the means by size and kind are those of SVARM-IQ
(Kolpaczki et al., AISTATS 2024). Proxy, shrunk means and third variance are this project's own.
"""

from dataclasses import dataclass, field, replace
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.table import UtilityTable
from credit_plugin.seeding import numpy_generator
from credit_plugin.values.observations import Observations, observe
from credit_plugin.values.pair_proxy import PairProxy
from credit_plugin.values.readout import Readout
from credit_plugin.values.uncertainty import check_settings, margins, resample
from credit_plugin.values.units import pair_units

if TYPE_CHECKING:
    import pandas as pd

QUANTITY = "Shapley interaction index"

# Coalitions with the mean of their size that a kind's mean is shrunk by
PSEUDO_COALITIONS = 3.0

# (members of the pair, sign) of the kinds neither, second alone, first alone, both
_KINDS = ((0, 1.0), (1, -1.0), (1, -1.0), (2, 1.0))

_ZERO = 1e-10  # below this, a weight is rounding


@dataclass(frozen=True, eq=False)
class Interactions:
    """How much pairs of contributors add together beyond what they add apart.

    Attributes:
        contributors: Names.
        index: float64 [n, n], symmetric, 0 on the diagonal, in the unit of the property.
        standard_errors: float64 [n, n].
        ci_low: float64 [n, n], lower ends of the intervals.
        ci_high: float64 [n, n], upper ends.
        property: Name of the property.
        confidence: Level of the intervals, for each pair alone.
        diagnostics: Facts to judge the estimate by, see :func:`interactions`.
    """

    contributors: tuple[str, ...]
    index: np.ndarray
    standard_errors: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    property: str
    confidence: float
    diagnostics: dict[str, Any] = field(default_factory=dict)

    def strongest(self, k: int | None = None) -> np.ndarray:
        """Return the pairs of the largest index, either way, int64 [k, 2]; all by default."""
        first, second = np.triu_indices(len(self.contributors), 1)
        order = np.argsort(-np.abs(self.index[first, second]), kind="stable")[:k]
        return np.column_stack([first[order], second[order]])

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each pair, the strongest first.

        Columns: first, second, interaction, standard_error, ci_low, ci_high.
        """
        import pandas as pd  # slow to import, and only needed here

        first, second = self.strongest().T
        names = np.array(self.contributors, dtype=object)
        return pd.DataFrame(
            {
                "first": names[first],
                "second": names[second],
                "interaction": self.index[first, second],
                "standard_error": self.standard_errors[first, second],
                "ci_low": self.ci_low[first, second],
                "ci_high": self.ci_high[first, second],
            }
        )


def interactions(
    table: UtilityTable,
    seed: int = 0,
    *,
    property: str | None = None,
    confidence: float = 0.95,
    resamples: int = 200,
) -> Interactions:
    """Estimate who substitutes and who complements whom.

    Args:
        table: Utilities of coalitions, the empty and the full one among them.
        seed: Determines the resamples behind the intervals; the index does not depend on it.
        property: Which property; may be left out if the table holds one.
        confidence: Level of the intervals, between 0 and 1.
        resamples: Resamples behind standard errors and intervals, at least 2.

    Returns:
        The interactions. The diagnostics hold ``evaluations``, ``coalitions`` (distinct ones),
        ``pairs``, ``seed_noise`` and ``seed_noise_degrees`` (as for values), ``proxy_penalty`` and
        ``pair_penalty``, ``pair_degrees`` (how many independent numbers about pairs the proxy
        took from the table), ``shrinkage`` (what that means, in words) and ``intervals`` (what
        they include, in words).

    Raises:
        InputError: If the table is too small or an argument is out of range.
    """
    check_settings(confidence, resamples)
    name = _the_property(table) if property is None else property
    table = table.select(name)
    observed = observe(table)
    _check_size(observed)
    reader = PairReader(observed)
    units = reader.units
    readout = Readout(reader.solve, units.strata, quantity=QUANTITY, single_draw=units.single_draw)
    found = reader.solve(observed.utilities[:, None], np.ones(len(readout.strata)))[:, 0]
    resampled = resample(observed, readout, resamples, seed)
    left_open = reader.left_open(resamples, numpy_generator(seed, "", "shrunk pairs"))
    errors = np.hypot(resampled.standard_errors, left_open)
    half = margins(replace(resampled, standard_errors=errors), confidence)
    return Interactions(
        contributors=table.contributors,
        index=reader.to_matrix(found),
        standard_errors=reader.to_matrix(errors),
        ci_low=reader.to_matrix(found - half),
        ci_high=reader.to_matrix(found + half),
        property=name,
        confidence=confidence,
        diagnostics={
            "evaluations": len(table),
            "coalitions": len(observed.utilities),
            "seed_noise": observed.noise_sd,
            "seed_noise_degrees": observed.noise_degrees,
            "intervals": resampled.sources,
            **reader.proxy.facts(),
        },
    )


def _the_property(table: UtilityTable) -> str:
    names = table.property_names
    if len(names) > 1:
        raise InputError(f"property: the table holds {', '.join(names)}; name one of them")
    return names[0]


def _check_size(observed: Observations) -> None:
    """Refuse a table with nothing beyond the border of sizes 0, 1, n - 1 and n."""
    n, found = observed.n_players, len(observed.utilities)
    needed = min(2**n, 2 * n + 4)
    if found < needed:
        raise InputError(
            f"table: {found} distinct coalitions are too few for interactions of {n} "
            f"contributors; evaluate at least {needed}"
        )


class PairReader:
    """The read-out for one design. Pairs i < j are in the order of ``np.triu_indices``."""

    def __init__(self, observed: Observations) -> None:
        self.observed, self.units = observed, pair_units(observed)
        self.proxy = PairProxy(observed)
        self.first, self.second = np.triu_indices(observed.n_players, 1)
        self.rows_of_size = {
            int(size): np.flatnonzero(observed.sizes == size) for size in np.unique(observed.sizes)
        }

    def solve(self, utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return interactions [pairs, k] for utilities [d, k] and unit weights [u]."""
        row_weights = self.units.row_weights(weights) * self.observed.trust
        common, fitted_duals, residuals = self.proxy.fit(utilities, row_weights)
        duals = np.zeros_like(residuals)
        duals[self.proxy.rows] = fitted_duals
        level, residuals = self._without_size_means(residuals, row_weights)
        found = np.tile(common + level, (len(self.first), 1))
        for size in self._inner_sizes():
            rows = self.rows_of_size[size]
            with_first, with_second = self._members(rows)
            contrast = self._contrast(size, row_weights, with_first, with_second)
            found += _products(with_first, with_second).T @ duals[rows]
            found += contrast.T @ residuals[rows]
        return found

    def left_open(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Return the standard deviation of what shrinkage gets wrong about each pair, [pairs].

        From ``count`` games in which pairs differ as much as the table shows.
        """
        pairs = self.proxy.spread() * generator.standard_normal((len(self.first), count))
        utilities = np.empty((len(self.observed.utilities), count))
        for rows in self.rows_of_size.values():
            utilities[rows] = _products(*self._members(rows)) @ pairs
        errors = self.solve(utilities, np.ones(len(self.units.strata))) - pairs
        return np.asarray(np.sqrt((errors**2).mean(axis=1)))

    def to_matrix(self, pairs: np.ndarray) -> np.ndarray:
        """Return numbers of pairs [pairs] as a symmetric matrix [n, n]."""
        n = self.observed.n_players
        matrix = np.zeros((n, n))
        matrix[self.first, self.second] = matrix[self.second, self.first] = pairs
        return matrix

    def _inner_sizes(self) -> list[int]:
        return [size for size in self.rows_of_size if 0 < size < self.observed.n_players]

    def _members(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whether the first and the second of each pair are in, bool [rows, pairs]."""
        members = self.observed.coalitions[rows]
        return members[:, self.first], members[:, self.second]

    def _without_size_means(
        self, residuals: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Take from residuals [d, k] the mean of their size.

        Returns:
            level: float64 [k], what the means of sizes contribute to every pair; those of inner
                sizes cancel but for 1 and n - 1.
            residuals: float64 [d, k], the rest.
        """
        n, rest = self.observed.n_players, residuals.copy()
        seen, means = [], []
        for size, rows in self.rows_of_size.items():
            total = weights[rows].sum()
            if total > 0:
                seen.append(size)
                means.append(weights[rows] @ residuals[rows] / total)
                rest[rows] -= means[-1]
        ends = np.array([np.interp((0, 1, n - 1, n), seen, unit) for unit in np.eye(len(seen))])
        level = (ends @ (1.0, -1.0, -1.0, 1.0)) @ np.array(means) / (n - 1)
        return level, rest

    def _contrast(
        self, size: int, weights: np.ndarray, with_first: np.ndarray, with_second: np.ndarray
    ) -> np.ndarray:
        """Return what each row of an inner size contributes to each pair, [rows, pairs]."""
        rows, n = self.rows_of_size[size], self.observed.n_players
        members, chosen = self.observed.coalitions[rows], weights[rows]
        counts, seen = self._count(members, chosen), self._count(members, np.ones(len(rows)))
        for kind, (inside, sign) in enumerate(_KINDS):
            possible = comb(n - 2, size - inside) if size >= inside else 0
            counts[kind] += PSEUDO_COALITIONS * (1 - seen[kind] / max(possible, 1))
            # a kind that is fully known may have no weight: then its rows have none either
            counts[kind] = sign / (n - 1) / np.maximum(counts[kind], _ZERO)
        neither, second, first, both = counts
        factors = np.where(
            with_first, np.where(with_second, both, first), np.where(with_second, second, neither)
        )
        return np.asarray(chosen[:, None] * factors)

    def _count(self, members: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the weight of the coalitions of each kind, [4, pairs], for members [r, n]."""
        weighted = members * weights[:, None]
        single, both = weighted.sum(axis=0), (weighted.T @ members)[self.first, self.second]
        first, second = single[self.first] - both, single[self.second] - both
        return np.stack([weights.sum() - first - second - both, second, first, both])


def _products(with_first: np.ndarray, with_second: np.ndarray) -> np.ndarray:
    """Return the products of memberships coded -1/2 and 1/2."""
    return np.where(with_first == with_second, 0.25, -0.25)
