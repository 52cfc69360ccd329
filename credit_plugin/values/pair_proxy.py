"""The proxy with pairs: the additive one of :mod:`proxy` and products of memberships.

What: in memberships z coded -1/2 and 1/2,

    v(S) ~ a + sum_i b_i z_i + sum_{i<j} (c + c_ij) z_i z_j,

fitted by ridge regression to the evaluated coalitions other than the empty and the full one. The
Shapley interaction index of a pair is c + c_ij. Slopes b are pulled to equal shares as there. The
common strength c has no penalty, so that deviations c_ij are pulled to what all pairs have in
common, never to 0. Either penalty is chosen as there, by the squared error of predicting left-out
complement pairs: that of deviations with the additive proxy's for slopes, which takes pairs for
noise and is then chosen again, and that of deviations once more. Slopes are odd and products even
when a coalition is swapped for its complement, so in a design of complement pairs neither disturbs
the other; in others the second round lowers the squared error by up to 6 %.

With more pairs than coalitions, the products are replaced by their principal components over the
evaluated coalitions, of which there are no more than coalitions: ridge regression on either has
the same solution, since what no coalition shows is left at 0. So the cost is that of the
coalitions cubed, whatever the number of contributors.

Measured beside it on the games of ``tests/benchmarks/games.py`` (8 to 12 contributors, 28 to 256
evaluations): the best score instead of the cautious choice raises the squared error of the
interactions by up to a tenth; the penalty of the greatest restricted likelihood, which shrinks
more, lowers it by 4 % at five evaluations a contributor and raises it by 17 % at twenty.

Source: this project's own, but for ridge regression and its scores, see :mod:`penalty`.
"""

import numpy as np

from credit_plugin.game.coalitions import complements
from credit_plugin.values.observations import Observations
from credit_plugin.values.penalty import PENALTIES, cautious_best
from credit_plugin.values.proxy import additive_proxy

_ZERO = 1e-10  # below this, an eigenvalue (relative) or a determinant is rounding

# In place of the penalty 0; ten times that of one proxy: with as many products as coalitions,
# rounding would reach the seventh digit otherwise
_JITTER = 1e-8


