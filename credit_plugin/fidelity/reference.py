"""Which coalitions values are tested on: some of fixed sizes, each retrained with several seeds.

A test set holds coalitions of one size, drawn uniformly without replacement (design
``fixed_size``), a share alpha of the contributors each. With one size, the number of members
explains nothing, so no method can score for knowing that more data is better; with the sizes of the
Shapley distribution it could (the released code of Lu et al. 2025 tests on those).

Every retraining is a row of the study's table of retrainings, shared with whatever else retrains
(``game.retrainings``, another fidelity run, tuning). A method must not be tested on a retraining
that it rests on: coalitions that the study's own values retrained are not drawn, and methods that
retrain use seeds of their own, from ``METHOD_REPEATS`` on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from credit_plugin.config import FidelitySettings
from credit_plugin.errors import InputError
from credit_plugin.evaluating import Plan
from credit_plugin.game.coalitions import from_bits, to_bits
from credit_plugin.game.design import design
from credit_plugin.game.plan import PlannedEvaluation

METHOD_REPEATS = 100
FEWEST = 4


@dataclass(frozen=True)
class TestSet:
    """Test coalitions of one size.

    Attributes:
        alpha: Share of the contributors that was asked for.
        size: Members of each coalition.
        coalitions: Bit strings, distinct.
    """

    __test__ = False  # pytest takes the name for a class of tests

    alpha: float
    size: int
    coalitions: tuple[str, ...]

    @property
    def members(self) -> np.ndarray:
        """The coalitions as rows, bool [m, n]."""
        return np.array([from_bits(bits) for bits in self.coalitions])

    def plan(self, seeds: int) -> Plan:
        """Return the evaluations of every coalition with so many seeds, seed by seed."""
        return tuple(PlannedEvaluation(c, r) for r in range(seeds) for c in self.coalitions)


def draw_test_sets(
    n_players: int, settings: FidelitySettings, seed: int, avoid: Collection[str] = ()
) -> tuple[TestSet, ...]:
    """Draw one test set for each alpha; alphas that give the same size share one.

    Args:
        n_players: Number of contributors.
        settings: ``alphas`` and ``coalitions``.
        seed: The study's seed; sets are nested in ``coalitions``.
        avoid: Bit strings that must not be tested on.

    Raises:
        InputError: If no size has at least four coalitions.
    """
    sets: dict[int, TestSet] = {}
    for alpha in settings.alphas:
        size = min(max(round(alpha * n_players), 1), n_players - 1)
        if size in sets:
            continue
        drawn = _draw(n_players, size, settings.coalitions, seed, avoid)
        if len(drawn) >= FEWEST:
            sets[size] = TestSet(alpha, size, drawn)
    if not sets:
        raise InputError(
            f"fidelity.alphas: {n_players} contributors have fewer than {FEWEST} coalitions of "
            "these sizes to test on; add contributors or choose other alphas"
        )
    return tuple(sets.values())


def own_seeds(plan: Plan) -> Plan:
    """Return the same evaluations with seeds that no test uses."""
    return tuple(PlannedEvaluation(p.coalition, p.repeat + METHOD_REPEATS) for p in plan)


def distinct(plans: Sequence[Plan]) -> Plan:
    """Return the evaluations of several plans, each once, in their order of appearance."""
    return tuple(dict.fromkeys(planned for plan in plans for planned in plan))


def _draw(
    n_players: int, size: int, count: int, seed: int, avoid: Collection[str]
) -> tuple[str, ...]:
    wanted = min(count + len(avoid), comb(n_players, size))
    if wanted < FEWEST:
        return ()
    rows = design(n_players, wanted + 2, "fixed_size", seed, size=size)
    allowed = [bits for bits in map(to_bits, rows[2:]) if bits not in avoid]
    return tuple(allowed[:count])
