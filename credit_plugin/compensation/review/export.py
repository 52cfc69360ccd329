"""Lists of payments: CSV for people and accounting, ISO 20022 pain.001 for banks.

The XML is made by `sepaxml <https://sepaxml.readthedocs.io>`_ and account numbers are checked by
`schwifty <https://schwifty.readthedocs.io>`_ (extra ``payments``), so it is for euro accounts in
SEPA. Account numbers are no business of a report or a server: they come from a
file that the payer has, and go nowhere but into the XML.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from credit_plugin.compensation.payout import as_amount
from credit_plugin.compensation.report import as_cell
from credit_plugin.compensation.review.tranches import Payment
from credit_plugin.errors import InputError

COLUMNS = ("payee", "amount", "currency", "reference")
_ACCOUNT_COLUMNS = ("payee", "name", "iban", "bic")


@dataclass(frozen=True)
class Account:
    """Where a payee is paid.

    Attributes:
        name: Of the account's holder.
        iban: Account number.
        bic: Of the bank; may be empty.
    """

    name: str
    iban: str
    bic: str


def payments_csv(payments: Sequence[Payment], currency: str, subject: str) -> bytes:
    """Return payments as CSV, one line each, with what a payee finds on their account.

    Args:
        payments: From :func:`credit_plugin.compensation.review.tranches.payments_due`.
        currency: ISO 4217 code.
        subject: Name and version of the report.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in payments:
        amount = as_amount(one.amount_minor, currency)
        writer.writerow([as_cell(one.payee), amount, currency, _reference(subject, one)])
    return text.getvalue().encode()


def read_accounts(path: Path) -> dict[str, Account]:
    """Return accounts by payee from a CSV file with columns payee, name, iban and bic.

    Raises:
        InputError: If the file cannot be read, a column is missing or a payee is there twice.
    """
    accounts: dict[str, Account] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = set(_ACCOUNT_COLUMNS) - set(reader.fieldnames or ())
            if missing:
                raise InputError(f"{path}: column {sorted(missing)[0]!r} is missing")
            for row in reader:
                if row["payee"] in accounts:
                    raise InputError(f"{path}: {row['payee']!r} is there twice")
                iban = "".join((row["iban"] or "").split()).upper()
                accounts[row["payee"]] = Account(row["name"] or "", iban, row["bic"] or "")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    return accounts


def payments_xml(
    payments: Sequence[Payment],
    currency: str,
    subject: str,
    payer: Account,
    accounts: dict[str, Account],
    on: date,
) -> bytes:
    """Return payments as pain.001.001.03, checked against its schema.

    Args:
        payments: What is paid.
        currency: Must be EUR.
        subject: Name and version of the report.
        payer: Whose account is charged.
        accounts: Of every payee.
        on: Day of execution.

    Raises:
        InputError: If the currency is another one, an account is missing or cannot be used, or the
            extra is not installed.
    """
    if currency != "EUR":
        raise InputError(f"pain.001: payments are in {currency}, and SEPA pays EUR alone; use CSV")
    transfer = _transfer(payer)
    _check_iban("payer", payer)
    for one in payments:
        account = accounts.get(one.payee)
        if account is None:
            raise InputError(f"accounts: there is none of {one.payee!r}")
        _check_iban(f"accounts: {one.payee!r}", account)
        payment: dict[str, Any] = {
            "name": account.name,
            "IBAN": account.iban,
            "amount": one.amount_minor,
            "execution_date": on,
            "description": _reference(subject, one),
        }
        if account.bic:
            payment["BIC"] = account.bic
        try:
            transfer.add_payment(payment)
        except Exception as error:  # noqa: BLE001 - sepaxml raises bare Exceptions
            raise InputError(f"accounts: {one.payee!r}: {error}") from None
    try:
        exported: bytes = transfer.export(validate=True)
    except Exception as error:  # noqa: BLE001 - and so do the schema's checks
        raise InputError(f"pain.001: {error}") from None
    return exported


def _transfer(payer: Account) -> Any:
    try:
        from sepaxml import SepaTransfer
    except ImportError:
        raise InputError(
            "pain.001 needs the packages sepaxml and schwifty: "
            "pip install 'credit_plugin[payments]'"
        ) from None
    config = {"name": payer.name, "IBAN": payer.iban, "batch": True, "currency": "EUR"}
    if payer.bic:
        config["BIC"] = payer.bic
    try:
        return SepaTransfer(config, clean=True)
    except Exception as error:  # noqa: BLE001 - see above
        raise InputError(f"payer: {error}") from None


def _check_iban(where: str, account: Account) -> None:
    from schwifty import BIC, IBAN
    from schwifty.exceptions import SchwiftyException

    try:
        IBAN(account.iban)
        if account.bic:
            BIC(account.bic)
    except SchwiftyException as error:
        raise InputError(f"{where}: {str(error).splitlines()[0]}") from None


def _reference(subject: str, payment: Payment) -> str:
    return f"{subject} statement {payment.statement}"
