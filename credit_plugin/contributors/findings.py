"""What a check finds: one line each, an error (cannot be used) or a warning (look at it)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        severity: ``error`` if the data cannot be used as it is, ``warning`` if it can.
        where: A file (relative to the folder), ``metadata.csv:LINE``, a contributor, or ``.`` for
            the folder; printable on any terminal.
        message: What is wrong and how to mend it, in one line.
    """

    severity: Severity
    where: str
    message: str


def error(where: str, message: str) -> Finding:
    """Return a finding that makes the data unusable."""
    return Finding("error", printable(where), printable(message))


def warning(where: str, message: str) -> Finding:
    """Return a finding that the data can be used with."""
    return Finding("warning", printable(where), printable(message))


def printable(text: str) -> str:
    """Return ``text`` with escapes for what would garble a terminal or fail to encode.

    File names are made by strangers: they may hold line breaks, terminal escapes or bytes that
    are no text.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings without repeats, errors first, then by place and message."""
    return sorted(set(findings), key=lambda f: (f.severity, f.where, f.message))


def render_findings(findings: Sequence[Finding], limit: int | None = None) -> list[str]:
    """Return the lines that a terminal shows for the findings of a check.

    Args:
        findings: What :func:`~credit_plugin.contributors.check.check_folder` returned.
        limit: At most so many lines for errors and as many for warnings; None shows all.

    Returns:
        One line for each finding, a line for those left out, and a verdict as the last line.
    """
    lines: list[str] = []
    for severity in ("error", "warning"):
        of_kind = [f for f in findings if f.severity == severity]
        shown = of_kind if limit is None else of_kind[:limit]
        lines += [f"{severity:<8} {f.where}: {f.message}" for f in shown]
        if len(shown) < len(of_kind):
            lines.append(f"{'':<8} and {_count(len(of_kind) - len(shown), f'more {severity}')}")
    errors = sum(f.severity == "error" for f in findings)
    warnings = len(findings) - errors
    if errors:
        verdict = "this cannot be used until the errors are mended"
    elif warnings:
        verdict = "this can be used; read the warnings first"
    else:
        verdict = "nothing is wrong"
    return [*lines, f"{_count(errors, 'error')}, {_count(warnings, 'warning')}: {verdict}"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
