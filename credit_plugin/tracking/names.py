"""Names that MLflow accepts, made from names that people chose."""

import re
from collections.abc import Sequence

LONGEST = 200


def metric_names(prefix: str, names: Sequence[str]) -> dict[str, str]:
    """Return a metric name for each name, distinct even where sanitising makes two equal.

    ASCII letters, digits and ``_-. `` stay. Names that differ only in case are told apart too,
    because some databases do not.
    """
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_\-. ]", "_", name)[:LONGEST].strip()
        if not plain.strip("."):  # MLflow takes "." and ".." for folders
            plain = "_"
        candidate, number = plain, 2
        while candidate.lower() in taken:
            candidate, number = f"{plain} {number}", number + 1
        taken.add(candidate.lower())
        chosen[name] = f"{prefix}/{candidate}"
    return chosen
