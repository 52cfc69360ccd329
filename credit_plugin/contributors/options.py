"""``data.options``: the settings of one source, typed like the rest of the study file."""

from typing import TypeVar

from credit_plugin.config import DataSettings, Settings
from credit_plugin.config.options import parsed
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
    return parsed(model, data.options, "data.options", f"source {data.source}")


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
