"""Utility ``finetuning``: v(S) of the full model fine-tuned on S, without pruning.

The network starts as the trained full model, is trained on the images of S alone with
``game.finetuning``, and v(S) is the property of its samples, in the property's unit. What the full
model has learnt of absent contributors fades but need not vanish, which retraining on S would not
know. The empty coalition's model is the same architecture, untrained.
"""

from torch import nn

from credit_plugin.config import Study, TrainingSettings
from credit_plugin.game.utilities import TrainedUtility, register_utility
from credit_plugin.game.utilities.workbench import Workbench


@register_utility("finetuning")
class Finetuning(TrainedUtility):
    """Fine-tune a copy of the full model."""

    needs = ("full",)
    finetunes = True
    common_randomness = True

    def training(self, study: Study) -> TrainingSettings:
        """Return the settings of a coalition's fine-tuning."""
        return study.game.finetuning

    def start(self, bench: Workbench, seed: int) -> nn.Module:
        """Return a copy of the full model."""
        return bench.copy_of(bench.full)
