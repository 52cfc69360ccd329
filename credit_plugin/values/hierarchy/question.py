"""What is to be divided, and what was evaluated: the part that all ways to divide share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.table import UtilityTable
from credit_plugin.values.observations import Observations, observe
from credit_plugin.values.result import ContributorValues


@dataclass(frozen=True, eq=False)
class InnerGame:
    """A group's members and the other groups, each of which is one player.

    Attributes:
        observed: The evaluated coalitions of them, members first: those with some but not all of
            the members, and the empty and the full one.
        n_members: Members k of the group.
        value: The group's value.
        centre: float64 [k + others], the members' equal shares of it and the other groups' values.
    """

    observed: Observations
    n_members: int
    value: float
    centre: np.ndarray


@dataclass(frozen=True, eq=False)
class Question:
    """Groups whose values are known and whose members' are asked for.

    Attributes:
        grouping: Who is in which group.
        groups: The groups' values.
        table: Coalitions of contributors, of one property; None if only groups were evaluated.
        seed: Determines all draws.
        confidence: Level of the intervals.
        resamples: Resamples behind standard errors and intervals.
    """

    grouping: Grouping
    groups: ContributorValues
    table: UtilityTable | None
    seed: int
    confidence: float
    resamples: int

    def inner_game(self, group: int) -> InnerGame | None:
        """Return the inner game of the group at a position, None if none of it was evaluated."""
        if self.table is None:
            return None
        observed, whole, partial, splits = self._looked_at
        inner = np.flatnonzero(partial[:, group] & (splits == 1))
        if not len(inner):
            return None
        members = np.flatnonzero(self.grouping.group_of == group)
        rows = np.concatenate([[observed.empty, observed.full], inner])
        others = np.delete(whole[rows], group, axis=1)
        value, k = float(self.groups.values[group]), len(members)
        return InnerGame(
            observed=replace(
                observed,
                coalitions=np.concatenate([observed.coalitions[rows][:, members], others], axis=1),
                utilities=observed.utilities[rows],
                weights=observed.weights[rows],
                noise_variance=observed.noise_variance[rows],
                empty=0,
                full=1,
            ),
            n_members=k,
            value=value,
            centre=np.append(np.full(k, value / k), np.delete(self.groups.values, group)),
        )

    def coalition_counts(self) -> tuple[int, int]:
        """Return how many distinct coalitions split one group, and how many split several."""
        if self.table is None:
            return 0, 0
        splits = self._looked_at[3]
        return int((splits == 1).sum()), int((splits > 1).sum())

    @cached_property
    def _looked_at(self) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray]:
        """The observations, which groups are whole or partial in each, and how many partial."""
        assert self.table is not None
        observed = observe(self.table)
        whole, partial = self.grouping.to_groups(observed.coalitions)
        return observed, whole, partial, partial.sum(axis=1)


def by_contributor(given: Mapping[str, float] | Any, grouping: Grouping, field: str) -> np.ndarray:
    """Return numbers in the order of the contributors, NaN where none was given, float64 [n].

    Args:
        given: By name, or one for each contributor in their order.
        grouping: The contributors.
        field: What the numbers are called, for errors.

    Raises:
        InputError: If a name is unknown, there are too many or too few, or they are no numbers.
    """
    names = grouping.contributors
    if isinstance(given, Mapping):
        unknown = next(iter(given.keys() - set(names)), None)
        if unknown is not None:
            raise InputError(f"{field}: {unknown!r} is no contributor; use the table's names")
        given = [given.get(name, np.nan) for name in names]
    try:
        numbers = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{field}: numbers are needed, one for each contributor") from None
    if numbers.shape != (len(names),):
        raise InputError(
            f"{field}: {numbers.size} numbers for {len(names)} contributors; give one for each"
        )
    return numbers
