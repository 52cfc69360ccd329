"""Rounds: coalitions are evaluated a few at a time until a stopping rule holds.

``game.stop`` says the rule (:mod:`credit_plugin.values.stopping`), ``game.round`` how many further
coalitions each round evaluates, ``game.budget`` how many there are at most. Designs and their
repeats are nested in the budget, so the plan of a round is that of a smaller budget, and a study
that stopped is in every respect one with that budget.

The first round is as large as values need: the smallest multiple of ``game.round`` that is at least
n + 2. If an estimator needs more (complete chains, every contributor left out once), or too much
was lost, there are no values after a round; then the rule is not asked and the next round begins.

Where a study stops is a function of its settings and its ledger. A study that was killed goes
through its rounds again, finds them in the ledger, asks the same rule about the same table and goes
on where it was. There is one exception: what an earlier process gave up is tried again, and if it
succeeds now, an earlier round may be the last.

All workers wait for the last evaluation of a round, so a round should be a multiple of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credit_plugin.config import GameSettings
from credit_plugin.errors import InputError
from credit_plugin.evaluating import Plan
from credit_plugin.forecast import Prices, work_seconds
from credit_plugin.game.ledger import Evaluation
from credit_plugin.game.plan import plan_evaluations
from credit_plugin.values import ContributorValues
from credit_plugin.values.stopping import History, Round, Rule, Verdict

if TYPE_CHECKING:
    from credit_plugin.session import Session

FIRST_FORECAST = 4
"""Evaluations after which a study without any in its ledger says what it will cost."""


@dataclass(frozen=True)
class RoundEnd:
    """Where a study is after a round.

    Attributes:
        number: Of the round, from 1.
        plan: Everything evaluated so far.
        upcoming: Evaluations of the next round; 0 after the last one.
        left: Evaluations to the end of the budget.
        values: Estimated from what was evaluated; None if that is not enough.
        verdict: What the rule says; that it was not asked, if there are no values.
    """

    number: int
    plan: Plan
    upcoming: int
    left: int
    values: ContributorValues | None
    verdict: Verdict

    @property
    def last(self) -> bool:
        """Whether the study ends here."""
        return self.verdict.stop or not self.upcoming

    def outcome(self) -> str:
        """Return where the study is, and why it ends or goes on."""
        made, reason = len(self.plan), self.verdict.reason
        if self.verdict.stop:
            return f"stopped after {made} of at most {made + self.left} evaluations: {reason}"
        if not self.upcoming:
            return f"all {made} evaluations were made and the rule did not hold: {reason}"
        return f"{made} evaluations: {reason}"

    def words(self, prices: Prices) -> str:
        """Return the line that the terminal shows after this round."""
        line = f"round {self.number}: {self.outcome()}"
        if self.last:
            return line
        forecast = f"next {self.upcoming} more ({prices.words(self.upcoming)})"
        if self.left > self.upcoming:
            forecast += f", at most {self.left} ({prices.words(self.left)})"
        return f"{line}; {forecast}"


def evaluate_until(session: "Session", rule: Rule) -> str:
    """Evaluate a session's coalitions in rounds until a rule holds.

    The session's plan is then what was evaluated, and MLflow knows the verdict of every round.

    Returns:
        Where and why the evaluations ended, in words.
    """
    study, evaluator, display = session.study, session.evaluator, session.display
    plans = plan_rounds(session.dataset.n_contributors, study.game, study.seed)
    display.note(announcement(rule, plans, _prices(session)))
    unknown = not _prices(session).known

    def watch() -> None:
        nonlocal unknown
        if session.plan is plans[0]:
            session.watch_convergence()
        if unknown and len(evaluator.found(plans[-1])) >= FIRST_FORECAST:
            unknown = False
            display.note(announcement(rule, plans, _prices(session)))

    def evaluate(plan: Plan, number: int) -> Sequence[Evaluation]:
        session.plan = plan
        evaluator.run(plan, f"round {number}", whole=plans[-1], watch=watch)
        if number == 1:
            session.watch_convergence()
        return session.evaluations()

    outcome = ""
    for end in in_rounds(rule, plans, evaluate, session.headline_from):
        if end.values is not None:
            session.remember_values(end.values, len(end.plan))
        outcome = end.outcome()
        session.tracker.log_verdict(len(end.plan), end.verdict.progress, outcome)
        display.note(end.words(_prices(session)))
    return outcome


def plan_rounds(n_players: int, settings: GameSettings, seed: int) -> list[Plan]:
    """Return the plan up to the end of each round; the last one is that of the whole budget.

    Raises:
        InputError: If the budget cannot be planned.
    """
    whole = plan_evaluations(n_players, settings, seed)
    smaller = (
        plan_evaluations(n_players, settings.model_copy(update={"budget": budget}), seed)
        for budget in _budgets(n_players, settings)
    )
    return [*smaller, whole]


def in_rounds(
    rule: Rule,
    plans: Sequence[Plan],
    evaluate: Callable[[Plan, int], Sequence[Evaluation]],
    estimate: Callable[[Sequence[Evaluation]], ContributorValues],
) -> Iterator[RoundEnd]:
    """Evaluate one plan after the other until a rule holds.

    Args:
        rule: Says when to stop.
        plans: Each contains the one before it.
        evaluate: (plan, number of the round) -> every evaluation of the plan.
        estimate: Values from evaluations; an ``InputError`` says that they are too few.

    Yields:
        What is known after each round; nothing more after the last one.
    """
    rounds: tuple[Round, ...] = ()
    for index, plan in enumerate(plans):
        evaluations = evaluate(plan, index + 1)
        upcoming = len(plans[index + 1]) - len(plan) if index + 1 < len(plans) else 0
        values = None
        try:
            values = estimate(evaluations)
        except InputError as error:
            verdict = Verdict(False, f"no values yet ({error})", 0.0)
        if values is not None:
            rounds = (*rounds, Round(len(plan), work_seconds(evaluations), values))
            verdict = rule.check(History(rounds, upcoming))
        end = RoundEnd(index + 1, plan, upcoming, len(plans[-1]) - len(plan), values, verdict)
        yield end
        if end.last:
            return


def announcement(rule: Rule, plans: Sequence[Plan], prices: Prices) -> str:
    """Return the line that the terminal shows before the first round."""
    first, most = len(plans[0]), len(plans[-1])
    forecast = f"{first} evaluations ({prices.words(first)})"
    if first < most:
        forecast += f", at most {most} in {len(plans)} rounds ({prices.words(most)})"
    return f"coalitions until {rule}: {forecast}"


def _prices(session: "Session") -> Prices:
    study = session.study
    rate, currency = study.execution.cost_per_hour, study.compensation.currency
    return Prices.of(session.evaluator.ledger.evaluations, rate, currency)


def _budgets(n_players: int, settings: GameSettings) -> range:
    """Return the coalitions after each round but the last one."""
    size = settings.round
    first = -(-(n_players + 2) // size) * size
    return range(first, settings.budget, size)
