"""``data.options``: the settings of one source, typed like the rest of the study file."""

from typing import TypeVar

from pydantic import ValidationError

from credit_plugin.config import DataSettings, Settings
from credit_plugin.errors import InputError

OptionsT = TypeVar("OptionsT", bound=Settings)


def parse_options(model: type[OptionsT], data: DataSettings) -> OptionsT:
    """Return ``data.options`` as the settings class of a source.

    Args:
        model: The settings class.
        data: The settings whose ``options`` are read.

    Raises:
        InputError: One line for each bad option, naming ``data.options.<key>`` and the mend.
    """
    try:
        return model.model_validate(data.options)
    except ValidationError as failed:
        lines = []
        for problem in failed.errors():
            where = ".".join(["data.options", *(str(part) for part in problem["loc"])])
            if problem["type"] == "extra_forbidden":
                known = ", ".join(model.model_fields)
                known = f"it knows {known}" if known else "it has none"
                lines.append(f"{where}: source {data.source} has no such option; {known}")
            else:
                message = problem["msg"][0].lower() + problem["msg"][1:]
                lines.append(f"{where}: {message}, got {problem['input']!r}")
        raise InputError("\n".join(lines)) from None


def refuse_path(data: DataSettings) -> None:
    """Refuse ``data.path`` for a source that brings its own images.

    Raises:
        InputError: If a path is given: the user wanted another source.
    """
    if data.path is not None:
        raise InputError(
            f"data.path: source {data.source} brings its own images and reads no folder; set "
            "data.source=imagefolder, or remove data.path"
        )
