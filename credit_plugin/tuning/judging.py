"""Whether a trial should go on, after some of its coalitions.

It should not if it costs more than the limit, or if another trial that costs no more follows
retraining clearly better on the very coalitions that both have evaluated (see
:mod:`credit_plugin.tuning.scores`). Under a limit cost is no objective, and any clearly better
trial counts. The study's own settings always go on, because everything is compared with them.
"""

from collections.abc import Sequence

import numpy as np

from credit_plugin.config import TuningSettings
from credit_plugin.tuning.scores import clearly_worse
from credit_plugin.tuning.trial import Trial

OVER_LIMIT = "costs more than tuning.cost_limit"


def why_stop(
    begun: Trial,
    rivals: Sequence[Trial],
    retrained: np.ndarray,
    settings: TuningSettings,
    seed: int,
) -> str:
    """Return why a trial should be stopped, or the empty string.

    Args:
        begun: The trial, with what it has said so far.
        rivals: Complete trials.
        retrained: float [m, s], oriented, of the coalitions that it has evaluated.
        settings: Of the search.
        seed: Of the resamples.
    """
    if begun.own:
        return ""
    unit, limit = settings.cost, settings.cost_limit
    if limit is not None and begun.cost(unit) > limit:
        return OVER_LIMIT
    said, count = np.array(begun.said), len(begun.said)
    for rival in rivals:
        if limit is None and rival.cost(unit) > begun.cost(unit):
            continue
        if clearly_worse(said, np.array(rival.said[:count]), retrained, settings.fidelity, seed):
            costs = "which costs no more" if limit is None else "which is within the limit"
            return f"clearly worse than trial {rival.number}, {costs}"
    return ""
