"""What a check found: plain numbers, kept as JSON, and one table for people.

``fidelity.json`` holds everything, so that figures, reports and verdicts can be made again without
retraining. ``fidelity.csv`` has one row for each method: who it is, what it costs, its LDS on each
test set with its interval and by how much the study's own values exceed it, and what becomes of
the property if its top leaves.
"""

import builtins
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from credit_plugin.fidelity.agreement import Agreement
from credit_plugin.fidelity.counterfactual import Removal
from credit_plugin.fidelity.lds import LdsResult
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.written import write_record, write_rows

OWN = "values"
"""Name of the study's own values among the methods; they are always the first."""

RECORD, TABLE = "fidelity.json", "fidelity.csv"


@dataclass(frozen=True)
class Method:
    """A method that was compared.

    Attributes:
        name: Unique, the registered name with its variant.
        title: What tables and figures call it.
        variant: How scores of images became one of their contributor, or empty.
        scores: One for each contributor.
        trains: Whether it rests on coalitions that were trained.
        retrains: Whether it rests on coalitions that were retrained from scratch.
        seconds: Work in it, summed over workers.
    """

    name: str
    title: str
    variant: str
    scores: tuple[float, ...]
    trains: bool
    retrains: bool
    seconds: float

    @property
    def label(self) -> str:
        """The title with its variant."""
        return f"{self.title} ({self.variant})" if self.variant else self.title


@dataclass(frozen=True, eq=False)
class Test:
    """What one test set says of the headline.

    Attributes:
        alpha: Share of the contributors in each coalition that was asked for.
        size: Members of each coalition.
        coalitions: Bit strings of those that count.
        seeds: Retrainings of each.
        utilities: Retrained, oriented: one list of seeds for each coalition.
        cheap: Cheap utilities by the name of the utility, oriented, one for each coalition.
        lds: By method, with ceilings.
        agreement: By property and utility, how well v follows retraining.
    """

    __test__ = False  # pytest takes the name for a class of tests

    alpha: float
    size: int
    coalitions: tuple[str, ...]
    seeds: int
    utilities: tuple[tuple[float, ...], ...]
    cheap: Mapping[str, tuple[float, ...]]
    lds: LdsResult
    agreement: Mapping[str, Mapping[str, Agreement]]


@dataclass(frozen=True)
class Counterfactual:
    """What became of the headline without some contributors.

    Attributes:
        removal: Who left, and by which method.
        change: Oriented change in the unit of the property, negative is worse; None if a
            retraining was lost.
    """

    removal: Removal
    change: Interval | None


