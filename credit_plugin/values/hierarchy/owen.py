"""Owen values: from a utility table to groups' values, and from these to their members'.

What: contributors arrive in random order, but the members of a group one right after the other; all
such orders are as likely. A contributor's Owen value is what it adds on arrival, on average. So

* the groups' values are Shapley values with the groups as players, and the members of a group
  together have its value;
* how a group is divided inside changes nothing for anybody else;
* groups of one, or one group of all, give plain Shapley values.

Two levels, each with its own coalitions (:mod:`credit_plugin.game.grouped`). The groups' values are
read by any estimator of Shapley values; inside a group, a registered way divides: ``nested`` (the
members' own game, with which the result is the Owen value), ``proxy`` or ``size``. With the latter
two, only the groups' values are measured, the members' are declared parts of them: what two levels
scale by. 10^5 contributors in 50 groups need a table of 50 columns.

Errors: a member's error is that of its group's value, the part of it that falls on the member,
and that of the division, which rest on different coalitions and are added as independent.

Source: Owen, "Values of games with a priori unions" (1977). Departure: the mixture with declared
divisions, which is this project's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.grouped import too_many_groups
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.table import UtilityTable
from credit_plugin.values.estimation import DEFAULT
from credit_plugin.values.hierarchy.agreement import Agreement
from credit_plugin.values.hierarchy.groups import group_values, the_property
from credit_plugin.values.hierarchy.question import Question
from credit_plugin.values.hierarchy.ways import WAYS, Divider, declared
from credit_plugin.values.result import ContributorValues

if TYPE_CHECKING:
    import pandas as pd

OWEN = "Owen value"

# Draws of the members' values are kept up to so many numbers (64 MB)
_MOST_DRAWN = 2**23


@dataclass(frozen=True, eq=False)
class OwenValues:
    """What every group and every contributor gets.

    Attributes:
        grouping: Who is in which group.
        groups: The groups' values: Shapley values with the groups as players.
        members: The contributors' values, in the order of the grouping; those of a group sum to
            its value. ``draws`` are left out (empty) where they would hold more than 8 million
            numbers; a payout's reliability is then that of ``groups``.
        inside: How each group of several members is divided, by its name.
        agreements: How well scores and counts rank members, where they decide.
        warnings: What a reviewer must know, in words.
        estimator_options: Settings of the groups' estimator.
    """

    grouping: Grouping
    groups: ContributorValues
    members: ContributorValues
    inside: dict[str, str]
    agreements: tuple[Agreement, ...] = ()
    warnings: tuple[str, ...] = ()
    estimator_options: Mapping[str, Any] = field(default_factory=dict)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row for each contributor.

        Columns: group, then those of :meth:`ContributorValues.to_frame`.
        """
        frame = self.members.to_frame()
        frame.insert(
            0, "group", np.array(self.grouping.groups, dtype=object)[self.grouping.group_of]
        )
        return frame

    def to_json_dict(self) -> dict[str, Any]:
        """Return everything as types that JSON holds exactly."""
        return {
            "grouping": self.grouping.to_mapping(),
            "groups": self.groups.to_json_dict(),
            "members": self.members.to_json_dict(),
            "inside": dict(self.inside),
            "agreements": [found.to_json_dict() for found in self.agreements],
            "warnings": list(self.warnings),
        }


def owen(
    table: UtilityTable,
    grouping: Grouping,
    inside: str | Mapping[str, str] = "nested",
    seed: int = 0,
    *,
    property: str | None = None,
    estimator: str = DEFAULT,
    confidence: float = 0.95,
    resamples: int = 400,
    options: Mapping[str, Any] | None = None,
    estimator_options: Mapping[str, Any] | None = None,
) -> OwenValues:
    """Estimate the values of groups and of their members.

    Args:
        table: Utilities of coalitions of contributors, those of whole groups among them; or with
            the groups as its contributors, if none is divided by a nested game.
        grouping: Who is in which group.
        inside: A registered way to divide a group's value, see :func:`way_names`; or one for each
            group of several members, by its name.
        seed: Determines the resamples behind the intervals; the values do not depend on it.
        property: Which property; may be left out if the table holds one.
        estimator: A registered estimator of Shapley values, for the groups.
        confidence: Level of the intervals, between 0 and 1.
        resamples: Resamples behind standard errors and intervals, at least 2.
        options: What the ways need to know: ``counts`` for ``size``, ``scores`` and perhaps
            ``reference`` for ``proxy``, by name or one for each contributor.
        estimator_options: Settings of the estimator itself, for instance ``{"proxy": "trees"}``.

    Returns:
        The values. The members' diagnostics hold ``groups``, ``group_coalitions``,
        ``nested_coalitions`` and ``unused_coalitions`` (distinct ones of whole groups, with one
        split group and with several), ``seed_noise``, ``seed_noise_degrees``, ``intervals`` and
        ``single_draw``, as of :func:`~credit_plugin.values.estimate`.

    Raises:
        InputError: If the table lacks what a level needs, or an argument cannot be used.
    """
    name = the_property(table) if property is None else property
    table = table.select(name)
    groups = group_values(
        table, grouping, seed, estimator, confidence, resamples, estimator_options
    )
    of_contributors = table if table.contributors == grouping.contributors else None
    question = Question(grouping, groups, of_contributors, seed, confidence, resamples)
    chosen = _ways_by_group(grouping, inside)
    dividers = _prepare(question, chosen, options or {})
    members, divided = _divide(question, chosen, dividers)
    crowded = too_many_groups(len(grouping.groups), int(groups.diagnostics["coalitions"]))
    return OwenValues(
        grouping=grouping,
        groups=groups,
        members=members,
        inside=chosen,
        agreements=tuple(found for divider in dividers.values() for found in divider.agreements),
        warnings=(
            *([crowded] if crowded else []),
            *(warning for divider in dividers.values() for warning in divider.warnings),
            *divided,
        ),
        estimator_options=dict(estimator_options or {}),
    )


