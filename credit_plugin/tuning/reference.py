"""What trials are compared with: coalitions of one size, retrained once and never again.

They are the first test coalitions that ``credit fidelity`` draws of this size, and retrainings of
both lie in one table, so each uses what the other has made. Trials see the first part of them; the
rest is held out for the choice.
"""

from dataclasses import dataclass

from credit_plugin.config import FidelitySettings, Study
from credit_plugin.errors import InputError
from credit_plugin.evaluating import Plan
from credit_plugin.fidelity.reference import FEWEST, draw_test_sets, rests_on
from credit_plugin.game.plan import PlannedEvaluation


@dataclass(frozen=True)
class ReferenceCoalitions:
    """Coalitions as bit strings.

    Attributes:
        tuning: Those that trials are scored on.
        held_out: Those that no trial is scored on.
        size: Members of each.
    """

    tuning: tuple[str, ...]
    held_out: tuple[str, ...]
    size: int

    def plan(self, seeds: int) -> Plan:
        """Return all retrainings, seed by seed."""
        both = (*self.tuning, *self.held_out)
        return tuple(PlannedEvaluation(c, r) for r in range(seeds) for c in both)


def reference_coalitions(study: Study, n_players: int) -> ReferenceCoalitions:
    """Draw a study's reference coalitions.

    Raises:
        InputError: If there are too few of this size.
    """
    settings = study.tuning
    drawn = draw_test_sets(
        n_players,
        FidelitySettings(alphas=(settings.alpha,), coalitions=settings.coalitions),
        study.seed,
        rests_on(study, n_players),
    )[0]
    held = round(settings.held_out * len(drawn.coalitions))
    first = len(drawn.coalitions) - held
    if min(held, first) < FEWEST:
        raise InputError(
            f"tuning.coalitions: {len(drawn.coalitions)} coalitions of {drawn.size} of {n_players} "
            f"contributors leave {first} to tune on and {held} held out, and both need {FEWEST}; "
            "ask for more, or choose another tuning.alpha or tuning.held_out"
        )
    return ReferenceCoalitions(drawn.coalitions[:first], drawn.coalitions[first:], drawn.size)
