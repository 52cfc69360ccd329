"""What was measured: every coalition with its utility; one of them with its samples and runs."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flask import Response
from werkzeug.exceptions import NotFound

from credit_plugin.errors import InputError
from credit_plugin.game.coalitions import from_bits, to_bits
from credit_plugin.plugin.server.arguments import argument, choice_argument, number_argument
from credit_plugin.plugin.server.shared import asked_docket, catalogue
from credit_plugin.plugin.server.templating import page
from credit_plugin.reviewing import Docket
from credit_plugin.tracking.parent import PARENT_TAG
from credit_plugin.tracking.previews import PREVIEWS

PAGE = 50
SORTS = ("utility", "size")
ORDERS = ("down", "up")
_KEY = re.compile("[0-9a-f]{8,64}")
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        bits: The coalition.
        size: Its members.
        members: Names, a few of them if they are many.
        utility: As measured, not oriented.
        repeat: Which repetition.
    """

    bits: str
    size: int
    members: tuple[str, ...]
    utility: float
    repeat: int


def show() -> Response:
    """Return the list of measured coalitions."""
    docket = asked_docket(mirrors=False)
    facts = docket.facts
    properties = (facts["property"], *(p for p in facts["properties"] if p != facts["property"]))
    chosen = choice_argument("property", properties)
    sort, order = choice_argument("sort", SORTS), choice_argument("order", ORDERS)
    held = catalogue().coalitions(docket.version)
    rows = _rows(held.table, held.sizes, chosen)
    start = number_argument("start", 0)
    keys = {"utility": held.table.utilities[rows], "size": held.sizes[rows]}
    ranked = rows[np.argsort(keys[sort], kind="stable")]
    ranked = ranked[::-1] if order == "down" else ranked
    shown = [_measured(held, row, facts["directions"][chosen]) for row in ranked[start:][:PAGE]]
    return page(
        "coalitions.html.j2",
        docket=docket,
        shown=shown,
        found=len(ranked),
        start=start,
        size=PAGE,
        chosen=chosen,
        properties=properties,
        names=held.table.contributors,
        sort=sort,
        order=order,
        having=argument("having"),
        lacking=argument("lacking"),
        least=number_argument("least", 0),
        most=number_argument("most", len(held.table.contributors)),
    )


def _rows(table: Any, sizes: np.ndarray, chosen: str) -> np.ndarray:
    """Return the rows that a request asks for."""
    wanted = np.asarray(table.properties) == chosen
    for field, inside in (("having", True), ("lacking", False)):
        who = argument(field)
        if who:
            wanted &= table.coalitions[:, _position(table.contributors, field, who)] == inside
    wanted &= sizes >= number_argument("least", 0)
    wanted &= sizes <= number_argument("most", len(table.contributors))
    return np.flatnonzero(wanted)


def _position(names: tuple[str, ...], field: str, who: str) -> int:
    if who not in names:
        raise InputError(f"{field}: there is no contributor of this name")
    return names.index(who)


def _measured(held: Any, row: int, direction: int) -> Measured:
    table = held.table
    inside = np.flatnonzero(table.coalitions[row])
    return Measured(
        bits=to_bits(table.coalitions[row]),
        size=len(inside),
        members=tuple(table.contributors[i] for i in inside[:12]),
        utility=float(table.utilities[row]) * direction,
        repeat=int(table.repeats[row]),
    )


def show_one() -> Response:
    """Return one coalition: who is in it, all its measurements, its runs and its samples."""
    docket = asked_docket(mirrors=False)
    table = catalogue().coalitions(docket.version).table
    bits = argument("bits")
    if len(bits) != len(table.contributors) or set(bits) - {"0", "1"}:
        raise InputError("bits: give a 0 or 1 for each contributor")
    inside = from_bits(bits)
    rows = np.flatnonzero((table.coalitions == inside).all(axis=1))
    if not len(rows):
        raise NotFound("this coalition was not measured")
    directions = docket.facts["directions"]
    return page(
        "coalition.html.j2",
        docket=docket,
        bits=bits,
        members=[n for n, has in zip(table.contributors, inside, strict=True) if has],
        others=[n for n, has in zip(table.contributors, inside, strict=True) if not has],
        measured=[
            (name, int(table.repeats[i]), float(table.utilities[i]) * directions[name])
            for i in rows
            for name in [str(table.properties[i])]
        ],
        runs=_runs(docket, bits),
    )


def _runs(docket: Docket, bits: str) -> list[Any]:
    """Return the MLflow runs that measured a coalition."""
    client, parent = catalogue().store.client, str(docket.version.run_id)
    experiment = client.get_run(parent).info.experiment_id
    wanted = f"tags.`{PARENT_TAG}` = '{parent}' and tags.`credit.coalition` = '{bits}'"
    return list(client.search_runs([experiment], wanted, max_results=50))


def sample() -> Response:
    """Return the picture of samples of one evaluation."""
    docket = asked_docket(mirrors=False)
    key = argument("key")
    if not _KEY.fullmatch(key):
        raise InputError("key: give the key of an evaluation")
    with tempfile.TemporaryDirectory(prefix="credit-sample-") as folder:
        path = catalogue().store.fetch_of_run(
            str(docket.version.run_id), Path(folder), f"{PREVIEWS}/{key}.png"
        )
        content = path.read_bytes()
    if not content.startswith(_PNG):
        raise NotFound("this is no picture")
    return Response(content, mimetype="image/png")
