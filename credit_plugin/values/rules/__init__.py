"""Stopping rules: limits of what is spent, and what the values must show.

See :mod:`credit_plugin.values.stopping` for what a rule is.
"""

from credit_plugin.values.rules.limits import Budget, Money, Time
from credit_plugin.values.rules.precision import IntervalWidth, SettledRanks, ValuesChange

__all__ = ["Budget", "IntervalWidth", "Money", "SettledRanks", "Time", "ValuesChange"]
