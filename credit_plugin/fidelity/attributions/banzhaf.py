"""Method ``banzhaf``: the study's own coalitions, read as Banzhaf values.

What: the mean of v(S + i) - v(S) over all coalitions S of the others, each alike, in the unit of
the headline property (:mod:`credit_plugin.values.estimators.banzhaf`, by maximum sample reuse).
Costs nothing beyond the study.

When: to see what another weighting of sizes changes. The LDS with test coalitions of half of the
contributors favours it, because that is where Banzhaf values look; they do not sum to what there is
to share. Designs for Shapley values sample the middle sizes thinly, which costs it precision.

Source: Wang and Jia, "Data Banzhaf: a robust data valuation framework for machine learning"
(AISTATS 2023). Departure: read off the study's design, sizes being weighted after the fact.
"""

from credit_plugin.fidelity.attribution import register_attribution
from credit_plugin.fidelity.game_methods import StudyTable


@register_attribution("banzhaf")
class Banzhaf(StudyTable):
    """Banzhaf values of the study's utilities."""

    title = "Banzhaf value"
    estimator = "banzhaf"
