"""Evaluating: the loop that turns a plan into lines of the ledger, whatever utility it is for.

What the ledger holds is told to MLflow, unless MLflow knows it; what it lacks is run, and is one
fsynced line before anybody else hears of it. A study has one evaluator for its coalitions; a second
game, for instance retrainings beside fine-tunings, is a second evaluator, with the factory and the
folders of the study that has the other utility.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from credit_plugin.execution.engine import Engine, Job, Outcome, RunnerFactory
from credit_plugin.folders import StudyFolders
from credit_plugin.game.ledger import Evaluation, Ledger
from credit_plugin.game.plan import PlannedEvaluation
from credit_plugin.game.utilities import get_utility
from credit_plugin.progress import ProgressDisplay

if TYPE_CHECKING:
    from credit_plugin.tracking.tracker import StudyTracker

Plan = Sequence[PlannedEvaluation]


class Evaluator:
    """Evaluates plans for one utility.

    Args:
        engine: Runs what is missing.
        factory: Makes the runner of each worker.
        folders: Where the ledger is, and what identifies an evaluation.
        utility: Registered utility.
        tracker: Is told of every evaluation.
        display: Shows progress.
    """

    def __init__(
        self,
        engine: Engine,
        factory: RunnerFactory,
        folders: StudyFolders,
        utility: str,
        tracker: "StudyTracker",
        display: ProgressDisplay,
    ) -> None:
        self.engine, self.factory, self.folders = engine, factory, folders
        self.utility, self.role = utility, get_utility(utility).role
        self.tracker, self.display = tracker, display
        self.ledger = Ledger(folders.ledger)
        self._tried: set[str] = set()

    def run(
        self,
        plan: Plan,
        title: str,
        whole: Plan | None = None,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        """Evaluate what the ledger lacks of a plan.

        What an earlier process gave up is tried again, what this one gave up is not.

        Args:
            plan: The evaluations.
            title: What progress is shown as.
            whole: The plan that positions told to MLflow are in; by default this one.
            watch: Called after each evaluation.
        """
        positions = {planned: i for i, planned in enumerate(whole or plan)}
        jobs = []
        for planned in plan:
            known = self._find(planned)
            if known is not None and (known.ok or known.key in self._tried):
                self._tell(known, positions)
            else:
                jobs.append(self._job(planned))
        self._run_jobs(jobs, len(plan), title, positions, watch)

    def found(self, plan: Plan) -> list[Evaluation]:
        """Return the evaluations of a plan that the ledger holds, in the plan's order."""
        return [e for e in map(self._find, plan) if e is not None]

    def complete(self, plan: Plan) -> list[Evaluation]:
        """Return the plan's beginning up to the first evaluation that the ledger lacks."""
        beginning = []
        for planned in plan:
            evaluation = self._find(planned)
            if evaluation is None:
                break
            beginning.append(evaluation)
        return beginning

    def lost(self, plan: Plan) -> tuple[str, ...]:
        """Return one line for each evaluation of a plan that was given up."""
        return tuple(
            f"coalition {e.coalition}, repeat {e.repeat}, after {e.attempts} attempts: {e.error}"
            for e in self.found(plan)
            if not e.ok
        )

    def _run_jobs(
        self,
        jobs: Sequence[Job],
        total: int,
        title: str,
        positions: dict[PlannedEvaluation, int],
        watch: Callable[[], None],
    ) -> None:
        if not jobs:
            return
        done = total - len(jobs)
        self.display.phase(title, total, done, "evaluations")
        shares: dict[str, float] = {}

        def progress(job: Job, part: int, of: int) -> None:
            shares[job.key] = part / max(of, 1)
            self.display.update(done + sum(shares.values()))

        for outcome in self.engine.run(self.factory, jobs, progress):
            shares.pop(outcome.job.key, None)
            done += 1
            evaluation = self._as_evaluation(outcome)
            self.ledger.append(evaluation)
            self._tried.add(evaluation.key)
            self._tell(evaluation, positions)
            watch()
            self.display.update(done + sum(shares.values()))
        self.display.finish()

    def _find(self, planned: PlannedEvaluation) -> Evaluation | None:
        return self.ledger.find(self._key(planned))

    def _key(self, planned: PlannedEvaluation) -> str:
        return self.folders.coalition_key(planned.coalition, planned.repeat)

    def _job(self, planned: PlannedEvaluation) -> Job:
        key = self._key(planned)
        payload = {
            "job": "evaluate",
            "key": key,
            "coalition": planned.coalition,
            "repeat": planned.repeat,
        }
        return Job(key, payload)

    def _as_evaluation(self, outcome: Outcome) -> Evaluation:
        result = outcome.result or {"properties": {}, "losses": {}, "costs": {}}
        return Evaluation(
            key=outcome.job.key,
            coalition=outcome.job.payload["coalition"],
            seed=self.folders.study.seed,
            repeat=outcome.job.payload["repeat"],
            properties=result["properties"],
            losses=result["losses"],
            costs=result["costs"],
            started=outcome.started,
            finished=outcome.finished,
            attempts=outcome.attempts,
            error=outcome.error,
        )

    def _tell(self, evaluation: Evaluation, positions: dict[PlannedEvaluation, int]) -> None:
        planned = PlannedEvaluation(evaluation.coalition, evaluation.repeat)
        size = evaluation.coalition.count("1")
        position = positions[planned] + 1
        self.tracker.log_evaluation(
            evaluation, position, len(positions), size, role=self.role, utility=self.utility
        )
