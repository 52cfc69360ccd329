"""Counterfactuals: what becomes of the property if the contributors that a method names leave.

Who is left out: of n contributors the k = round(share n) with the highest scores (*top*), or with
the lowest (*bottom*); ties go by the contributors' order. The model is retrained on everybody else,
with several seeds, and

    change = mean over seeds of v(rest)  -  mean over seeds of v(everybody),

in the oriented unit of the property: negative is worse. A method that knows who matters makes the
property much worse by its top, and hardly by its bottom. Random orders are the control.

Intervals are Student's, from the noise of one retraining pooled over every coalition that was
retrained more than once, which two or three seeds of one coalition could not tell. Pooling takes
the noise to be alike in all of them. The interval of random orders includes how much the orders
differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from credit_plugin.config import FidelitySettings
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.game.coalitions import to_bits
from credit_plugin.seeding import numpy_generator

RANDOM = "random order"
"""Name of the control."""


@dataclass(frozen=True)
class Removal:
    """What a method leaves out, at one share.

    Attributes:
        method: Name of the scores.
        share: Share of the contributors that was asked for.
        removed: Contributors that are left out.
        top: Whether those with the highest scores are.
        rest: Bit strings of who stays: one, or one for each random order.
    """

    method: str
    share: float
    removed: int
    top: bool
    rest: tuple[str, ...]


@dataclass(frozen=True)
class Noise:
    """Noise of one retraining.

    Attributes:
        sd: Standard deviation; 0 if it is unknown.
        degrees: Of freedom; 0 if nothing was retrained twice.
    """

    sd: float
    degrees: int

    @classmethod
    def pooled(cls, utilities: Mapping[str, Sequence[float]]) -> "Noise":
        """Return the noise within coalitions, from utilities by coalition."""
        groups = [np.asarray(own, float) for own in utilities.values() if len(own) > 1]
        degrees = sum(len(own) - 1 for own in groups)
        squares = sum(float(((own - own.mean()) ** 2).sum()) for own in groups)
        return cls(float(np.sqrt(squares / degrees)) if degrees else 0.0, degrees)


def removed_count(n_players: int, share: float) -> int:
    """Return how many contributors a share is, at least one, and never all of them."""
    return min(max(round(share * n_players), 1), n_players - 1)


def removal(method: str, scores: np.ndarray, share: float, top: bool) -> Removal:
    """Return who stays if a method's top or bottom is left out.

    Args:
        method: Name of the scores.
        scores: float [n].
        share: Of the contributors, in (0, 1).
        top: The highest scores leave; otherwise the lowest.
    """
    count = removed_count(len(scores), share)
    leaving = np.argsort(-scores if top else scores, kind="stable")[:count]
    stays = np.ones(len(scores), dtype=bool)
    stays[leaving] = False
    return Removal(method, share, count, top, (to_bits(stays),))


def random_orders(n_players: int, orders: int, seed: int) -> list[np.ndarray]:
    """Return random orders of contributors, each a permutation int64 [n]."""
    purpose = "random order of counterfactuals"
    return [numpy_generator(seed, str(k), purpose).permutation(n_players) for k in range(orders)]


def random_removal(n_players: int, share: float, orders: int, seed: int) -> Removal:
    """Return who stays if contributors leave in random orders, nested in the share.

    Args:
        n_players: Number of contributors.
        share: Of them that leaves, 0..1.
        orders: How many random orders.
        seed: Determines the orders.
    """
    count = removed_count(n_players, share)
    rest = []
    for order in random_orders(n_players, orders, seed):
        stays = np.ones(n_players, dtype=bool)
        stays[order[:count]] = False
        rest.append(to_bits(stays))
    return Removal(RANDOM, share, count, True, tuple(rest))


def change(
    removal: Removal,
    utilities: Mapping[str, Sequence[float]],
    noise: Noise,
    confidence: float = 0.95,
) -> Interval | None:
    """Return by how much the property changes, oriented, or None if a retraining was lost.

    Args:
        removal: Who is left out.
        utilities: Oriented retrained utilities by coalition, the full one among them.
        noise: Of one retraining.
        confidence: Level of the interval.
    """
    everybody = utilities.get("1" * len(removal.rest[0]), ())
    rests = [utilities.get(bits, ()) for bits in removal.rest]
    if not all(len(own) for own in (everybody, *rests)):
        return None
    means = np.array([np.mean(own) for own in rests])
    value = float(means.mean() - np.mean(everybody))
    of_rest = float(np.mean([noise.sd**2 / len(own) for own in rests])) / len(rests)
    degrees = noise.degrees
    if len(rests) > 1:  # how orders differ includes the noise of each
        of_rest, degrees = float(means.var(ddof=1)) / len(rests), len(rests) - 1
    error = np.sqrt(of_rest + noise.sd**2 / len(everybody))
    reach = float(student.ppf(0.5 + confidence / 2, degrees) * error) if degrees else np.inf
    return Interval(value, value - reach, value + reach)


def plan_removals(
    scores: Mapping[str, np.ndarray], settings: FidelitySettings, seed: int
) -> tuple[Removal, ...]:
    """Return everything that is left out.

    The first method and those of ``curves`` (all, if there are none) lose their top and their
    bottom at every share, random orders lose theirs, and every other method loses its top at the
    compared share.

    Args:
        scores: float [n] by method with its variant; the first one is the study's own.
        settings: Shares, the compared share, methods with curves, and the number of random orders.
        seed: The study's seed.
    """
    own = next(iter(scores))
    n_players = len(scores[own])
    shares = sorted({*settings.removals, settings.compared_removal})
    planned = [random_removal(n_players, share, settings.random_orders, seed) for share in shares]
    for name, of_method in scores.items():
        curve = not settings.curves or name.partition("/")[0] in settings.curves
        if name == own or curve:
            planned += [removal(name, of_method, s, top) for s in shares for top in (True, False)]
        else:
            planned.append(removal(name, of_method, settings.compared_removal, True))
    return tuple(planned)
