"""From weights to money that is paid, held and carried forward, exact to the smallest unit.

Four steps, each a pure function of integers in minor units (cents):

1. **Gross**, :func:`allocate_within`: the pool in proportion to the weights, nobody below the
   guaranteed floor and nobody above the cap. Payees whom a bound holds get the bound, and the
   others share what remains; this is the unique division lambda * weight clipped to the bounds, up
   to the last unit. What nobody may get because everybody with a weight is at the cap stays
   unassigned, and is held.
2. **Holds**: money on which there is a doubt. Several doubts about one payee hold what the largest
   of them holds, so each keeps its money when another is settled.
3. **Threshold**: the rest, with what earlier periods carried forward, is due. If it is less than
   the threshold, all of it is carried forward, and nothing of it waits for anything else.
4. **Reserve**: the same part of everybody's gross waits until contests are decided. What is doubted
   may be the same money. What is due is then paid in two parts, however small the first one is.

So for each payee gross + brought forward = paid + held + carried, and over all of them
paid + held + carried + unassigned = pool + brought forward, always, to the unit. Larger weights
never get less gross, equal weights the same to within one unit.

Cost: linear in payees for each bound that newly holds somebody; a million payees with a floor, a
cap, a reserve and a threshold take less than 5 s (``python -m tests.benchmarks.payouts``).

Source: the order in which bounds are fixed is that of the CSS flexible box layout ("resolving the
flexible lengths"): after each try, those are fixed whose violations have the sign of the total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from credit_plugin.compensation.payout import allocate, as_integers
from credit_plugin.errors import InputError


@dataclass(frozen=True)
class Terms:
    """The sums of a policy, in minor units.

    Attributes:
        pool: Money to distribute.
        floor: What everybody is guaranteed.
        cap: The most that anybody can get; None without a limit.
        threshold: Payments below this are carried forward.
        reserve: Money that waits for contests, of the pool.
        tie_key: Keys the hash that settles equal remainders.
    """

    pool: int
    floor: int = 0
    cap: int | None = None
    threshold: int = 0
    reserve: int = 0
    tie_key: str = ""


@dataclass(frozen=True)
class Hold:
    """Why some of a payee's money waits.

    Attributes:
        payee: Position.
        reason: In words.
        amount: Minor units; None holds everything that is due from this pool.
    """

    payee: int
    reason: str
    amount: int | None = None


@dataclass(frozen=True)
class Settlement:
    """What becomes of a pool; lists have an entry for each payee, in minor units.

    Attributes:
        gross: By weight, within the bounds.
        reserved: Of the gross, what waits for contests.
        doubted: Of the gross, what waits until doubts are settled.
        held: Of the gross, what waits for any of both reasons.
        brought_forward: From earlier periods.
        carried: What waits for the next period because it is little.
        paid: What is paid now.
        unassigned: What nobody could get, because of the cap.
    """

    gross: list[int]
    reserved: list[int]
    doubted: list[int]
    held: list[int]
    brought_forward: list[int]
    carried: list[int]
    paid: list[int]
    unassigned: int

    def totals(self) -> dict[str, int]:
        """Return the sums; ``held`` has what is unassigned in it."""
        return {
            "gross": sum(self.gross),
            "reserved": sum(self.reserved),
            "held": sum(self.held) + self.unassigned,
            "brought_forward": sum(self.brought_forward),
            "carried": sum(self.carried),
            "paid": sum(self.paid),
            "unassigned": self.unassigned,
        }


def settle(
    gross: Sequence[int],
    terms: Terms,
    holds: Sequence[Hold] = (),
    brought_forward: Mapping[int, int] | None = None,
) -> Settlement:
    """Say what of a divided pool is paid, held and carried forward.

    Args:
        gross: Amounts from :func:`allocate_within`, one for each payee.
        terms: Sums of the policy.
        holds: Doubts about payees.
        brought_forward: Outstanding from earlier periods by position.
    """
    doubted = _doubted(gross, holds)
    brought = [0] * len(gross)
    for payee, amount in (brought_forward or {}).items():
        brought[payee] = amount
    due = [g - d + b for g, d, b in zip(gross, doubted, brought, strict=True)]
    carried = [amount if amount < terms.threshold else 0 for amount in due]
    reserved = [0 if c else r for c, r in zip(carried, _reserved(gross, terms), strict=True)]
    # what is doubted and what is reserved may be the same money
    held = [max(d, r) for d, r in zip(doubted, reserved, strict=True)]
    own = zip(gross, brought, held, carried, strict=True)
    return Settlement(
        gross=list(gross),
        reserved=reserved,
        doubted=doubted,
        held=held,
        brought_forward=brought,
        carried=carried,
        paid=[g + b - h - c for g, b, h, c in own],
        unassigned=terms.pool - sum(gross),
    )


def allocate_within(
    weights: Sequence[float],
    pool: int,
    floor: int = 0,
    cap: int | None = None,
    tie_key: str = "",
) -> list[int]:
    """Split an amount in proportion to weights, within bounds for each share.

    Args:
        weights: Finite numbers of at least 0, one for each payee.
        pool: Minor units.
        floor: The least that each gets.
        cap: The most that each gets; None without a limit.
        tie_key: Keys the hash that settles equal remainders.

    Returns:
        Integers in the order of the weights. They sum to the pool, or to less if everybody with a
        weight is at the cap.

    Raises:
        InputError: If floors are above the pool, the cap is below the floor, no weight is positive
            although money is left after the floors, or an argument is negative or not finite.
    """
    if floor == 0 and cap is None:
        return allocate(weights, pool, tie_key)
    _check_bounds(len(weights), pool, floor, cap)
    whole = as_integers(weights)
    fixed = _bound(whole, pool, floor, cap)
    free = [i for i, amount in enumerate(fixed) if amount is None]
    amounts = [amount or 0 for amount in fixed]
    rest = pool - sum(amounts)
    if free:
        shares = allocate([whole[i] for i in free], rest, tie_key, free)
        for i, share in zip(free, shares, strict=True):
            amounts[i] = share
    elif rest and not any(whole):
        raise InputError("no positive value: there is nobody to pay by these values")
    return amounts


def _check_bounds(payees: int, pool: int, floor: int, cap: int | None) -> None:
    if pool < 0 or floor < 0:
        raise InputError(f"pool = {pool} and floor = {floor} must be 0 or more")
    if cap is not None and cap < floor:
        raise InputError(f"cap: {cap} is below the floor, {floor}")
    if payees * floor > pool:
        raise InputError(
            f"floor: {payees} payees of {floor} each are guaranteed {payees * floor}, more than "
            f"the pool, {pool}"
        )


def _bound(whole: Sequence[int], pool: int, floor: int, cap: int | None) -> list[int | None]:
    """Return what those get whom a bound holds, and None for the others."""
    fixed: list[int | None] = [None if weight else floor for weight in whole]
    while True:
        free = [i for i, amount in enumerate(fixed) if amount is None]
        rest = pool - sum(amount for amount in fixed if amount is not None)
        total = sum(whole[i] for i in free)
        # shares are compared as whole[i] * rest against bound * total, so nothing is rounded
        low = [i for i in free if whole[i] * rest < floor * total]
        high = [] if cap is None else [i for i in free if whole[i] * rest > cap * total]
        if not low and not high:
            return fixed
        missing = sum(floor * total - whole[i] * rest for i in low)
        excess = sum(whole[i] * rest - (cap or 0) * total for i in high)
        if missing >= excess:
            for i in low:
                fixed[i] = floor
        if excess >= missing:
            for i in high:
                fixed[i] = cap


def _reserved(gross: Sequence[int], terms: Terms) -> list[int]:
    """Return the reserve by payee; nobody's is above their gross, since it is less than all."""
    if not terms.reserve or not any(gross):
        return [0] * len(gross)
    reserve = min(terms.reserve, sum(gross))
    return allocate(gross, reserve, f"{terms.tie_key}/reserve")


def _doubted(gross: Sequence[int], holds: Sequence[Hold]) -> list[int]:
    doubted = [0] * len(gross)
    for hold in holds:
        everything = gross[hold.payee]
        amount = everything if hold.amount is None else min(hold.amount, everything)
        doubted[hold.payee] = max(doubted[hold.payee], amount)
    return doubted
