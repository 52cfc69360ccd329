"""Verdict: do values hold against retraining? A check in words, for a reviewer who is no engineer.

What: findings of the main test set and of the counterfactuals at ``compared_removal``, one sentence
each, and doubts. Any doubt is a warning against paying on the values. In this order:

* *noise*: the interval of ``cross_seed``, the correlation of two retrainings of the same
  coalitions, reaches 0, or there is none. Chance may then have ordered the coalitions; nothing else
  is judged, since no score could be told from another.
* *chance*: the interval of the values' LDS reaches 0 or lies below it.
* *share*: the values' LDS is less than ``payable`` of the possible, the lower one of the noise and
  the additive ceiling. Both ceilings are estimates, so the share may exceed 1.
* *control*: the values' LDS is no higher than the mean one of random scores, or their top can leave
  with no more harm than contributors in random order. Estimates are compared here, not intervals:
  those of a few random orders are wide, and the doubt of chance has covered the LDS already.

Each kind of rival is represented by the one with the highest LDS on the very coalitions that are
told, which flatters rivals and not the values. Controls are no rivals.

Source: the criteria and their limits are this project's own.
"""

import math
from dataclasses import dataclass
from statistics import fmean

from credit_plugin.compensation.wording import decimals_for, fixed, percent, plain
from credit_plugin.fidelity.counterfactual import RANDOM, Removal
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.fidelity.result import OWN, FidelityResult, Method, Test

CONTROL = "random_order"
"""Registered name of the method whose scores are random."""

RIVALS = {
    "nothing": "trains nothing",
    "cheap": "trains without retraining",
    "retrains": "retrains from scratch",
}
"""What each kind of rival does."""


@dataclass(frozen=True)
class Verdict:
    """What a check says.

    Attributes:
        findings: One sentence each.
        doubts: Why the values should not be paid on, one clause each; empty if they hold.
    """

    findings: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def statement(self) -> str:
        """All findings."""
        return " ".join(self.findings)

    @property
    def warning(self) -> str | None:
        """Why the values should not be paid on; None if nothing speaks against it."""
        if not self.doubts:
            return None
        return (
            f"These values should not be paid on without more evidence: {'; '.join(self.doubts)}."
        )


def verdict(result: FidelityResult) -> Verdict:
    """Say in words what a check found."""
    said = (_score(result), _rivals(result), _utility(result), _removal(result), _ranks(result))
    return Verdict(tuple(filter(None, said)), tuple(_doubts(result)))


def kind_of(method: Method) -> str:
    """Return ``values``, ``control``, or the kind of rival, see :data:`RIVALS`."""
    if method.name == OWN:
        return "values"
    if method.name.partition("/")[0] == CONTROL:
        return "control"
    if method.retrains:
        return "retrains"
    return "cheap" if method.trains else "nothing"


def best_rivals(result: FidelityResult, test: Test) -> dict[str, Method]:
    """Return the rival with the highest LDS on a test set by kind, for the kinds that there are."""
    best: dict[str, Method] = {}
    for method in sorted(result.rivals, key=lambda m: -test.lds.scores[m.name].value):
        best.setdefault(kind_of(method), method)
    return {kind: best[kind] for kind in RIVALS if kind in best}


def possible_lds(test: Test) -> float | None:
    """Return the lower ceiling, or None if chance hides it."""
    return test.lds.possible if test.lds.possible > 0 and _repeats(test) else None


def utility_name(name: str) -> str:
    """Return a registered utility in words."""
    return plain(name).replace("finetuning", "fine-tuning")


def share_of_possible(test: Test) -> float | None:
    """Return the values' LDS as a share of the possible, or None."""
    possible = possible_lds(test)
    return None if possible is None else test.lds.scores[OWN].value / possible


def removal_at(result: FidelityResult, method: str, top: bool = True) -> Removal | None:
    """Return whom a method leaves out at ``compared_removal``, or None if that was not tried."""
    for found in result.counterfactuals:
        asked = (found.removal.method, found.removal.share, found.removal.top)
        if asked == (method, result.compared_removal, top):
            return found.removal
    return None


def change_words(result: FidelityResult, oriented: float) -> str:
    """Return what the property itself does, ``falls by 23 %``, from an oriented change.

    A property that is 0 with everybody has no percentages; its own unit is used.
    """
    relative = result.relative(oriented)
    if math.isfinite(relative):
        amount = percent(abs(relative), 0 if abs(relative) >= 0.0995 else 1)
    else:
        amount = fixed(abs(oriented), decimals_for([oriented]))
    if not amount.strip("0.,\u00a0%"):
        return "does not change"
    return f"{'rises' if oriented * result.direction > 0 else 'falls'} by {amount}"


