"""Design ``exact``: all coalitions of at most 16 contributors.

What: with a budget of 2^n, every coalition, after which values have no sampling error at all. The
order is that of ``paired_border``, so that a smaller budget is a good design too, and a study that
began with ``paired_border`` goes on to all coalitions without an evaluation lost.

When: to check estimators, and for few contributors. 16 of them have 65,536 coalitions.
"""

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.design import register_design
from credit_plugin.game.designs.paired_border import paired_border

MOST_PLAYERS = 16


@register_design("exact")
def exact(n_players: int, rows: int, seed: int) -> np.ndarray:
    """Return the first coalitions, bool [rows, n], complements next to each other.

    Raises:
        InputError: If there are more than 16 players.
    """
    if n_players > MOST_PLAYERS:
        raise InputError(
            f"game.design: exact is for at most {MOST_PLAYERS} contributors and there are "
            f"{n_players}; use paired_border"
        )
    return paired_border(n_players, rows, seed)
