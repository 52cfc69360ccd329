"""Arguments of requests: read from the address, a form or JSON, and checked before use."""

import re
from collections.abc import Mapping
from typing import Any

from flask import request

from credit_plugin.errors import InputError

LARGEST_BODY = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,250}\.values")
_VERSION = re.compile(r"[0-9]{1,9}|latest|approved")
_LONGEST = 4000


def argument(name: str, default: str = "") -> str:
    """Return an argument as text, from the body of a POST, else from the address."""
    found = body().get(name) if request.method == "POST" else request.args.get(name)
    return default if found is None or not isinstance(found, str) else found[:_LONGEST]


def body() -> Mapping[str, Any]:
    """Return the body of a POST: JSON or a form.

    Raises:
        InputError: If it is neither.
        werkzeug.exceptions.RequestEntityTooLarge: If it is larger than anything that belongs here.
    """
    request.max_content_length = LARGEST_BODY
    if not request.is_json:
        return request.form
    told = request.get_json(silent=True)
    if not isinstance(told, dict):
        raise InputError("body: a JSON object is needed")
    return told


def version_argument(field: str = "version") -> tuple[str, str]:
    """Return name and version of the report that a request is about.

    Raises:
        InputError: If they cannot be any.
    """
    name, version = argument("name"), argument(field, "latest") or "latest"
    if not _NAME.fullmatch(name):
        raise InputError("name: give a registered model <study>.values")
    if not _VERSION.fullmatch(version):
        raise InputError(f"{field}: give a number, latest or approved")
    return name, version


def number_argument(field: str, default: int, most: int = 10**9) -> int:
    """Return a whole number of at least 0.

    Raises:
        InputError: If it is none.
    """
    text = argument(field)
    if not text:
        return default
    if not text.isdecimal() or not text.isascii() or int(text[:12]) > most:
        raise InputError(f"{field}: a whole number from 0 to {most} is needed")
    return int(text)


def choice_argument(field: str, choices: tuple[str, ...]) -> str:
    """Return one of some words, the first if none is given.

    Raises:
        InputError: If it is another one.
    """
    text = argument(field) or choices[0]
    if text not in choices:
        raise InputError(f"{field}: choose one of {', '.join(choices)}")
    return text
