"""Stopping: when enough coalitions have been evaluated.

What: coalitions are evaluated in rounds. After each round the values are estimated and a *rule* is
asked; it sees the whole history and answers with a verdict: stop or not, why, and how far it is.
Rules are composed, ``&`` for both and ``|`` for either:

    Budget(96) | IntervalWidth(0.25) & SettledRanks(0.5)

Rules hold no state and read no clock. A verdict is a function of the history alone, and a history
is rebuilt from the ledger, so a study that was killed and goes on stops where it would have
stopped.

Composition: ``&`` stops when all of its rules do, ``|`` when one does; progress is that of the last
to come, or of the first. The reason of a verdict names the rules that decide it.

Stopping by what the values look like has a price: a study ends when its intervals happen to be
narrow. Measured on noisy games of 8 and 12 contributors (``tests/benchmarks/stopping.py
--repetitions 6``): with 16 coalitions a round, intervals of nominal .95 cover .951 at the end of
``interval_width(0.5)`` and .969 at that of ``values_change(0.15)``; without a rule, at as many
evaluations, .955 and .974. With 4 a round they cover .946 and .945, and .952 and .964 without a
rule. A few large rounds lose less than many small ones.

A further rule is one class: a frozen dataclass with ``check`` that is decorated with
:func:`register_rule`, in :mod:`credit_plugin.values.rules` or in a package of the user's own.

Source: pyDVL's ``valuation/stopping.py`` composes criteria by operators, with the minimum and the
maximum of their completions. Departures: no negation, since "until intervals are wide" is nobody's
wish; no state in the rules, where pyDVL's keep history, start time and counts, so that one that is
used twice, or after a resume, answers differently; a verdict that says why; and no reading of equal
values as settled ones (:mod:`credit_plugin.values.rules.evidence`), which pyDVL's deviation from
earlier values allows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar, TypeVar

from credit_plugin.errors import InputError
from credit_plugin.registry import Registry
from credit_plugin.values.result import ContributorValues

FIELD = "game.stop"
"""Where a study file says its rule."""


@dataclass(frozen=True, eq=False)
class Round:
    """What is known after a round.

    Attributes:
        evaluations: Evaluations so far, repeats and lost ones included.
        seconds: Work in them, summed over workers, as it was recorded with each.
        values: Estimated from all of them.
    """

    evaluations: int
    seconds: float
    values: ContributorValues


@dataclass(frozen=True, eq=False)
class History:
    """What a rule sees.

    Attributes:
        rounds: Every round after which there were values, the first one first.
        upcoming: Evaluations that the next round would add; 0 if there is none.
    """

    rounds: tuple[Round, ...]
    upcoming: int = 0

    @property
    def latest(self) -> Round:
        """The round that has just ended."""
        return self.rounds[-1]

    @property
    def upcoming_seconds(self) -> float:
        """Work that the next round would add, if its evaluations cost what those so far did."""
        return self.upcoming * self.latest.seconds / max(self.latest.evaluations, 1)


@dataclass(frozen=True)
class Verdict:
    """What a rule answers.

    Attributes:
        stop: Whether it holds.
        reason: Where things stand, in words.
        progress: How far things are towards it, 0 to 1; 1 exactly if it holds.
        compound: Whether the reason is several rules', so that it needs brackets inside another.
    """

    stop: bool
    reason: str
    progress: float
    compound: bool = False


class Rule(ABC):
    """Something that says when to stop; see the module."""

    name: ClassVar[str]

    @abstractmethod
    def check(self, history: History) -> Verdict:
        """Return whether to stop after the latest round."""

    def suits(self, n_contributors: int) -> None:  # noqa: B027 - most rules suit every study
        """Refuse a study in which the rule can never hold.

        Raises:
            InputError: One line that names ``game.stop``.
        """

    def __and__(self, other: "Rule") -> "Rule":
        return AllOf((*_operands(self, AllOf), *_operands(other, AllOf)))

    def __or__(self, other: "Rule") -> "Rule":
        return AnyOf((*_operands(self, AnyOf), *_operands(other, AnyOf)))

    def __str__(self) -> str:
        """Return the rule as a study file says it."""
        given = ", ".join(repr(getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        return f"{self.name}({given})"


@dataclass(frozen=True)
class AllOf(Rule):
    """Rules that must hold together; made by ``&``.

    Attributes:
        rules: At least two, none of them of this class.
    """

    rules: tuple[Rule, ...]

    def check(self, history: History) -> Verdict:
        """Return whether all rules stop; the reason is what all say, or what is still missing."""
        verdicts = [rule.check(history) for rule in self.rules]
        stop = all(v.stop for v in verdicts)
        telling = verdicts if stop else [v for v in verdicts if not v.stop]
        return _join(stop, telling, " and ", min(v.progress for v in verdicts))

    def suits(self, n_contributors: int) -> None:
        """Refuse what one of the rules refuses."""
        for rule in self.rules:
            rule.suits(n_contributors)

    def __str__(self) -> str:
        return " & ".join(f"({r})" if isinstance(r, AnyOf) else str(r) for r in self.rules)


@dataclass(frozen=True)
class AnyOf(Rule):
    """Rules of which one is enough; made by ``|``.

    Attributes:
        rules: At least two, none of them of this class.
    """

    rules: tuple[Rule, ...]

    def check(self, history: History) -> Verdict:
        """Return whether one rule stops; the reason is what those say that do, or what all say."""
        verdicts = [rule.check(history) for rule in self.rules]
        holding = [v for v in verdicts if v.stop]
        word = " and " if holding else " or "
        return _join(bool(holding), holding or verdicts, word, max(v.progress for v in verdicts))

    def suits(self, n_contributors: int) -> None:
        """Refuse what one of the rules refuses."""
        for rule in self.rules:
            rule.suits(n_contributors)

    def __str__(self) -> str:
        return " | ".join(map(str, self.rules))


RULES: Registry[type[Rule]] = Registry(
    "credit_plugin.values.rules", "credit_plugin.rules", "a stopping rule"
)
rule_names = RULES.names

RuleClass = TypeVar("RuleClass", bound=type[Rule])


def register_rule(name: str) -> Callable[[RuleClass], RuleClass]:
    """Register the decorated rule under the name by which study files call it."""

    def register(rule: RuleClass) -> RuleClass:
        rule.name = name
        RULES.register(name)(rule)
        return rule

    return register


def need(holds: bool, rule: Rule, what: str) -> None:
    """Refuse a rule's arguments.

    Args:
        holds: Whether they are fine.
        rule: The rule.
        what: What they must be.

    Raises:
        InputError: If they are not fine.
    """
    if not holds:
        raise InputError(f"{FIELD}: {rule}: {what}")


def _operands(rule: Rule, kind: type[AllOf] | type[AnyOf]) -> tuple[Rule, ...]:
    return rule.rules if isinstance(rule, kind) else (rule,)


def _join(stop: bool, verdicts: list[Verdict], word: str, progress: float) -> Verdict:
    if len(verdicts) == 1:
        return Verdict(stop, verdicts[0].reason, progress, verdicts[0].compound)
    parts = [f"({v.reason})" if v.compound else v.reason for v in verdicts]
    return Verdict(stop, word.join(parts), progress, compound=True)
