"""The folder that ``credit estimate --out`` writes.

====================  ===========================================================================
``values.csv``        contributor, value, standard_error, ci_low, ci_high, share, rank_low,
                      rank_high; the highest value first, ``property`` as first column if there
                      are several
``values.json``       everything: exact names, settings, diagnostics, reliability, interactions
``coalitions.csv``    the utility table as it was read
``values.png``        values with intervals, one panel for each property
``interactions.csv``  first, second, interaction, standard_error, ci_low, ci_high; the strongest
                      pair first (with ``--interactions``, as the next)
``interactions.png``  the same as a picture
====================  ===========================================================================

``values.csv`` and ``interactions.csv`` are for spreadsheets: they begin with a byte-order mark,
without which Excel garbles names that are not ASCII, and a name that could be taken for a formula
gets an apostrophe in front (:func:`credit_plugin.compensation.report.as_cell`). In pictures a name
that no font of the machine can write is shown as its place, ``contributor 3``.

The folder appears complete or not at all. An existing one is replaced only if it is empty or holds
nothing but the files of an earlier estimate; in any other, nothing is touched.
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_plugin.compensation.interactions_plot import interactions_plot
from credit_plugin.compensation.plots import values_plot
from credit_plugin.compensation.publication import published, sha256_of
from credit_plugin.compensation.report import as_cell
from credit_plugin.compensation.stacked import save_stacked
from credit_plugin.errors import InputError
from credit_plugin.versions import versions_of

if TYPE_CHECKING:
    import pandas as pd

    from credit_plugin.estimating.estimation import Estimation

SCHEMA_VERSION = 1
MADE_BY = "credit estimate"
FILES = (
    "values.csv",
    "values.json",
    "coalitions.csv",
    "values.png",
    "interactions.csv",
    "interactions.png",
)
_PACKAGES = ("credit_plugin", "numpy", "scipy")


def check_folder(folder: Path) -> None:
    """Refuse a folder that must not be replaced.

    Raises:
        InputError: One line that says what is in the way.
    """
    whole = folder.resolve()
    if Path.cwd().is_relative_to(whole):
        raise InputError(f"--out {folder}: you are in this folder; name one that can be replaced")
    try:
        present = sorted(path.name for path in whole.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"--out {folder}: is no folder to write ({error.strerror})") from None
    foreign = [name for name in present if name not in FILES]
    if foreign:
        raise InputError(
            f"--out {folder}: holds {foreign[0]!r}, which is not from {MADE_BY}; name another "
            "folder"
        )
    if present and not _is_own(whole / "values.json"):
        raise InputError(
            f"--out {folder}: holds {present[0]!r} of something else than {MADE_BY}; name another "
            "folder"
        )


def write_files(found: "Estimation", folder: Path) -> None:
    """Write every file, all at once.

    Raises:
        InputError: If the folder cannot be written.
    """
    try:
        with published(folder) as draft:
            found.table.to_csv(draft / "coalitions.csv")
            frames = {name: values_frame(found, name) for name in found.values}
            _write_csv(_joined(frames), draft / "values.csv")
            figures = [values_plot(values) for values in found.values.values()]
            save_stacked(figures, draft / "values.png")
            if found.interactions:
                frames = {name: pairs.to_frame() for name, pairs in found.interactions.items()}
                _write_csv(_joined(frames), draft / "interactions.csv")
                figures = [interactions_plot(pairs) for pairs in found.interactions.values()]
                save_stacked(figures, draft / "interactions.png")
            record = as_record(found, sha256_of(draft / "coalitions.csv"))
            text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
            (draft / "values.json").write_text(f"{text}\n", "utf-8")
    except OSError as error:
        raise InputError(f"--out {folder}: cannot be written ({error.strerror or error})") from None


def values_frame(found: "Estimation", name: str) -> "pd.DataFrame":
    """Return one row for each contributor with its rank band, the highest value first."""
    frame = found.values[name].to_frame()
    reliability = found.reliability[name]
    frame["rank_low"], frame["rank_high"] = reliability.rank_low, reliability.rank_high
    return frame.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def as_record(found: "Estimation", table_hash: str) -> dict[str, Any]:
    """Return everything that was found as types that JSON holds."""
    settings = found.settings
    return {
        "schema_version": SCHEMA_VERSION,
        "made_by": MADE_BY,
        "table": {
            "source": found.source,
            "rows": len(found.table),
            "properties": list(found.table.property_names),
            "coalitions.csv": {"sha256": table_hash},
        },
        "settings": {
            "estimator": settings.estimator,
            "options": list(settings.options),
            "seed": settings.seed,
            "confidence": settings.confidence,
            "resamples": settings.resamples,
        },
        "versions": versions_of(_PACKAGES),
        "properties": {name: _property_record(found, name) for name in found.values},
    }


def _property_record(found: "Estimation", name: str) -> dict[str, Any]:
    values = found.values[name]
    record = {
        "values": values.to_json_dict(),
        "shares": values.shares().tolist(),
        "reliability": found.reliability[name].to_json_dict(),
    }
    if found.interactions:
        pairs = found.interactions[name]
        record["interactions"] = {
            "pairs": pairs.to_frame().to_dict("records"),
            "confidence": pairs.confidence,
            "diagnostics": dict(pairs.diagnostics),
        }
    return record


def _joined(frames: "Mapping[str, pd.DataFrame]") -> "pd.DataFrame":
    """Return the frames below each other, with a column ``property`` if there are several."""
    import pandas as pd

    if len(frames) > 1:
        for name, frame in frames.items():
            frame.insert(0, "property", name)
    return pd.concat(frames.values(), ignore_index=True)


def _write_csv(frame: "pd.DataFrame", path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, lineterminator="\n").writerow(frame.columns)
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        for row in zip(*(frame[name].tolist() for name in frame), strict=True):
            writer.writerow([as_cell(cell) if isinstance(cell, str) else cell for cell in row])


def _is_own(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text("utf-8")).get("made_by") == MADE_BY)
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
