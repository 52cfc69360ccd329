"""Way ``nested``: a game among the members, by :mod:`credit_plugin.values.hierarchy.nested_game`.

What: the Owen value of every member, read off coalitions in which the group is split and every
other group is whole or absent (:func:`credit_plugin.game.grouped.nested_design`).

When: for groups whose members shall be paid by what they bring, and that can afford the
evaluations: 4 for each member and other group, or all that there are. Fewer are a warning.

Errors: a group without such coalitions is an error. What the choice of coalitions and the seeds
leave open adds to the group's own uncertainty, an even part of which falls on each member. Measured
with groups of 1 to 6 members on four families of games, noise of up to .3 of the utilities' spread:
intervals cover .93 to 1.00 at nominal .95 from 3 coalitions for each member and other group on, and
.64 to .99 with 2.4, where shrinkage to equal parts adds a bias that no resampling can see.
"""

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.seeding import derive_seed
from credit_plugin.values.hierarchy.nested_game import NestedReader
from credit_plugin.values.hierarchy.question import InnerGame, Question
from credit_plugin.values.hierarchy.ways import Divider, Division, register_way
from credit_plugin.values.uncertainty import margins, resample

# Coalitions for each member and other group below which intervals may be too narrow
ENOUGH = 4


@register_way("nested")
def nested(question: Question) -> Divider:
    """Prepare the members' games."""

    def divide(group: int) -> Division:
        name = question.grouping.groups[group]
        game = question.inner_game(group)
        if game is None:
            raise InputError(
                f"table: no coalition splits group {name!r} and no other group; evaluate a "
                "nested_design of it, or divide its value by size or proxy"
            )
        readout = NestedReader(game).readout()
        utilities = game.observed.utilities[:, None]
        values = readout.solve(utilities, np.ones(len(readout.strata)))[:, 0]
        # a seed of its own: draws must not follow those of the groups' values
        seed = derive_seed(question.seed, name, "nested game")
        resampled = resample(game.observed, readout, question.resamples, seed)
        return Division(
            values=values,
            slopes=np.full(len(values), 1 / len(values)),
            standard_errors=resampled.standard_errors,
            margins=margins(resampled, question.confidence),
            draws=resampled.values,
            warning=_too_few(game, name),
            single_draw=readout.single_draw,
        )

    return Divider(divide, "the members' own game, and an even part of the group's uncertainty")


def _too_few(game: InnerGame, name: str) -> str:
    rows, players, k = len(game.observed.interior), game.observed.n_players, game.n_members
    needed = min(ENOUGH * players, 2 ** (players - k) * (2**k - 2))
    if rows >= needed:
        return ""
    return (
        f"{rows} coalitions are few for {k} members of {name!r} and {players - k} other groups: "
        f"members may be too alike and their intervals too narrow; evaluate {needed}"
    )