@dataclass(frozen=True, eq=False)
class FidelityResult:
    """Everything that a check found.

    Attributes:
        study: Name of the study.
        property: The headline.
        direction: +1 if higher is better, -1 if lower is.
        utility: Registered name of the study's own utility.
        contributors: Names, in the order of scores and bits.
        confidence: Level of all intervals.
        everybody: Oriented mean utility of everybody, retrained.
        methods: All methods, the study's own values first.
        tests: One for each size of test coalitions, in the order of the settings.
        counterfactuals: One for each method, share and end.
        compared_removal: Share at which the top of every method left.
        settled_ranks: How many ranks of the study's values are settled.
        payable: Share of the possible LDS below which values should not be paid on.
        skipped: Why methods are missing, by name.
        lost: One line for each evaluation that was given up.
        seconds: Work by what it was for, summed over workers.
    """

    study: str
    property: str
    direction: int
    utility: str
    contributors: tuple[str, ...]
    confidence: float
    everybody: float
    methods: tuple[Method, ...]
    tests: tuple[Test, ...]
    counterfactuals: tuple[Counterfactual, ...]
    compared_removal: float
    settled_ranks: int
    payable: float
    skipped: Mapping[str, str]
    lost: tuple[str, ...]
    seconds: Mapping[str, float]

    @builtins.property  # a field has this name
    def main(self) -> Test:
        """The test set whose coalitions are nearest to half of the contributors."""
        return min(self.tests, key=lambda test: abs(test.alpha - 0.5))

    @builtins.property
    def rivals(self) -> tuple[Method, ...]:
        """All methods but the study's own values."""
        return self.methods[1:]

    def is_of(self, property: str, contributors: Sequence[str], values: np.ndarray) -> bool:
        """Return whether these values were checked; a check of others says nothing about them.

        Args:
            property: The headline.
            contributors: Names in the order of the values.
            values: float64 [n].
        """
        checked = np.array(self.methods[0].scores)
        same = (self.property, self.contributors) == (property, tuple(contributors))
        same = same and checked.shape == values.shape
        return same and np.allclose(checked, values, rtol=1e-9, atol=0)

    def method(self, name: str) -> Method:
        """Return the method ``name``."""
        return next(m for m in self.methods if m.name == name)

    def counterfactual(self, method: str, share: float, top: bool) -> Interval | None:
        """Return the change by a method's top or bottom, None if it is not known."""
        for found in self.counterfactuals:
            removal = found.removal
            if (removal.method, removal.share, removal.top) == (method, share, top):
                return found.change
        return None

    def relative(self, change: float) -> float:
        """Return a change as a share of what everybody together reaches, retrained."""
        return change / abs(self.everybody) if self.everybody else float("nan")

    def metrics(self, rivals: bool = True) -> dict[str, float]:
        """Return the numbers that MLflow shows, by their names there.

        Args:
            rivals: Also those of rival methods, not of the study's own values alone.
        """
        named: dict[str, float] = {}
        methods = self.methods if rivals else self.methods[:1]
        for test in self.tests:
            at = f"alpha_{test.alpha:.2f}"
            for method in methods:
                named[f"fidelity/lds/{method.name}/{at}"] = test.lds.scores[method.name].value
            named[f"fidelity/lds_low/{OWN}/{at}"] = test.lds.scores[OWN].low
            named[f"fidelity/noise_ceiling/{at}"] = test.lds.noise_ceiling.value
            named[f"fidelity/cross_seed/{at}"] = test.lds.cross_seed.value
            if test.lds.additive is not None:
                named[f"fidelity/additive_ceiling/{at}"] = test.lds.additive.value
            if test.lds.possible > 0:
                share = test.lds.scores[OWN].value / test.lds.possible
                named[f"fidelity/share_of_possible/{at}"] = share
            for utility, found in test.agreement[self.property].items():
                named[f"fidelity/pearson/{utility}/{at}"] = found.pearson.value
                named[f"fidelity/spearman/{utility}/{at}"] = found.spearman.value
                named[f"fidelity/mean_absolute_error/{utility}/{at}"] = found.error.value
        for method in methods:
            change = self.counterfactual(method.name, self.compared_removal, True)
            if change is not None:
                key = f"fidelity/change_without_top/{method.name}"
                named[key] = self.relative(change.value)
        return named

    def save(self, folder: Path) -> None:
        """Write both files to ``folder``, each complete or not at all."""
        write_record(folder / RECORD, asdict(self))
        write_rows(folder / TABLE, self.rows())

    @classmethod
    def load(cls, folder: Path) -> "FidelityResult":
        """Read what :meth:`save` wrote."""
        record = json.loads((folder / RECORD).read_text("utf-8"))
        return cls(
            **{
                **record,
                "everybody": _number(record["everybody"]),
                "contributors": tuple(record["contributors"]),
                "methods": tuple(_method(m) for m in record["methods"]),
                "tests": tuple(_test(t) for t in record["tests"]),
                "counterfactuals": tuple(_counterfactual(c) for c in record["counterfactuals"]),
                "lost": tuple(record["lost"]),
            }
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return the table: one row for each method, the best at the main test set first."""
        lds = self.main.lds.scores
        order = sorted(self.methods, key=lambda m: -lds[m.name].value)
        return [self._row(method) for method in order]

    def _row(self, method: Method) -> dict[str, Any]:
        row: dict[str, Any] = {
            "method": method.name,
            "title": method.label,
            "trains": int(method.trains),
            "retrains": int(method.retrains),
            "seconds": round(method.seconds, 2),
        }
        for test in self.tests:
            at = f"alpha_{test.alpha:.2f}"
            row |= _columns(f"lds_{at}", test.lds.scores[method.name])
            row |= _columns(f"lead_of_values_{at}", test.lds.lead[method.name])
        share = f"{self.compared_removal:.0%}".replace("%", "_percent")
        change = self.counterfactual(method.name, self.compared_removal, True)
        return row | _columns(f"change_without_top_{share}", change)


def _columns(name: str, interval: Interval | None) -> dict[str, float | str]:
    if interval is None:
        return {name: "", f"{name}_low": "", f"{name}_high": ""}
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _method(record: Mapping[str, Any]) -> Method:
    return Method(**{**record, "scores": tuple(record["scores"])})


def _test(record: Mapping[str, Any]) -> Test:
    return Test(
        **{
            **record,
            "coalitions": tuple(record["coalitions"]),
            "utilities": tuple(tuple(own) for own in record["utilities"]),
            "cheap": {name: tuple(column) for name, column in record["cheap"].items()},
            "lds": _lds(record["lds"]),
            "agreement": {
                name: {utility: _agreement(found) for utility, found in by_utility.items()}
                for name, by_utility in record["agreement"].items()
            },
        }
    )


def _lds(record: Mapping[str, Any]) -> LdsResult:
    single = {
        name: _interval(record[name])
        for name in ("cross_seed", "noise_ceiling", "additive", "additive_left_out")
    }
    several = {
        name: {method: _interval(found) for method, found in record[name].items()}
        for name in ("scores", "lead")
    }
    return LdsResult(**single, **several)  # type: ignore[arg-type]


def _agreement(record: Mapping[str, Any]) -> Agreement:
    intervals = {k: _interval(v) for k, v in record.items() if k != "spread"}
    return Agreement(**intervals, spread=_number(record["spread"]))  # type: ignore[arg-type]


def _counterfactual(record: Mapping[str, Any]) -> Counterfactual:
    removal = {**record["removal"], "rest": tuple(record["removal"]["rest"])}
    return Counterfactual(Removal(**removal), _interval(record["change"]))


def _interval(record: Mapping[str, float | None] | None) -> Interval | None:
    return None if record is None else Interval(**{k: _number(v) for k, v in record.items()})


def _number(number: float | None) -> float:
    return float("nan") if number is None else number
