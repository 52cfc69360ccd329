"""Reports, reviews and statements after they were made: checked, and handed out to payees.

Works on a report's folder, on a registered version of values, and on the file that a payee was
given.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from credit_plugin.compensation.payout import format_money
from credit_plugin.compensation.report import FACTS, read_thumbnails
from credit_plugin.compensation.review.signatures import Signed, signed_of
from credit_plugin.compensation.statement_rendering import (
    render_statement_html,
    render_statement_markdown,
    statement_file,
)
from credit_plugin.compensation.statements import FILE as STATEMENTS
from credit_plugin.compensation.statements import check_place, check_statement, read_statements
from credit_plugin.compensation.verification import verify_report, written_by_another
from credit_plugin.compensation.wording import moment
from credit_plugin.contributors.findings import printable
from credit_plugin.errors import InputError
from credit_plugin.reviewing import Docket, open_docket, parse_source

_REGISTERED = re.compile(r"(?:models:/)?(?P<name>[A-Za-z0-9_-]+\.values[@/][A-Za-z0-9_.-]+)")
_SCHEME = "models:/"


@dataclass(frozen=True)
class Verified:
    """What a check found.

    Attributes:
        source: What was checked, as the user named it.
        complaints: One line for each thing that does not match.
        matches: What was computed again, one line each; empty if something does not match.
    """

    source: str
    complaints: tuple[str, ...]
    matches: tuple[str, ...]


def verify(source: str, tracking_uri: str | None = None) -> Verified:
    """Check a report or a statement.

    Args:
        source: A report's folder, a registered version (``models:/designers.values@approved`` or
            ``designers.values/3``), or the ``.json`` file of a payee's statement.
        tracking_uri: Where the version is registered; MLflow's own default if left out.

    Raises:
        InputError: If there is nothing of these kinds.
    """
    found = _verified(source, tracking_uri)
    # whoever made the files chose the names in them, and terminals obey what they are sent
    complaints, matches = (tuple(map(printable, x)) for x in (found.complaints, found.matches))
    return Verified(source, complaints, matches)


def _verified(source: str, tracking_uri: str | None) -> Verified:
    path = Path(source)
    if path.is_file():
        return _verified_statement(source, path)
    with _report(source, tracking_uri) as (folder, registered):
        complaints, reviewed = (*registered, *verify_report(folder)), ""
        if not path.is_dir() and not registered:
            faults, reviewed = _review(source)
            complaints += faults
        if complaints:
            return Verified(source, complaints, ())
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        matches = _matches(facts, len(list(folder.iterdir())))
        return Verified(source, (), (*matches, *([reviewed] if reviewed else [])))


def _review(source: str) -> tuple[tuple[str, ...], str]:
    """Return what does not fit in a version's review, and where it stands."""
    docket = _docket(source)
    review = docket.review
    count = len(review.entries)
    lines = f"{count} {'line' if count == 1 else 'lines'}" if count else "nobody has acted yet"
    return docket.faults, f"review: {review.state}, {lines}, copies and tags agree with the ledger"


def write_payees_statements(
    source: str, out: Path, owners: Sequence[str] = (), tracking_uri: str | None = None
) -> int:
    """Write statements as HTML, Markdown and JSON with their proofs, one payee after the other.

    Args:
        source: A report's folder or a registered version.
        out: Folder to write to, made if needed.
        owners: Whose; everybody's if empty.
        tracking_uri: Where the version is registered; MLflow's own default if left out.

    Returns:
        How many were written.

    Raises:
        InputError: If there is no such report or owner, or a statement does not match its proof.
    """
    waiting, written = set(owners), 0
    with _report(source, tracking_uri) as (folder, complaints):
        if complaints:
            raise InputError(f"{source}: does not verify: {complaints[0]}")
        if not (folder / STATEMENTS).exists():
            raise InputError(f"{source}: holds no {STATEMENTS}; write the report again")
        thumbnails, signed = read_thumbnails(folder), _signed(source)
        sealed = _sealed(source, folder)
        out.mkdir(parents=True, exist_ok=True)
        for index, proved in enumerate(read_statements(folder / STATEMENTS)):
            name = proved["statement"]["row"]["contributor"]
            if owners and name not in waiting:
                continue
            wrong = check_place(proved, sealed, index)
            if wrong:
                raise InputError(
                    f"{source}: the statement of {name!r} cannot be handed out: {wrong}"
                )
            _write_one(proved, thumbnails.get(name), signed, out)
            waiting.discard(name)
            written += 1
    if waiting:
        raise InputError(f"--owner {sorted(waiting)[0]!r}: nobody of this name is paid by {source}")
    return written


