"""From the ledger's evaluations to the utility table that values are computed from.

Two conventions are applied here and nowhere else: utilities are oriented (a property where lower
is better enters with a minus sign, so that a positive value always means "made it better"), and a
numeric baseline replaces the evaluated utility of the empty coalition.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from credit_plugin.game.coalitions import from_bits
from credit_plugin.game.ledger import Evaluation
from credit_plugin.game.table import UtilityTable


def assemble_table(
    evaluations: Iterable[Evaluation],
    contributors: Sequence[str],
    directions: Mapping[str, int],
    baseline: Mapping[str, float] | None = None,
) -> UtilityTable:
    """Return one row for each property of each successful evaluation.

    Args:
        evaluations: In the order that the table shall have; failed ones are left out.
        contributors: Names in the order of the bits.
        directions: +1 or -1 for each property.
        baseline: Oriented v(empty) by property, where a number replaces what was evaluated.
    """
    given = dict(baseline or {})
    rows = [
        (evaluation, name, direction * evaluation.properties[name])
        for evaluation in evaluations
        if evaluation.ok
        for name, direction in directions.items()
    ]
    empty = "0" * len(contributors)
    return UtilityTable(
        contributors=tuple(contributors),
        coalitions=np.array([from_bits(e.coalition) for e, _, _ in rows], dtype=bool),
        utilities=np.array(
            [given.get(name, u) if e.coalition == empty else u for e, name, u in rows]
        ),
        properties=tuple(name for _, name, _ in rows),
        seeds=np.array([e.seed for e, _, _ in rows], dtype=np.int64),
        repeats=np.array([e.repeat for e, _, _ in rows], dtype=np.int64),
    )
