"""Which evaluations a study makes, in which order: the design plus the repeats that price noise.

The empty and the full coalition come first, evaluated ``border_repeats`` times, because every
value rests on them. Then the design, in its own order. Last, some further coalitions a second
time: every ninth row of the design, so that a larger budget keeps the repeats of a smaller one.
"""

from dataclasses import dataclass

from credit_plugin.config import GameSettings
from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import to_bits
from credit_plugin.game.design import design

REPEAT_STRIDE = 9
FIRST_REPEATED_ROW = 5


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
    n_players: int, settings: GameSettings, seed: int
) -> tuple[PlannedEvaluation, ...]:
    """Return a study's evaluations in the order in which values are estimated from them.

    Args:
        n_players: Number of contributors.
        settings: Design, budget and repeats.
        seed: The study's seed.

    Raises:
        InputError: If there are fewer coalitions than the budget asks for.
    """
    most = 2.0**n_players
    if settings.budget > most:
        raise InputError(
            f"game.budget: {settings.budget} is more than the {most:.0f} coalitions of "
            f"{n_players} contributors; use {most:.0f} or less"
        )
    options = _design_options(n_players, settings)
    rows = design(n_players, settings.budget, settings.design, seed, **options)
    bits = list(dict.fromkeys(to_bits(row) for row in rows))
    borders = ["0" * n_players, "1" * n_players]
    inner = [b for b in bits if b not in borders]
    repeated = inner[FIRST_REPEATED_ROW::REPEAT_STRIDE][: settings.repeated_coalitions]
    return (
        *(PlannedEvaluation(b, r) for r in range(settings.border_repeats) for b in borders),
        *(PlannedEvaluation(b, 0) for b in inner),
        *(PlannedEvaluation(b, 1) for b in repeated),
    )


def _design_options(n_players: int, settings: GameSettings) -> dict[str, int]:
    if settings.design != "fixed_size":
        return {}
    size = settings.coalition_size or n_players // 2
    if not 1 <= size < n_players:
        raise InputError(
            f"game.coalition_size: {size} must be at least 1 and below the number of "
            f"contributors, {n_players}"
        )
    return {"size": size}
