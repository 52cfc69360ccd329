"""Semivalues other than Shapley's: how likely each number of predecessors is.

A semivalue weighs what a player adds to coalitions of s others by a chance p_s, s = 0..n-1, that
sums to 1 (see :mod:`strata`): 1/n for the Shapley value, binomial for the Banzhaf value,
beta-binomial for Beta Shapley values. All in logarithms: with a thousand players binomial
coefficients exceed any floating-point number.
"""

from math import lgamma

import numpy as np


def log_binomials(n: int) -> np.ndarray:
    """Return log C(n, s) for s = 0..n, float64 [n + 1]."""
    logs = np.array([lgamma(k + 1) for k in range(n + 1)])
    return np.asarray(logs[n] - logs - logs[::-1])


def banzhaf_chances(n: int) -> np.ndarray:
    """Return p_s of the Banzhaf value: every coalition of the others is as likely, [n]."""
    return np.asarray(np.exp(log_binomials(n - 1) - (n - 1) * np.log(2.0)))


def beta_chances(n: int, alpha: float, beta: float) -> np.ndarray:
    """Return p_s of the Beta(alpha, beta) Shapley value, [n].

    A chance u is drawn from Beta(beta, alpha) and every other player precedes with it, so a large
    alpha favours small coalitions; Beta(1, 1) is the Shapley value.
    """
    sizes = np.arange(n)
    logs = [
        lgamma(s + beta) + lgamma(n - 1 - s + alpha) - lgamma(n - 1 + alpha + beta) for s in sizes
    ]
    constant = lgamma(alpha + beta) - lgamma(alpha) - lgamma(beta)
    return np.asarray(np.exp(log_binomials(n - 1) + np.array(logs) + constant))
