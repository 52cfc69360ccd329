"""Utility ``retraining``: v(S) of the full architecture trained from scratch on S.

The definition that the others approximate, and the most expensive one.
"""

from torch import nn

from credit_plugin.config import Study, TrainingSettings
from credit_plugin.game.utilities import TrainedUtility, register_utility
from credit_plugin.game.utilities.workbench import Workbench


@register_utility("retraining")
class Retraining(TrainedUtility):
    """Train from scratch as the full model was trained."""

    role = "retrain"

    def training(self, study: Study) -> TrainingSettings:
        """Return the settings of the full model's training."""
        return study.diffusion.training

    def start(self, bench: Workbench, seed: int) -> nn.Module:
        """Return the untrained full network."""
        return bench.untrained(seed)
