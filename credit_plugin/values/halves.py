"""Split halves: do two halves of the budget rank the contributors alike?

What: the evaluated coalitions are dealt into two disjoint halves, each half gets values by the same
estimator, and the two are compared by Spearman's rank correlation. A deal is chance, so there are
several, and their median counts. It needs no truth, and sees what resampling can miss: values that
hang on a few coalitions.

How they are dealt: complement pairs stay together, since their errors cancel; within each layer
(sizes k and n - k) pairs go to the halves in turn, in random order, and so do coalitions without a
partner within each size; the turn runs on from layer to layer, so that the halves differ by one at
most. All repeats of a coalition are on one side. The empty and the full coalition are in both
halves: every value rests on them, and what noise they have moves all contributors alike.

Half of an enumerated layer is not enumerated, so a half knows less than a design of half the
budget would; values of all coalitions are more reliable than what their halves agree on.

Some estimators cannot read a half: ``exact`` needs all coalitions, ``leave_one_out`` and
``add_one_in`` certain ones, ``permutation`` complete chains. ``regression_adjusted`` reads all
halves in their place, and the result says so. Then the correlation is about the table, and about
Shapley values, not about the estimator.

Errors: with fewer than four units to deal (pairs, or coalitions without a partner) there is no
correlation but a reason in words. A half whose values are all equal ranks nobody: it counts as a
correlation of 0.

Cost: two preparations of the estimator a deal, without resamples. For many contributors fewer deals
do, because a correlation of many ranks varies little from deal to deal (by .07 for 8 contributors,
.03 for 258): about 10 s for 1,000 contributors and 20,000 coalitions, which get one.

Source: reliability by split halves is Spearman (1910) and Brown (1910). Without their correction
for length: the limit of the gate was set on uncorrected halves.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import complements
from credit_plugin.game.table import UtilityTable
from credit_plugin.seeding import numpy_generator
from credit_plugin.values.estimation import check_options, prepare
from credit_plugin.values.observations import Observations, observe

FALLBACK = "regression_adjusted"
FEWEST_UNITS = 4

# Deals besides the first one: at most so many, with so many ranks, and so many memberships read
_MORE_DEALS, _MORE_RANKS, _MORE_MEMBERSHIPS = 6, 300, 100_000

_ROUNDING = 1e-12


@dataclass(frozen=True)
class SplitHalf:
    """How alike two halves of the coalitions rank the contributors.

    Attributes:
        correlation: Median of Spearman's correlation over the deals; None if there is none.
        correlations: Correlation of each deal.
        estimator: Who read the halves.
        reason: Why another estimator than the one asked for read them, or why there is no
            correlation; empty otherwise.
    """

    correlation: float | None
    correlations: tuple[float, ...]
    estimator: str
    reason: str = ""

    def to_json_dict(self) -> dict[str, Any]:
        """Return everything as types that JSON holds exactly."""
        return {**asdict(self), "correlations": list(self.correlations)}


def split_half(
    table: UtilityTable,
    estimator: str,
    seed: int = 0,
    *,
    property: str | None = None,
    options: Mapping[str, Any] | None = None,
    splits: int | None = None,
) -> SplitHalf:
    """Compare the rankings of two halves of a table's coalitions.

    Args:
        table: Utilities of coalitions, the empty and the full one among them.
        estimator: A registered estimator.
        seed: Determines the deals.
        property: Which property; may be left out if the table holds one.
        options: Settings of the estimator itself.
        splits: How many deals, at least 1; by default 7, fewer for more than 50 contributors
            or large tables.

    Returns:
        The correlation, or the reason why there is none.

    Raises:
        InputError: If the estimator cannot read the whole table either, or an argument is out of
            range.
    """
    if splits is not None and splits < 1:
        raise InputError(f"splits: {splits} is too few; use at least 1")
    names = table.property_names if property is None else (property,)
    if len(names) > 1:
        raise InputError(f"property: name one of {', '.join(names)}; halves are of one property")
    options = dict(options or {})
    check_options(estimator, options)
    observed = observe(table.select(names[0]))
    few = _too_few(observed)
    if few:
        return SplitHalf(None, (), estimator, few)
    count = splits or default_splits(observed)
    generator = numpy_generator(seed, "", "split halves")
    deals = [deal_halves(observed, generator) for _ in range(count)]
    try:
        return _compare(deals, estimator, options)
    except InputError:
        prepare(observed, estimator, options)  # an error here is not the halves' fault
        reason = f"{estimator} cannot read half of a table, so {FALLBACK} read the halves"
        return replace(_compare(deals, FALLBACK, {}), reason=reason)


def default_splits(observed: Observations) -> int:
    """Return how many deals there are, an odd number."""
    ranks, memberships = observed.n_players, observed.coalitions.size
    more = min(_MORE_DEALS, _MORE_RANKS // ranks, _MORE_MEMBERSHIPS // memberships)
    return 1 + 2 * (more // 2)


def deal_halves(
    observed: Observations, generator: np.random.Generator
) -> tuple[Observations, Observations]:
    """Deal the coalitions into two halves, the empty and the full one into both.

    Args:
        observed: The observations.
        generator: Source of randomness.
    """
    leader, stratum = _units(observed)
    leaders, unit = np.unique(leader[observed.interior], return_inverse=True)
    order = np.lexsort((generator.random(len(leaders)), stratum[leaders]))
    side = np.empty(len(leaders), dtype=np.int64)
    side[order] = np.arange(len(leaders)) % 2
    sides = side[unit.ravel()]
    return _half(observed, sides == 0), _half(observed, sides == 1)


def _units(observed: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the row that stands for its unit, and a label to deal within, [d]."""
    n, sizes = observed.n_players, observed.sizes
    here, partner = np.arange(len(sizes)), complements(observed.coalitions)
    paired = partner >= 0
    leader = np.where(paired, np.minimum(partner, here), here)
    # layer by layer: its pairs, then its smaller size, then its larger one
    within = np.where(paired, 0, np.where(2 * sizes <= n, 1, 2))
    return leader, 3 * np.minimum(sizes, n - sizes) + within


