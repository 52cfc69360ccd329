"""Values that JSON and UTF-8 can hold, from values that they cannot."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def canonical(data: Any) -> bytes:
    """Return plain data as the bytes that are hashed: JSON, sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: If a number is not finite.
    """
    text = json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def jsonable(value: Any) -> Any:
    """Return plain data: None for numbers that are not finite, ``?`` for lone surrogates."""
    if isinstance(value, Mapping):
        return {jsonable(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return None if isinstance(value, float) and not math.isfinite(value) else value
