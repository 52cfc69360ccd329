"""The registry of estimators.

A further estimator is one more module in this package, or a function of the user's own that is
decorated with :func:`register_estimator`.
"""

from credit_plugin.registry import Registry
from credit_plugin.values.readout import Estimator

ESTIMATORS: Registry[Estimator] = Registry(
    "credit_plugin.values.estimators", "credit_plugin.estimators", "an estimator"
)
register_estimator = ESTIMATORS.register
estimator_names = ESTIMATORS.names


def get_estimator(name: str) -> Estimator:
    """Return the estimator ``name``.

    Raises:
        InputError: If it is not registered.
    """
    return ESTIMATORS.get(name, "values.estimator")
