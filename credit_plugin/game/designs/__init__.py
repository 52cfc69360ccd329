"""Designs, one module each.

A design is a function (n_players, rows, seed, **options) that returns the rows after the empty and
the full coalition, which :func:`credit_plugin.game.design.design` puts first. It returns fewer
than asked for if it has no more.
"""
