"""What became of a trial: plain data, kept with the trial in Optuna's storage and nowhere else.

States are in the words of people: *complete*; *stopped*, because it was clearly worse than another
trial that costs no more, or costs more than the limit; *failed*, because a coalition or the pruned
model could not be made. A trial whose process ended has no state, and is tried again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from credit_plugin.tuning.scores import Fidelity

COMPLETE, STOPPED, FAILED = "complete", "stopped", "failed"


@dataclass(frozen=True)
class Trial:
    """One choice of settings and what it gave.

    Attributes:
        number: Optuna's, from 0.
        parameters: Settings by dotted name.
        state: See the module.
        own: Whether these are the study's own settings, which are tried first.
        reason: Why it was stopped or failed, or empty.
        said: Oriented v of the tuning coalitions, as many as were evaluated.
        fidelity: Correlation with retraining; nan unless it is complete.
        error: Standard error of the fidelity.
        seconds: Mean cost of a coalition, from its start, measured.
        flops: Cost of a coalition, counted.
        spent: Seconds of work that the trial really took, summed over workers.
        alone: Seconds that it would have taken if no trial had been before it.
        run_id: Its MLflow run.
    """

    number: int
    parameters: Mapping[str, Any]
    state: str
    own: bool = False
    reason: str = ""
    said: tuple[float, ...] = ()
    fidelity: float = float("nan")
    error: float = float("nan")
    seconds: float = float("nan")
    flops: float = float("nan")
    spent: float = 0.0
    alone: float = 0.0
    run_id: str = ""

    def cost(self, unit: str) -> float:
        """Return the cost of a coalition in ``seconds`` or ``flops``."""
        return self.seconds if unit == "seconds" else self.flops

    def record(self) -> dict[str, Any]:
        """Return what Optuna does not hold by itself, as JSON can."""
        kept = {k: v for k, v in asdict(self).items() if k not in ("number", "parameters")}
        return {key: None if value != value else value for key, value in kept.items()}

    @classmethod
    def from_record(
        cls, number: int, parameters: Mapping[str, Any], record: Mapping[str, Any]
    ) -> "Trial":
        """Return a trial from what :meth:`record` gave."""
        kept = {key: value for key, value in record.items() if value is not None}
        kept["said"] = tuple(kept.get("said", ()))
        return cls(number, dict(parameters), **kept)


@dataclass(frozen=True)
class HeldOut:
    """What the held-out coalitions say of a trial.

    Attributes:
        said: Oriented v of the held-out coalitions.
        found: Correlation with retraining on them.
    """

    said: tuple[float, ...]
    found: Fidelity
