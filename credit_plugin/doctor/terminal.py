"""Findings in a terminal: a state, a subject, and below it what to do."""

import shutil
from collections.abc import Iterable

import click

from credit_plugin.doctor.finding import FIX, NOTE, OK, Finding

COLOURS = {OK: "green", NOTE: "yellow", FIX: "red"}
INDENT = 6
WIDEST = 100


def print_findings(findings: Iterable[Finding]) -> bool:
    """Print findings as they come, and return whether nothing is to be mended."""
    columns = max(60, min(shutil.get_terminal_size().columns, WIDEST))
    wrong = 0
    for finding in findings:
        wrong += finding.state == FIX
        text = click.wrap_text(finding.subject, columns, " " * INDENT, " " * INDENT)
        state = click.style(f"{finding.state:<{INDENT}}", fg=COLOURS[finding.state])
        click.echo(state + text[INDENT:])
        if finding.advice:
            lead, rest = " " * INDENT + "→ ", " " * (INDENT + 2)
            click.echo(click.wrap_text(finding.advice, columns, lead, rest))
    click.echo(f"\n{wrong} to mend, marked {FIX}" if wrong else "\nNothing to mend.")
    return not wrong
