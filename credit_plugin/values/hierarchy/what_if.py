"""What agencies would get if they split or merged.

What: the Shapley values of the groups of another grouping, from coalitions that were evaluated for
this one. A merger needs nothing new: it is read off the coalitions in which the merging groups are
all in or all out. A split is read off those and the coalitions that split the group along its new
parts, the nested ones if every member stands alone. So from a table of all coalitions the answers
are exact, and otherwise estimates from fewer coalitions, drawn for another question, than the
groups' values themselves rest on.

How to read it: splitting raises what similar contributors get together and merging lowers it where
data saturate (three equal agencies of two members each and a utility that is the square root of
total data: 33.3 % before, 37.2 % after one of them splits); it is the other way round where they
need each other. So groups follow verified ownership and are fixed before the first coalition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.grouped import check_contributors
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.table import UtilityTable
from credit_plugin.values.hierarchy.groups import group_values
from credit_plugin.values.hierarchy.owen import OwenValues


@dataclass(frozen=True)
class WhatIf:
    """What a change would bring those who change, together.

    Attributes:
        change: What changes, in words.
        groups: Names of the groups that change, as they are.
        parts: Names of the groups that they become.
        before: Their value now.
        after: Their value then.
        standard_error: Of ``after``.
        gain: v(full) - v(empty), which everybody gets together.
        coalitions: Distinct coalitions that ``after`` rests on.
        exact: Whether these are all that there are.
    """

    change: str
    groups: tuple[str, ...]
    parts: tuple[str, ...]
    before: float
    after: float
    standard_error: float
    gain: float
    coalitions: int
    exact: bool

    @property
    def statement(self) -> str:
        """What was found, in plain words for a reviewer."""
        if self.gain == 0:
            return f"if {self.change}: {self.before:.4g} before, {self.after:.4g} after"
        before, after, error = (
            100 * part / self.gain for part in (self.before, self.after, self.standard_error)
        )
        basis = "from all coalitions" if self.exact else f"from {self.coalitions} coalitions"
        return (
            f"if {self.change}: {before:.2f} % of the total before, {after:.2f} % after "
            f"(standard error {abs(error):.2f} %, {basis})"
        )

    def to_json_dict(self) -> dict[str, Any]:
        """Return everything as types that JSON holds exactly, the statement too."""
        return {
            **asdict(self),
            "groups": list(self.groups),
            "parts": list(self.parts),
            "statement": self.statement,
        }


def if_split(
    table: UtilityTable,
    now: OwenValues,
    group: str,
    parts: Mapping[str, str] | None = None,
    seed: int = 0,
) -> WhatIf:
    """Tell what the members of a group would get together if it split.

    Args:
        table: The table that the values are of, with contributors as its columns.
        now: The values as they are.
        group: The group that splits.
        parts: The new group of each of its members by name; by default, and for members that are
            not in it, each stands alone.
        seed: Determines the resamples behind the standard error.

    Raises:
        InputError: If the group does not exist or has one member, or no coalition of the table
            splits it along these parts.
    """
    if table.contributors != now.grouping.contributors:
        raise InputError(
            f"table: its columns are not contributors, so nothing is known of {group!r} apart; "
            "evaluate a nested_design of it"
        )
    after = now.grouping.split(group, parts)
    new = _groups_of(after, now.grouping.members(group))
    if len(new) < 2:
        raise InputError(f"parts: {group!r} does not split; name two parts or more")
    rows = table.select(now.groups.property)
    whole, partial = after.to_groups(rows.coalitions)
    apart = whole[:, [after.position(name) for name in new]]
    told_apart = ~partial.any(axis=1) & (apart.any(axis=1) & ~apart.all(axis=1))
    if not told_apart.any():
        raise InputError(
            f"table: no coalition of whole groups splits {group!r} into {', '.join(new)}; evaluate "
            "a nested_design of it"
        )
    return _compare(rows, now, after, (group,), new, f"{group} splits into {len(new)}", seed)


def if_merged(
    table: UtilityTable,
    now: OwenValues,
    groups: Sequence[str],
    name: str | None = None,
    seed: int = 0,
) -> WhatIf:
    """Tell what groups would get together if they merged.

    Args:
        table: The table that the values are of, with contributors or groups as its columns.
        now: The values as they are.
        groups: Two or more groups that merge.
        name: Of what they become; by default their names joined by a plus sign.
        seed: Determines the resamples behind the standard error.

    Raises:
        InputError: If a group does not exist, or no coalition but the empty and the full one has
            all of them in or all of them out.
    """
    rows = table.select(now.groups.property)
    grouping = now.grouping
    if rows.contributors != grouping.contributors and rows.contributors == grouping.groups:
        grouping = Grouping.of(grouping.groups)
    check_contributors(rows, grouping)
    after = grouping.merge(groups, name)
    merged = _groups_of(after, np.concatenate([grouping.members(group) for group in groups]))
    chosen = tuple(dict.fromkeys(groups))
    return _compare(rows, now, after, chosen, merged, f"{' and '.join(chosen)} merge", seed)


def _groups_of(grouping: Grouping, contributors: np.ndarray) -> tuple[str, ...]:
    return tuple(grouping.groups[group] for group in np.unique(grouping.group_of[contributors]))


def _compare(
    table: UtilityTable,
    now: OwenValues,
    after: Grouping,
    groups: tuple[str, ...],
    parts: tuple[str, ...],
    change: str,
    seed: int,
) -> WhatIf:
    options = now.estimator_options
    then = group_values(table, after, seed, now.groups.estimator, options=options)
    old = [now.grouping.position(group) for group in groups]
    new = [after.position(part) for part in parts]
    coalitions = int(then.diagnostics["coalitions"])
    return WhatIf(
        change=change,
        groups=groups,
        parts=parts,
        before=float(now.groups.values[old].sum()),
        after=float(then.values[new].sum()),
        standard_error=float(then.draws[:, new].sum(axis=1).std(ddof=1)),
        gain=then.v_full - then.v_empty,
        coalitions=coalitions,
        exact=coalitions == 2 ** len(after.groups),
    )
