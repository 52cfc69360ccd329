"""Retrainings: a few of a study's coalitions trained from scratch, so that values are of that game.

``game.retrainings`` says how many. They are the beginning of the study's own design, so each of
them has a cheap utility beside it, and the empty and the full coalition are evaluated twice, which
prices the seed noise of retraining. Values are then those of the game of retraining, with the help
of all cheap utilities (:mod:`credit_plugin.values.two_level`).
"""

from collections.abc import Sequence

from credit_plugin.config import GameSettings
from credit_plugin.errors import InputError
from credit_plugin.evaluating import Evaluator, Plan
from credit_plugin.game.ledger import Evaluation
from credit_plugin.game.plan import plan_evaluations

UTILITY = "retraining"
BORDER_REPEATS = 2


def plan_retrainings(n_players: int, settings: GameSettings, seed: int) -> Plan:
    """Return the retrainings of a study, none if it asks for none.

    Raises:
        InputError: If there are too few or too many of them, or nothing beside them.
    """
    wanted = settings.retrainings
    if not wanted:
        return ()
    if settings.utility == UTILITY:
        raise InputError(
            "game.retrainings: with game.utility retraining every coalition is retrained; use 0"
        )
    if not n_players + 2 <= wanted <= settings.budget:
        raise InputError(
            f"game.retrainings: {wanted} is outside {n_players + 2}..{settings.budget}, from two "
            "more than there are contributors to game.budget"
        )
    changes = {"budget": wanted, "border_repeats": BORDER_REPEATS, "repeated_coalitions": 0}
    return plan_evaluations(n_players, settings.model_copy(update=changes), seed)


class Retrainings:
    """The retrainings of a session.

    Attributes:
        plan: What is retrained.
    """

    def __init__(self, plan: Plan, evaluator: Evaluator) -> None:
        self.plan = plan
        self._evaluator = evaluator

    def run(self) -> None:
        """Retrain what the ledger lacks."""
        self._evaluator.run(self.plan, "retrainings")

    def evaluations(self) -> Sequence[Evaluation]:
        """Return what was retrained, in the plan's order."""
        return self._evaluator.found(self.plan)

    def costs(self) -> dict[str, float]:
        """Return the seconds of all retrainings by the name of the phase, if there are any."""
        if not self.plan:
            return {}
        return {"retrainings": sum(sum(e.costs.values()) for e in self.evaluations())}

    def lost(self) -> tuple[str, ...]:
        """Return one line for each retraining that was given up."""
        return tuple(f"retraining of {line}" for line in self._evaluator.lost(self.plan))
