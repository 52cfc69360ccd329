"""Coalitions, designs and the table of utilities: numbers only, no torch and no mlflow.

A *design* says which coalitions to evaluate, a :class:`UtilityTable` holds what was measured, the
ledger keeps finished evaluations on disk, the toys are games whose Shapley values are known. How
a utility is obtained (training a model on a coalition) is in ``game.utilities``, which this
package does not import.
"""

from credit_plugin.game.coalitions import from_bits, to_bits
from credit_plugin.game.design import design, design_names, register_design
from credit_plugin.game.table import UtilityTable

__all__ = ["UtilityTable", "design", "design_names", "from_bits", "register_design", "to_bits"]
