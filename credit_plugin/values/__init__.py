"""From a utility table to contributor values with uncertainty, in numpy and scipy alone.

:func:`estimate` is the way in. An estimator is one module that is registered under its name; what
an estimator sees is in :mod:`observations`, what it gives in :mod:`readout`, how intervals come
about in :mod:`uncertainty`.
"""

from credit_plugin.values.estimation import estimate
from credit_plugin.values.registry import estimator_names, register_estimator
from credit_plugin.values.result import ContributorValues

__all__ = ["ContributorValues", "estimate", "estimator_names", "register_estimator"]
