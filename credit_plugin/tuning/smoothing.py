"""What is to be expected of a trial, given what trials with similar settings gave.

A dozen coalitions tell one trial's fidelity badly, and the best of thirty such numbers is mostly
the luckiest. Trials are not alone, though: what more steps, another rate or fewer samples do is
told by all of them. The expectation is a ridge regression of Fisher's z of the fidelity on the
settings, numbers on a logarithmic scale and choices as indicators, all of them standardised. Its
penalty is the one with the least leave-one-out error, so settings that do not matter pull nothing.

Optuna's own answer to noise is to average repeated trials, which costs the trials that it repeats;
scikit-optimize recommends by the mean of a Gaussian process. A regression on main effects is that
process with the fewest assumptions that thirty trials can bear.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV

from credit_plugin.tuning.trial import Trial

FEWEST_TO_SMOOTH = 10
"""Complete trials without which settings and luck cannot be told apart."""

PENALTIES = np.logspace(-1, 3, 13)
NEARLY_ONE = 0.995  # Fisher's z of 1 is infinite


def expected_fidelities(trials: Sequence[Trial]) -> dict[int, float]:
    """Return the expected fidelity of each trial, by number.

    Args:
        trials: Complete ones. If they are fewer than ``FEWEST_TO_SMOOTH`` the fidelity itself is
            all that is known.
    """
    measured = {trial.number: trial.fidelity for trial in trials}
    if len(trials) < FEWEST_TO_SMOOTH:
        return measured
    settings = _features(trials)
    if not settings.size:
        return measured
    found = np.clip(list(measured.values()), -NEARLY_ONE, NEARLY_ONE)
    model = RidgeCV(PENALTIES).fit(settings, np.arctanh(found))
    expected = np.tanh(model.predict(settings))
    return dict(zip(measured, map(float, expected), strict=True))


def _features(trials: Sequence[Trial]) -> np.ndarray:
    """Return settings as standardised columns, float [t, d]; what never changes has none."""
    columns = [
        c for name in trials[0].parameters for c in _columns([t.parameters[name] for t in trials])
    ]
    features = np.array(columns, float).reshape(len(columns), len(trials)).T
    return (features - features.mean(0)) / features.std(0)


def _columns(values: Sequence[Any]) -> list[np.ndarray]:
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        numbers = np.array(values, float)
        columns = [np.log(numbers) if (numbers > 0).all() else numbers]
    else:
        kinds = sorted(set(map(str, values)))
        columns = [np.array([str(v) == kind for v in values], float) for kind in kinds]
    return [column for column in columns if np.ptp(column) > 0]
