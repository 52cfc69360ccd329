"""Figures of a check against retraining, one module for each question."""

from credit_plugin.fidelity.figures.agreement import agreement_figure
from credit_plugin.fidelity.figures.counterfactuals import counterfactual_figure
from credit_plugin.fidelity.figures.scores import lds_figure

__all__ = ["agreement_figure", "counterfactual_figure", "lds_figure"]
