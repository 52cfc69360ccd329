"""Half differences of complement pairs: all that Shapley values depend on, and a prior for them.

Every game is the sum of an even part, (v(S) + v(N - S)) / 2, whose Shapley values are 0, and an odd
part

    o(S) = (v(S) - v(N - S)) / 2,   o(N - S) = -o(S),

which has all of them. So a complement pair says one thing, its half difference, with noise variance
sigma^2 (1/w(S) + 1/w(N - S)) / 4, and curves over size and interactions of two contributors, which
are even, need not be known at all. The empty and the full coalition are left to efficiency: they
are where games are least like their middle.

Odd games are drawn from a Gaussian prior with covariance (z = +1 for members, -1 for others,
t = mean z, h = number of contributors in which S and T differ)

    a (t t' + (t t')^3)  +  b (z z'/n - t t')
    +  c (exp(-h) - exp(-(n - h)) + n |t t'| / 2 (1 where T is S, -1 where T is N - S)):

what size does to everybody; what contributors do whatever the others do; and what groups do
together, shared by coalitions that differ in few contributors, with a part of each coalition's own
that is larger for very small and very large ones. Everything that is needed of it is in closed
form: additive parts are their own values, and as r^h is a product over contributors, its Shapley
values are integrals over the chance q with which each of the others came before (Owen's multilinear
extension), polynomials of degree n - 1 that Gauss-Legendre nodes integrate exactly: for T of k
contributors and i among them

    phi_i(r^h(., T)) = (1 - r) int (q + (1-q) r)^(k-1) (1 - q + q r)^(n-k) dq,

and for i outside minus the same with k + 1 for k; r = 1/e, and r = 0 for a coalition's own part.

A coalition whose complement was not evaluated enters as it is, less the mean of all, with an even
part of unknown level, curve and interactions (weight e): it says less.

Source: complement pairs as one piece of evidence are Covert and Lee's ("Improving KernelSHAP",
AISTATS 2021), the extension is Owen's (1972). The prior is this project's own.
"""

from dataclasses import dataclass

import numpy as np

from credit_plugin.game.coalitions import complements
from credit_plugin.values.observations import Observations

WEIGHTS = 4
"""How many weights the prior has: a, b, c, e."""

_NEAR = np.exp(-1.0)
"""What of a group's doings is shared by coalitions that differ in one contributor."""


@dataclass(frozen=True, eq=False)
class HalfDifferences:
    """What a table says about the odd part of its game.

    Attributes:
        signs: float64 [p, n], +1 for members and -1 for others of the coalition.
        values: float64 [p], half differences, or the utility over the mean for a lone coalition.
        noise: float64 [p], variance of each in units of that of one evaluation.
        lone: bool [p], whether the complement is missing.
    """

    signs: np.ndarray
    values: np.ndarray
    noise: np.ndarray
    lone: np.ndarray


def half_differences(observed: Observations) -> HalfDifferences:
    """Take the half differences of a table, in the order of its coalitions.

    Raises:
        InputError: If only the empty and the full coalition are evaluated.
    """
    observed.need_interior()
    interior = observed.interior
    partner = complements(observed.coalitions)[interior]
    leads = (partner < 0) | (interior < partner)
    rows, partner = interior[leads], partner[leads]
    lone = partner < 0
    y, noise = observed.utilities, 1 / observed.weights
    level = y[interior].mean()
    return HalfDifferences(
        signs=2.0 * observed.coalitions[rows] - 1,
        values=np.where(lone, y[rows] - level, (y[rows] - y[partner]) / 2),
        noise=np.where(lone, noise[rows], (noise[rows] + noise[partner]) / 4),
        lone=lone,
    )


def covariances(signs: np.ndarray, lone: np.ndarray) -> np.ndarray:
    """Return the prior's covariances for weights a, b, c, e of 1.

    Args:
        signs: float64 [p, n].
        lone: bool [p].

    Returns:
        float64 [4, p, p].
    """
    n = signs.shape[1]
    t = signs.mean(axis=1)
    size = np.outer(t, t)
    together = signs @ signs.T / n
    apart = n * (1 - together) / 2
    near, far = _NEAR**apart, _NEAR ** (n - apart)
    own = n / 2 * np.abs(size) * ((apart < 0.5) * 1.0 - (apart > n - 0.5))
    even = np.outer(lone, lone) * (1 + size**2 + near + far)
    return np.array([size + size**3, together - size, near - far + own, even])


def value_covariances(signs: np.ndarray) -> np.ndarray:
    """Return the covariances of the Shapley values' deviations from their mean with the data.

    Args:
        signs: float64 [p, n].

    Returns:
        float64 [4, n, p] for weights of 1.
    """
    n = signs.shape[1]
    member = signs.T > 0
    held = member.sum(axis=0)
    shared, own = _values_of_nearness(n, _NEAR), _values_of_nearness(n, 0.0)
    found = np.zeros((WEIGHTS, n, len(signs)))
    found[1] = 2 / n * signs.T
    found[2] = 2 * np.where(member, shared[held], -shared[held + 1])
    found[2] += n * signs.mean(axis=1) ** 2 * np.where(member, own[held], -own[held + 1])
    return found - found.mean(axis=1, keepdims=True)


def value_variances(n: int) -> np.ndarray:
    """Return the prior variance of the Shapley values' deviations in each direction.

    By symmetry the prior covariance of the deviations is this times (identity - 1/n).

    Returns:
        float64 [4] for weights of 1.
    """
    nodes, weights = _nodes(n)
    q, p = nodes[:, None], nodes[None]
    same = _NEAR + (1 - _NEAR) * (q * p + (1 - q) * (1 - p))
    both = np.outer(weights, weights) * same ** (n - 2) * (1 - _NEAR)
    shared = (both * (same - (1 - _NEAR) * (2 * q - 1) * (2 * p - 1) / 2)).sum()
    sizes = np.arange(1, n)
    one = _values_of_nearness(n, 0.0)
    own = n / (n - 1) * ((2 * sizes / n - 1) ** 2 * (one[sizes] + one[sizes + 1])).sum()
    return np.array([0.0, 4 / n, 4 * shared + own, 0.0])


def _values_of_nearness(n: int, r: float) -> np.ndarray:
    """Return phi of r^h(., T) for a player in T by the size of T, float64 [n + 2].

    A player outside T has minus the value of one in a coalition with one contributor more.
    """
    nodes, weights = _nodes(n)
    with_it, without = nodes + (1 - nodes) * r, 1 - nodes + nodes * r
    values = np.zeros(n + 2)
    for k in range(n):
        values[k + 1] = (1 - r) * float(weights @ (with_it**k * without ** (n - 1 - k)))
    return values


def _nodes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights on [0, 1] that integrate polynomials of degree n exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(n // 2 + 1)
    return (nodes + 1) / 2, weights / 2
