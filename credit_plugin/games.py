"""Games of one study: the same coalitions and measurements, by other utilities.

A study's values are of one utility. Beside it there are others to compare with or to correct by:
retraining, fine-tuning without pruning, or a user's own. Each has a ledger of its own, addressed by
the settings that it uses and by no others, so that a retraining, which does not depend on how
coalitions are fine-tuned or how the model was pruned, serves every study with the same data,
network, training and measurements.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from credit_plugin.config import GameSettings, PruningSettings, Study
from credit_plugin.evaluating import Evaluator
from credit_plugin.execution.engine import Engine
from credit_plugin.folders import StudyFolders
from credit_plugin.game.utilities import get_utility
from credit_plugin.game.utilities.worker import WorkerFactory
from credit_plugin.progress import ProgressDisplay

if TYPE_CHECKING:
    from credit_plugin.tracking.tracker import StudyTracker

RETRAINING = "retraining"


def study_with(study: Study, utility: str) -> Study:
    """Return the study with another utility; settings which that does not use are the default.

    Raises:
        InputError: If there is no such utility.
    """
    if utility == study.game.utility:
        return study
    found = get_utility(utility)
    game = study.game.model_copy(update={"utility": utility})
    if not found.finetunes:
        game = game.model_copy(update={"finetuning": GameSettings().finetuning})
    pruning = study.pruning if "pruned" in found.needs else PruningSettings()
    return study.model_copy(update={"game": game, "pruning": pruning})


class Games:
    """The evaluators of a session, one for each utility, made when they are first asked for.

    Args:
        study: The settings.
        folders: Of the study.
        engine: Runs what is missing.
        tracker: Is told of every evaluation.
        display: Shows progress.
    """

    def __init__(
        self,
        study: Study,
        folders: StudyFolders,
        engine: Engine,
        tracker: "StudyTracker",
        display: ProgressDisplay,
    ) -> None:
        self.study, self.folders = study, folders
        self._parts = engine, tracker, display
        self._evaluators: dict[str, Evaluator] = {}

    def evaluator(self, utility: str) -> Evaluator:
        """Return the evaluator of a registered utility.

        Raises:
            InputError: If there is no such utility.
        """
        if utility not in self._evaluators:
            engine, tracker, display = self._parts
            study = study_with(self.study, utility)
            folders = replace(self.folders, study=study)
            factory = WorkerFactory(study, folders)
            self._evaluators[utility] = Evaluator(
                engine, factory, folders, utility, tracker, display
            )
        return self._evaluators[utility]
