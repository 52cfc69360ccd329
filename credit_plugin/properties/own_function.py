"""Properties of the team's own: ``python:module:function`` in ``properties.names``.

The function takes images, uint8 [N, H, W, C], and returns a number; it is imported where the study
runs, in every worker, so it must be installed or lie in the folder that the study is started in.
Higher is better unless the function has an attribute ``direction = -1``; ``unit`` is shown in
tables. Range, bias and the number of samples it needs are what its author says. A change of its
module starts a new table of coalitions.

Only names in a study file are imported. Names in artifacts are not: a model that is evaluated
elsewhere is measured by its other properties.
"""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from credit_plugin.config import PropertySettings
from credit_plugin.errors import InputError
from credit_plugin.properties.registry import OWN, ImageSet, Statistics


@dataclass
class OwnFunction:
    """A function as a property.

    Attributes:
        function: From images to a number.
        module: Where it is.
        direction: +1 if higher is better, -1 if lower is.
        unit: What the number counts.
    """

    function: Callable[[np.ndarray], float]
    module: str
    direction: int = 1
    unit: str = ""

    def identity(self, settings: PropertySettings) -> str:
        """Return the hash of the module's file: other code measures something else."""
        file = getattr(sys.modules[self.module], "__file__", None)
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""

    def prepare(self, reference: ImageSet, settings: PropertySettings, seed: int) -> Statistics:
        """Nothing is kept for the function."""
        return {}

    def measure(self, samples: ImageSet, statistics: Statistics) -> float:
        """Return what the function says."""
        return float(self.function(samples.images))


def own_function(name: str) -> OwnFunction:
    """Return the property that ``python:module:function`` names.

    Raises:
        InputError: If there is no such function.
    """
    module, _, attribute = name.removeprefix(OWN).partition(":")
    if not module or not attribute.isidentifier():
        raise InputError(f"properties.names: {name!r} must look like python:module:function")
    try:
        _look_here()
        function = getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the module may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"properties.names: {name!r} cannot be imported ({reason}); install the package, or "
            "start the study where the module lies"
        ) from None
    direction = getattr(function, "direction", 1)
    if not callable(function) or direction not in (1, -1):
        raise InputError(
            f"properties.names: {name!r} must be a function, with direction 1 or -1 if it has one"
        )
    return OwnFunction(function, module, direction, str(getattr(function, "unit", "")))


def _look_here() -> None:
    """Let modules of the current folder be imported: the script ``credit`` alone does not.

    Worker processes are started with the path of this one.
    """
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # last, so that no file here takes the place of a package
