"""What ``credit estimate`` does, in order: check the folder, read, estimate, write.

Whatever is wrong with the table is said with the table's name, be it a cell that reading it found
or a coalition that an estimator misses.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.game.table import UtilityTable
from credit_plugin.tables import read_table
from credit_plugin.values import ContributorValues, estimate
from credit_plugin.values.estimation import DEFAULT, check_options
from credit_plugin.values.interactions import Interactions, interactions
from credit_plugin.values.registry import get_estimator
from credit_plugin.values.reliability import Reliability, assess

if TYPE_CHECKING:
    import pandas as pd

_TRUTHS = {"true": True, "false": False}
_SQUARABLE = (1e-70, 1e70)  # variances of variances are fourth powers


@dataclass(frozen=True)
class EstimateSettings:
    """How to estimate.

    Attributes:
        estimator: A registered estimator.
        options: Its options as ``key=value``.
        properties: Which properties; all that the table holds if empty.
        seed: Determines the resamples.
        confidence: Level of the intervals.
        resamples: Resamples behind them.
        interactions: Whether pairs are estimated too.
    """

    estimator: str = DEFAULT
    options: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    seed: int = 0
    confidence: float = 0.95
    resamples: int = 400
    interactions: bool = False


@dataclass(frozen=True, eq=False)
class Estimation:
    """What was read and found.

    Attributes:
        source: The table, as the user named it.
        table: Everything that it holds.
        settings: How it was estimated.
        values: Values by property.
        reliability: How far they can be relied on, and ranks, by property.
        interactions: Interactions by property; empty if they were not asked for.
        folder: Where files were written, or None.
    """

    source: str
    table: UtilityTable
    settings: EstimateSettings
    values: Mapping[str, ContributorValues]
    reliability: Mapping[str, Reliability]
    interactions: Mapping[str, Interactions] = field(default_factory=dict)
    folder: Path | None = None


def run_estimate(
    source: "str | Path | pd.DataFrame",
    settings: EstimateSettings,
    folder: Path | None = None,
    tracking_uri: str | None = None,
) -> Estimation:
    """Estimate the values of a table, and write them if a folder is given.

    Args:
        source: A data frame, a file or an MLflow run, see :func:`credit_plugin.tables.read_table`.
        settings: How to estimate.
        folder: Appears complete or not at all, see :mod:`credit_plugin.estimating.files`.
        tracking_uri: Where the run is; MLflow's own default if left out.

    Raises:
        InputError: One line that names what cannot be used; nothing has been written then.
    """
    from credit_plugin.estimating.files import check_folder, write_files  # loads matplotlib

    if folder is not None:
        check_folder(folder)
    options = read_options(settings.estimator, settings.options)
    table = read_table(source, tracking_uri=tracking_uri)
    name = str(source) if isinstance(source, (str, Path)) else "frame"
    _check_scale(table, name)
    values, reliability, pairs = {}, {}, {}
    for wanted in settings.properties or table.property_names:
        part = table.select(wanted)
        where = name if len(table.property_names) == 1 else f"{name}, property {wanted}"
        with _naming(where):
            values[wanted] = estimate(
                part,
                settings.estimator,
                settings.seed,
                property=wanted,
                confidence=settings.confidence,
                resamples=settings.resamples,
                options=options,
            )
            reliability[wanted] = assess(part, values[wanted], settings.seed, options)
            if settings.interactions:
                pairs[wanted] = interactions(
                    part,
                    settings.seed,
                    property=wanted,
                    confidence=settings.confidence,
                    resamples=settings.resamples,
                )
    found = Estimation(name, table, settings, values, reliability, pairs, folder)
    if folder is not None:
        write_files(found, folder)
    return found


def read_options(estimator: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return an estimator's options with the types that it declares.

    Raises:
        InputError: One line that names the option and the mend.
    """
    parameters = signature(get_estimator(estimator), eval_str=True).parameters
    options: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--option {text!r} must look like key=value")
        if key in options:
            raise InputError(f"--option {key}: is given twice")
        check_options(estimator, {key: value})
        kind, read = _KINDS.get(parameters[key].annotation, ("text", str))
        try:
            options[key] = read(value)
        except (ValueError, KeyError):
            raise InputError(f"--option {key}: {value!r} is not {kind}") from None
    return options


_KINDS: dict[Any, tuple[str, Callable[[str], Any]]] = {
    float: ("a number", float),
    int: ("a whole number", int),
    bool: ("true or false", lambda text: _TRUTHS[text.lower()]),
}


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Say which table it is in errors about the table, or about what an estimator misses in it."""
    try:
        yield
    except InputError as error:
        field, colon, rest = str(error).partition(": ")
        about = field in ("table", "values.estimator")
        raise InputError(f"{where}{colon}{rest}" if about else str(error)) from None


def _check_scale(table: UtilityTable, name: str) -> None:
    """Refuse utilities of which a variance is no longer a number.

    Raises:
        InputError: One line with the property and the largest utility.
    """
    for wanted in table.property_names:
        largest = float(np.abs(table.select(wanted).utilities).max())
        if largest and not _SQUARABLE[0] <= largest <= _SQUARABLE[1]:
            raise InputError(
                f"{name}: utility of {wanted} is up to {largest:.3g}, which cannot be squared "
                "twice; use another unit"
            )
