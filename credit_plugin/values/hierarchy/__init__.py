"""Values of groups of contributors, and of the contributors inside them.

:func:`owen` is the way in; :class:`~credit_plugin.game.grouping.Grouping` says who belongs to whom,
:mod:`credit_plugin.game.grouped` which coalitions to evaluate.
"""

from credit_plugin.values.hierarchy.agreement import Agreement
from credit_plugin.values.hierarchy.groups import group_values
from credit_plugin.values.hierarchy.owen import OwenValues, owen
from credit_plugin.values.hierarchy.ways import Divider, Division, register_way, way_names
from credit_plugin.values.hierarchy.what_if import WhatIf, if_merged, if_split

__all__ = [
    "Agreement",
    "Divider",
    "Division",
    "OwenValues",
    "WhatIf",
    "group_values",
    "if_merged",
    "if_split",
    "owen",
    "register_way",
    "way_names",
]
