"""Who gets what of the pool, and what else was possible: by values, by count, by what is declared.

One function from values and policy to amounts; the report states what it returns, and
verification runs it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from credit_plugin.compensation.doubts import Outlier, find_outliers, holds_of
from credit_plugin.compensation.gate import VALUES, Gate
from credit_plugin.compensation.payout import allocate, pool_in_minor_units
from credit_plugin.compensation.rules import declared_shares, shares_by_values
from credit_plugin.compensation.settlement import (
    Hold,
    Settlement,
    allocate_within,
    settle,
)
from credit_plugin.compensation.terms import terms_of
from credit_plugin.config import CompensationSettings
from credit_plugin.values import ContributorValues


@dataclass(frozen=True, eq=False)
class Claims:
    """What is known of the owners beside their values.

    Attributes:
        images: int [n], accepted images.
        disputed: float [n], part of them that others claim too.
        distances: float [n], how far each owner's images are from everybody else's; NaN where that
            is not known.
    """

    images: np.ndarray
    disputed: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True, eq=False)
class Division:
    """A pool and what becomes of it; amounts are in minor units, in the owners' order.

    Attributes:
        shares: float [n], of the pool, by the rule that pays.
        settlement: What is gross, held, carried forward and paid.
        by_values: What values would pay, whatever the gate says; nothing if none is positive.
        by_count: What the number of accepted images would pay.
        holds: Whose money waits, and why.
        outliers: Owners who are paid much for few, unusual images.
    """

    shares: np.ndarray
    settlement: Settlement
    by_values: list[int]
    by_count: list[int]
    holds: list[Hold]
    outliers: list[Outlier]


def divide(
    values: Mapping[str, ContributorValues],
    headline: str,
    claims: Claims,
    policy: CompensationSettings,
    gate: Gate,
    tie_key: str,
) -> Division:
    """Divide the pool of a policy.

    Args:
        values: By property, all of the same contributors.
        headline: The property that is paid where the policy names none.
        claims: What else is known of them.
        policy: The policy.
        gate: Whether values pay.
        tie_key: Keys the hash that settles equal remainders.

    Raises:
        InputError: If the policy cannot be kept with so many owners.
    """
    owners, images = values[headline].contributors, claims.images
    terms = terms_of(policy, len(owners), tie_key)
    valued, paid_by_values = by_values(values, headline, images, policy, tie_key)
    shares = valued if gate.paid_by == VALUES else declared_shares(gate.paid_by, images)
    by_count = allocate(images.tolist(), terms.pool, tie_key)
    gross = allocate_within(shares.tolist(), terms.pool, terms.floor, terms.cap, tie_key)
    paid = [values[name] for name in policy.property_weights(headline)]
    outliers = _outliers(paid, claims, policy)
    holds = holds_of(policy, owners, claims.disputed, outliers, gross, by_count)
    earlier = {
        owners.index(name): pool_in_minor_units(amount, policy.currency)
        for name, amount in policy.brought_forward.items()
    }
    return Division(
        shares=shares,
        settlement=settle(gross, terms, holds, earlier),
        by_values=paid_by_values,
        by_count=by_count,
        holds=holds,
        outliers=outliers,
    )


def by_values(
    values: Mapping[str, ContributorValues],
    headline: str,
    images: np.ndarray,
    policy: CompensationSettings,
    tie_key: str,
) -> tuple[np.ndarray, list[int]]:
    """Return everybody's share by values and what it would pay, whatever the gate says.

    Where no value of any property that is paid is positive, values pay nobody.

    Args:
        values: Of every property, by its name.
        headline: The property that is paid where the policy names none.
        images: int [n], accepted images of each.
        policy: Weights of properties, rule and bounds.
        tie_key: Keys the hash that settles equal remainders.

    Returns:
        Shares float64 [n] that sum to 1, and amounts [n] in the currency's smallest unit.
    """
    shares = shares_by_values(values, images, policy, headline)
    if not any(values[name].shares().any() for name in policy.property_weights(headline)):
        return shares, [0] * len(images)
    terms = terms_of(policy, len(images), tie_key)
    return shares, allocate_within(shares.tolist(), terms.pool, terms.floor, terms.cap, tie_key)


def _outliers(
    paid: Sequence[ContributorValues], claims: Claims, policy: CompensationSettings
) -> list[Outlier]:
    """Return who stands out in any property that is paid, by the one in which they do most."""
    if not np.isfinite(claims.distances).all():
        return []
    found: dict[int, Outlier] = {}
    for own in paid:
        images, distances, ratio = claims.images, claims.distances, policy.outlier_ratio
        for outlier in find_outliers(own.values, images, distances, ratio):
            known = found.get(outlier.owner)
            if known is None or outlier.ratio > known.ratio:
                found[outlier.owner] = outlier
    return [found[owner] for owner in sorted(found)]
