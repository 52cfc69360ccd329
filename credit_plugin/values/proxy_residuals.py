"""Does somebody's data please the proxy more than it pleases retraining?

What: of coalitions whose utility is known from the cheap game (c) and from retraining (u), u is
regressed on a constant, c, and whether player i is in: u = a + b c + e_i z_i. The effect e_i is by
how much retraining adds more for player i than the proxy predicts. Data that is made to please the
proxy has a negative one. A player is flagged whose effect is more than two standard errors from 0,
in a test that is corrected for the number of players looked at (Bonferroni), since with ten of them
one in three honest studies would have a flag otherwise.

Needs 30 coalitions, and 5 with and 5 without a player; fewer say nothing, and nothing is said.

Source: the question is that of governance, whether a large payout rests on the proxy alone; the
test is the t-test of a coefficient.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from credit_plugin.errors import InputError

FEWEST = 30
FEWEST_EACH = 5
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class ProxyResidual:
    """What retraining says of a player beyond the proxy.

    Attributes:
        player: Position.
        effect: Retrained minus predicted utility that comes with the player, in the unit of the
            property.
        standard_error: Of the effect.
        coalitions: How many it rests on.
        flagged: Whether the proxy surely says something else than retraining.
    """

    player: int
    effect: float
    standard_error: float
    coalitions: int
    flagged: bool


def proxy_residuals(
    coalitions: np.ndarray, cheap: np.ndarray, exact: np.ndarray, players: Sequence[int]
) -> list[ProxyResidual]:
    """Look at some players; those of whom too little is known are left out.

    Args:
        coalitions: bool [m, n].
        cheap: float [m], utilities of the cheap game.
        exact: float [m], utilities of retraining.
        players: Positions of those to look at.

    Raises:
        InputError: If lengths differ.
    """
    count = len(coalitions)
    if not len(cheap) == len(exact) == count:
        raise InputError(f"coalitions: {count} for {len(cheap)} cheap and {len(exact)} utilities")
    if count < FEWEST or np.ptp(cheap) == 0:
        return []
    inside = coalitions[:, list(players)].sum(axis=0)
    known = [
        player
        for player, present in zip(players, inside, strict=True)
        if FEWEST_EACH <= present <= count - FEWEST_EACH
    ]
    # two standard errors of a normal distribution, shared out among the players
    chance = 2 * norm.sf(STANDARD_ERRORS) / max(len(known), 1)
    limit = float(t.isf(chance / 2, count - 3))
    return [_looked_at(coalitions[:, player], cheap, exact, player, limit) for player in known]


def _looked_at(
    inside: np.ndarray, cheap: np.ndarray, exact: np.ndarray, player: int, limit: float
) -> ProxyResidual:
    count = len(inside)
    columns = np.column_stack([np.ones(count), cheap - cheap.mean(), inside])
    found, *_ = np.linalg.lstsq(columns, exact, rcond=None)
    residuals = exact - columns @ found
    variance = float(residuals @ residuals) / (count - 3)
    error = float(np.sqrt(variance * np.linalg.pinv(columns.T @ columns)[2, 2]))
    effect = float(found[2])
    return ProxyResidual(player, effect, error, count, abs(effect) > limit * error > 0)
