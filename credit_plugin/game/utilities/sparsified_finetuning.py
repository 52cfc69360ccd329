"""Utility ``sparsified_finetuning``: v(S) of the pruned model fine-tuned on S.

Lu, Lin, Kim and Lee (ICLR 2025), with four differences from the released code: the average of the
weights restarts with every coalition, v(empty) and v(N) come from the same game as the rest
(the pruned architecture, untrained for the empty coalition and fine-tuned on everybody's data
for the full one), the learning rate's warm-up fits into the fine-tuning, and all coalitions of a
repeat are fine-tuned with the same random numbers. Fine-tunings start at the same weights, so
most of the luck of one is the luck of all, and cancels in differences between coalitions.
"""

from torch import nn

from credit_plugin.config import Study, TrainingSettings
from credit_plugin.game.utilities import TrainedUtility, register_utility
from credit_plugin.game.utilities.workbench import Workbench


@register_utility("sparsified_finetuning")
class SparsifiedFinetuning(TrainedUtility):
    """Fine-tune a copy of the pruned model."""

    needs = ("full", "pruned")
    finetunes = True
    common_randomness = True

    def training(self, study: Study) -> TrainingSettings:
        """Return the settings of a coalition's fine-tuning."""
        return study.game.finetuning

    def start(self, bench: Workbench, seed: int) -> nn.Module:
        """Return a copy of the pruned model."""
        return bench.copy_of(bench.pruned)

    def untrained(self, bench: Workbench, seed: int) -> nn.Module:
        """Return the pruned architecture before training."""
        return bench.untrained_pruned(seed)
