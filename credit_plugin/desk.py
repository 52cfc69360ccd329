"""Two ways to the same review: the stores themselves, or a server that has them.

With a database as tracking URI the command works on it directly, and a name is verified by a key or
not at all. With the address of a server that has our pages it asks that server, which knows who is
signed in (``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

from credit_plugin.compensation.review.entries import parse_entry
from credit_plugin.compensation.review.export import payments_csv, payments_xml, read_accounts
from credit_plugin.compensation.review.states import (
    ConflictError,
    ForbiddenError,
    RefusedError,
)
from credit_plugin.compensation.review.tranches import Payment
from credit_plugin.errors import InputError
from credit_plugin.reviewing import (
    DOCKET_SCHEMA,
    Request,
    act,
    describe_docket,
    exported_payments,
    open_docket,
)
from credit_plugin.tracking._mlflow_compat import ask_server
from credit_plugin.tracking.reviews import open_reviews
from credit_plugin.tracking.store import STORE_ERRORS, complaint, use_store

PAYER = "payer"
_API = "/ajax-api/2.0/credit/review"
_REFUSALS: dict[int, type[RefusedError]] = {
    error.status: error for error in (RefusedError, ForbiddenError, ConflictError)
}


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    Attributes:
        docket: Where the review stands, as plain data.
        csv: What was exported; empty if nothing was.
    """

    docket: Mapping[str, Any]
    csv: str = ""


@dataclass(frozen=True)
class Exported:
    """An export that the ledger knows.

    Attributes:
        line: Its number.
        subject: Name and version of the report.
        currency: ISO 4217 code.
        payments: What it holds.
    """

    line: int
    subject: str
    currency: str
    payments: tuple[Payment, ...]


def payments_file(found: Exported, accounts: Path | None, on: date | None) -> bytes:
    """Return an export as CSV, or as pain.001 if there are accounts.

    Args:
        found: The export.
        accounts: CSV with columns payee, name, iban and bic; the payer in a line of its own.
        on: Day of execution; today if left out.

    Raises:
        InputError: If an account is missing or cannot be used.
    """
    if accounts is None:
        return payments_csv(found.payments, found.currency, found.subject)
    known = read_accounts(accounts)
    if PAYER not in known:
        raise InputError(f"{accounts}: a line of payee {PAYER!r} is needed, the account to charge")
    day = on or datetime.now(UTC).date()
    return payments_xml(found.payments, found.currency, found.subject, known[PAYER], known, day)


class Desk(Protocol):
    """Where somebody looks at reviews and acts in them."""

    def look(self, name: str, version: str) -> Answer:
        """Return where a review stands."""

    def act(self, name: str, version: str, request: Request) -> Answer:
        """Do something in a review."""

    def exported(self, name: str, version: str, line: int | None) -> Exported:
        """Return an export that the ledger knows, the last one by default."""


def open_desk(tracking_uri: str | None) -> Desk:
    """Return the desk for a tracking URI, MLflow's own default if it is left out."""
    uri = use_store(tracking_uri)
    if uri.startswith(("http:", "https:")):
        return ServerDesk(uri)
    return StoreDesk()


class StoreDesk:
    """Works on the stores directly."""

    def look(self, name: str, version: str) -> Answer:
        """Return where a review stands."""
        return Answer(describe_docket(open_docket(open_reviews(), name, version)))

    def act(self, name: str, version: str, request: Request) -> Answer:
        """Do something in a review."""
        acted = act(open_reviews(), name, version, request)
        return Answer(describe_docket(acted.docket), acted.csv.decode() if acted.payments else "")

    def exported(self, name: str, version: str, line: int | None) -> Exported:
        """Return an export that the ledger knows, the last one by default."""
        docket = open_docket(open_reviews(), name, version, mirrors=False)
        entry, payments = exported_payments(docket, line)
        currency = docket.facts["currency"]
        return Exported(entry.number, str(entry.subject), currency, tuple(payments))


class ServerDesk:
    """Asks a server that has our pages.

    Args:
        uri: Its address.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")

    def look(self, name: str, version: str) -> Answer:
        """Return where a review stands."""
        return self._answer(self._ask("", "GET", name=name, version=version))

    def act(self, name: str, version: str, request: Request) -> Answer:
        """Do something in a review; with a key, sign what the server drafts."""
        told = {
            **request.details,
            "name": name,
            "version": version,
            "action": request.action,
            "actor": request.actor,
            "comment": request.comment,
        }
        if request.signer is None:
            return self._answer(self._ask("/act", "POST", **told))
        entry = request.signer(parse_entry(self._ask("/draft", "POST", **told)["line"]))
        signed = {"name": name, "version": version, "action": entry.action, "line": entry.line}
        return self._answer(self._ask("/admit", "POST", **signed))

    def exported(self, name: str, version: str, line: int | None) -> Exported:
        """Return an export that the ledger knows, the last one by default."""
        found = self._ask("/payments", "GET", name=name, version=version, line=line or "")
        payments = tuple(Payment(**told) for told in found["payments"])
        return Exported(found["line"], found["subject"], found["currency"], payments)

    def _answer(self, found: Mapping[str, Any]) -> Answer:
        if found.get("schema") != DOCKET_SCHEMA:
            raise InputError(f"{self.uri}: runs another version of credit_plugin than this command")
        return Answer(found, found.get("csv", ""))

    def _ask(self, path: str, method: str, **message: Any) -> Any:
        try:
            status, found = ask_server(self.uri, _API + path, method, **message)
        except STORE_ERRORS as error:
            raise InputError(complaint(error)) from None
        if status == 200 and found is not None:
            return found
        line = found.get("error") if isinstance(found, dict) else None
        if line:
            raise _REFUSALS.get(status, InputError)(line)
        if status in (401, 403):
            raise ForbiddenError(
                f"{self.uri}: not allowed; set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD of somebody who may"
            )
        raise InputError(
            f"{self.uri}: has no reviews (HTTP {status}); start it with credit ui, or mlflow "
            "server --app-name credit"
        )
