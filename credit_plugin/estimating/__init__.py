"""``credit estimate``: from any utility table to values on the terminal and in files.

Reads the table (:mod:`credit_plugin.tables`), estimates (:mod:`credit_plugin.values`), writes a
folder (:mod:`~credit_plugin.estimating.files`) and prints
(:mod:`~credit_plugin.estimating.terminal`). Nothing is trained, and MLflow is only loaded to read a
run's table.
"""

from credit_plugin.estimating.estimation import EstimateSettings, Estimation, run_estimate

__all__ = ["EstimateSettings", "Estimation", "run_estimate"]
