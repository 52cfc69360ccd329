"""``credit review``: the command line of reviews. Parses, calls, prints."""

import getpass
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

PASSPHRASE = "CREDIT_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
_ALL = "all"

Option = Callable[[Callable[..., None]], Callable[..., None]]


@click.group()
def review() -> None:
    """Review reports: show, sign, contest, decide, release, export.

    SOURCE is a registered version: models:/<study>.values/<version>, <study>.values@approved. With
    a database as tracking URI it is worked on directly; with the address of a server that has the
    review pages (credit ui), that server is asked, and knows who is signed in.

    \b
    Example:
      credit review show designers.values/1
      credit review submit designers.values/1 -m "measured as agreed in May"
    """  # noqa: D301 - click reads this control character


@review.command()
@click.argument("source")
@click.option("--tracking-uri", metavar="URI", help="Database of the store, or a server.")
def show(source: str, tracking_uri: str | None) -> None:
    """Show where a review stands, and every signature.

    \b
    Example:
      credit review show designers.values/latest
    """  # noqa: D301 - click reads this control character
    from credit_plugin.desk import open_desk
    from credit_plugin.reviewing import parse_source

    found = open_desk(tracking_uri or None).look(*parse_source(source))
    _print(found.docket)
    if found.docket["faults"]:
        sys.exit(1)


@review.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def key(path: Path) -> None:
    """Make an Ed25519 key to sign with, and print what a policy lists of it.

    The file is encrypted if CREDIT_KEY_PASSPHRASE is set. Keep it to yourself.

    \b
    Example:
      credit review key own.pem
    """  # noqa: D301 - click reads this control character
    from credit_plugin.compensation.review.signing import make_key

    public = make_key(path, os.environ.get(PASSPHRASE, ""))
    click.echo(f"{path}: private key, for your eyes only")
    click.echo(f"compensation.review.keys: {{<your name>: {public}}}")


def _signing(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option("-m", "--comment", required=True, help="Why; it stands by the signature."),
        click.option("--as", "actor", metavar="NAME", help="Your name.  [default: who you are]"),
        click.option(
            "--key",
            "key_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Sign with this Ed25519 key.",
        ),
        click.option("--tracking-uri", metavar="URI", help="Database of the store, or a server."),
    ]
    for option in reversed(options):
        command = option(command)
    return click.argument("source")(command)


def _action(
    action: str,
    summary: str,
    example: str,
    options: tuple[Option, ...] = (),
) -> None:
    """Add the command of an action that needs no more than its own options."""

    def run(
        source: str,
        comment: str,
        actor: str | None,
        key_file: Path | None,
        tracking_uri: str | None,
        **details: Any,
    ) -> None:
        given = {name: _plain(value) for name, value in details.items() if value}
        answer = _act(action, source, comment, actor, key_file, tracking_uri, given)
        _print(answer.docket)

    name = action.replace("_", "-")
    run.__doc__ = f"{summary}\n\n\b\nExample:\n  credit review {name} {example}"
    command: Callable[..., None] = run
    for option in reversed(options):
        command = option(command)
    review.add_command(click.command(name=name)(_signing(command)))


def _plain(value: Any) -> Any:
    """Return what an option holds as an action takes it; ``all`` is the whole checklist."""
    if not isinstance(value, tuple):
        return value
    from credit_plugin.compensation.review.actions import CHECKLIST

    return list(CHECKLIST) if _ALL in value else list(value)


def _act(
    action: str,
    source: str,
    comment: str,
    actor: str | None,
    key_file: Path | None,
    tracking_uri: str | None,
    details: dict[str, Any],
) -> Any:
    from credit_plugin.compensation.review.signing import read_key, sign
    from credit_plugin.desk import open_desk
    from credit_plugin.reviewing import Request, parse_source

    own = read_key(key_file, os.environ.get(PASSPHRASE, "")) if key_file else None
    name = actor or os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    request = Request(
        action,
        name,
        comment,
        details,
        signer=None if own is None else lambda entry: sign(entry, own),
    )
    return open_desk(tracking_uri or None).act(*parse_source(source), request)


def _print(docket: Any) -> None:
    from credit_plugin.compensation.review.terminal import review_lines

    for line in review_lines(docket):
        click.echo(line)


