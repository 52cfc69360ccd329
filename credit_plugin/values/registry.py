"""The registry of estimators.

A further estimator is one more module in this package, or a function of the user's own that is
decorated with :func:`register_estimator`.
"""

from collections.abc import Mapping
from typing import TypeVar

from credit_plugin.errors import InputError
from credit_plugin.registry import Registry
from credit_plugin.values.readout import Estimator

Choice = TypeVar("Choice")

ESTIMATORS: Registry[Estimator] = Registry(
    "credit_plugin.values.estimators", "credit_plugin.estimators", "an estimator"
)
register_estimator = ESTIMATORS.register
estimator_names = ESTIMATORS.names


def chosen(choices: Mapping[str, Choice], option: str, name: str) -> Choice:
    """Return what an estimator's option chooses.

    Args:
        choices: What there is, by name.
        option: The option's name, for the error.
        name: What was asked for.

    Raises:
        InputError: If it is not among the choices.
    """
    if name not in choices:
        raise InputError(
            f"values.options: {option} {name!r} does not exist; choose from {', '.join(choices)}"
        )
    return choices[name]


def get_estimator(name: str) -> Estimator:
    """Return the estimator ``name``.

    Raises:
        InputError: If it is not registered.
    """
    return ESTIMATORS.get(name, "values.estimator")
