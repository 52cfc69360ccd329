"""What the doctor says of one subject."""

from typing import Literal, NamedTuple

OK: Literal["ok"] = "ok"
NOTE: Literal["note"] = "note"
FIX: Literal["FIX"] = "FIX"


class Finding(NamedTuple):
    """What was found of one subject.

    Attributes:
        state: ``ok``; ``note`` for what some studies need and others do not; ``FIX`` for what is
            wrong.
        subject: What was looked at, and how it is.
        advice: What to do about it; empty where nothing is to be done.
    """

    state: Literal["ok", "note", "FIX"]
    subject: str
    advice: str = ""