class PairProxy:
    """The proxy with products of memberships, for any utilities and weights.

    Columns of the system: level, sum of products, memberships, components of the products.
    """

    def __init__(self, observed: Observations) -> None:
        self.observed, self.rows = observed, observed.interior
        self.memberships = observed.coalitions - 0.5
        n, sums = observed.n_players, self.memberships.sum(axis=1)
        all_products = (sums**2 - n / 4) / 2
        features, squares = product_components(self.memberships[self.rows])
        self.lift = features / squares
        components = np.empty((len(sums), len(squares)))
        components[self.rows] = features
        # of the empty and the full coalition every product is 1/4
        components[[observed.empty, observed.full]] = all_products[self.rows] @ self.lift / 4
        level = np.ones(len(sums))
        self.system = np.column_stack([level, all_products, self.memberships, components])
        self.sums, self.first_component = sums, 2 + n
        self.partner = complements(observed.coalitions[self.rows])
        # of a slope and of a deviation: mean squared singular values, then penalties
        self.units = np.array([len(self.rows) / 4, squares.mean()])
        self.penalties = np.array([additive_proxy(observed).penalty, 0.0])
        for which in (1, 0, 1):
            self.penalties[which] = self._choose_penalty(which)
        self.degrees = self._left_out_errors(self.penalties)[1]

    def fit(
        self, utilities: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fit each column of utilities [d, k] with row weights [d].

        Returns:
            common: float64 [k], the common strength of all pairs.
            duals: float64 [r, k]; a pair's deviation is the sum of duals times its products over
                the rows that are fitted.
            residuals: float64 [d, k], of all observations.
        """
        target = self._target(utilities)
        solution = self._solve(target, weights)
        duals = self.lift @ solution[self.first_component :]
        return solution[1], duals, target - self.system @ solution

    def spread(self) -> float:
        """Return the standard deviation of the deviations c_ij, as far as the table tells.

        Shrunk by s, deviations of variance t^2 have s t^2 on average if the penalty is right.
        """
        target = self._target(self.observed.utilities[:, None])
        deviations = self._solve(target, self.observed.trust)[self.first_component :]
        return float((deviations**2).sum() / self.degrees) ** 0.5 if self.degrees > 0 else 0.0

    def facts(self) -> dict[str, float | int | str]:
        """Return what was chosen, and what it means."""
        n = self.observed.n_players
        return {
            "pairs": n * (n - 1) // 2,
            "proxy_penalty": float(self.penalties[0]),
            "pair_penalty": float(self.penalties[1]),
            "pair_degrees": self.degrees,
            "shrinkage": _shrinkage_words(n, len(self.observed.utilities), self.degrees),
        }

    def _solve(self, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the coefficients [c, k] of targets [d, k]."""
        inner = self.system[self.rows]
        weighted = inner * weights[self.rows, None]
        gram = weighted.T @ inner + np.diag(self._column_penalties(self.penalties))
        return np.asarray(np.linalg.solve(gram, weighted.T @ target[self.rows]))

    def _target(self, utilities: np.ndarray) -> np.ndarray:
        """Return utilities [d, k] less the equal shares that slopes are pulled to."""
        observed = self.observed
        centre = (utilities[observed.full] - utilities[observed.empty]) / observed.n_players
        return np.asarray(utilities - self.sums[:, None] * centre)

    def _column_penalties(self, penalties: np.ndarray) -> np.ndarray:
        """Return the penalty of each column; where nothing is known, what is smallest is taken."""
        slope, deviation = penalties + _JITTER * self.units
        columns = np.full(self.system.shape[1], deviation)
        columns[0] = 0.0
        columns[1] = _JITTER * max(float((self.system[self.rows, 1] ** 2).sum()), len(self.rows))
        columns[2 : self.first_component] = slope
        return columns

    def _choose_penalty(self, which: int) -> float:
        """Return the penalty whose predictions of left-out pairs are best, given the other one."""
        squares = np.empty((len(self.rows), len(PENALTIES)))
        candidates = PENALTIES * self.units[which]
        for column, candidate in enumerate(candidates):
            penalties = self.penalties.copy()
            penalties[which] = candidate
            squares[:, column] = self._left_out_errors(penalties)[0] ** 2
        return float(candidates[cautious_best(squares)])

    def _left_out_errors(self, penalties: np.ndarray) -> tuple[np.ndarray, float]:
        """Return errors of predicting each row without its pair [r].

        The second is the degrees of freedom that the deviations take.
        """
        root = np.sqrt(self.observed.trust[self.rows])
        inner = self.system[self.rows] * root[:, None]
        target = self._target(self.observed.utilities[:, None])[self.rows, 0] * root
        gram = inner.T @ inner + np.diag(self._column_penalties(penalties))
        solved = np.linalg.solve(gram, inner.T).T
        residuals = target - inner @ (solved.T @ target)
        hat = solved * inner
        partner = self.partner
        other = np.where(partner >= 0, partner, np.arange(len(partner)))
        own = 1 - hat.sum(axis=1)
        shared = np.where(partner >= 0, (solved * inner[other]).sum(axis=1), 0.0)
        determinant = own * own[other] - shared**2
        errors = np.full(len(partner), np.inf)
        numerator = own[other] * residuals + shared * residuals[other]
        np.divide(numerator, determinant, out=errors, where=determinant > _ZERO)
        return errors, float(hat[:, self.first_component :].sum())


def product_components(memberships: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the principal components of the products of memberships [r, n].

    Returns:
        features: float64 [r, c], orthogonal columns.
        squares: float64 [c], their squared lengths.
    """
    rows, n = memberships.shape
    if n * (n - 1) // 2 <= rows:
        first, second = np.triu_indices(n, 1)
        products = memberships[:, first] * memberships[:, second]
        squares, vectors = np.linalg.eigh(products.T @ products)
    else:
        # the sum over pairs of products of two rows is half the square of the sum, less squares
        inner = memberships @ memberships.T
        squares, vectors = np.linalg.eigh((inner**2 - n / 16) / 2)
        products = None
    kept = squares > _ZERO * squares[-1]
    squares, vectors = squares[kept], vectors[:, kept]
    if products is None:
        return vectors * np.sqrt(squares), squares
    return products @ vectors, squares


def _shrinkage_words(n: int, coalitions: int, degrees: float) -> str:
    if coalitions == 2**n:
        return "none: all coalitions are known"
    pairs = n * (n - 1) // 2
    part = degrees / pairs
    strength = "little" if part > 0.7 else "moderate" if part > 0.3 else "strong"
    return (
        f"{strength}: of the differences between {pairs} pairs, {coalitions} coalitions tell about "
        f"{degrees:.0f} numbers; the rest is drawn to what all pairs have in common"
    )
