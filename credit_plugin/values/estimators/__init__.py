"""Estimators, one module each; a module's docstring is its method note.

An estimator is a function (observations, **options) -> readout: it looks at the observations once
and returns a way to read values off, see :mod:`credit_plugin.values.readout`.
"""
