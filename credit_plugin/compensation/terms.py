"""A policy's sums for the owners of one study, in minor units, checked against them."""

import difflib
from collections.abc import Mapping, Sequence
from decimal import Decimal

from credit_plugin.compensation.payout import format_money, pool_in_minor_units
from credit_plugin.compensation.provenance import NAMES
from credit_plugin.compensation.settlement import Terms
from credit_plugin.config import CompensationSettings
from credit_plugin.errors import InputError


def terms_of(policy: CompensationSettings, payees: int, tie_key: str = "") -> Terms:
    """Return the sums of a policy.

    Args:
        policy: The policy.
        payees: Number of owners who share the pool.
        tie_key: Keys the hash that settles equal remainders.

    Raises:
        InputError: If guarantees are above the pool, or nobody could get some of it.
    """
    currency = policy.currency
    pool = pool_in_minor_units(policy.pool, currency)
    floor, cap = bounds_of(policy)
    if floor * payees > pool:
        raise InputError(
            f"compensation.floor: {payees} owners of {format_money(floor, currency)} each are "
            f"guaranteed {format_money(floor * payees, currency)}, more than the pool of "
            f"{format_money(pool, currency)}; lower the floor or raise the pool"
        )
    if cap is not None and cap * payees < pool:
        raise InputError(
            f"compensation.cap: {payees} owners can get {format_money(cap * payees, currency)} at "
            f"most, less than the pool of {format_money(pool, currency)}; raise the cap"
        )
    return Terms(
        pool=pool,
        floor=floor,
        cap=cap,
        threshold=pool_in_minor_units(policy.threshold, currency),
        reserve=int(Decimal(str(policy.reserve)) * pool),
        tie_key=tie_key,
    )


def bounds_of(policy: CompensationSettings) -> tuple[int, int | None]:
    """Return the least and the most that an owner gets, in minor units; None without a cap."""
    floor = pool_in_minor_units(policy.floor, policy.currency)
    cap = None if policy.cap is None else pool_in_minor_units(policy.cap, policy.currency)
    return floor, cap


def check_policy(
    policy: CompensationSettings, owners: Sequence[str], directions: Mapping[str, float]
) -> None:
    """Refuse a policy that does not fit the owners or the properties of a study.

    Args:
        policy: The policy.
        owners: Everybody who is paid.
        directions: By property, positive where more is better.

    Raises:
        InputError: One line that names the field and the mend.
    """
    terms_of(policy, len(owners))
    for name in policy.provenance:
        if name not in NAMES:
            raise InputError(f"compensation.provenance: {_unknown(name, sorted(NAMES))}")
    for field in ("holds", "brought_forward"):
        named: Mapping[str, object] = getattr(policy, field)
        for name in named:
            if name not in owners:
                raise InputError(f"compensation.{field}: {_nobody(name, owners)}")
    for group, members in policy.groups.items():
        for name in members:
            if name not in owners:
                raise InputError(f"compensation.groups.{group}: {_nobody(name, owners)}")
    for name, stated in policy.directions.items():
        measured = "higher" if directions[name] > 0 else "lower"
        if stated != measured:
            raise InputError(
                f"compensation.directions.{name}: {stated} is stated, but {measured} is better of "
                "this property"
            )


def _unknown(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"there is no field {name!r}; {hint}"


def _nobody(name: str, owners: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, owners, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(owners[:8])}"
    return f"{name!r} is no owner; {hint}"
