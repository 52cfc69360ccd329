"""Game methods in a few lines each: a plan from the study's own designs, and an estimator.

Every method that reads scores off coalitions is a choice of three things: a registered utility, a
plan, and an estimator of :mod:`credit_plugin.values` that reads the table. Plans come from
:func:`credit_plugin.game.plan.plan_evaluations`, so the coalitions that a method shares with the
study, or with another method of the same utility, are evaluated once.

No method asks for repeats of its own: they serve intervals, which scores do not have.
"""

from typing import ClassVar

import numpy as np

from credit_plugin.config import GameSettings, Study
from credit_plugin.evaluating import Plan
from credit_plugin.fidelity.attribution import GameAttribution
from credit_plugin.game.design import DESIGNS, option_names
from credit_plugin.game.plan import plan_evaluations
from credit_plugin.game.table import UtilityTable
from credit_plugin.values import estimate
from credit_plugin.values.estimation import DEFAULT

RESAMPLES = 2  # the fewest there can be; only intervals rest on them
DEFAULT_EVALUATIONS_EACH = 4


class EstimatedScores(GameAttribution):
    """Scores that a registered estimator reads.

    Attributes:
        estimator: Its name.
    """

    estimator: ClassVar[str] = DEFAULT

    def unavailable(self, study: Study) -> str | None:
        """Return that another method already says the same, or None."""
        if self.utility is None or self.utility != study.game.utility:
            return None
        return f"game.utility is {self.utility}, so it would repeat {self.repeats()}"

    def repeats(self) -> str:
        """Return what has the same scores where the study has the method's utility."""
        return "the study's own values: read those"

    def read(self, table: UtilityTable, seed: int) -> np.ndarray:
        """Return the estimates float64 [n] of a table of one property.

        Raises:
            InputError: If the table lacks coalitions that the estimator needs.
        """
        return np.asarray(estimate(table, self.estimator, seed, resamples=RESAMPLES).values)


class StudyTable(EstimatedScores):
    """Another reading of the coalitions that the study evaluates anyway."""

    def plan(self, n_players: int, study: Study, own: Plan) -> Plan:
        """Return the study's own evaluations."""
        return own


class SingleContributors(EstimatedScores):
    """Differences that a contributor makes to everybody, or to nobody.

    The design has the estimator's name and is taken whole: the empty and the full coalition and
    one coalition for each contributor.
    """

    def repeats(self) -> str:
        """Return the method that evaluates the same by the study's own utility."""
        return f"{self.estimator}: use that"

    def plan(self, n_players: int, study: Study, own: Plan) -> Plan:
        """Return n + 2 evaluations."""
        whole = {"design": self.estimator, "budget": n_players + 2, "coalition_size": None}
        return _plan_once(n_players, study, whole)


class OtherShapley(EstimatedScores):
    """Shapley values of the same property in another game, by the study's design."""

    def plan(self, n_players: int, study: Study, own: Plan) -> Plan:
        """Return ``fidelity.shapley_budget`` coalitions, or as many as there are."""
        return _plan_once(n_players, study, {"budget": _shapley_budget(n_players, study)})


def _plan_once(n_players: int, study: Study, changes: dict[str, object]) -> Plan:
    once = {"border_repeats": 1, "repeated_coalitions": 0}
    settings = study.game.model_copy(update={**changes, **once})
    return plan_evaluations(n_players, settings, study.seed)


def _shapley_budget(n_players: int, study: Study) -> int:
    """Return how many coalitions to evaluate, the empty and the full one among them."""
    usual = min(DEFAULT_EVALUATIONS_EACH * n_players, study.game.budget)
    wanted = max(study.fidelity.shapley_budget or usual, n_players + 2)
    return _available(n_players, min(wanted, 2**n_players), study.game, study.seed)


def _available(n_players: int, wanted: int, settings: GameSettings, seed: int) -> int:
    """Return at most ``wanted``: as many coalitions as the study's design has."""
    size = settings.coalition_size
    given = size is not None and "size" in option_names(settings.design)
    options = {"size": size} if given else {}
    generate = DESIGNS.get(settings.design, "game.design")
    return min(wanted, len(generate(n_players, wanted - 2, seed, **options)) + 2)
