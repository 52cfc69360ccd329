"""Means over the sizes of coalitions: the stratified read-out of any semivalue.

A semivalue weighs what player i adds to coalitions of s others by a chance p_s,

    phi_i = sum over s = 0..n-1 of p_s E[v(S + i) - v(S)],  S uniform of size s without i,

p_s = 1/n for the Shapley value. Taking the expectation apart makes every evaluated coalition say
something about every player (Castro et al. 2017; SVARM, Kolpaczki et al. 2024):

    phi_i = sum over sizes z of  p_(z-1) mean{v(S): |S| = z, i in S} - p_z mean{..., i not in S}.

What a size does to everybody must not be mistaken for what those players do who happen to be seen
at it. So the mean of each size is taken out first and enters as sum_z (p_(z-1) - p_z) mean_z, the
same for all players, in which sizes without a coalition are interpolated; and where no coalition
is in one of the means above, that of its size stands in.
"""

import numpy as np

from credit_plugin.values.observations import Observations


class SizeStrata:
    """The coalitions of a table sorted by size, so that sums over a size are over adjacent rows.

    Attributes:
        order: int64 [d], the observation of each sorted row.
    """

    def __init__(self, observed: Observations) -> None:
        self._n_players = observed.n_players
        self.order = np.argsort(observed.sizes, kind="stable")
        self._members = observed.coalitions[self.order]
        sizes = observed.sizes[self.order]
        self._starts = np.flatnonzero(np.diff(sizes, prepend=-1))
        self._sizes = sizes[self._starts]
        counts = np.diff(self._starts, append=len(sizes))
        self._stratum = np.repeat(np.arange(len(counts)), counts)

    def read(self, utilities: np.ndarray, weights: np.ndarray, chances: np.ndarray) -> np.ndarray:
        """Return a semivalue [n, k] of utilities [d, k].

        Args:
            utilities: float64 [d, k].
            weights: float64 [d].
            chances: float64 [n], p_s for s = 0..n-1.
        """
        deviations, means = self.split(utilities, weights)
        steps = np.append(0.0, chances) - np.append(chances, 0.0)
        every = np.arange(self._n_players + 1)
        curves = np.array([np.interp(every, self._sizes, column) for column in means.T])
        return np.asarray(self.contrast(weights, chances).T @ deviations + curves @ steps)

    def contrast(self, weights: np.ndarray, chances: np.ndarray) -> np.ndarray:
        """Return what each sorted row contributes to each player's value.

        A mean over no coalition contributes nothing.

        Args:
            weights: float64 [d], of the observations.
            chances: float64 [n], p_s for s = 0..n-1.

        Returns:
            float64 [d, n].
        """
        sorted_weights = weights[self.order, None]
        before = np.append(0.0, chances)[self._sizes]  # p_(z-1)
        after = np.append(chances, 0.0)[self._sizes]  # p_z
        inside = np.where(self._members, sorted_weights, 0.0)
        outside = sorted_weights - inside
        inside *= _per_count(before, np.add.reduceat(inside, self._starts))[self._stratum]
        outside *= _per_count(after, np.add.reduceat(outside, self._starts))[self._stratum]
        inside -= outside
        return inside

    def split(self, utilities: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sorted deviations [d, k] from the mean of each size, and the means [sizes, k].

        Args:
            utilities: float64 [d, k].
            weights: float64 [d].
        """
        chosen = utilities[self.order]
        counts = np.add.reduceat(weights[self.order], self._starts)
        sums = np.add.reduceat(weights[self.order, None] * chosen, self._starts)
        means = sums / np.where(counts > 0, counts, 1.0)[:, None]
        return chosen - means[self._stratum], means


def _per_count(chance: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return chance / count by size and player, [sizes, n]; 0 where nothing is counted."""
    factors = np.zeros_like(counts)
    np.divide(np.broadcast_to(chance[:, None], counts.shape), counts, out=factors, where=counts > 0)
    return factors
