"""All figures in one place, for notebooks and scripts: results go in, matplotlib figures come out.

They are the ones that reports and MLflow show. None needs pyplot; ``figure.savefig("values.png")``
writes one, and a notebook shows it if it is the last thing in a cell.
"""

from credit_plugin.compensation.interactions_plot import interactions_plot
from credit_plugin.compensation.plots import convergence_plot, samples_plot, values_plot
from credit_plugin.fidelity.figures import agreement_figure, counterfactual_figure, lds_figure
from credit_plugin.tuning.figures import tuning_figures

__all__ = [
    "agreement_figure",
    "convergence_plot",
    "counterfactual_figure",
    "interactions_plot",
    "lds_figure",
    "samples_plot",
    "tuning_figures",
    "values_plot",
]
