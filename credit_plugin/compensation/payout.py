"""Money by weights, exact to the smallest unit.

:func:`allocate` is the method of largest remainders (Hamilton's): with weights w and a pool of P
units, everybody gets floor(P w / sum w), and the units that are left over go one each to the
largest fractional parts. It sums to the pool always, gives equal weights the same to within one
unit, and never gives a larger weight less.

It is exact: a float is a fraction with a power of two below, so weights become integers in the
same proportion and all arithmetic is on Python's integers. Nothing is rounded before the end, and
a million payees take about two seconds (``python -m tests.benchmarks.payouts``).

Equal remainders are settled by the larger weight, then by a keyed hash of the position in the
list: nobody can steer the last cent by choosing a place in it, and everybody can check who got it.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from credit_plugin.currency import decimals
from credit_plugin.errors import InputError


def allocate(
    weights: Sequence[float],
    pool_minor: int,
    tie_key: str = "",
    places: Sequence[int] | None = None,
) -> list[int]:
    """Split an amount in proportion to weights.

    Args:
        weights: Finite numbers (float, int or Fraction) of at least 0, one for each payee.
        pool_minor: Amount in minor units (cents), at least 0.
        tie_key: Keys the hash that settles equal remainders.
        places: Positions that are hashed, for weights that are part of a longer list.

    Returns:
        Integers of at least 0 that sum to ``pool_minor``, in the order of the weights.

    Raises:
        InputError: If no weight is positive, one is negative or not finite, or the amount is
            negative.
    """
    if pool_minor < 0:
        raise InputError(f"pool: {pool_minor} is negative; only 0 or more can be paid out")
    whole = as_integers(weights)
    total = sum(whole)
    if total == 0:
        raise InputError("no positive value: there is nobody to pay by these values")
    amounts, remainders = [], []
    for weight in whole:
        amount, remainder = divmod(weight * pool_minor, total)
        amounts.append(amount)
        remainders.append(remainder)
    hashed = range(len(whole)) if places is None else places
    for position in _first(pool_minor - sum(amounts), remainders, whole, tie_key, hashed):
        amounts[position] += 1
    return amounts


def pool_in_minor_units(pool: Decimal, currency: str) -> int:
    """Return an amount in the currency's minor units, exactly.

    Args:
        pool: Amount in units of the currency.
        currency: ISO 4217 code.

    Raises:
        InputError: If the currency has no units that small.
    """
    minor = Fraction(pool) * 10 ** decimals(currency)
    if minor.denominator != 1:
        raise InputError(
            f"compensation.pool: {pool} {currency} has more decimals than the currency's "
            f"{decimals(currency)}"
        )
    return int(minor)


def as_amount(minor: int, currency: str) -> str:
    """Return an amount as an exact decimal for machines, for instance ``"1234.50"``."""
    return _with_point(minor, currency, grouping="")


def format_amount(minor: int, currency: str) -> str:
    """Return an amount for people, without the currency: ``"1,234.50"``."""
    return _with_point(minor, currency, grouping=",")


def format_money(minor: int, currency: str) -> str:
    """Return an amount for people: ``"1,234.50 EUR"``."""
    return f"{format_amount(minor, currency)} {currency}"


def _with_point(minor: int, currency: str, grouping: str) -> str:
    places = decimals(currency)
    units, rest = divmod(abs(minor), 10**places)
    sign = "-" if minor < 0 else ""
    fraction = f".{rest:0{places}d}" if places else ""
    return f"{sign}{units:{grouping}d}{fraction}"


def as_integers(weights: Sequence[float]) -> list[int]:
    """Return integers in exactly the same proportion as the weights."""
    pairs = []
    for position, weight in enumerate(weights):
        if not 0 <= weight < math.inf:  # not a number fails this too
            raise InputError(f"weight {position + 1} is {weight}: weights must be 0 or more")
        pairs.append(weight.as_integer_ratio())
    scale = math.lcm(*{denominator for _, denominator in pairs})
    return [numerator * (scale // denominator) for numerator, denominator in pairs]


def _first(
    count: int,
    remainders: Sequence[int],
    whole: Sequence[int],
    tie_key: str,
    places: Sequence[int],
) -> Iterable[int]:
    """Return the ``count`` positions with the largest remainders."""
    if count == 0:
        return []
    # only the remainder at the edge can be contested, and only its positions need to be hashed
    edge = sorted(remainders, reverse=True)[count - 1]
    sure = [i for i, remainder in enumerate(remainders) if remainder > edge]
    contested = [i for i, remainder in enumerate(remainders) if remainder == edge]
    keyed = hashlib.sha256(f"{tie_key}\x1f".encode())
    contested.sort(key=lambda i: _tie(keyed, places[i]))
    contested.sort(key=lambda i: whole[i], reverse=True)  # stable: equal weights stay as drawn
    return sure + contested[: count - len(sure)]


def _tie(keyed: "hashlib._Hash", position: int) -> bytes:
    state = keyed.copy()
    state.update(b"%d" % position)
    return state.digest()
