"""Everything that talks to MLflow: runs, registry, flavors, views.

Only this package and :mod:`credit_plugin.plugin` import mlflow.
"""
