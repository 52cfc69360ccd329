"""The jobs of image methods: what a worker does to score contributors without training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from credit_plugin.config import Study
from credit_plugin.fidelity.attribution import ImageAttribution, get_attribution
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.folders import StudyFolders
from credit_plugin.game.utilities import Report, Stopwatch
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.signs import heartbeat


@dataclass(frozen=True)
class AttributionFactory:
    """Makes the function that runs image methods; called once in every worker.

    Attributes:
        study: The settings.
        folders: Where the study keeps its data and models.
    """

    study: Study
    folders: StudyFolders

    def __call__(self, device: str) -> Callable[[Mapping[str, Any], Report], dict[str, Any]]:
        """Return a runner whose jobs share images, features and gradients."""
        evidence = Evidence(Workbench(self.study, self.folders, device))

        def run(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
            method = get_attribution(payload["method"])
            assert isinstance(method, ImageAttribution)  # the coordinator sends no others
            clock = Stopwatch()
            with heartbeat(lambda: report(0, 1)):  # methods do not report
                scores = {name: s.tolist() for name, s in method.score(evidence).items()}
            clock.lap("scoring")
            report(1, 1)
            return {"scores": scores, "seconds": clock.seconds["scoring"]}

        return run
