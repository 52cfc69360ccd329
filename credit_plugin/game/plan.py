"""Which evaluations a study makes, in which order: the design plus the repeats that price noise.

The empty and the full coalition come first, evaluated ``border_repeats`` times, because every
value rests on them. Then the design, in its own order; a coalition that an independent design drew
twice is evaluated twice. Last, some further coalitions once more: every ninth of the design, so
that a larger budget keeps the repeats of a smaller one.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from credit_plugin.config import GameSettings
from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import to_bits
from credit_plugin.game.design import design, option_names
from credit_plugin.game.grouped import grouped_design
from credit_plugin.game.grouping import Grouping

REPEAT_STRIDE = 9
FIRST_REPEATED_ROW = 5


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of contributors, and how each divides its value.

    Attributes:
        grouping: Who is in which group.
        inside: ``nested`` if coalitions tell members apart, or another way that needs none.
    """

    grouping: Grouping
    inside: str


@dataclass(frozen=True)
class PlannedEvaluation:
    """One evaluation to make.

    Attributes:
        coalition: Bit string in contributor order.
        repeat: 0 for the first evaluation of the coalition.
    """

    coalition: str
    repeat: int


def plan_evaluations(
    n_players: int, settings: GameSettings, seed: int, groups: Groups | None = None
) -> tuple[PlannedEvaluation, ...]:
    """Return a study's evaluations in the order in which values are estimated from them.

    Args:
        n_players: Number of contributors.
        settings: Design, budget and repeats.
        seed: The study's seed.
        groups: Who is in which group; everybody stands alone without.

    Raises:
        InputError: If there is no such design, or it has fewer coalitions than the budget asks
            for.
    """
    rows = _rows(n_players, settings, seed, groups)
    drawn: Counter[str] = Counter()
    inner = []
    for bits in map(to_bits, rows[2:]):
        inner.append(PlannedEvaluation(bits, drawn[bits]))
        drawn[bits] += 1
    repeated = list(drawn)[FIRST_REPEATED_ROW::REPEAT_STRIDE][: settings.repeated_coalitions]
    borders = [to_bits(row) for row in rows[:2]]
    return (
        *(PlannedEvaluation(b, r) for r in range(settings.border_repeats) for b in borders),
        *inner,
        *(PlannedEvaluation(b, drawn[b]) for b in repeated),
    )


def _rows(n_players: int, settings: GameSettings, seed: int, groups: Groups | None) -> np.ndarray:
    options = _design_options(n_players, settings)
    if groups is None:
        return design(n_players, settings.budget, settings.design, seed, **options)
    if options:
        raise InputError(
            "game.coalition_size: groups are of different sizes; leave it out, or "
            "compensation.groups"
        )
    return grouped_design(
        groups.grouping, settings.budget, settings.design, seed, groups.inside == "nested"
    )


def _design_options(n_players: int, settings: GameSettings) -> dict[str, int]:
    size = settings.coalition_size
    if size is None:
        return {}
    if "size" not in option_names(settings.design):
        raise InputError(
            f"game.coalition_size: design {settings.design} has no such setting; leave it out or "
            "use game.design fixed_size"
        )
    if size >= n_players:
        raise InputError(
            f"game.coalition_size: {size} must be below the number of contributors, {n_players}"
        )
    return {"size": size}