def _ways_by_group(grouping: Grouping, inside: str | Mapping[str, str]) -> dict[str, str]:
    """Return the way of each group of several members."""
    several = [name for name, k in zip(grouping.groups, grouping.sizes, strict=True) if k > 1]
    if isinstance(inside, str):
        return dict.fromkeys(several, inside)
    for name in inside:
        grouping.position(name)
    missing = [name for name in several if name not in inside]
    if missing:
        raise InputError(f"inside: group {missing[0]!r} has none; name a way for each group")
    return {name: inside[name] for name in several}


def _prepare(
    question: Question, chosen: Mapping[str, str], options: Mapping[str, Any]
) -> dict[str, Divider]:
    """Prepare each way with those of the options that are its own."""
    dividers, known = {}, set()
    for name in dict.fromkeys(chosen.values()):
        way = WAYS.get(name, "inside")
        own = [p for p in signature(way).parameters.values() if p.kind == Parameter.KEYWORD_ONLY]
        known |= {p.name for p in own}
        for parameter in own:
            if parameter.default is Parameter.empty and parameter.name not in options:
                raise InputError(f"options: way {name} needs {parameter.name!r}; give it")
        given = {p.name: options[p.name] for p in own if p.name in options}
        dividers[name] = way(question, **given)
    for option in options:
        if chosen and option not in known:
            allowed = f"there are {', '.join(sorted(known))}" if known else "there are none"
            raise InputError(f"options: {option!r} is not of the ways that are used; {allowed}")
    return dividers


def _divide(
    question: Question, chosen: Mapping[str, str], dividers: Mapping[str, Divider]
) -> tuple[ContributorValues, list[str]]:
    """Return the members' values, and warnings."""
    grouping, groups = question.grouping, question.groups
    n, resamples = len(grouping.contributors), len(groups.draws)
    values, errors, half = np.empty(n), np.empty(n), np.empty(n)
    draws = np.empty((resamples if resamples * n <= _MOST_DRAWN else 0, n))
    group_half = (groups.ci_high - groups.ci_low) / 2
    warnings, drawn_once = [], []
    for group, name in enumerate(grouping.groups):
        members = np.flatnonzero(grouping.group_of == group)
        value = float(groups.values[group])
        alone = declared(value, np.ones(1))
        division = dividers[chosen[name]].divide(group) if name in chosen else alone
        values[members] = division.values
        errors[members] = np.hypot(
            division.slopes * groups.standard_errors[group], division.standard_errors
        )
        half[members] = np.hypot(division.slopes * group_half[group], division.margins)
        if len(draws):
            moved = np.outer(groups.draws[:, group] - value, division.slopes)
            own = division.draws if len(division.draws) else division.values
            draws[:, members] = own + moved
        warnings += [division.warning] if division.warning else []
        drawn_once += [name] if division.single_draw else []
    whole = replace(
        groups,
        contributors=grouping.contributors,
        values=values,
        standard_errors=errors,
        ci_low=values - half,
        ci_high=values + half,
        estimator="owen",
        quantity=OWEN,
        draws=draws,
        diagnostics=_facts(question, dividers, drawn_once),
    )
    return whole, warnings


def _facts(
    question: Question, dividers: Mapping[str, Divider], drawn_once: list[str]
) -> dict[str, Any]:
    of_groups = question.groups.diagnostics
    nested, unused = question.coalition_counts()
    inside = [f"{name}: {divider.intervals}" for name, divider in dividers.items()]
    if drawn_once:
        inside.append(f"single draws, whose error is unknown, inside {', '.join(drawn_once)}")
    single = bool(drawn_once) or of_groups.get("single_draw", False)
    return {
        "groups": len(question.grouping.groups),
        "group_coalitions": of_groups["coalitions"],
        "nested_coalitions": nested,
        "unused_coalitions": unused,
        "seed_noise": of_groups["seed_noise"],
        "seed_noise_degrees": of_groups["seed_noise_degrees"],
        "intervals": "; ".join([f"groups: {of_groups['intervals']}", *inside]),
        **({"single_draw": True} if single else {}),
    }
