"""What the terminal says about an estimate: values as a table, and what they rest on.

The quantity is always named as the estimator names it, because not every one estimates a Shapley
value.
"""

import textwrap
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from credit_plugin.compensation.ranking import two_ends
from credit_plugin.compensation.wording import MINUS, decimals_for, fixed, percent, plain
from credit_plugin.estimating.estimation import Estimation
from credit_plugin.estimating.files import FILES
from credit_plugin.values import ContributorValues
from credit_plugin.values.interactions import Interactions
from credit_plugin.values.readout import SHAPLEY
from credit_plugin.values.reliability import Reliability

# said in words of their own, or the same for every estimator and in values.json
_TOLD = frozenset(
    [
        "evaluations",
        "coalitions",
        "seed_noise",
        "seed_noise_degrees",
        "chosen",
        "why",
        "intervals",
        "single_draw",
    ]
)
_STRONGEST = 5
_LABEL, _NARROWEST = 12, 40  # characters


def print_estimation(found: Estimation) -> None:
    """Print the values of every property, what they rest on, and what was written."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table_line(found), markup=False)
    for name, values in found.values.items():
        console.print()
        console.print(values_table(values, found.reliability[name]))
        console.print(_totals(values))
        for label, text in _facts(found, name):
            _print_fact(console, label, text)
    if found.folder is not None:
        written = [name for name in FILES if (found.folder / name).exists()]
        console.print()
        _print_fact(console, "wrote", f"{found.folder}: {', '.join(written)}")


def values_table(values: ContributorValues, reliability: Reliability) -> Table:
    """Return the contributors by value, highest first; of very many the two ends."""
    order = np.argsort(-values.values, kind="stable")
    top, bottom = two_ends(order)
    shares = values.shares()
    table = Table(title=escape(f"{shown(values.property)}: {values.quantity}"))
    table.add_column("contributor")
    for column in ("value", f"{values.confidence * 100:.6g}% interval", "share", "rank"):
        table.add_column(column, justify="right")
    digits = decimals_for([*values.ci_low, *values.ci_high])
    for i in (*top, *bottom):
        if len(bottom) and i == bottom[0]:
            table.add_row(f"… {len(order) - len(top) - len(bottom)} in the middle", *[""] * 4)
        low, high = (fixed(end[i], digits) for end in (values.ci_low, values.ci_high))
        table.add_row(
            escape(shown(values.contributors[i])),
            fixed(values.values[i], digits),
            f"{low} to {high}",
            percent(shares[i]),
            _band(reliability.rank_low[i], reliability.rank_high[i]),
        )
    return table


def _print_fact(console: Console, label: str, text: str) -> None:
    """Print a labelled line, which a terminal shows in its width and a file holds in one piece."""
    room = max(console.width - _LABEL - 1, _NARROWEST) if console.is_terminal else len(text) + 1
    for line in textwrap.wrap(text, room, break_long_words=False):
        console.print(f"{label:<{_LABEL}} {line}", markup=False)
        label = ""


def _band(best: int, worst: int) -> str:
    return f"{best}" if best == worst else f"{best} to {worst}"


def shown(name: str) -> str:
    """Return a name without what would control the terminal or cannot be written to it."""
    unfit = ("Cc", "Cs")
    return "".join("\ufffd" if unicodedata.category(c) in unfit else c for c in name)


def _table_line(found: Estimation) -> str:
    table = found.table
    names = ", ".join(shown(name) for name in table.property_names)
    kind = "property" if len(table.property_names) == 1 else "properties"
    source = shown(found.source)
    return f"{source}: {table.n_contributors} contributors, {len(table)} rows, {kind} {names}"


def _totals(values: ContributorValues) -> str:
    free = "" if values.quantity == SHAPLEY else " (need not be the difference)"
    return (
        f"v(N) = {_number(values.v_full)}, v(empty) = {_number(values.v_empty)}, "
        f"v(N) {MINUS} v(empty) = {_number(values.v_full - values.v_empty)}, "
        f"sum of values = {_number(float(values.values.sum()))}{free}"
    )


def _facts(found: Estimation, name: str) -> Iterator[tuple[str, str]]:
    values = found.values[name]
    facts = values.diagnostics
    yield "measured", f"{facts['evaluations']} evaluations of {facts['coalitions']} coalitions"
    yield "seed noise", _noise_words(facts)
    yield "estimator", ": ".join(text for text in (values.estimator, facts.get("chosen")) if text)
    if "why" in facts:
        yield "", facts["why"]
    others = [f"{plain(key)} {_number(fact)}" for key, fact in facts.items() if key not in _TOLD]
    if others:
        yield "diagnostics", ", ".join(others)
    yield "intervals", facts["intervals"]
    yield "reliability", found.reliability[name].statement
    if found.interactions:
        yield from _pairs(found.interactions[name])


def _noise_words(facts: dict[str, Any]) -> str:
    if not facts["seed_noise_degrees"]:
        return "not known: no coalition was evaluated twice"
    return (
        f"{_number(facts['seed_noise'])}, standard deviation of one evaluation, from "
        f"{facts['seed_noise_degrees']} repeats"
    )


def _pairs(pairs: Interactions) -> Iterator[tuple[str, str]]:
    """Yield the strongest pairs that are known to interact, and how many there are."""
    ordered = pairs.strongest()
    lows, highs = (end[tuple(ordered.T)] for end in (pairs.ci_low, pairs.ci_high))
    known = ordered[(lows > 0) | (highs < 0)]
    strongest = "; the strongest:" if len(known) > _STRONGEST else ""
    yield (
        "interactions",
        f"{len(known)} of {len(ordered)} pairs have an interval that does not contain 0{strongest}",
    )
    digits = decimals_for([*lows, *highs])
    for i, j in known[:_STRONGEST]:
        low, high = (fixed(end[i, j], digits) for end in (pairs.ci_low, pairs.ci_high))
        both = f"{shown(pairs.contributors[i])} + {shown(pairs.contributors[j])}"
        yield "", f"{fixed(pairs.index[i, j], digits, sign=True)} ({low} to {high})  {both}"


def _number(fact: Any) -> str:
    return f"{fact:.4g}".replace("-", MINUS) if isinstance(fact, float) else str(fact)
