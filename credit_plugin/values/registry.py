"""The registry of estimators: a decorator and a dict (after peft's ``mapping.py``).

A further estimator is one more module in this package, or a function of the user's own that is
decorated with :func:`register_estimator`.
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from credit_plugin.errors import InputError
from credit_plugin.values.readout import Estimator

_ESTIMATORS: dict[str, Estimator] = {}


def register_estimator(name: str) -> Callable[[Estimator], Estimator]:
    """Register the decorated function as the estimator ``name``."""

    def register(estimator: Estimator) -> Estimator:
        _ESTIMATORS[name] = estimator
        return estimator

    return register


def estimator_names() -> list[str]:
    """Return the registered names, sorted."""
    _import_all()
    return sorted(_ESTIMATORS)


def get_estimator(name: str) -> Estimator:
    """Return the estimator ``name``.

    Raises:
        InputError: If it is not registered.
    """
    _import_all()
    if name not in _ESTIMATORS:
        known = ", ".join(sorted(_ESTIMATORS))
        raise InputError(f"values.estimator: {name!r} is not an estimator; choose from {known}")
    return _ESTIMATORS[name]


def _import_all() -> None:
    package = import_module(__package__)
    for module in iter_modules(package.__path__):
        import_module(f"{__package__}.{module.name}")
