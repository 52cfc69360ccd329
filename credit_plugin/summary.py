"""What the terminal says at the end of a command: the values as a table, and where to look."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from credit_plugin.compensation.payout import format_money
from credit_plugin.compensation.report import read_facts
from credit_plugin.compensation.wording import baseline_words, decimals_for, fixed, percent
from credit_plugin.fidelity.terminal import print_fidelity

if TYPE_CHECKING:
    from credit_plugin.study import StudyResult


def print_summary(result: "StudyResult", tracking_uri: str | None) -> None:
    """Print the headline values and the next steps to standard output."""
    console = Console(highlight=False, soft_wrap=True)
    if result.values:
        console.print(values_table(result))
        headline = result.headline
        if result.directions[headline.property] < 0:
            console.print(f"lower is better: v is minus {headline.property}")
        console.print(
            f"v(N) = {headline.v_full:.4g}, v(empty) = {headline.v_empty:.4g} "
            f"(baseline: {baseline_words(result.study.game.baseline)}), "
            f"sum of values = {headline.values.sum():.4g}"
        )
        console.print(f"reliability: {result.reliability[headline.property].statement}")
    if result.fidelity is not None:
        print_fidelity(result.fidelity, console)
    if result.stopped:
        console.print(result.stopped, markup=False)
    for line in result.lost:
        console.print(f"lost: {line}", markup=False)
    for kind, name in result.models.items():
        console.print(f"registered {kind:<7} models:/{name}")
    if result.report is not None:
        _print_report(result.report, console)
    named = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    place = _place() if named else "mlflow ui"
    console.print(f"look at it: {place}   (run {result.parent_run_id})", markup=False)


def _place() -> str:
    """Return where to look at a study: a server's address, or the command that starts one."""
    from credit_plugin.tracking.store import shown_uri

    uri = shown_uri()
    if uri.startswith(("http:", "https:")):
        return uri
    return f"mlflow ui --backend-store-uri {shlex.quote(uri)}"


def _print_report(folder: Path, console: Console) -> None:
    """Say who is paid by what, what a reviewer must read first, and where the report is."""
    facts = read_facts(folder)
    pool = format_money(facts["pool_minor"], facts["currency"])
    console.print(
        f"payout     {pool} by {facts['gate']['paid_by']}; {facts['status']}", markup=False
    )
    for warning in facts["warnings"]:
        console.print(f"  warning: {warning}", markup=False)
    console.print(f"report     {folder / 'report.html'}", markup=False)
    console.print(f"check it:  credit verify {shlex.quote(str(folder))}", markup=False)


def values_table(result: "StudyResult") -> Table:
    """Return the contributors by value, highest first."""
    headline = result.headline
    shares = headline.shares()
    verb = "raised" if result.directions[headline.property] > 0 else "lowered"
    table = Table(title=f"{result.study.name}: who {verb} {headline.property}")
    table.add_column("contributor")
    level = f"{100 * headline.confidence:.4g}% interval"
    for column in ("value", level, "share"):
        table.add_column(column, justify="right")
    digits = decimals_for([*headline.ci_low, *headline.ci_high])
    for i in np.argsort(-headline.values):
        low, high = (fixed(end[i], digits) for end in (headline.ci_low, headline.ci_high))
        table.add_row(
            escape(headline.contributors[i]),
            fixed(headline.values[i], digits),
            f"{low} to {high}",
            percent(shares[i]),
        )
    return table
