"""The reliability gate for two-level values: halves of both tables at once.

What: as in :mod:`halves`, but each half has its own exact evaluations and its own cheap ones. The
exact coalitions are dealt first; a cheap evaluation goes where the exact one of the same coalition
went, so that pairs stay pairs, and the other cheap coalitions are dealt among themselves.
"""

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import row_keys
from credit_plugin.game.table import UtilityTable
from credit_plugin.seeding import numpy_generator
from credit_plugin.values.halves import SplitHalf, deal_halves, spearman
from credit_plugin.values.observations import observe
from credit_plugin.values.reliability import LIMITS, Limits, Reliability, judge
from credit_plugin.values.result import ContributorValues
from credit_plugin.values.two_level import NAME, two_level

DEALS = 5


def assess_two_level(
    cheap: UtilityTable,
    exact: UtilityTable,
    values: ContributorValues,
    seed: int = 0,
    limits: Limits = LIMITS,
) -> Reliability:
    """Judge whether two-level values are reliable enough to pay by.

    Args:
        cheap: The cheap game's table.
        exact: The exact game's table.
        values: Two-level values of the two, with their draws.
        seed: Determines how coalitions are dealt into halves.
        limits: What opens the gate.
    """
    name = values.property
    halves = two_level_halves(cheap.select(name), exact.select(name), seed)
    return judge(values, halves, limits)


def two_level_halves(cheap: UtilityTable, exact: UtilityTable, seed: int = 0) -> SplitHalf:
    """Compare the rankings of two halves of both tables, each of one property."""
    generator = numpy_generator(seed, "", "two-level halves")
    found = []
    for _ in range(DEALS):
        try:
            one, other = (
                two_level(*tables, resamples=2, property=cheap.properties[0]).values
                for tables in _deal(cheap, exact, generator)
            )
        except InputError:
            reason = "too few retrained coalitions for two halves that can be compared"
            return SplitHalf(None, (), NAME, reason)
        found.append(spearman(one, other))
    return SplitHalf(float(np.median(found)), tuple(found), NAME)


def _deal(
    cheap: UtilityTable, exact: UtilityTable, generator: np.random.Generator
) -> list[tuple[UtilityTable, UtilityTable]]:
    """Return the (cheap, exact) tables of each half."""
    exact_sides = _sides(exact, generator)
    everywhere = np.unique(row_keys(exact.coalitions))
    halves = []
    for mine, exact_keys in zip(_sides(cheap, generator), exact_sides, strict=True):
        keys = row_keys(cheap.coalitions)
        paired = np.isin(keys, everywhere)
        chosen = np.where(paired, np.isin(keys, exact_keys), np.isin(keys, mine))
        halves.append(
            (
                cheap.where(chosen),
                exact.where(np.isin(row_keys(exact.coalitions), exact_keys)),
            )
        )
    return halves


def _sides(table: UtilityTable, generator: np.random.Generator) -> list[np.ndarray]:
    """Return the keys of the coalitions of each half; the empty and the full one are in both."""
    return [row_keys(half.coalitions) for half in deal_halves(observe(table), generator)]
