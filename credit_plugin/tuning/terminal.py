"""What the terminal says of a search: the front, the choice, and what to do with it."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from credit_plugin.compensation.wording import fixed
from credit_plugin.fidelity.terminal import wide_console
from credit_plugin.tuning.result import CHOSEN, TuningResult
from credit_plugin.tuning.wording import changes, findings, flops_words, short

LOG_WIDTH = 180


def print_tuning(result: TuningResult | None, folder: Path) -> None:
    """Print the Pareto front, what was chosen and why, and the next command.

    Args:
        result: What was found; None if other processes are still at their trials.
        folder: Of the search.
    """
    console = Console(highlight=False, soft_wrap=True)
    if result is None:
        console.print("No trials are left; other processes are at theirs and will conclude.")
        return
    wide_console(console, LOG_WIDTH).print(front_table(result))
    for sentence in findings(result):
        console.print(sentence, markup=False)
    for name, (old, new) in changes(result).items():
        console.print(f"  {name}: {short(old)} becomes {short(new)}", markup=False)
    console.print(f"use it: credit run --config {folder / CHOSEN}", markup=False)


def front_table(result: TuningResult) -> Table:
    """Return the trials of the front, the chosen one and the study's own, the cheapest first."""
    table = Table(
        title=f"{result.study}: the least cost for each fidelity to retraining", box=SIMPLE_HEAD
    )
    table.add_column("trial", no_wrap=True)
    for name in ("fidelity", "standard\nerror", "expected", "seconds", "operations"):
        table.add_column(name, justify="right", no_wrap=True)
    names = list(result.trials[0].parameters)
    for name in names:
        table.add_column(name.replace(".", "\n"), justify="right", no_wrap=True)
    expected, unit = result.expected, result.settings.cost
    marked = [result.trial(result.chosen), *([result.own] if result.own else [])]
    shown = {trial.number: trial for trial in (*result.front, *marked)}
    for trial in sorted(shown.values(), key=lambda t: (t.cost(unit), t.fidelity)):
        mark = ", chosen" if trial.number == result.chosen else ""
        mark += ", the study's own" if trial.own else ""
        table.add_row(
            f"{trial.number}{mark}",
            fixed(trial.fidelity, 2),
            fixed(trial.error, 2),
            fixed(expected[trial.number], 2),
            f"{trial.seconds:.2f}",
            flops_words(trial.flops),
            *(short(trial.parameters[name]) for name in names),
            style="bold" if trial.number == result.chosen else "",
        )
    return table
