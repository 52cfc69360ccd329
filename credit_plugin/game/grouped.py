"""Designs over groups: which coalitions the Owen value needs.

The Owen value asks two kinds of questions, and there is a design for each:

* **What is each group worth?** Coalitions of whole groups (:func:`group_design`), from any design
  of :mod:`credit_plugin.game.design` with the groups as players.
* **Who inside a group made that worth?** Coalitions in which every other group is whole or absent
  and some members of the group are in (:func:`nested_design`). In the order in which the Owen value
  lets contributors arrive, q = 0..g-1 other groups, all as likely, are there before the group, and
  of its k members every number is as likely to be there before another. So rows are pairs
  (Q, T), Q some of the g - 1 other groups and T some of the members, spread over the cells (q, t)
  in proportion to 1/g for q and to the Shapley kernel 1 / (t (k - t)) for t = 1..k-1. Each comes
  with its complement, and a cell that is expected to get as many rows as it has is taken whole, as
  in :mod:`credit_plugin.game.layers`; small groups are soon known completely. Coalitions with none
  or all of the members are among the first kind and are not drawn here.

Both are nested in the budget: for one seed, a smaller design is the beginning of a larger one. The
cells share the times of their draws by the rule of :mod:`credit_plugin.game.layers`.

Memory: a coalition of 10^5 contributors is 10^5 bytes, so a thousand of them 100 MB. A table of the
first kind can be kept with the groups as its columns instead (:func:`group_table`, or a design
over the groups from the start and :meth:`Grouping.to_contributors` one row at a time).

Source: Owen, "Values of games with a priori unions" (1977). The designs are this project's own.
"""

from math import comb

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import to_bits
from credit_plugin.game.design import design
from credit_plugin.game.designs.shapley_iid import kernel_of_sizes
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.layers import nested_order
from credit_plugin.game.subsets import first_distinct, random_subsets
from credit_plugin.game.table import UtilityTable
from credit_plugin.seeding import numpy_generator

# The number of groups whose square this many times the coalitions allow: 100 for 1,000 coalitions
_RESOLVED = 10


def group_design(
    grouping: Grouping, budget: int, kind: str = "paired_border", seed: int = 0
) -> np.ndarray:
    """Choose coalitions of whole groups.

    Args:
        grouping: The groups, 2..1000 of them.
        budget: Rows, the empty and the full coalition among them.
        kind: A registered design.
        seed: Determines every draw.

    Returns:
        bool [budget, n], coalitions of contributors; the first is empty, the second full.

    Raises:
        InputError: As :func:`credit_plugin.game.design.design`, and if there is one group.
    """
    if len(grouping.groups) < 2:
        raise InputError(
            "grouping: a single group leaves no coalitions of groups to choose; evaluate the empty "
            "and the full coalition, and a nested_design of its members"
        )
    return grouping.to_contributors(design(len(grouping.groups), budget, kind, seed))


