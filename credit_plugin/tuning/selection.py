"""Which trial is chosen: the Pareto front, and one rule that is stated and kept to.

A trial is on the front if no other has at least its fidelity at no more cost, with one of the two
better. The choice is the cheapest trial of the front whose fidelity reaches a bar below the best:

* ``one_standard_error``: the best fidelity less its standard error (Breiman, Friedman, Olshen and
  Stone 1984, for pruning trees): what is cheaper and cannot be told from the best is as good.
* ``within``: the best fidelity less a stated number.

The best of several noisy numbers flatters itself, and so does the choice. What it is worth is
therefore said by coalitions that no trial has seen, once, after the choice.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from credit_plugin.config import TuningSettings
from credit_plugin.errors import StudyFailedError
from credit_plugin.tuning.trial import COMPLETE, Trial


def complete_trials(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that were evaluated whole."""
    return [trial for trial in trials if trial.state == COMPLETE]


def pareto_front(trials: Sequence[Trial], unit: str) -> list[Trial]:
    """Return the complete trials that no other dominates, the cheapest first.

    Of trials that are equal in both, the first one counts.
    """
    front: list[Trial] = []
    ordered = sorted(complete_trials(trials), key=lambda t: (t.cost(unit), -t.fidelity, t.number))
    for trial in ordered:
        if not front or trial.fidelity > front[-1].fidelity:
            front.append(trial)
    return front


def choose(trials: Sequence[Trial], settings: TuningSettings) -> Trial:
    """Return the trial that the rule of the settings chooses.

    Raises:
        StudyFailedError: If no trial is complete.
    """
    front = pareto_front(trials, settings.cost)
    if settings.cost_limit is not None:
        front = [t for t in front if t.cost(settings.cost) <= settings.cost_limit]
    if not front:
        raise StudyFailedError("no trial was evaluated whole, so there is nothing to choose from")
    bar = front[-1].fidelity - RULES[settings.rule].below(front[-1], settings)
    return next(trial for trial in front if trial.fidelity >= bar)


def rule_in_words(settings: TuningSettings) -> str:
    """Return the rule as a sentence says it."""
    limit = ""
    if settings.cost_limit is not None:
        limit = f" among those that cost at most {settings.cost_limit:g} {settings.cost}"
    below = RULES[settings.rule].words(settings)
    return f"the cheapest trial whose fidelity is at most {below} below the best{limit}"


class Rule(NamedTuple):
    """How far below the best a fidelity is good enough.

    Attributes:
        below: (best trial, settings) -> the distance.
        words: (settings) -> the distance in words.
    """

    below: Callable[[Trial, TuningSettings], float]
    words: Callable[[TuningSettings], str]


RULES = {
    "one_standard_error": Rule(lambda best, _: best.error, lambda _: "one standard error"),
    "within": Rule(lambda _, settings: settings.within, lambda s: f"{s.within:g}"),
}
