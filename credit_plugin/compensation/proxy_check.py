"""Whether large payouts rest on the proxy alone: looked at where coalitions were retrained too."""

from collections.abc import Iterator

import numpy as np

from credit_plugin.compensation.inputs import ReportInputs
from credit_plugin.game.coalitions import from_bits, row_keys
from credit_plugin.values.proxy_residuals import ProxyResidual, proxy_residuals

LARGE = 1.5
"""How many times an equal share makes a payout a large one."""

MOST = 10


def check_large_payees(inputs: ReportInputs) -> list[ProxyResidual]:
    """Compare proxy and retraining for the owners whom values pay most.

    Args:
        inputs: Their tables and their check against retraining hold the pairs of utilities.
    """
    pairs = [*_of_tables(inputs), *_of_fidelity(inputs)]
    if not pairs:
        return []
    shares = inputs.headline.shares()
    ranked = np.argsort(-shares, kind="stable")[:MOST]
    large = [int(i) for i in ranked if shares[i] >= LARGE / len(shares)]
    coalitions = np.array([coalition for coalition, _, _ in pairs])
    cheap, exact = (np.array([pair[k] for pair in pairs]) for k in (1, 2))
    return proxy_residuals(coalitions, cheap, exact, large)


def _of_tables(inputs: ReportInputs) -> Iterator[tuple[np.ndarray, float, float]]:
    """Yield coalitions that both tables hold, with their mean utilities."""
    if inputs.retrained is None:
        return
    name = inputs.headline.property
    cheap, exact = inputs.table.select(name), inputs.retrained.select(name)
    keys = row_keys(cheap.coalitions)
    for key in np.unique(row_keys(exact.coalitions)):
        same, retrained = keys == key, row_keys(exact.coalitions) == key
        if same.any():
            coalition = cheap.coalitions[int(np.argmax(same))]
            yield coalition, cheap.utilities[same].mean(), exact.utilities[retrained].mean()


def _of_fidelity(inputs: ReportInputs) -> Iterator[tuple[np.ndarray, float, float]]:
    """Yield test coalitions of the check against retraining, with their utilities."""
    if inputs.fidelity is None:
        return
    for test in inputs.fidelity.tests:
        cheap = test.cheap.get(inputs.fidelity.utility)
        if cheap is None:
            continue
        for bits, said, seeds in zip(test.coalitions, cheap, test.utilities, strict=True):
            yield from_bits(bits), said, float(np.mean(seeds))
