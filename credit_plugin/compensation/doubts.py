"""Doubts about owners, and the money that waits until they are settled.

* What the **policy** holds, with its reason.
* **Disputed pictures**: of which several owners claim to be the first. The part of the payout that
  they are of the owner's accepted images waits.
* **Outliers**: an owner whose value for each image is more than five times the median (of those
  with a positive value; the policy can say another number) *and* whose images are unusual among
  everybody's. Crafted outliers can inflate value manyfold (arXiv 2409.05657), and so can rare work:
  a flag is a question, not a verdict. What is above the owner's payout by count waits for a
  retraining without them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from credit_plugin.compensation.settlement import Hold
from credit_plugin.config import CompensationSettings

UNUSUAL = 3.5
_TO_SD = 1.4826  # of a normal distribution, from its median absolute deviation


@dataclass(frozen=True)
class Outlier:
    """An owner who is paid much for few, unusual images.

    Attributes:
        owner: Position.
        ratio: Value for each image over the median.
        unusual: How far the images are from everybody's, in robust standard deviations.
    """

    owner: int
    ratio: float
    unusual: float


def find_outliers(
    values: np.ndarray, images: np.ndarray, distances: np.ndarray, ratio: float
) -> list[Outlier]:
    """Find owners whose value for each image and whose images stand out.

    Args:
        values: float [n].
        images: int [n], accepted images of each.
        distances: float [n], how far each owner's images are from everybody else's, in any unit.
        ratio: How many times the median value for each image stands out.
    """
    each = values / images
    positive = each > 0
    if not positive.any():
        return []
    median = float(np.median(each[positive]))
    unusual = robust_scores(distances)
    return [
        Outlier(int(i), float(each[i] / median), float(unusual[i]))
        for i in np.flatnonzero((each > ratio * median) & (unusual > UNUSUAL))
    ]


def robust_scores(numbers: np.ndarray) -> np.ndarray:
    """Return how many standard deviations each number is above the median, by robust estimates.

    The spread is the median distance to the median, scaled to a normal's standard deviation.
    Numbers are float [n] and so are the scores, without unit, any sign. Where more than half of
    the numbers are the same, whatever is above them is infinitely far.
    """
    above = numbers - np.median(numbers)
    spread = _TO_SD * float(np.median(np.abs(above)))
    if spread > 0:
        return np.asarray(above / spread)
    return np.where(above > 0, np.inf, 0.0)


def holds_of(
    policy: CompensationSettings,
    owners: Sequence[str],
    disputed: np.ndarray,
    outliers: Sequence[Outlier],
    gross: Sequence[int],
    by_count: Sequence[int],
) -> list[Hold]:
    """Return whose money waits, why, and how much.

    Args:
        policy: What it holds.
        owners: Names.
        disputed: float [n], part of each owner's images that others claim too.
        outliers: From :func:`find_outliers`.
        gross: Payouts in minor units.
        by_count: What each would get by number of accepted images, in minor units.
    """
    position = {name: index for index, name in enumerate(owners)}
    holds = [Hold(position[name], reason) for name, reason in policy.holds.items()]
    for index in np.flatnonzero(disputed > 0).tolist():
        amount = math.ceil(Fraction(float(disputed[index])) * gross[index])
        reason = f"several owners claim {100 * float(disputed[index]):.3g} % of the images"
        holds.append(Hold(index, reason, amount))
    for outlier in outliers:
        above = gross[outlier.owner] - by_count[outlier.owner]
        if above > 0:
            reason = (
                f"few, unusual images of high value ({outlier.ratio:.3g} times the median for each "
                "image): what is above the payout by count waits for a retraining without them"
            )
            holds.append(Hold(outlier.owner, reason, above))
    return holds
