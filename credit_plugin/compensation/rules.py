"""How values become weights of the payout.

*Proportional* (clip and renormalise): an owner's weight for a property is their value, nothing if
it is negative, over the sum of all such. It misallocates least of the rules that were measured;
lower bounds of intervals look prudent and misallocate more. A policy that pays several properties
splits the pool among them, and each part by its property's values. A part of which no value is
positive is paid by the fall-back.

*Base share*: a part of the pool that follows something that is known, the number of accepted images
or nothing at all. It lowers misallocation only where noise is about twice the mean share; it is
for teams that want everybody to get something.

*Fall-back*: what a policy declares for values that are not reliable.
"""

from collections.abc import Mapping

import numpy as np

from credit_plugin.config import CompensationSettings
from credit_plugin.values import ContributorValues


def shares_by_values(
    values: Mapping[str, ContributorValues],
    images: np.ndarray,
    policy: CompensationSettings,
    headline: str,
) -> np.ndarray:
    """Return everybody's share of the pool by values and the base, float [n], summing to 1.

    Args:
        values: By property; those that the policy pays are among them.
        images: int [n], accepted images of each.
        policy: The policy.
        headline: The property that is paid where the policy names none.
    """
    shares = np.zeros(len(images))
    for name, weight in policy.property_weights(headline).items():
        own = values[name].shares()
        shares += weight * (own if own.any() else declared_shares(policy.fallback, images))
    base = policy.rule.base_share
    if base == 0:
        return shares
    return (1 - base) * shares + base * declared_shares(policy.rule.base, images)


def declared_shares(rule: str, images: np.ndarray) -> np.ndarray:
    """Return everybody's share by what was declared, float [n]: by images, or all alike."""
    weights = np.ones(len(images)) if rule == "equal" else np.asarray(images, dtype=float)
    return np.asarray(weights / weights.sum())
