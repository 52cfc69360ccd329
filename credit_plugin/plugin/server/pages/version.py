"""One report: who gets what, how sure that is, and what another pool or policy would pay."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from flask import Response

from credit_plugin.compensation.ranking import kind_of, rank
from credit_plugin.compensation.rendering import view_of
from credit_plugin.compensation.what_if import FIELDS, RULES, WhatIf, divide_otherwise
from credit_plugin.errors import InputError
from credit_plugin.plugin.server.arguments import argument, choice_argument, number_argument
from credit_plugin.plugin.server.shared import asked_docket, catalogue
from credit_plugin.plugin.server.templating import mlflow_page, page
from credit_plugin.reviewing import Docket
from credit_plugin.tracking.views import shared_view_key

PAGE = 100
SORTS = ("value", "contributor", "payout", "count", "images", "what_if")
ORDERS = ("down", "up")


def show() -> Response:
    """Return the page of a version."""
    docket = asked_docket()
    tried, complaint = _tried(docket.facts)
    sort, order = choice_argument("sort", SORTS), choice_argument("order", ORDERS)
    wanted = argument("find")[:200]
    rows = _sorted(_found(docket.facts["rows"], wanted), sort, order, tried)
    start = number_argument("start", 0)
    return page(
        "version.html.j2",
        docket=docket,
        versions=catalogue().store.versions(docket.version.name),
        v=view_of(docket.facts),
        rows=rows[start : start + PAGE],
        found=len(rows),
        start=start,
        size=PAGE,
        sort=sort,
        order=order,
        find=wanted,
        chart=rank([{**row, "share": row["value_share"]} for row in docket.facts["rows"]]),
        kinds={row["contributor"]: kind_of(row["value"], row["ci_low"]) for row in rows},
        tried=tried,
        complaint=complaint,
        fields=_fields(docket, tried),
        rules=RULES,
        paid_by=argument("paid_by"),
        runs_page=_runs_page(docket),
    )


def _runs_page(docket: Docket) -> str:
    """Return MLflow's table of the study's coalitions, with the columns that belong there."""
    run_id = str(docket.version.run_id)
    experiment_id = catalogue().store.client.get_run(run_id).info.experiment_id
    key = quote(shared_view_key(docket.facts["study"], run_id))
    return mlflow_page(f"/experiments/{experiment_id}/runs?viewStateShareKey={key}")


def _tried(facts: Mapping[str, Any]) -> tuple[WhatIf | None, str]:
    """Return another division if one was asked for, and why it cannot be made."""
    asked = {name: argument(name) for name in FIELDS if argument(name)}
    if not asked and not argument("paid_by"):
        return None, ""
    try:
        return divide_otherwise(facts, asked, argument("paid_by")), ""
    except InputError as error:
        return None, str(error)


def _fields(docket: Docket, tried: WhatIf | None) -> dict[str, str]:
    """Return what stands in the fields of the form: what was asked for, else the policy's."""
    policy = docket.facts["settings"]["compensation"]
    told = {**policy, "base_share": policy["rule"]["base_share"]}
    return {
        name: argument(name) or ("" if told[name] is None else str(told[name])) for name in FIELDS
    }


def _found(rows: Sequence[Mapping[str, Any]], wanted: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if wanted.casefold() in row["contributor"].casefold()]


def _sorted(
    rows: list[Mapping[str, Any]], sort: str, order: str, tried: WhatIf | None
) -> list[Mapping[str, Any]]:
    keys = {
        "value": lambda row: row["value"],
        "contributor": lambda row: row["contributor"].casefold(),
        "payout": lambda row: row["payout_minor"],
        "count": lambda row: row["count_payout_minor"],
        "images": lambda row: row["images"],
        "what_if": lambda row: tried.payouts[row["contributor"]] if tried else row["payout_minor"],
    }
    return sorted(rows, key=keys[sort], reverse=order == "down")
