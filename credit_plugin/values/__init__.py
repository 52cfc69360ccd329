"""From a utility table to contributor values with uncertainty. Pure numpy and scipy."""

from credit_plugin.values.estimation import estimate
from credit_plugin.values.result import ContributorValues

__all__ = ["ContributorValues", "estimate"]
