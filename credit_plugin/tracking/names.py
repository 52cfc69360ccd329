"""Names that MLflow accepts, made from names that people chose."""

import re
from collections.abc import Sequence

LONGEST = 200


def metric_names(prefix: str, names: Sequence[str]) -> dict[str, str]:
    """Return a metric name for each name, distinct even where sanitising makes two equal.

    MLflow allows letters of ASCII, digits and ``_-. :/`` in metric names.
    """
    chosen: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_\-. ]", "_", name)[:LONGEST].strip() or "_"
        candidate, number = plain, 2
        while f"{prefix}/{candidate}" in chosen.values():
            candidate, number = f"{plain} {number}", number + 1
        chosen[name] = f"{prefix}/{candidate}"
    return chosen