def _half(observed: Observations, chosen: np.ndarray) -> Observations:
    """Return the observations of some interior rows, bool [interior], and the two ends."""
    rows = np.concatenate([[observed.empty, observed.full], observed.interior[chosen]])
    return replace(
        observed,
        coalitions=observed.coalitions[rows],
        utilities=observed.utilities[rows],
        weights=observed.weights[rows],
        noise_variance=observed.noise_variance[rows],
        empty=0,
        full=1,
    )


def _too_few(observed: Observations) -> str:
    units = len(np.unique(_units(observed)[0][observed.interior]))
    if units >= FEWEST_UNITS:
        return ""
    return (
        f"too few coalitions for two halves: {units} pairs or single coalitions besides the empty "
        f"and the full one, and {FEWEST_UNITS} are needed"
    )


def _compare(
    deals: list[tuple[Observations, Observations]], estimator: str, options: Mapping[str, Any]
) -> SplitHalf:
    found = []
    for halves in deals:
        one, other = (_values(half, estimator, options) for half in halves)
        found.append(spearman(one, other))
    return SplitHalf(float(np.median(found)), tuple(found), estimator)


def _values(observed: Observations, estimator: str, options: Mapping[str, Any]) -> np.ndarray:
    """Return the values of observations, float64 [n], without resamples."""
    readout = prepare(observed, estimator, options)
    return readout.solve(observed.utilities[:, None], np.ones(len(readout.strata)))[:, 0]


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Return the rank correlation of two rankings [n], 0 if one of them ranks nobody."""
    from scipy.stats import rankdata  # half a second to import

    if any(np.ptp(values) <= _ROUNDING * np.abs(values).max() for values in (one, other)):
        return 0.0
    ranks = np.array([rankdata(one), rankdata(other)])
    # 0.8 must not come out as 0.7999999999999999, which a limit of 0.8 refuses
    return round(float(np.corrcoef(ranks)[0, 1]), 12)