def _score(result: FidelityResult) -> str:
    test, level = result.main, f"{100 * result.confidence:.4g}"
    own, possible = test.lds.scores[OWN], possible_lds(test)
    height = " (how much is possible is not known)"
    if possible is not None:
        height = f" of a possible {fixed(possible, 2)}"
    few = ""
    if test.lds.additive is None:
        few = " There are too few coalitions to say how far any sum could get (additive ceiling)."
    return (
        f"Sums of values order coalitions as retraining does with a score (LDS) of "
        f"{fixed(own.value, 2)} ({level}\u00a0% interval {_between(own)}){height}, where 1 is the "
        f"same order and 0 is chance (alpha {test.alpha:.2g}: {len(test.coalitions)} coalitions of "
        f"{test.size} of {len(result.contributors)} contributors, {_seeds(test)} each).{few}"
    )


def _rivals(result: FidelityResult) -> str:
    test = result.main
    told = []
    for kind, method in best_rivals(result, test).items():
        score = fixed(test.lds.scores[method.name].value, 2)
        lead = test.lds.lead[method.name]
        more = ""
        if lead.value < 0:
            more = f" ({'surely ' if lead.high < 0 else ''}more than the values)"
        told.append(f"that {RIVALS[kind]}, {method.label}, {score}{more}")
    if not told:
        return "No rival was compared."
    return f"The best rival {'; the best '.join(told)}."


def _utility(result: FidelityResult) -> str:
    found = result.main.agreement.get(result.property, {}).get(result.utility)
    if found is None:  # the study retrains, or its own utility was not compared
        return ""
    name = utility_name(result.utility)
    return (
        f"{name[0].upper()}{name[1:]} follows retraining at Pearson "
        f"{fixed(found.pearson.value, 2)} ({_between(found.pearson)})."
    )


def _removal(result: FidelityResult) -> str:
    own = removal_at(result, OWN)
    if own is None:
        return ""
    name = plain(result.property)
    name = f"{name}, where lower is better," if result.direction < 0 else name
    who = f"their top {percent(own.share, 0)} ({own.removed} contributors)"
    change = result.counterfactual(OWN, own.share, True)
    if change is None:
        return f"What becomes of {name} without {who} is not known, because retrainings were lost."
    control = result.counterfactual(RANDOM, own.share, True)
    random = "not known" if control is None else "it " + change_words(result, control.value)
    return f"Without {who}, {name} {change_words(result, change.value)} (random orders: {random})."


def _ranks(result: FidelityResult) -> str:
    settled = result.settled_ranks
    return (
        f"{settled} of {len(result.contributors)} ranks {'is' if settled == 1 else 'are'} settled."
    )


def _doubts(result: FidelityResult) -> list[str]:
    lds = result.main.lds
    if not _repeats(result.main):
        return [
            f"retrainings of the same coalitions agree with each other at only "
            f"{fixed(lds.cross_seed.value, 2)} ({_between(lds.cross_seed)}), so nothing could be "
            "shown for or against them; raise fidelity.seeds or sampling.samples"
        ]
    doubts, own = [], lds.scores[OWN]
    if own.high < 0:
        doubts.append("the whole interval of their score is below 0: they order coalitions wrongly")
    elif own.low <= 0:
        doubts.append("the interval of their score reaches 0, so it may be chance")
    share = share_of_possible(result.main)
    if share is not None and 0 < share < result.payable:
        doubts.append(
            f"they reach {percent(share)} of what is possible, less than the "
            f"{percent(result.payable)} that the study asks for (fidelity.payable)"
        )
    return doubts + _no_better_than_chance(result)


def _no_better_than_chance(result: FidelityResult) -> list[str]:
    scores, doubts = result.main.lds.scores, []
    controls = [scores[m.name].value for m in result.rivals if kind_of(m) == "control"]
    if controls and fmean(controls) >= scores[OWN].value:
        doubts.append(f"random scores reach as much ({fixed(fmean(controls), 2)})")
    own = result.counterfactual(OWN, result.compared_removal, True)
    control = result.counterfactual(RANDOM, result.compared_removal, True)
    if own is not None and control is not None and own.value >= control.value:
        doubts.append(
            "without their top the property is no worse than without contributors at random"
        )
    return doubts


def _repeats(test: Test) -> bool:
    """Whether retrainings of the same coalitions agree for sure; never if that is not a number."""
    return test.lds.cross_seed.low > 0


def _between(interval: Interval) -> str:
    return f"{fixed(interval.low, 2)} to {fixed(interval.high, 2)}"


def _seeds(test: Test) -> str:
    return f"{test.seeds} {'seed' if test.seeds == 1 else 'seeds'}"
