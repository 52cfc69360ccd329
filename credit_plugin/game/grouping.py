"""Groups of contributors: who belongs to which agency or collective, and who stands alone.

A :class:`Grouping` puts every contributor into exactly one group. Groups are fixed before the
first coalition is evaluated: they decide which coalitions are (:mod:`credit_plugin.game.grouped`)
and what everybody gets (:mod:`credit_plugin.values.hierarchy`). To ask what another grouping
would give, :meth:`Grouping.split` and :meth:`Grouping.merge` make it from this one.
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from credit_plugin.errors import InputError

_NUMBERS_AT_ONCE = 2**24  # memberships that are looked at in one go: 16 MB


@dataclass(frozen=True, eq=False)
class Grouping:
    """A partition of the contributors; made by :meth:`of`.

    Attributes:
        contributors: Names, n of them.
        groups: Names in the order of their first members, g of them.
        group_of: int64 [n], the group of each contributor.
    """

    contributors: tuple[str, ...]
    groups: tuple[str, ...]
    group_of: np.ndarray

    @classmethod
    def of(cls, contributors: Sequence[str], groups: Mapping[str, str] | None = None) -> "Grouping":
        """Put contributors into groups.

        Args:
            contributors: Names, in the order of a table's columns.
            groups: The group of a contributor by name. Who is not in it is independent: a group
                of one, under the contributor's own name.

        Raises:
            InputError: If a name is unknown, blank or there twice, or an independent contributor
                has the name of a group.
        """
        names, given = tuple(contributors), dict(groups or {})
        _check_names(names, given)
        labels = [given.get(name, name) for name in names]
        position = {label: index for index, label in enumerate(dict.fromkeys(labels))}
        group_of = np.array([position[label] for label in labels], dtype=np.int64)
        group_of.setflags(write=False)
        return cls(names, tuple(position), group_of)

    @property
    def sizes(self) -> np.ndarray:
        """Members of each group, int64 [g]."""
        return np.bincount(self.group_of, minlength=len(self.groups))

    def to_mapping(self) -> dict[str, str]:
        """Return the group of each contributor by name, from which :meth:`of` makes the same."""
        return {
            name: self.groups[group]
            for name, group in zip(self.contributors, self.group_of, strict=True)
        }

    def position(self, group: str) -> int:
        """Return where a group is among the groups.

        Raises:
            InputError: If there is no such group.
        """
        if group not in self.groups:
            raise InputError(f"group: {group!r} does not exist; {_hint(group, self.groups)}")
        return self.groups.index(group)

    def members(self, group: str) -> np.ndarray:
        """Return the places of a group's contributors, int64 [members].

        Raises:
            InputError: If there is no such group.
        """
        return np.flatnonzero(self.group_of == self.position(group))

    def to_contributors(self, coalitions: np.ndarray) -> np.ndarray:
        """Write coalitions of groups, bool [m, g], as coalitions of contributors, bool [m, n]."""
        return np.asarray(coalitions, dtype=bool)[:, self.group_of]

    def to_groups(self, coalitions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Look at coalitions of contributors group by group.

        Args:
            coalitions: bool [m, n].

        Returns:
            whole: bool [m, g], whether all members of the group are in.
            partial: bool [m, g], whether some are in and some are not.
        """
        order = np.argsort(self.group_of, kind="stable")
        starts = np.searchsorted(self.group_of[order], np.arange(len(self.groups)))
        whole = np.empty((len(coalitions), len(self.groups)), dtype=bool)
        some = np.empty_like(whole)
        block = max(1, _NUMBERS_AT_ONCE // len(order))
        for start in range(0, len(coalitions), block):
            rows = slice(start, start + block)
            chosen = coalitions[rows][:, order]
            np.logical_and.reduceat(chosen, starts, axis=1, out=whole[rows])
            np.logical_or.reduceat(chosen, starts, axis=1, out=some[rows])
        return whole, some & ~whole

    def split(self, group: str, parts: Mapping[str, str] | None = None) -> "Grouping":
        """Return the grouping after a group has split.

        Args:
            group: The group.
            parts: The new group of each of its members by name; by default, and for members that
                are not in it, each stands alone.

        Raises:
            InputError: If there is no such group, somebody in ``parts`` is not in it, or a part
                has the name of another group.
        """
        names = [self.contributors[member] for member in self.members(group)]
        for name in parts or {}:
            if name not in names:
                raise InputError(f"parts: {name!r} is not in group {group!r}; {_hint(name, names)}")
        after = {name: (parts or {}).get(name, name) for name in names}
        self._check_new(after.values(), (group,))
        return Grouping.of(self.contributors, {**self.to_mapping(), **after})

    def merge(self, groups: Sequence[str], name: str | None = None) -> "Grouping":
        """Return the grouping after groups have merged.

        Args:
            groups: Two or more groups.
            name: Of what they become; by default their names joined by a plus sign.

        Raises:
            InputError: If there are fewer than two different ones, one does not exist, or the name
                is that of another group.
        """
        chosen = tuple(dict.fromkeys(groups))
        if len(chosen) < 2:
            raise InputError(f"groups: {len(chosen)} cannot merge; name two or more")
        for group in chosen:
            self.position(group)
        label = " + ".join(chosen) if name is None else name
        self._check_new([label], chosen)
        after = {
            member: label if group in chosen else group
            for member, group in self.to_mapping().items()
        }
        return Grouping.of(self.contributors, after)

    def _check_new(self, names: Iterable[str], leaving: tuple[str, ...]) -> None:
        """Refuse names of groups that stay."""
        for name in names:
            if name in self.groups and name not in leaving:
                raise InputError(f"groups: there is another group {name!r}; choose another name")


def _check_names(names: tuple[str, ...], given: Mapping[str, str]) -> None:
    if not names:
        raise InputError("contributors: there is none; name at least one")
    counts = Counter(names)
    for name, count in counts.items():
        if count > 1:
            raise InputError(f"contributors: {name!r} is there {count} times; names must differ")
    for name, group in given.items():
        if name not in counts:
            raise InputError(f"groups: {name!r} is no contributor; {_hint(name, names)}")
        if not isinstance(group, str) or not group.strip():
            raise InputError(f"groups: contributor {name!r} has no group; name it, or leave it out")
    taken = set(given.values())
    for name in names:
        if name in taken and name not in given:
            raise InputError(
                f"groups: {name!r} is a group and an independent contributor; put the contributor "
                "into a group, or rename the group"
            )


def _hint(name: str, known: Sequence[str]) -> str:
    if not isinstance(name, str):
        return "names are text"
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(known[:8])
    return f"there are {shown}" + (f" and {len(known) - 8} more" if len(known) > 8 else "")
