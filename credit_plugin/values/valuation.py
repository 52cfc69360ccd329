"""How a study's values are estimated and judged: one place for those who make and who verify them.

Three cases, each with the estimators of this package: single contributors from one table
(:func:`~credit_plugin.values.estimate`), from a cheap table and retrainings
(:func:`~credit_plugin.values.two_level`), and groups with their members from one table
(:func:`~credit_plugin.values.owen`).

Groups are judged by two halves of the coalitions of whole groups, since only these rank groups;
resampling is judged for the members where their draws are kept, and for the groups where not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from credit_plugin.game.grouped import group_table
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.table import UtilityTable
from credit_plugin.values.estimation import estimate
from credit_plugin.values.halves import split_half
from credit_plugin.values.hierarchy import OwenValues, owen
from credit_plugin.values.reliability import LIMITS, Limits, Reliability, assess, judge
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.two_level import two_level
from credit_plugin.values.two_level_halves import assess_two_level


@dataclass(frozen=True, eq=False)
class Valuation:
    """How values are estimated.

    Attributes:
        estimator: A registered estimator.
        seed: Of everything that is drawn.
        confidence: Level of the intervals.
        resamples: Behind intervals.
        options: Settings of the estimator.
        limits: What makes values reliable.
        grouping: Who is in which group; None if everybody stands alone.
        inside: How a group's value is divided among its members.
        counts: int [n], images of each contributor, for division by size.
    """

    estimator: str
    seed: int
    confidence: float
    resamples: int
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = LIMITS
    grouping: Grouping | None = None
    inside: str = "nested"
    counts: np.ndarray | None = None

    def values(
        self,
        table: UtilityTable,
        name: str,
        exact: UtilityTable | None = None,
        resamples: int | None = None,
    ) -> ContributorValues:
        """Estimate the values of a property.

        Args:
            table: Utilities of coalitions.
            name: The property.
            exact: Utilities of retraining, if there are some.
            resamples: Others than usual.

        Raises:
            InputError: If the tables are too small.
        """
        draws = resamples or self.resamples
        if exact is not None:
            return two_level(
                table,
                exact,
                self.seed,
                property=name,
                confidence=self.confidence,
                resamples=draws,
            )
        if self.grouping is not None:
            return self.groups(table, name, draws).members
        return estimate(
            table,
            self.estimator,
            self.seed,
            property=name,
            confidence=self.confidence,
            resamples=draws,
            options=self.options,
        )

    def groups(self, table: UtilityTable, name: str, resamples: int | None = None) -> OwenValues:
        """Estimate the values of groups and of their members; there is a grouping."""
        assert self.grouping is not None
        known = {} if self.counts is None or self.inside != "size" else {"counts": self.counts}
        return owen(
            table,
            self.grouping,
            self.inside,
            self.seed,
            property=name,
            estimator=self.estimator,
            confidence=self.confidence,
            resamples=resamples or self.resamples,
            options=known,
            estimator_options=self.options,
        )

    def reliability(
        self, table: UtilityTable, values: ContributorValues, exact: UtilityTable | None = None
    ) -> Reliability:
        """Judge values that :meth:`values` made of the same tables."""
        if exact is not None:
            return assess_two_level(table, exact, values, self.seed, self.limits)
        if self.grouping is None:
            return assess(table, values, self.seed, self.options, self.limits)
        whole = group_table(table.select(values.property), self.grouping)
        halves = split_half(
            whole, self.estimator, self.seed, property=values.property, options=self.options
        )
        judged = values
        if not len(values.draws):
            judged = self.groups(table, values.property).groups
        return judge(judged, halves, self.limits)
