"""From presets, study files and overrides to a study, with one line for each bad field."""

import difflib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from credit_plugin.config.study import Study
from credit_plugin.errors import InputError

DEFAULT_PRESET = "designers"

ALTERNATIVES = ("float", "str", "range", "choices")
"""What pydantic adds to a field's name to say as which of several types it was read."""


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    folder = resources.files("credit_plugin") / "presets"
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def load_study(
    preset: str | None = None,
    config: str | Path | None = None,
    overrides: Iterable[str] = (),
) -> Study:
    """Read a study from a preset, a study file and overrides, in this order.

    Args:
        preset: Name of a preset; by default the one that the study file names, else ``designers``.
        config: Path of a study file (YAML).
        overrides: Strings ``a.b=c``; the value is read as YAML.

    Raises:
        InputError: One line for each bad field, naming it and the mend.
    """
    settings = _read_yaml(Path(config)) if config else {}
    named = settings.pop("preset", None)
    merged = _changed(_read_preset(preset or named or DEFAULT_PRESET), settings)
    for override in overrides:
        merged = _changed(merged, _parse_override(override))
    try:
        return Study.model_validate(merged)
    except ValidationError as error:
        raise InputError("\n".join(_explain(e) for e in error.errors())) from None


def dump_study(study: Study) -> str:
    """Return the complete study file (YAML) that loads as ``study``."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes into settings; a policy file that they name replaces the whole section."""
    section = changes.get("compensation")
    if not isinstance(section, Mapping) or "policy" not in section:
        return _merge(base, changes)
    own = {key: value for key, value in section.items() if key != "policy"}
    if not isinstance(section["policy"], str):
        raise InputError("compensation.policy: must be the path of a policy file (YAML)")
    policy = _merge(_read_yaml(Path(section["policy"]), "policy file"), own)
    others = {key: value for key, value in base.items() if key != "compensation"}
    return _merge(others, {**changes, "compensation": policy})


def _read_preset(name: str) -> dict[str, Any]:
    names = preset_names()
    if name not in names:
        raise InputError(f"preset {name!r} does not exist{_suggest(name, names)}")
    text = (resources.files("credit_plugin") / "presets" / f"{name}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    base = loaded.pop("preset", None)
    return _merge(_read_preset(base), loaded) if base else loaded


def _read_yaml(path: Path, what: str = "study file") -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise InputError(f"{what} {path} cannot be read: {reason}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{what} {path} is not YAML: {_one_line(error)}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise InputError(f"{what} {path} must hold 'key: value' lines at the top")
    return loaded


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(part.isidentifier() for part in key.strip().split(".")):
        raise InputError(f"override {text!r} must look like section.field=value")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"{key}: the value {value!r} is not YAML: {_one_line(error)}") from None
    for part in reversed(key.strip().split(".")):
        parsed = {part: parsed}
    return dict(parsed)


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _explain(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"] if part not in ALTERNATIVES)
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown setting{_suggest(str(error['loc'][-1]), _siblings(error['loc']))}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where}: {message[0].lower()}{message[1:]}, got {error['input']!r}"


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Study
    for part in location[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _suggest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; choose from {', '.join(names)}" if names else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
