"""Rival attribution methods, one module each; see :mod:`credit_plugin.fidelity.attribution`."""
