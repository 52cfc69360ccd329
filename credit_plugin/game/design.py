"""Designs: which coalitions to evaluate. The registry, and the rules all designs keep.

Every design starts with the empty and the full coalition, since every value rests on them; its
budget counts all its rows, these two included. Designs are functions of their seed alone, and for
one seed they are nested: a design of a smaller budget is the beginning of a design of a larger
one, row by row, so that a study can be topped up. No design lists a coalition twice, except
``shapley_iid``, which draws independently because its source does.

A further design is one more module in :mod:`credit_plugin.game.designs`, or any function that is
decorated with :func:`register_design`. Options are keyword-only. A design that has no more rows
returns fewer than it was asked for, which is an error that says how many it has.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.registry import Registry

Design = Callable[..., np.ndarray]
"""(n_players, rows, seed, **options) -> bool [rows, n_players], fewer if the design has no more."""

MAX_PLAYERS = 1000

DESIGNS: Registry[Design] = Registry(
    "credit_plugin.game.designs", "credit_plugin.designs", "a design"
)
register_design = DESIGNS.register
design_names = DESIGNS.names


def design(
    n_players: int, budget: int, kind: str = "paired_border", seed: int = 0, **options: Any
) -> np.ndarray:
    """Choose the coalitions to evaluate.

    Args:
        n_players: Number of contributors, 2..1000.
        budget: Rows, the empty and the full coalition among them: 4..2**n_players, or as many as
            the design has.
        kind: A registered design, see :func:`design_names`.
        seed: Determines every draw; designs of one seed are nested in the budget.
        options: Settings of the design itself, for instance ``size`` of ``fixed_size``.

    Returns:
        bool [budget, n_players]; the first row is the empty, the second the full coalition.

    Raises:
        InputError: For an unknown design or option, or numbers out of range; the line names the
            field of the study file where there is one.
    """
    function = DESIGNS.get(kind, "game.design")
    if not 2 <= n_players <= MAX_PLAYERS:
        raise InputError(f"n_players: {n_players} is outside 2..{MAX_PLAYERS}")
    if budget < 4:
        raise InputError(f"game.budget: {budget} is too small; a design has at least 4 coalitions")
    if budget > 2**n_players:
        raise InputError(
            f"game.budget: {budget} is more than the {2**n_players} coalitions of {n_players} "
            f"contributors; use {2**n_players} or less"
        )
    _check_options(kind, options)
    chosen = function(n_players, budget - 2, seed, **options)
    most = len(chosen) + 2
    if most < budget:
        raise InputError(
            f"game.budget: {budget} is more than the {most} coalitions of design {kind} for "
            f"{n_players} contributors; use {most} or less"
        )
    rows = np.zeros((budget, n_players), dtype=bool)
    rows[1] = True
    rows[2:] = chosen
    return rows


def option_names(kind: str) -> list[str]:
    """Return the options of a design.

    Raises:
        InputError: If it is not registered.
    """
    parameters = signature(DESIGNS.get(kind, "game.design")).parameters.values()
    return [p.name for p in parameters if p.kind == Parameter.KEYWORD_ONLY]


def _check_options(kind: str, options: dict[str, Any]) -> None:
    known = option_names(kind)
    for option in options:
        if option not in known:
            allowed = f"its options are {', '.join(known)}" if known else "it has none"
            raise InputError(f"{option}: not an option of design {kind}; {allowed}")
