"""What stopping by a rule costs in coverage, and what it saves. Prints a table.

    python -m tests.benchmarks.stopping [--repetitions 10]

The games of :mod:`tests.benchmarks.games`, two instances of each family with 8 and with 12 players,
with normal noise of 0.1 and 0.3 of a game's standard deviation on every evaluation, in rounds of a
study's plan. A rule is compared with the same studies read at the number of evaluations that it
stops at on average: what is missing to their coverage is the price of looking.

Columns: rule, coalitions in a round, part of the studies that stopped before the budget,
evaluations at the end, coverage of nominal .95 intervals there, the same without a rule, and the
error there (sum of absolute errors over the sum of absolute values, median).
"""

import argparse
from functools import lru_cache

import numpy as np

from credit_plugin.config import GameSettings
from credit_plugin.game import UtilityTable, from_bits
from credit_plugin.rounds import plan_rounds
from credit_plugin.values import ContributorValues, estimate
from credit_plugin.values.stopping import History, Round, Rule
from credit_plugin.values.stopping_text import parse_rule
from tests.benchmarks.games import FAMILIES, EnumeratedGame

RULES = ("interval_width(0.5)", "settled_ranks(0.5)", "values_change(0.15)")
BUDGET = 160
NOISES = (0.1, 0.3)
RESAMPLES = 200


class Study:
    """The rounds of one noisy game, each estimated when it is first asked for."""

    def __init__(self, game: EnumeratedGame, noise: float, size: int, seed: int) -> None:
        self.game, settings = game, GameSettings(budget=BUDGET, round=size)
        self.plans = plan_rounds(game.n_players, settings, seed)
        rows = np.array([from_bits(p.coalition) for p in self.plans[-1]])
        self.measured = dict(zip(self.plans[-1], game.noisy(rows, noise, seed), strict=True))
        self.values = lru_cache(maxsize=None)(self._values)

    def _values(self, number: int) -> ContributorValues:
        plan = self.plans[number]
        rows = [from_bits(planned.coalition) for planned in plan]
        table = UtilityTable.from_arrays(rows, [self.measured[planned] for planned in plan])
        return estimate(table, resamples=RESAMPLES)

    def end(self, rule: Rule) -> int:
        """Return the round after which a rule stops, or the last one."""
        rounds: tuple[Round, ...] = ()
        for number, plan in enumerate(self.plans):
            rounds = (*rounds, Round(len(plan), float(len(plan)), self.values(number)))
            following = self.plans[min(number + 1, len(self.plans) - 1)]
            if rule.check(History(rounds, len(following) - len(plan))).stop:
                return number
        return len(self.plans) - 1

    def nearest(self, evaluations: float) -> int:
        """Return the round after which there are about so many evaluations."""
        return int(np.argmin([abs(len(plan) - evaluations) for plan in self.plans]))

    def covered(self, number: int) -> float:
        """Return the part of the exact values that lie in their intervals after a round."""
        found, exact = self.values(number), self.game.exact
        return float(((found.ci_low <= exact) & (exact <= found.ci_high)).mean())

    def error(self, number: int) -> float:
        """Return the relative error after a round."""
        exact = self.game.exact
        return float(np.abs(self.values(number).values - exact).sum() / np.abs(exact).sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10, help="studies of each game")
    options = parser.parse_args()
    games = [EnumeratedGame(f, n, i) for f in FAMILIES for n in (8, 12) for i in range(2)]
    print(
        f"{'rule':<22}{'round':>6}{'stopped':>9}{'made':>7}{'covered':>9}{'without':>9}{'error':>8}"
    )
    for size in (4, 16):
        settings = [(game, noise) for game in games for noise in NOISES]
        groups = [
            [Study(game, noise, size, seed) for seed in range(options.repetitions)]
            for game, noise in settings
        ]
        for text in RULES:
            rule, ends, covered, without, errors = parse_rule(text), [], [], [], []
            for studies in groups:
                here = [study.end(rule) for study in studies]
                made = [len(s.plans[e]) for s, e in zip(studies, here, strict=True)]
                ends += [
                    (e < len(s.plans) - 1, m) for s, e, m in zip(studies, here, made, strict=True)
                ]
                covered += [s.covered(e) for s, e in zip(studies, here, strict=True)]
                errors += [s.error(e) for s, e in zip(studies, here, strict=True)]
                without += [s.covered(s.nearest(float(np.mean(made)))) for s in studies]
            early, made_on_average = np.mean(ends, axis=0)
            print(
                f"{text:<22}{size:>6}{early:>9.0%}{made_on_average:>7.0f}{np.mean(covered):>9.3f}"
                f"{np.mean(without):>9.3f}{np.median(errors):>8.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
