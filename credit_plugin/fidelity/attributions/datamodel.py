"""Method ``datamodel``: the study's own coalitions, read as slopes of a linear model.

What: b of v(S) ~ a + sum over i in S of b_i, least squares with a cross-validated ridge, in the
unit of the headline property (:mod:`credit_plugin.values.estimators.datamodel`). Costs nothing
beyond the study. Shrunk to zero when utilities are noisy.

When: to see what is gained by more than a linear fit. It predicts utilities best where coalitions
were drawn, and so does well by the LDS; the slopes do not sum to what there is to share.

Source: Ilyas, Park, Engstrom, Leclerc and Madry, "Datamodels: predicting predictions from training
data" (ICML 2022). Departures: ridge in place of lasso, and the study's design.
"""

from credit_plugin.fidelity.attribution import register_attribution
from credit_plugin.fidelity.game_methods import StudyTable


@register_attribution("datamodel")
class Datamodel(StudyTable):
    """Linear slopes of the study's utilities."""

    title = "Datamodel"
    estimator = "datamodel"
