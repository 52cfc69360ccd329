"""Options of a source, observer or property: a mapping, read by a settings class of its own."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from credit_plugin.config.fields import Settings
from credit_plugin.errors import InputError

OptionsT = TypeVar("OptionsT", bound=Settings)


def parsed(
    model: type[OptionsT], given: Mapping[str, Any], field: str, owner: str = ""
) -> OptionsT:
    """Return options as a settings class.

    Args:
        model: The settings class.
        given: The options as the study file has them.
        field: Where they are, for errors.
        owner: What the options belong to, for errors.

    Raises:
        InputError: One line for each bad option, naming it and the mend.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as failed:
        lines = []
        for problem in failed.errors():
            where = ".".join([field, *(str(part) for part in problem["loc"])])
            if problem["type"] == "extra_forbidden":
                known = ", ".join(model.model_fields)
                known = f"it knows {known}" if known else "it has none"
                subject = f"{owner} has" if owner else "there is"
                lines.append(f"{where}: {subject} no such option; {known}")
            elif problem["type"] == "missing":
                lines.append(f"{where} is missing")
            else:
                message = problem["msg"][0].lower() + problem["msg"][1:]
                lines.append(f"{where}: {message}, got {problem['input']!r}")
        raise InputError("\n".join(lines)) from None