_action(
    "submit",
    "Submit a report for review, as the one who prepared it.",
    'designers.values/1 -m "measured as agreed"',
    (
        click.option(
            "--replaces", metavar="N", help="Earlier version that this takes the place of."
        ),
    ),
)
_action(
    "approve",
    "Approve a report, as a reviewer who did not prepare it.\n\n"
    "Every point of the checklist is confirmed with --confirm: read (the dossier), verified\n"
    "(credit verify), gate, doubts (warnings, holds, outliers), policy, independent; or all.",
    'designers.values/1 -m "checked" --confirm all',
    (
        click.option(
            "--confirm", "checklist", multiple=True, metavar="POINT", help="May be repeated."
        ),
    ),
)
_action(
    "request_changes",
    "Ask for changes of a report.",
    'designers.values/1 -m "the licence of one owner is missing"',
)
_action("reject", "Reject a report; that ends its review.", 'designers.values/1 -m "wrong data"')
_action(
    "contest",
    "Contest a payout: only this payee's money waits until somebody decides.\n\n"
    "Grounds: images, copies, consent, measurement, arithmetic, other.",
    'designers.values/1 --payee "Micah Lanier" --ground images -m "20 are missing"',
    (
        click.option("--payee", required=True, metavar="NAME", help="Whose payout."),
        click.option("--ground", required=True, metavar="GROUND", help="One of the grounds."),
        click.option("--evidence", default="", help="What shows it."),
    ),
)
_action(
    "decide",
    "Decide a contest, as somebody who did not sign the report.",
    'designers.values/1 --contest C1 --outcome dismissed -m "all 160 were counted"',
    (
        click.option("--contest", required=True, metavar="C1", help="Which."),
        click.option(
            "--outcome", required=True, type=click.Choice(["upheld", "dismissed"]), help="How."
        ),
    ),
)
_action(
    "finalize",
    "Release a report for payment, after the time for contests; it is verified first.",
    'designers.values/1 -m "no contest came"',
)
_action(
    "pay",
    "Record that what was exported is paid.",
    'designers.values/1 --reference "batch 7" -m "paid on 3 May"',
    (click.option("--reference", required=True, help="How the payment can be found again."),),
)
_action(
    "supersede",
    "Say that another version takes the place of this one.",
    'designers.values/1 --by 2 -m "measured anew"',
    (click.option("--by", required=True, metavar="N", help="The other version."),),
)


_OUT = click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="File to write."
)


@review.command()
@_signing
@_OUT
def export(
    source: str,
    comment: str,
    actor: str | None,
    key_file: Path | None,
    tracking_uri: str | None,
    out: Path,
) -> None:
    """Export what is due of a released report as CSV, and record that in its ledger.

    What was exported before is not in it. The whole report is verified first.

    \b
    Example:
      credit review export designers.values@approved --out payments.csv -m "for the bank"
    """  # noqa: D301 - click reads this control character
    from credit_plugin.errors import InputError
    from credit_plugin.written import check_writable, whole_file

    if out.exists():
        raise InputError(f"{out}: is there already; choose another file")
    check_writable(out, "--out")  # what is exported once is not exported again
    answer = _act("export", source, comment, actor, key_file, tracking_uri, {})
    with whole_file(out) as partial:
        partial.write_text(answer.csv, "utf-8")
    _print(answer.docket)
    click.echo(f"{out}: {len(answer.csv.splitlines()) - 1} payments")


@review.command()
@click.argument("source")
@_OUT
@click.option("--line", type=click.IntRange(min=1), help="Of the ledger.  [default: last export]")
@click.option(
    "--accounts",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Write pain.001 for the bank: payee,name,iban,bic; your own account as payee 'payer'.",
)
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Day of execution.  [default: today]")
@click.option("--tracking-uri", metavar="URI", help="Database of the store, or a server.")
def payments(
    source: str,
    out: Path,
    line: int | None,
    accounts: Path | None,
    on: datetime | None,
    tracking_uri: str | None,
) -> None:
    """Write an export that the ledger knows once more: as CSV, or as ISO 20022 pain.001.

    \b
    Example:
      credit review payments designers.values@approved --accounts accounts.csv --out bank.xml
    """  # noqa: D301 - click reads this control character
    from credit_plugin.desk import open_desk, payments_file
    from credit_plugin.reviewing import parse_source
    from credit_plugin.written import whole_file

    found = open_desk(tracking_uri or None).exported(*parse_source(source), line)
    text = payments_file(found, accounts, on.date() if on else None)
    with whole_file(out) as partial:
        partial.write_bytes(text)
    click.echo(f"{out}: {len(found.payments)} payments of line {found.line}")
