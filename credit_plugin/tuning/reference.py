"""What trials are compared with: coalitions of one size, retrained once and never again.

They are the first test coalitions that ``credit fidelity`` draws of this size, and retrainings of
both lie in one table, so each uses what the other has made. Trials see one part of them; the rest
is held out for the choice.

The parts are alike: of many random partitions the one is taken in which contributors, and pairs of
them, are as equally often in both. A dozen coalitions that happen to miss what is hard flatter
every trial, and what they say of the held-out ones is then off for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from credit_plugin.config import FidelitySettings, Study
from credit_plugin.errors import InputError
from credit_plugin.evaluating import Plan
from credit_plugin.fidelity.reference import FEWEST, draw_test_sets, rests_on
from credit_plugin.game.coalitions import from_bits
from credit_plugin.game.plan import PlannedEvaluation
from credit_plugin.seeding import numpy_generator

PARTITIONS = 1000


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
    seen = _alike(drawn.coalitions, first, study.seed)
    rest = set(range(len(drawn.coalitions))) - set(seen)
    tuning, held_out = (tuple(drawn.coalitions[k] for k in sorted(part)) for part in (seen, rest))
    return ReferenceCoalitions(tuning, held_out, drawn.size)


def _alike(coalitions: Sequence[str], first: int, seed: int) -> list[int]:
    """Return which ``first`` of the coalitions are most like the others.

    With X the coalitions as rows, the squared difference of X'X / m between the parts is
    w' (XX')^2 w, where the weights w sum to 1 in one part and to -1 in the other.
    """
    members = np.array([from_bits(bits) for bits in coalitions], float)
    closeness = (members @ members.T) ** 2
    generator = numpy_generator(seed, "", "parts of the reference")
    orders = [generator.permutation(len(coalitions)) for _ in range(PARTITIONS)]
    weights = np.full((PARTITIONS, len(coalitions)), -1 / (len(coalitions) - first))
    for row, order in zip(weights, orders, strict=True):
        row[order[:first]] = 1 / first
    differences = (weights @ closeness * weights).sum(axis=1)
    return [int(k) for k in orders[int(differences.argmin())][:first]]