def _sealed(source: str, folder: Path) -> dict[str, Any]:
    """Return the root of all statements and their count, as the report's record has them."""
    try:
        sealed = json.loads((folder / FACTS).read_text("utf-8"))["statements"]
        return {"root": sealed["root"], "count": sealed["count"]}
    except (OSError, ValueError, LookupError, TypeError):
        raise InputError(f"{source}: {FACTS} is missing or damaged") from None


def _signed(source: str) -> Signed | None:
    """Return what the review of a registered version says; a folder has none.

    Raises:
        InputError: If the review does not check: a letter would say what may not be so.
    """
    if Path(source).is_dir():
        return None
    docket = _docket(source)
    if docket.faults:
        raise InputError(f"{source}: its review does not check: {docket.faults[0]}")
    return signed_of(docket.review, datetime.now(UTC))


def _docket(source: str) -> Docket:
    from credit_plugin.tracking.reviews import open_reviews

    return open_docket(open_reviews(), *parse_source(source))


def _write_one(
    proved: dict[str, Any], thumbnail: bytes | None, signed: Signed | None, out: Path
) -> None:
    stem = statement_file(proved["statement"])
    text = json.dumps(proved, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (out / f"{stem}.json").write_text(text, "utf-8")
    (out / f"{stem}.html").write_text(render_statement_html(proved, thumbnail, signed), "utf-8")
    (out / f"{stem}.md").write_text(render_statement_markdown(proved, signed), "utf-8")


def _verified_statement(source: str, path: Path) -> Verified:
    try:
        proved = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{source}: is no statement; give the .json file of one") from None
    wrong = check_statement(proved)
    if wrong:
        return Verified(source, (wrong,), ())
    record, proof = proved["statement"], proved["proof"]
    owner, paid = record["row"]["contributor"], record["row"]["payout_minor"]
    return Verified(
        source,
        (),
        (
            f"statement {record['number']} of {proof['size']}: {owner}, payout "
            f"{format_money(paid, record['currency'])}",
            f"it is among the statements under the root {proved['root']}",
            "compare this root with the one in the public summary",
        ),
    )


def _matches(facts: dict[str, Any], files: int) -> Iterator[str]:
    certainty, known = facts["certainty"], facts["commitment"]
    yield f"{files} files, each with the hash that the manifest states"
    yield (
        f"values of {len(facts['rows'])} contributors, from {certainty['evaluations']} measurements"
    )
    yield (
        f"payouts, to the unit: {format_money(facts['pool_minor'], facts['currency'])} paid by "
        f"{facts['gate']['paid_by']}"
    )
    yield f"{facts['statements']['count']} statements under the root {facts['statements']['root']}"
    if known:
        yield f"policy {known['policy_sha256'][:12]}, written down {moment(known['committed'])}"
    other = written_by_another(facts)
    if other:
        yield f"pages by their hashes alone: version {other} of credit_plugin wrote them"
    yield f"the report as it was written: {facts['status']}"


@contextmanager
def _report(source: str, tracking_uri: str | None) -> Iterator[tuple[Path, list[str]]]:
    """Yield a report's folder, and what does not match the hashes that were registered with it."""
    if Path(source).is_dir():
        yield Path(source), []
        return
    named = _REGISTERED.fullmatch(source)
    if named is None:
        raise InputError(
            f"{source}: is neither a report's folder nor a registered version; give a folder, "
            "models:/<study>.values/<version> or models:/<study>.values@<alias>"
        )
    from credit_plugin.tracking.reports import registered_report

    with tempfile.TemporaryDirectory(prefix="credit-report-") as folder:
        yield registered_report(f"{_SCHEME}{named['name']}", Path(folder), tracking_uri)
