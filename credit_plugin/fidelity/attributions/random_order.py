"""Method ``random_order``: contributors in random orders, the control.

What: ``fidelity.random_orders`` orders drawn with the study's seed, one variant each (``1``, ``2``,
...); the scores are a permutation of 1..n, the first of an order having the highest. Variant k does
not depend on how many there are. None has anything to do with the data, so that what these variants
reach is what luck reaches: with few contributors a single order may agree well with retraining.

They are the orders in which :func:`credit_plugin.fidelity.counterfactual.random_removal` leaves
contributors out, so that to leave out the top of a variant asks for no further retraining.

Source: the random baseline of removal experiments, as in Ghorbani and Zou, "Data Shapley: equitable
valuation of data for machine learning" (ICML 2019). Departures: none.
"""

from typing import TYPE_CHECKING

import numpy as np

from credit_plugin.fidelity.attribution import ImageAttribution, register_attribution
from credit_plugin.fidelity.counterfactual import random_orders

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence


@register_attribution("random_order")
class RandomOrder(ImageAttribution):
    """Orders that know nothing."""

    title = "Random order"

    def score(self, evidence: "Evidence") -> dict[str, np.ndarray]:
        """Return one permutation of 1..n for each order."""
        orders = random_orders(
            evidence.n_players, evidence.settings.random_orders, evidence.study.seed
        )
        return {str(k): _scores(order) for k, order in enumerate(orders, 1)}


def _scores(order: np.ndarray) -> np.ndarray:
    """Return n for who comes first in an order, down to 1 for who comes last, float64 [n]."""
    scores = np.empty(len(order))
    scores[order] = np.arange(len(order), 0, -1)
    return scores