def nested_design(grouping: Grouping, group: str, budget: int, seed: int = 0) -> np.ndarray:
    """Choose coalitions that tell the members of one group apart.

    Args:
        grouping: The groups.
        group: The group, of two members or more.
        budget: Rows, 2..2**(g-1) * (2**k - 2) for g groups and k members.
        seed: Determines every draw.

    Returns:
        bool [budget, n], coalitions of contributors, complements next to each other. An odd
        number ends in a coalition without its complement.

    Raises:
        InputError: If there is no such group, it has one member, or the budget is out of range.
    """
    members = grouping.members(group)
    others, inside = len(grouping.groups) - 1, len(members)
    if inside < 2:
        raise InputError(f"group: {group!r} has one member, who gets the group's value")
    if budget < 2 or budget > 2**others * (2**inside - 2):
        raise InputError(
            f"budget: {budget} is outside 2..2^{others} * (2^{inside} - 2), which are the "
            f"coalitions of {inside} members of {group!r} and {others} other groups"
        )
    pairs = _nested_pairs(others, inside, (budget + 1) // 2, group, seed)
    chosen = np.stack([pairs, ~pairs], axis=1).reshape(-1, others + inside)[:budget]
    of_groups = np.insert(chosen[:, :others], grouping.position(group), False, axis=1)
    rows = grouping.to_contributors(of_groups)
    rows[:, members] = chosen[:, others:]
    return rows


def grouped_design(
    grouping: Grouping,
    budget: int,
    kind: str = "paired_border",
    seed: int = 0,
    nested: bool = True,
) -> np.ndarray:
    """Choose coalitions that value groups, and tell their members apart.

    Half of the budget is for the groups, all of their coalitions if these are fewer, and the rest
    for the members, in proportion to how many of each group there are beyond one.

    Args:
        grouping: The groups, two or more.
        budget: Rows at most, the empty and the full coalition among them.
        kind: A registered design, for the groups.
        seed: Determines every draw.
        nested: Whether members are told apart at all.

    Returns:
        bool [m, n], coalitions of contributors; the first is empty, the second full.

    Raises:
        InputError: If the budget is too small.
    """
    count = len(grouping.groups)
    several = [name for name, k in zip(grouping.groups, grouping.sizes, strict=True) if k > 1]
    if not nested or not several:
        return group_design(grouping, min(budget, 2**count), kind, seed)
    least = min(count + 2, 2**count) + 2 * len(several)
    if budget < least:
        raise InputError(
            f"game.budget: {budget} is too small for {count} groups, {len(several)} of them with "
            f"several members; use at least {least}"
        )
    for_groups = min(2**count, max(count + 2, budget // 2))
    rows = [group_design(grouping, for_groups, kind, seed)]
    waiting, members = budget - for_groups, sum(grouping.sizes) - count
    for place, name in enumerate(several):
        size = len(grouping.members(name))
        for_others = 2 * (len(several) - 1 - place)  # every group needs a pair at least
        share = min(max(round(waiting * (size - 1) / members), 2), waiting - for_others)
        taken = min(share, 2 ** (count - 1) * (2**size - 2))
        rows.append(nested_design(grouping, name, taken, seed))
        waiting, members = waiting - taken, members - (size - 1)
    return np.concatenate(rows)


def group_table(table: UtilityTable, grouping: Grouping) -> UtilityTable:
    """Return the rows of whole groups, with the groups as the contributors.

    Args:
        table: Coalitions of contributors.
        grouping: The groups, two or more.

    Raises:
        InputError: If the table is not of the grouping's contributors, there is one group, or no
            row is of whole groups.
    """
    check_contributors(table, grouping)
    whole, partial = grouping.to_groups(table.coalitions)
    keep = ~partial.any(axis=1)
    if not keep.any():
        first = to_bits(table.coalitions[0]) if table.n_contributors <= 64 else "row 1"
        raise InputError(
            f"table: every coalition splits a group, for instance {first}; evaluate a group_design"
        )
    return UtilityTable(
        contributors=grouping.groups,
        coalitions=whole[keep],
        utilities=table.utilities[keep],
        properties=tuple(np.array(table.properties, dtype=object)[keep]),
        seeds=table.seeds[keep],
        repeats=table.repeats[keep],
        weights=table.weights[keep],
    )


def check_contributors(table: UtilityTable, grouping: Grouping) -> None:
    """Refuse a table of others than the grouping's contributors.

    Raises:
        InputError: If it is one.
    """
    if table.contributors != grouping.contributors:
        raise InputError(
            "grouping: its contributors are not the table's in the same order; make it with "
            "Grouping.of(table.contributors, groups)"
        )


def too_many_groups(groups: int, coalitions: int) -> str | None:
    """Return a warning if so many groups are more than coalitions of them can tell apart.

    The half-width of an interval over the mean share grows about as the number of groups over the
    square root of the number of coalitions. With 1,000 coalitions it passes 1.7 at 100 groups,
    which is the limit; with 40 at 20.

    Args:
        groups: How many.
        coalitions: Evaluated coalitions of whole groups.
    """
    most = int((_RESOLVED * coalitions) ** 0.5)
    if groups <= most:
        return None
    return (
        f"{groups} groups are too many for {coalitions} coalitions, whose values would be mostly "
        f"noise; join them to {most} or fewer, or evaluate {-(-groups * groups // _RESOLVED)}"
    )


def _nested_pairs(others: int, inside: int, pairs: int, group: str, seed: int) -> np.ndarray:
    """Return one coalition of each pair, others first, bool [pairs, others + inside]."""
    cells = _cells(others, inside)
    cell_of_pair = _cell_order(cells, others, inside, pairs, group, seed)
    chosen = np.empty((pairs, others + inside), dtype=bool)
    for index in np.unique(cell_of_pair):
        here = cell_of_pair == index
        q, t = cells[index]
        chosen[here] = _cell_rows(others, inside, q, t, int(here.sum()), group, seed)
    return chosen


def _cells(others: int, inside: int) -> list[tuple[int, int]]:
    """Return one (q, t) of each two that are complements."""
    return [
        (q, t)
        for t in range(1, inside // 2 + 1)
        for q in range(others + 1 if 2 * t < inside else others // 2 + 1)
    ]


def _cell_order(
    cells: list[tuple[int, int]], others: int, inside: int, pairs: int, group: str, seed: int
) -> np.ndarray:
    """Return the cell of each pair, in the order of the design, int64 [pairs]."""
    kernel = kernel_of_sizes(inside)
    shift = numpy_generator(seed, group, "nested design offsets").random()
    weights = [
        float(kernel[t - 1]) * (1 if _is_own_complement(others, inside, q, t) else 2)
        for q, t in cells
    ]
    capacities = [_pairs_in(others, inside, q, t) for q, t in cells]
    return nested_order(weights, capacities, pairs, shift)


def _pairs_in(others: int, inside: int, q: int, t: int) -> int:
    rows = comb(others, q) * comb(inside, t)
    return rows // 2 if _is_own_complement(others, inside, q, t) else rows


def _is_own_complement(others: int, inside: int, q: int, t: int) -> bool:
    return 2 * q == others and 2 * t == inside


def _cell_rows(
    others: int, inside: int, q: int, t: int, count: int, group: str, seed: int
) -> np.ndarray:
    """Return the cell's first ``count`` coalitions, others first, bool [count, others + inside]."""
    # two streams, so that how many rows are drawn at once does not change the first ones
    key = f"{group}/{q}/{t}"
    of_others = numpy_generator(seed, key, "nested design groups")
    of_members = numpy_generator(seed, key, "nested design members")
    fixed = int(_is_own_complement(others, inside, q, t))

    def draw(rows: int) -> np.ndarray:
        groups = _subsets(of_others, others, q, rows)
        # where both halves are of the cell, the one with the first member stands for the pair
        first = np.ones((rows, fixed), dtype=bool)
        members = _subsets(of_members, inside - fixed, t - fixed, rows)
        return np.concatenate([groups, first, members], axis=1)

    return first_distinct(draw, count)


def _subsets(generator: np.random.Generator, n: int, size: int, count: int) -> np.ndarray:
    if size == 0:
        return np.zeros((count, n), dtype=bool)
    return random_subsets(generator, n, np.full(count, size))
