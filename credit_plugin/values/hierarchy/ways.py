"""What a way to divide a group's value is, and the registry of ways.

A way looks at the whole question once and returns a :class:`Divider`, which then divides one group
after the other. A further way is one more module in :mod:`credit_plugin.values.hierarchy.inside`,
or a function of the user's own that is decorated with :func:`register_way`. Its options are
keyword-only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from credit_plugin.registry import Registry
from credit_plugin.values.hierarchy.agreement import Agreement


@dataclass(frozen=True, eq=False)
class Division:
    """One group's value among its k members.

    Attributes:
        values: float64 [k]; they sum to the group's value.
        slopes: float64 [k], by how much each changes when the group's value grows by 1; sum 1.
        standard_errors: float64 [k], what the division itself leaves open; zeros if it is declared.
        margins: float64 [k], half-widths of the intervals from that alone.
        draws: float64 [r, k], the members' values under other choices of the coalitions that the
            division rests on, for the same value of the group; empty [0, k] if there are none.
        warning: What a reviewer must know, in words; empty if there is nothing.
        single_draw: Whether the coalitions were a single draw, whose error is left out.
    """

    values: np.ndarray
    slopes: np.ndarray
    standard_errors: np.ndarray
    margins: np.ndarray
    draws: np.ndarray
    warning: str = ""
    single_draw: bool = False


@dataclass(frozen=True, eq=False)
class Divider:
    """A way that was prepared for one question.

    Attributes:
        divide: (position of a group) -> how its value is divided.
        intervals: What the members' intervals include, in words.
        agreements: How the order of the members compares with other sources.
        warnings: What a reviewer must know, in words.
    """

    divide: Callable[[int], Division]
    intervals: str
    agreements: tuple[Agreement, ...] = ()
    warnings: tuple[str, ...] = ()


Way = Callable[..., Divider]
"""(question, **options) -> divider; options are keyword-only."""

WAYS: Registry[Way] = Registry(
    "credit_plugin.values.hierarchy.inside",
    "credit_plugin.inside",
    "a way to divide a group's value",
)
register_way = WAYS.register
way_names = WAYS.names


def declared(value: float, shares: np.ndarray, warning: str = "") -> Division:
    """Return a division that is stated and not measured, so that it leaves nothing open.

    Args:
        value: The group's value.
        shares: float64 [k], sum 1.
        warning: What a reviewer must know.
    """
    nothing, no_draws = np.zeros(len(shares)), np.empty((0, len(shares)))
    return Division(value * shares, shares, nothing, nothing, no_draws, warning)
