"""Flavor ``credit_values``: a published report, and a function from a budget to payouts."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

from credit_plugin.compensation.payout import as_amount, pool_in_minor_units
from credit_plugin.compensation.report import check_manifest
from credit_plugin.compensation.settlement import allocate_within
from credit_plugin.compensation.terms import bounds_of
from credit_plugin.config import CompensationSettings
from credit_plugin.errors import InputError
from credit_plugin.tracking.flavors.files import check_model, checked_content, write_model
from credit_plugin.values import ContributorValues

FLAVOR = "credit_values"
MOST_DIGITS = 18  # on either side of the point; exact sums of more would only keep a server busy
LARGEST_NUMBER = 1e13  # a float below this still says which cent is meant

SIGNATURE = ModelSignature(
    # text is exact; but `mlflow models predict -t csv` makes numbers of whatever looks like one
    inputs=Schema([ColSpec(AnyType(), "budget")]),
    outputs=Schema(
        [
            ColSpec(DataType.string, "budget"),
            ColSpec(DataType.string, "contributor"),
            ColSpec(DataType.double, "share"),
            ColSpec(DataType.string, "payout"),
            ColSpec(DataType.string, "currency"),
        ]
    ),
)


def save_model(path: str, folder: Path, mlflow_model: Model | None = None, **_: Any) -> None:
    """Write an MLflow model around a report's folder."""
    write_model(Path(path), folder, FLAVOR, __name__, SIGNATURE, mlflow_model, {})


def load_model(model_uri: str) -> ContributorValues:
    """Return the headline values of a published version, after checking every file.

    Raises:
        InputError: If it is not a model of this flavor or was changed.
    """
    facts = _read(checked_content(model_uri, FLAVOR, __name__))
    return ContributorValues.from_json_dict(facts["properties"][facts["property"]])


def _load_pyfunc(path: str) -> "_Payouts":
    return _Payouts(_read(check_model(Path(path).parent, FLAVOR, __name__)))


def _read(content: Path) -> dict[str, Any]:
    complaints = check_manifest(content)
    if complaints:
        raise InputError(f"report {content}: {complaints[0]}")
    facts: dict[str, Any] = json.loads((content / "values.json").read_text("utf-8"))
    return facts


class _Payouts:
    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts

    def predict(self, rows: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return one row for each budget and contributor, by the report's rule and policy.

        Payouts sum to the budget exactly, unless a cap keeps everybody from some of it.
        """
        values = self.facts["properties"][self.facts["property"]]
        by_name = {row["contributor"]: row["share"] for row in self.facts["rows"]}
        names, currency = values["contributors"], self.facts["currency"]
        shares = [by_name[name] for name in names]
        policy = CompensationSettings.model_validate(self.facts["settings"]["compensation"])
        floor, cap = bounds_of(policy)
        paid = []
        for budget in rows["budget"]:
            pool = _in_minor_units(budget, currency)
            amounts = allocate_within(shares, pool, floor, cap, self.facts["dataset_digest"])
            paid += [
                {
                    "budget": str(budget),
                    "contributor": name,
                    "share": float(share),
                    "payout": as_amount(amount, currency),
                    "currency": currency,
                }
                for name, share, amount in zip(names, shares, amounts, strict=True)
            ]
        return pd.DataFrame(paid, columns=SIGNATURE.outputs.input_names())


def _in_minor_units(budget: object, currency: str) -> int:
    text = str(budget)
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise InputError(f"budget {text!r} is not an amount") from None
    if not amount.is_finite() or amount < 0:
        raise InputError(f"budget {text!r} must be 0 or more")
    if amount.adjusted() > MOST_DIGITS or int(amount.as_tuple().exponent) < -MOST_DIGITS:
        raise InputError(f"budget {text!r} has more than {MOST_DIGITS} digits")
    if isinstance(budget, float) and budget >= LARGEST_NUMBER:
        raise InputError(f"budget {text!r} is not exact as a number; give it as text")
    try:
        return pool_in_minor_units(amount, currency)
    except InputError:
        raise InputError(f"budget {text!r} has more decimals than {currency} has") from None
