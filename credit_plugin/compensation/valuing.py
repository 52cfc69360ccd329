"""A study's settings as what the values need to know: the estimator, and who is in which group."""

from collections.abc import Mapping, Sequence

import numpy as np

from credit_plugin.config import CompensationSettings, Study
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.plan import Groups
from credit_plugin.values import Limits
from credit_plugin.values.valuation import Valuation


def groups_of(policy: CompensationSettings, contributors: Sequence[str]) -> Groups | None:
    """Return the groups of a policy; None if everybody stands alone.

    Raises:
        InputError: If a member is no contributor, or a group has the name of one.
    """
    if not policy.groups:
        return None
    member_of = {name: group for group, names in policy.groups.items() for name in names}
    return Groups(Grouping.of(tuple(contributors), member_of), policy.inside)


def valuation_of(
    study: Study, contributors: Sequence[str], images: np.ndarray | Mapping[str, int]
) -> Valuation:
    """Return how a study's values are estimated.

    Args:
        study: The settings.
        contributors: The players.
        images: Accepted images of each: int [n] in their order, or by name.
    """
    settings, gate = study.values, study.compensation.gate
    groups = groups_of(study.compensation, contributors)
    counts = [images[name] for name in contributors] if isinstance(images, Mapping) else images
    return Valuation(
        estimator=settings.estimator,
        seed=study.seed,
        confidence=settings.confidence,
        resamples=settings.resamples,
        options=settings.options,
        limits=Limits(gate.misallocation, gate.correlation),
        grouping=groups.grouping if groups else None,
        inside=study.compensation.inside,
        counts=np.asarray(counts),
    )
