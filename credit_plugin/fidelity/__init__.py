"""Is it right? Values and rival methods against retraining, on any study.

:mod:`reference` says which coalitions are retrained, :mod:`attribution` what a rival method is
(each is one module in :mod:`attributions`), :mod:`lds`, :mod:`agreement` and :mod:`counterfactual`
are the statistics, in numpy and scipy alone, :mod:`result` keeps them, :mod:`verdict` says them in
words, and :mod:`checking` is the phase of a study that does it all.
"""
