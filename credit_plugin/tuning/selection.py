"""Which trial is chosen: the Pareto front, and one rule that is stated and kept to.

A trial is on the front if no other has at least its fidelity at no more cost, with one of the two
better.

Three rules can be asked for:

* ``no_dearer``, the default: of the trials that cost no more than the study's own settings, the one
  of which trials with similar settings lead to expect the highest fidelity
  (:mod:`credit_plugin.tuning.smoothing`). Whoever tunes gets what is at least as cheap, and is not
  led by the luckiest number. Where there is a limit of cost, or those settings could not be
  evaluated, the best to be expected of all.
* ``one_standard_error``: the cheapest whose fidelity is at most its standard error below the best
  (Breiman, Friedman, Olshen and Stone 1984, for pruning trees), at whatever cost.
* ``within``: the cheapest whose fidelity is at most a stated number below the best.

The best of several noisy numbers flatters itself, and so does the choice. What it is worth is
therefore said by coalitions that no trial has seen, once, after the choice.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from credit_plugin.config import TuningSettings
from credit_plugin.errors import StudyFailedError
from credit_plugin.tuning.smoothing import expected_fidelities
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
    tried = complete_trials(trials)
    if settings.cost_limit is not None:
        tried = [t for t in tried if t.cost(settings.cost) <= settings.cost_limit]
    if not tried:
        raise StudyFailedError("no trial was evaluated whole, so there is nothing to choose from")
    return RULES[settings.rule].choose(tried, settings)


def rule_in_words(settings: TuningSettings) -> str:
    """Return the rule as a sentence says it."""
    words = RULES[settings.rule].words(settings)
    if settings.cost_limit is not None:
        return f"{words}, among those that cost at most {settings.cost_limit:g} {settings.cost}"
    return words


class Rule(NamedTuple):
    """A way to choose.

    Attributes:
        choose: (complete trials within the limit, settings) -> the chosen one.
        words: (settings) -> which trial that is, in words.
    """

    choose: Callable[[Sequence[Trial], TuningSettings], Trial]
    words: Callable[[TuningSettings], str]


def _no_dearer(trials: Sequence[Trial], settings: TuningSettings) -> Trial:
    expected = expected_fidelities(trials)
    limits = [t.cost(settings.cost) for t in trials if t.own and settings.cost_limit is None]
    allowed = [t for t in trials if all(t.cost(settings.cost) <= limit for limit in limits)]
    return max(allowed, key=lambda t: (expected[t.number], -t.cost(settings.cost), -t.number))


def _cheapest_above(bar: Callable[[Trial, TuningSettings], float]) -> Callable[..., Trial]:
    """Return the choice of the cheapest trial that reaches a bar, which the best one sets."""

    def choose(trials: Sequence[Trial], settings: TuningSettings) -> Trial:
        front = pareto_front(trials, settings.cost)
        enough = bar(front[-1], settings)
        return next(trial for trial in front if trial.fidelity >= enough)

    return choose


def _no_dearer_words(settings: TuningSettings) -> str:
    words = "the one of which trials with similar settings lead to expect the highest fidelity"
    limited = settings.cost_limit is not None
    return words if limited else f"{words}, at no more cost than the study's own settings"


RULES = {
    "no_dearer": Rule(_no_dearer, _no_dearer_words),
    "one_standard_error": Rule(
        _cheapest_above(lambda best, _: best.fidelity - best.error),
        lambda _: "the cheapest whose fidelity is at most one standard error below the best",
    ),
    "within": Rule(
        _cheapest_above(lambda best, settings: best.fidelity - settings.within),
        lambda s: f"the cheapest whose fidelity is at most {s.within:g} below the best",
    ),
}
