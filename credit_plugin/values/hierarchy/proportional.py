"""Dividing a group's value in proportion to numbers that are known without any evaluation.

What: member i of group G gets V_G x_i / sum of x over G. If all members of a group have 0, they
get equal parts, which is said in a warning. A group whose value is negative divides that in the
same proportion.

Errors: the numbers must be finite and not negative, one for each member of a group that is divided
so. The intervals are the group's, scaled: the division is declared and not measured, so they say
nothing about whether it is right. How well the numbers rank is said by their rank correlation with
the values of nested games, wherever the table holds some, and with reference values if there are.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.values.hierarchy.agreement import Agreement, agreement
from credit_plugin.values.hierarchy.nested_game import nested_values
from credit_plugin.values.hierarchy.question import Question, by_contributor
from credit_plugin.values.hierarchy.ways import Divider, Division, declared

NESTED = "values of nested games"
REFERENCE = "reference values"


def proportional(
    question: Question,
    given: Mapping[str, float] | Any,
    field: str,
    reference: Mapping[str, float] | Any | None,
) -> Divider:
    """Prepare the division in proportion to numbers.

    Args:
        question: The groups and what was evaluated.
        given: The numbers, by name or one for each contributor in their order.
        field: What they are called.
        reference: Values to compare the order with, of some or all contributors.

    Raises:
        InputError: If they are not what is described above.
    """
    grouping, numbers = question.grouping, by_contributor(given, question.grouping, field)
    bad = np.flatnonzero((numbers < 0) | np.isinf(numbers))
    if len(bad):
        name = grouping.contributors[bad[0]]
        raise InputError(
            f"{field}: {name!r} has {numbers[bad[0]]:g}; finite numbers from 0 on are needed"
        )

    def divide(group: int) -> Division:
        members = np.flatnonzero(grouping.group_of == group)
        missing = members[np.isnan(numbers[members])]
        if len(missing):
            name = grouping.contributors[missing[0]]
            raise InputError(
                f"{field}: {name!r} has none, and its group {grouping.groups[group]!r} is divided "
                "by them; give one for each of its members"
            )
        value = float(question.groups.values[group])
        if not numbers[members].any():
            equal = np.full(len(members), 1 / len(members))
            name = grouping.groups[group]
            return declared(value, equal, f"all of {name!r} have 0 {field}, so get equal parts")
        # scaled first: a sum of large numbers may be infinite
        scaled = numbers[members] / numbers[members].max()
        return declared(value, scaled / scaled.sum())

    agreements = [_with_nested(question, numbers)]
    if reference is not None:
        agreements.append(_with_reference(question, numbers, reference))
    return Divider(
        divide=divide,
        intervals=f"the group's uncertainty, divided by {field}; the division itself is declared",
        agreements=tuple(agreements),
        warnings=_warnings(field, agreements),
    )


def _with_nested(question: Question, numbers: np.ndarray) -> Agreement:
    compared = []
    for group in range(len(question.grouping.groups)):
        members = np.flatnonzero(question.grouping.group_of == group)
        game = question.inner_game(group)
        if game is not None and not np.isnan(numbers[members]).any():
            compared.append((numbers[members], nested_values(game)))
    return agreement(compared, NESTED)


def _with_reference(
    question: Question, numbers: np.ndarray, reference: Mapping[str, float] | Any
) -> Agreement:
    values = by_contributor(reference, question.grouping, "reference")
    if np.isinf(values).any():
        raise InputError("reference: finite numbers are needed")
    both = np.isfinite(values) & np.isfinite(numbers)
    groups = range(len(question.grouping.groups))
    chosen = [np.flatnonzero(both & (question.grouping.group_of == group)) for group in groups]
    return agreement(((numbers[rows], values[rows]) for rows in chosen), REFERENCE)


def _warnings(field: str, agreements: list[Agreement]) -> tuple[str, ...]:
    if any(compared.correlation is not None for compared in agreements):
        return ()
    return (f"how well {field} rank the members of a group is unknown: nothing to compare with",)
