"""Money by weights, exact to the cent.

``allocate`` is the method of largest remainders (Hamilton): everybody gets the integer part of
their quota and the units that are left go to the largest fractional parts. It is exact (weights
are converted to integers without rounding), sums to the pool always, gives equal weights the same
to within one unit, and never gives a larger weight less. Equal remainders are settled by a hash of
(key, position), which nobody can steer by choosing a place in the list.
"""

import hashlib
import math
from collections.abc import Sequence
from decimal import Decimal

from credit_plugin.errors import InputError

DECIMALS = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "KWD": 3, "BHD": 3, "JOD": 3}
"""Minor units of ISO 4217 currencies that do not have two."""


def allocate(weights: Sequence[float], pool_minor: int, tie_key: str = "") -> list[int]:
    """Split an amount in proportion to weights.

    Args:
        weights: Finite numbers of at least 0, one for each payee.
        pool_minor: Amount in minor units (cents), at least 0.
        tie_key: Keys the hash that settles equal remainders.

    Returns:
        Integers of at least 0 that sum to ``pool_minor``.

    Raises:
        InputError: If no weight is positive, or one is negative or not finite.
    """
    for position, weight in enumerate(weights):
        if not (math.isfinite(weight) and weight >= 0):
            raise InputError(f"weight {position + 1} is {weight}: weights must be 0 or more")
    whole = _as_integers(weights)
    total = sum(whole)
    if total == 0:
        raise InputError("no positive value: there is nobody to pay by these values")
    quotas = [divmod(weight * pool_minor, total) for weight in whole]
    amounts = [quotient for quotient, _ in quotas]
    left = pool_minor - sum(amounts)
    order = sorted(
        (i for i, (_, remainder) in enumerate(quotas) if remainder),
        key=lambda i: (-quotas[i][1], -whole[i], _tie(tie_key, i)),
    )
    for position in order[:left]:
        amounts[position] += 1
    return amounts


def pool_in_minor_units(pool: Decimal, currency: str) -> int:
    """Return an amount in the currency's minor units.

    Raises:
        InputError: If the currency has no units that small.
    """
    minor = pool.scaleb(decimals(currency))
    if minor != minor.to_integral_value():
        raise InputError(
            f"compensation.pool: {pool} {currency} has more decimals than the currency's "
            f"{decimals(currency)}"
        )
    return int(minor)


def as_amount(minor: int, currency: str) -> str:
    """Return an amount as an exact decimal, for instance ``"12.30"``."""
    return str(Decimal(minor).scaleb(-decimals(currency)))


def format_money(minor: int, currency: str) -> str:
    """Return an amount for people, for instance ``"1,234.50 EUR"``."""
    return f"{Decimal(minor).scaleb(-decimals(currency)):,} {currency}"


def decimals(currency: str) -> int:
    """Return how many decimals the currency has."""
    return DECIMALS.get(currency, 2)


def _as_integers(weights: Sequence[float]) -> list[int]:
    """Return integers in exactly the same proportion: floats are fractions of powers of two."""
    fractions = [float(weight).as_integer_ratio() for weight in weights]
    scale = max((denominator for _, denominator in fractions), default=1)
    return [numerator * (scale // denominator) for numerator, denominator in fractions]


def _tie(key: str, position: int) -> bytes:
    return hashlib.sha256(f"{key}\x1f{position}".encode()).digest()
