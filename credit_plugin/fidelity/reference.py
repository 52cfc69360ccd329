"""Which coalitions values are tested on: some of fixed sizes, each retrained with several seeds.

A test set holds coalitions of one size, drawn uniformly without replacement (design
``fixed_size``), a share alpha of the contributors each. With one size, the number of members
explains nothing, so no method can score for knowing that more data is better; with the sizes of the
Shapley distribution it could (the released code of Lu et al. 2025 tests on those).

Every retraining is a row of the study's table of retrainings, shared with whatever else retrains
(``game.retrainings``, another fidelity run, tuning). A method must not be tested on a retraining
that it rests on: coalitions that the study's own values retrained are not drawn, and methods that
retrain anything else use seeds of their own, from ``METHOD_REPEATS`` on.

A cheap utility is measured on the initial noise that the retraining of the same repeat has. What
luck this noise brings to any model is therefore common to both, as it is in the study's own table.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from credit_plugin.config import FidelitySettings, Study
from credit_plugin.errors import InputError
from credit_plugin.evaluating import Plan
from credit_plugin.game.coalitions import from_bits, to_bits
from credit_plugin.game.design import design
from credit_plugin.game.plan import Groups, PlannedEvaluation, plan_evaluations
from credit_plugin.retrainings import UTILITY, plan_retrainings

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


def rests_on(study: Study, n_players: int, groups: Groups | None = None) -> frozenset[str]:
    """Return the coalitions whose retraining a study's own values rest on, as bit strings.

    Args:
        study: The settings.
        n_players: Number of contributors.
        groups: Who is in which group, if values are of groups.
    """
    plan = plan_retrainings(n_players, study.game, study.seed)
    if study.game.utility == UTILITY:
        plan = plan_evaluations(n_players, study.game, study.seed, groups)
    return frozenset(planned.coalition for planned in plan)


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


def untested(plan: Plan, utility: str, study_plan: Plan) -> Plan:
    """Return a method's plan with seeds that no test uses, where a test might use its own.

    Args:
        plan: What the method asks for.
        utility: Of its coalitions.
        study_plan: The study's own evaluations by that utility; no test has their coalitions.
    """
    if utility != UTILITY or set(plan) <= set(study_plan):
        return plan
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
