"""What the terminal says of a check: every method beside the ceilings, and the verdict."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from credit_plugin.compensation.wording import MINUS, duration, fixed, percent, plain
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.fidelity.result import OWN, FidelityResult, Method, Test
from credit_plugin.fidelity.verdict import verdict

UNKNOWN = "-"
LOG_WIDTH = 132


def print_fidelity(result: FidelityResult, console: Console) -> None:
    """Print the table of methods, how cheap utilities agree, and the verdict."""
    wide = wide_console(console, LOG_WIDTH)
    wide.print(methods_table(result))
    wide.print(agreement_table(result))
    work = (f"{plain(what)} {duration(spent)}" for what, spent in result.seconds.items())
    console.print(f"work, summed over workers: {', '.join(work)}", markup=False)
    for name, reason in result.skipped.items():
        console.print(f"left out: {name}: {reason}", markup=False)
    found = verdict(result)
    console.print(f"fidelity: {found.statement}", markup=False)
    if found.warning:
        console.print(f"warning: {found.warning}", markup=False)


def wide_console(console: Console, log_width: int) -> Console:
    """Return a console for wide tables: a log has no width, and 80 letters would cut words."""
    if console.is_terminal:
        return console
    width = max(console.width, log_width)
    return Console(file=console.file, width=width, highlight=False, soft_wrap=True)


def methods_table(result: FidelityResult) -> Table:
    """Return one row for each method, the highest LDS first, and the ceilings on top."""
    share = percent(result.compared_removal, 0)
    table = Table(
        title=f"{result.study}: what predicts the {plain(result.property)} of retraining",
        box=SIMPLE_HEAD,
    )
    table.add_column("method", no_wrap=True)
    table.add_column("trains", no_wrap=True)
    for test in result.tests:
        table.add_column(f"LDS at {test.alpha:g}", justify="right", no_wrap=test is result.main)
    table.add_column(f"top {share} out ({MINUS} is worse)", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right")
    for words, ceiling in _CEILINGS.items():
        cells = [_cell(result, test, getattr(test.lds, ceiling)) for test in result.tests]
        table.add_row(words, "", *cells, "", "", style="dim")
    table.add_section()
    scores = result.main.lds.scores
    for method in sorted(result.methods, key=lambda m: -scores[m.name].value):
        table.add_row(*_row(result, method), style="bold" if method.name == OWN else "")
    return table


def agreement_table(result: FidelityResult) -> Table:
    """Return how each cheap utility follows retraining, one row for each test set and property."""
    table = Table(title="v(S) of cheap utilities against retraining", box=SIMPLE_HEAD)
    table.add_column("utility")
    table.add_column("property")
    table.add_column("alpha", justify="right")
    for column in ("Pearson", "Spearman", "mean absolute error"):
        table.add_column(column, justify="right")
    for test in result.tests:
        for name, by_utility in test.agreement.items():
            for utility, found in by_utility.items():
                error = f"{found.error.value:.3g} of spread {found.spread:.3g}"
                cells = (_interval(found.pearson), _interval(found.spearman), error)
                own = name == result.property and utility == result.utility
                style = "bold" if own else ""
                row = (plain(utility), plain(name), f"{test.alpha:g}", *cells)
                table.add_row(*row, style=style)
    return table


_CEILINGS = {
    "additive ceiling": "additive",
    "noise ceiling": "noise_ceiling",
    "additive fit, left out": "additive_left_out",
}


def _row(result: FidelityResult, method: Method) -> tuple[str, ...]:
    rests = "retraining" if method.retrains else "fine-tuning" if method.trains else "-"
    return (
        escape(method.label),
        rests,
        *(_cell(result, test, test.lds.scores[method.name]) for test in result.tests),
        _change(result, result.counterfactual(method.name, result.compared_removal, True)),
        fixed(method.seconds, 1),
    )


def _cell(result: FidelityResult, test: Test, interval: Interval | None) -> str:
    """Return a number, with its interval on the main test set."""
    if interval is None or test is result.main:
        return _interval(interval)
    return fixed(interval.value, 2)


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return UNKNOWN
    low, high = fixed(interval.low, 2), fixed(interval.high, 2)
    return f"{fixed(interval.value, 2)} ({low} to {high})"


def _change(result: FidelityResult, change: Interval | None) -> str:
    """Return a change relative to everybody, oriented as in figures and metrics."""
    if change is None:
        return UNKNOWN
    value = result.relative(change.value)
    reach = abs(result.relative((change.high - change.low) / 2))
    return f"{fixed(100 * value, 1, sign=True)} ± {fixed(100 * reach, 1)} %"
