"""The registry of estimators. An estimator is one module in this folder that registers itself.

An estimator turns a :class:`~credit_plugin.values.sample.Sample` into values that sum to
v(N) - v(empty). It is called again on every resample, with multiplicities in ``sample.weights``.
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

from credit_plugin.errors import InputError
from credit_plugin.values.sample import Sample

Estimator = Callable[[Sample], np.ndarray]

_ESTIMATORS: dict[str, Estimator] = {}


def register_estimator(name: str) -> Callable[[Estimator], Estimator]:
    """Register the decorated function as the estimator ``name``."""

    def register(function: Estimator) -> Estimator:
        _ESTIMATORS[name] = function
        return function

    return register


def estimator_names() -> list[str]:
    """Return the registered names, sorted."""
    package = import_module("credit_plugin.values")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return sorted(_ESTIMATORS)


def get_estimator(name: str) -> Estimator:
    """Return the estimator ``name``.

    Raises:
        InputError: If it is not registered.
    """
    if name not in estimator_names():
        known = ", ".join(sorted(_ESTIMATORS))
        raise InputError(f"values.estimator: {name!r} is not an estimator; choose from {known}")
    return _ESTIMATORS[name]
