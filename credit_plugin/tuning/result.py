"""What a search found: plain numbers, kept as JSON, and one table for people."""

import builtins
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from credit_plugin.config import TuningSettings
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.tuning.selection import complete_trials, pareto_front
from credit_plugin.tuning.smoothing import expected_fidelities
from credit_plugin.tuning.trial import HeldOut, Trial
from credit_plugin.written import write_record, write_rows

RECORD, TABLE, CHOSEN = "tuning.json", "tuning.csv", "tuned.yaml"


@dataclass(frozen=True, eq=False)
class TuningResult:
    """Everything that a search found.

    Attributes:
        study: Name of the study.
        property: The headline, whose v is compared.
        settings: Of the search.
        trials: All finished trials, by number.
        chosen: Number of the chosen one.
        held_out: What held-out coalitions say, of the chosen and of the study's own settings, by
            the number of the trial.
        lead: By how much the chosen settings follow retraining better than the study's own on the
            held-out coalitions; None unless both were evaluated and differ.
        importances: By objective how much each setting matters, shares that sum to 1.
        size: Members of each reference coalition.
        coalitions: How many reference coalitions trials were scored on.
        kept_back: How many were held out.
        whole_study: Evaluations of a whole study, for comparison.
        reference_seconds: Work in the retrainings.
    """

    study: str
    property: str
    settings: TuningSettings
    trials: tuple[Trial, ...]
    chosen: int
    held_out: Mapping[int, HeldOut]
    lead: Interval | None
    importances: Mapping[str, Mapping[str, float]]
    size: int
    coalitions: int
    kept_back: int
    whole_study: int
    reference_seconds: float

    def trial(self, number: int) -> Trial:
        """Return the trial ``number``."""
        return next(trial for trial in self.trials if trial.number == number)

    @builtins.property  # a field has this name
    def own(self) -> Trial | None:
        """The trial of the study's own settings, if it was evaluated whole."""
        return next((t for t in complete_trials(self.trials) if t.own), None)

    @builtins.property
    def front(self) -> list[Trial]:
        """The Pareto front, the cheapest first."""
        return pareto_front(self.trials, self.settings.cost)

    @builtins.property
    def expected(self) -> dict[int, float]:
        """What trials with similar settings lead to expect of each complete one, by number."""
        return expected_fidelities(complete_trials(self.trials))

    @builtins.property
    def spent(self) -> float:
        """Seconds of work in all trials, summed over workers."""
        return sum(trial.spent for trial in self.trials)

    @builtins.property
    def alone(self) -> float:
        """What they would have been if no trial had used what another had made."""
        return sum(trial.alone for trial in self.trials)

    @builtins.property
    def whole_studies(self) -> float:
        """What a whole study of each complete trial would have been."""
        return sum(
            trial.alone + trial.seconds * (self.whole_study - len(trial.said))
            for trial in complete_trials(self.trials)
        )

    def metrics(self) -> dict[str, float]:
        """Return the numbers that MLflow shows, by their names there."""
        best = self.trial(self.chosen)
        named = {
            "tuning/fidelity": best.fidelity,
            "tuning/cost_seconds": best.seconds,
            "tuning/cost_flops": best.flops,
            "tuning/trials": float(len(self.trials)),
            "tuning/spent_seconds": self.spent,
        }
        if self.chosen in self.held_out:
            named["tuning/held_out_fidelity"] = self.held_out[self.chosen].found.value
        if self.own is not None:
            named["tuning/own/fidelity"] = self.own.fidelity
            named["tuning/own/cost_seconds"] = self.own.seconds
            named["tuning/own/cost_flops"] = self.own.flops
            if self.own.number in self.held_out:
                checked = self.held_out[self.own.number].found
                named["tuning/own/held_out_fidelity"] = checked.value
        if self.lead is not None:
            named["tuning/held_out_lead"] = self.lead.value
        return named

    def save(self, folder: Path) -> None:
        """Write both files to ``folder``, each complete or not at all."""
        plain = {**asdict(self), "settings": self.settings.model_dump(mode="json")}
        write_record(folder / RECORD, plain)
        write_rows(folder / TABLE, self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each trial."""
        front, expected = {trial.number for trial in self.front}, self.expected
        names = sorted({name for trial in self.trials for name in trial.parameters})
        return [
            {
                "trial": t.number,
                "state": t.state,
                "fidelity": _cell(t.fidelity),
                "standard_error": _cell(t.error),
                "expected_fidelity": expected.get(t.number, ""),
                "seconds": _cell(t.seconds),
                "flops": _cell(t.flops),
                "front": int(t.number in front),
                "chosen": int(t.number == self.chosen),
                **{name: t.parameters.get(name, "") for name in names},
                "reason": t.reason,
            }
            for t in self.trials
        ]


def _cell(number: float) -> float | str:
    return number if number == number else ""
