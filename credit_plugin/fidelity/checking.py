"""The phase of a study that checks its values against retraining; see ``credit fidelity``.

In this order, so that what is cheap comes first and a mistake shows early: scores of methods that
look at images, cheap utilities of the test coalitions, coalitions of methods that play games, the
retrainings that everything is tested on, and the retrainings without each method's top and bottom.
Every retraining is one line of the table of retrainings and one nested run of the study: a check
that was killed goes on where it was, and a later one with more coalitions, seeds or methods
retrains only what is missing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.compensation.wording import duration
from credit_plugin.config import FidelitySettings, Study
from credit_plugin.errors import StudyFailedError
from credit_plugin.evaluating import Evaluator, Plan
from credit_plugin.fidelity.agreement import Agreement, agreement
from credit_plugin.fidelity.attribution import get_attribution
from credit_plugin.fidelity.counterfactual import Noise, Removal, change, plan_removals
from credit_plugin.fidelity.lds import linear_datamodeling_score
from credit_plugin.fidelity.reference import FEWEST, TestSet, distinct, draw_test_sets, rests_on
from credit_plugin.fidelity.result import RECORD, Counterfactual, FidelityResult, Method, Test
from credit_plugin.fidelity.scoring import Scoring, unusable
from credit_plugin.fidelity.verdict import kind_of
from credit_plugin.game.ledger import Evaluation
from credit_plugin.game.plan import Groups, PlannedEvaluation
from credit_plugin.game.utilities import get_utility
from credit_plugin.games import RETRAINING

if TYPE_CHECKING:
    from credit_plugin.session import Session

FOLDER = "fidelity"

Options = dict[str, Any]
Measured = Mapping[str, Mapping[str, list[float]]]
"""Oriented utilities by property and coalition, in the order of their seeds."""


def check_settings(study: Study, n_players: int, groups: Groups | None = None) -> None:
    """Refuse settings of a check that cannot be followed.

    Args:
        study: The settings.
        n_players: Number of contributors.
        groups: Who is in which group, if values are of groups.

    Raises:
        InputError: One line that names the field.
    """
    draw_test_sets(n_players, study.fidelity, study.seed, rests_on(study, n_players, groups))
    for field in ("methods", "curves"):
        for name in getattr(study.fidelity, field):
            get_attribution(name, f"fidelity.{field}")
    for name in study.fidelity.proxies:
        get_utility(name)


def check_fidelity(session: "Session") -> FidelityResult:
    """Check a session's values, keep what was found, and return it.

    Raises:
        StudyFailedError: If too many retrainings were lost.
    """
    result = FidelityCheck(session).run()
    result.save(session.folders.table / FOLDER)
    return result


def known_result(session: "Session") -> FidelityResult | None:
    """Return what an earlier check found of these very values, or None."""
    folder = session.folders.table / FOLDER
    headline = session.study.properties.headline
    if not (folder / RECORD).exists() or headline not in session.estimates:
        return None
    found, mine = FidelityResult.load(folder), session.estimates[headline]
    return found if found.is_of(headline, mine.contributors, mine.values) else None


class FidelityCheck:
    """One check of one session's values."""

    def __init__(self, session: "Session") -> None:
        self.session, self.study = session, session.study
        self.settings: FidelitySettings = session.study.fidelity
        self.headline = session.study.properties.headline
        self.n_players = session.dataset.n_contributors
        avoid = rests_on(self.study, self.n_players, session.groups)
        self.sets = draw_test_sets(self.n_players, self.settings, self.study.seed, avoid)
        self.exact = session.games.evaluator(RETRAINING)
        self.seconds: dict[str, float] = {}
        self.lost: list[str] = []

    def run(self) -> FidelityResult:
        """Do everything, and return what was found."""
        scoring = Scoring(self.session)
        proxies = self._proxies(scoring.skipped)
        self._announce()
        images = scoring.images()
        self.seconds |= {"study": self._study_seconds(), "image methods": _work(images)}
        cheap = {name: self._evaluate_cheaply(name) for name in proxies}
        methods = [scoring.own(), *images, *scoring.games()]
        reference = distinct([test.plan(self.settings.seeds) for test in self.sets])
        self._retrain(reference, "retrainings", "tests")
        # random orders leave contributors out as the control of the others
        scores = {m.name: np.array(m.scores) for m in methods if kind_of(m) != "control"}
        removals = plan_removals(scores, self.settings, self.study.seed)
        counterfactual = self._removal_plan(removals)
        self._retrain(counterfactual, "counterfactuals", "counterfactuals")
        measured = self._measured(self.exact.found(distinct([reference, counterfactual])))
        return self._result(methods, removals, cheap, measured, scoring.skipped)

    def _study_seconds(self) -> float:
        """Return the work in the study's own models and coalitions."""
        models = sum(sum(f["costs"].values()) for f in self.session.facts.values())
        return models + sum(sum(e.costs.values()) for e in self.session.evaluations())

    def _announce(self) -> None:
        """Say how much there is to retrain before the first of it begins."""
        plan = distinct([test.plan(self.settings.seeds) for test in self.sets])
        known = sum(e.ok for e in self.exact.found(plan))
        sizes = ", ".join(f"{len(t.coalitions)} of {t.size} contributors" for t in self.sets)
        made = [sum(e.costs.values()) for e in self.exact.ledger.evaluations if e.ok]
        each = f", about {duration(float(np.median(made)))} of work each" if made else ""
        self.session.display.note(
            f"test coalitions: {sizes}; {self.settings.seeds} seeds each; {len(plan) - known} of "
            f"{len(plan)} retrainings to make{each}, then those of counterfactuals and methods"
        )

    def _proxies(self, skipped: dict[str, str]) -> list[str]:
        """Return the utilities to compare with retraining, the study's own first."""
        chosen = []
        for name in dict.fromkeys((self.study.game.utility, *self.settings.proxies)):
            reason = unusable(name, self.session)
            if reason:
                skipped[name] = reason
            elif name != RETRAINING:
                chosen.append(name)
        return chosen

    def _evaluate_cheaply(self, utility: str) -> Measured:
        evaluator = self.session.games.evaluator(utility)
        plan = distinct([test.plan(1) for test in self.sets])
        self._run(evaluator, plan, utility.replace("_", " "), utility)
        return self._measured(evaluator.found(plan))

    def _retrain(self, plan: Plan, title: str, purpose: str) -> None:
        self._run(self.exact, plan, title, purpose)

    def _run(self, evaluator: Evaluator, plan: Plan, title: str, purpose: str) -> None:
        evaluator.run(plan, title)
        self.seconds[purpose] = sum(sum(e.costs.values()) for e in evaluator.found(plan))
        self.lost += [f"{title}: {line}" for line in evaluator.lost(plan)]

    def _removal_plan(self, removals: Sequence[Removal]) -> Plan:
        rests = dict.fromkeys(bits for removal in removals for bits in removal.rest)
        coalitions = ["1" * self.n_players, *rests]
        seeds = range(self.settings.removal_seeds)
        return tuple(PlannedEvaluation(bits, seed) for seed in seeds for bits in coalitions)

    def _measured(self, evaluations: Sequence[Evaluation]) -> Measured:
        """Return oriented utilities of all properties."""
        found: dict[str, dict[str, list[float]]] = {name: {} for name in self.session.directions}
        for e in evaluations:
            for name, direction in self.session.directions.items() if e.ok else ():
                own = found[name].setdefault(e.coalition, [])
                own.append(direction * e.properties[name])
        return found

    def _result(
        self,
        methods: Sequence[Method],
        removals: Sequence[Removal],
        cheap: Mapping[str, Measured],
        measured: Measured,
        skipped: Mapping[str, str],
    ) -> FidelityResult:
        headline = measured[self.headline]
        noise, level = Noise.pooled(headline), self.study.values.confidence
        return FidelityResult(
            study=self.study.name,
            property=self.headline,
            direction=self.session.directions[self.headline],
            utility=self.study.game.utility,
            contributors=self.session.dataset.contributors,
            confidence=level,
            everybody=float(np.mean(headline.get("1" * self.n_players, [np.nan]))),
            methods=tuple(methods),
            tests=tuple(self._test(test, methods, cheap, measured) for test in self.sets),
            counterfactuals=tuple(
                Counterfactual(r, change(r, headline, noise, level)) for r in removals
            ),
            compared_removal=self.settings.compared_removal,
            settled_ranks=self.session.reliability[self.headline].settled_ranks,
            payable=self.settings.payable,
            skipped=skipped,
            lost=tuple(self.lost),
            seconds=self.seconds,
        )

    def _test(
        self,
        test: TestSet,
        methods: Sequence[Method],
        cheap: Mapping[str, Measured],
        measured: Measured,
    ) -> Test:
        kept, seeds = self._complete(test, cheap, measured), self.settings.seeds
        options: Options = {
            "resamples": self.settings.resamples,
            "seed": self.study.seed,
            "confidence": self.study.values.confidence,
        }
        utilities = _matrix(measured[self.headline], kept.coalitions, seeds)
        return Test(
            alpha=test.alpha,
            size=test.size,
            coalitions=kept.coalitions,
            seeds=seeds,
            utilities=tuple(map(tuple, utilities.tolist())),
            cheap={
                name: tuple(found[self.headline][bits][0] for bits in kept.coalitions)
                for name, found in cheap.items()
            },
            lds=linear_datamodeling_score(
                {m.name: np.array(m.scores) for m in methods}, kept.members, utilities, **options
            ),
            agreement={
                name: {
                    utility: _agreement(
                        found[name], measured[name], kept.coalitions, seeds, options
                    )
                    for utility, found in cheap.items()
                }
                for name in self.session.directions
            },
        )

    def _complete(
        self, test: TestSet, cheap: Mapping[str, Measured], measured: Measured
    ) -> TestSet:
        """Return the coalitions that everything was measured of; too few end the check."""
        headline = measured[self.headline]
        complete = tuple(
            bits
            for bits in test.coalitions
            if len(headline.get(bits, ())) >= self.settings.seeds
            and all(bits in found[self.headline] for found in cheap.values())
        )
        if len(complete) < FEWEST:
            first = (self.lost or ["none"])[0]
            raise StudyFailedError(
                f"only {len(complete)} of {len(test.coalitions)} test coalitions of {test.size} "
                f"contributors were evaluated completely. First loss: {first}"
            )
        return TestSet(test.alpha, test.size, complete)


def _work(methods: Sequence[Method]) -> float:
    """Return the seconds of methods, those of a method's variants once."""
    return sum({m.name.partition("/")[0]: m.seconds for m in methods}.values())


def _agreement(
    cheap: Mapping[str, list[float]],
    exact: Mapping[str, list[float]],
    coalitions: Sequence[str],
    seeds: int,
    options: Options,
) -> Agreement:
    said = np.array([cheap[bits][0] for bits in coalitions])
    return agreement(said, _matrix(exact, coalitions, seeds), **options)


def _matrix(
    utilities: Mapping[str, list[float]], coalitions: Sequence[str], seeds: int
) -> np.ndarray:
    """Return utilities of coalitions by seed, float64 [m, s]."""
    return np.array([utilities[bits][:seeds] for bits in coalitions])
