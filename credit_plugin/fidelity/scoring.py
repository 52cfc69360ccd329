"""The scores of every method, of the kind that looks at images and of the kind that plays games.

Image methods run one after the other in one worker, which computes what they share once. Their
scores are kept beside the table, by what they depend on. Game methods share evaluations with the
study and with each other; those by retraining have seeds of their own
(:mod:`credit_plugin.fidelity.reference`).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.config import Study, fingerprint
from credit_plugin.errors import InputError
from credit_plugin.evaluating import Plan
from credit_plugin.execution.engine import Job
from credit_plugin.fidelity.attribution import (
    Attribution,
    GameAttribution,
    ImageAttribution,
    attribution_names,
    get_attribution,
)
from credit_plugin.fidelity.reference import distinct, untested
from credit_plugin.fidelity.result import OWN, Method
from credit_plugin.fidelity.worker import AttributionFactory
from credit_plugin.folders import RESULTS_VERSION
from credit_plugin.game.utilities import get_utility
from credit_plugin.games import RETRAINING
from credit_plugin.properties.suite import used_settings
from credit_plugin.written import whole_file

if TYPE_CHECKING:
    from credit_plugin.session import Session

# settings of tests and counterfactuals; any other one may change what an image method says
_NOT_LOOKED_AT = {
    "alphas", "coalitions", "seeds", "proxies", "methods", "removals", "curves", "compared_removal",
    "removal_seeds", "shapley_budget", "resamples", "payable",
}  # fmt: skip


class Scoring:
    """Collects the scores of a session's methods.

    Attributes:
        skipped: Why methods are missing, by name.

    Raises:
        InputError: If a method of the settings is not registered.
    """

    def __init__(self, session: "Session") -> None:
        self.session, self.study = session, session.study
        self.n_players = session.dataset.n_contributors
        self.skipped: dict[str, str] = {}
        self._methods: dict[str, Attribution] = {}
        for name in self.study.fidelity.methods or attribution_names():
            method = get_attribution(name)
            reason = method.unavailable(self.study) or self._lacking(method)
            if reason:
                self.skipped[name] = reason
            else:
                self._methods[name] = method

    def own(self) -> Method:
        """Return the study's own values as a method."""
        session = self.session
        values = session.estimates[self.study.properties.headline]
        retrains = bool(session.retrainings.plan) or self.study.game.utility == RETRAINING
        costs = [sum(e.costs.values()) for e in session.evaluations()]
        return Method(
            name=OWN,
            title="Shapley values of this study",
            variant="",
            scores=tuple(values.values.tolist()),
            trains=True,
            retrains=retrains,
            seconds=sum(costs) + sum(session.retrainings.costs().values()),
        )

    def images(self) -> list[Method]:
        """Return the scores of image methods."""
        wanted = {k: m for k, m in self._methods.items() if isinstance(m, ImageAttribution)}
        found = self._run_image_methods(list(wanted))
        return [
            Method(
                name=f"{name}/{variant}" if len(found[name]["scores"]) > 1 else name,
                title=wanted[name].title,
                variant=variant if len(found[name]["scores"]) > 1 else "",
                scores=tuple(scores),
                trains=False,
                retrains=False,
                seconds=found[name]["seconds"],
            )
            for name in wanted
            if name in found
            for variant, scores in found[name]["scores"].items()
        ]

    def games(self) -> list[Method]:
        """Evaluate what game methods need, and return their scores."""
        wanted = {k: m for k, m in self._methods.items() if isinstance(m, GameAttribution)}
        plans = {name: self._plan(method) for name, method in wanted.items()}
        for utility in dict.fromkeys(self._utility(m) for m in wanted.values()):
            own = [plans[name] for name, m in wanted.items() if self._utility(m) == utility]
            title = f"methods: {utility.replace('_', ' ')}"
            self.session.games.evaluator(utility).run(distinct(own), title)
        found = (self._read(name, method, plans[name]) for name, method in wanted.items())
        return [method for method in found if method is not None]

    def _utility(self, method: GameAttribution) -> str:
        return method.utility or self.study.game.utility

    def _plan(self, method: GameAttribution) -> Plan:
        utility = self._utility(method)
        own = self.session.plan if utility == self.study.game.utility else ()
        plan = method.plan(self.n_players, self.study, self.session.plan)
        return untested(plan, utility, own)

    def _read(self, name: str, method: GameAttribution, plan: Plan) -> Method | None:
        utility = self._utility(method)
        evaluations = self.session.games.evaluator(utility).found(plan)
        try:
            table = self.session.table_of(evaluations).select(self.study.properties.headline)
            scores = method.read(table, self.study.seed)
        except InputError as error:  # evaluations that it needs were lost
            self.skipped[name] = str(error)
            return None
        return Method(
            name=name,
            title=method.title,
            variant="",
            scores=tuple(np.asarray(scores, float).tolist()),
            trains=True,
            retrains=utility == RETRAINING,
            seconds=sum(sum(e.costs.values()) for e in evaluations),
        )

    def _lacking(self, method: Attribution) -> str | None:
        """Return which model a method needs that the study does not make."""
        if isinstance(method, GameAttribution):
            return unusable(self._utility(method), self.session)
        return lacking(("full",), self.session)

    def _run_image_methods(self, names: Sequence[str]) -> dict[str, Any]:
        session, folders = self.session, self.session.folders
        kept = {name: self._kept(name) for name in names}
        found = {n: json.loads(p.read_text("utf-8")) for n, p in kept.items() if p.exists()}
        jobs = [Job(name, {"method": name}) for name in names if name not in found]
        if not jobs:
            return found
        session.display.phase("image methods", len(names), len(found), "methods")
        outcomes = session.engine.run(
            AttributionFactory(self.study, folders),
            jobs,
            workers=1,
            threads=self.study.execution.training_threads,
        )
        for outcome in outcomes:
            name = outcome.job.key
            if outcome.error is not None:
                self.skipped[name] = outcome.error
                continue
            found[name] = outcome.result
            with whole_file(kept[name]) as partial:
                partial.write_text(json.dumps(outcome.result), "utf-8")
            session.display.update(len(found))
        session.display.finish()
        return found

    def _kept(self, name: str) -> Path:
        """Return the file that keeps a method's scores, named by what they depend on."""
        folders = self.session.folders
        digest = fingerprint(folders.full.name, scores_identity(self.study, self._methods[name]))
        return folders.table / "attributions" / f"{name}-{digest}.json"


def scores_identity(study: Study, method: Attribution) -> str:
    """Return what identifies an image method's scores, given the full model and its data."""
    settings = study.fidelity.model_dump(mode="json", exclude=_NOT_LOOKED_AT)
    measured = {**used_settings(study.properties).identity(), "headline": study.properties.headline}
    return fingerprint(RESULTS_VERSION, settings, measured, study.sampling, method.identity(study))


def unusable(utility: str, session: "Session") -> str | None:
    """Return why a utility cannot be compared with in a study, and the mend, or None."""
    found = get_utility(utility)
    return found.unsuitable(session.study) or lacking(found.needs, session)


def lacking(needs: Sequence[str], session: "Session") -> str | None:
    """Return which model of ``needs`` the study does not make, and the mend, or None."""
    missing = [kind for kind in needs if kind not in session.utility.needs]
    if not missing:
        return None
    utility = session.study.game.utility
    return f"needs the {missing[0]} model, which game.utility {utility} does not make"
