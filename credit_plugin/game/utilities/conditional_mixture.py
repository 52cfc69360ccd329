"""Utility ``conditional_mixture``: v(S) of the full model's samples under S's conditions.

Nothing is trained for a coalition. The full model is conditional (``diffusion.condition``); the
samples of S are drawn from it with the conditions of S's images, each as often as among them. The
empty coalition is the untrained network, like everywhere.

It values *conditions*, not data: two contributors with the same condition are worth the same
whatever images they gave, and a contributor without a condition of its own is worth nothing. Use
it where every contributor has a condition, and let ``credit fidelity`` compare it with retraining.

A sample is a function of its initial noise and its condition, and the initial noise is the same for
all coalitions; so every (noise, condition) is sampled at most once in a repeat, kept in the
table's folder, and coalitions pick from it: k conditions cost k times one coalition's sampling,
however many coalitions there are.

Source: SurrogateSHAP (arXiv 2601.22276), which fits a gradient-boosted tree to such utilities and
reads Shapley values off it; here that is ``values.estimator: regression_adjusted`` with
``values.options: {proxy: trees}``, which also removes the bias of the trees.
"""

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import nn

from credit_plugin.config import Study
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.game.coalitions import from_bits
from credit_plugin.game.utilities import Report, Stopwatch, Utility, register_utility
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.seeding import derive_seed
from credit_plugin.signs import shifted, standing
from credit_plugin.written import whole_file

WAIT_SECONDS = 0.5


@register_utility("conditional_mixture")
class ConditionalMixture(Utility):
    """Sample the full model with the coalition's conditions."""

    needs = ("full",)

    def unsuitable(self, study: Study) -> str:
        """Refuse a model without conditions."""
        if study.diffusion.condition != "none":
            return ""
        return (
            "diffusion.condition: utility conditional_mixture needs a conditional model; use "
            "label or contributor"
        )

    def evaluate(
        self, bench: Workbench, payload: Mapping[str, Any], report: Report
    ) -> dict[str, Any]:
        """Pick samples or, for the empty coalition, draw them; work is counted in images."""
        bits, repeat = payload["coalition"], payload["repeat"]
        clock = Stopwatch()
        if "1" in bits:
            images = _Pool(bench, repeat).pick(from_bits(bits), report)
        else:
            seed = derive_seed(bench.study.seed, f"repeat {repeat}", "untrained")
            images = bench.sample(bench.ready(bench.untrained(seed)), repeat, report=report)
        clock.lap("sampling")
        made = standing(report, len(images), len(images))
        return self.judge(bench, payload, images, {}, clock, made)

    def flops(self, bench: Workbench, report: Report) -> dict[str, float]:
        """Count the sampling of one coalition as if nothing had been kept, and measuring."""
        return self.generation_flops(bench, bench.full.model, report)


class _Pool:
    """All samples of one repeat under each condition, made when they are first needed.

    Several workers fill it together: each condition is one file, made under a lock.
    """

    def __init__(self, bench: Workbench, repeat: int) -> None:
        self.bench, self.repeat = bench, repeat

    @cached_property
    def _model(self) -> nn.Module:
        return self.bench.ready(self.bench.copy_of(self.bench.full))

    def pick(self, coalition: np.ndarray, report: Report) -> np.ndarray:
        """Return the samples of a coalition, uint8 [samples, H, W, C]."""
        drawn = self.bench.drawn_conditions(self.repeat, coalition)
        assert drawn is not None  # the study was checked
        conditions = drawn.numpy()
        waiting = sorted(set(conditions.tolist()))
        self._make(waiting, report)
        parts = {c: np.load(self._path(c), mmap_mode="r", allow_pickle=False) for c in waiting}
        return np.stack([parts[c][i] for i, c in enumerate(conditions.tolist())])

    def _make(self, conditions: list[int], report: Report) -> None:
        """See that all conditions are there, and leave those to other workers that they are at."""
        each = self.bench.study.sampling.samples
        total, missing = each * len(conditions), list(conditions)
        while missing:
            for condition in list(missing):
                if self._made(condition, shifted(report, total - each * len(missing), total)):
                    missing.remove(condition)
            if missing:
                report(total - each * len(missing), total)
                time.sleep(WAIT_SECONDS)

    def _made(self, condition: int, report: Report) -> bool:
        """Make the samples of a condition unless they exist; False if another worker is at it."""
        path, bench = self._path(condition), self.bench
        if path.exists():
            return True
        try:
            with FileLock(path.with_suffix(".lock")).acquire(timeout=0):
                if path.exists():
                    return True
                images = sample_images(
                    bench.task,
                    self._model,
                    bench.noise(self.repeat),
                    bench.study.sampling,
                    report,
                    torch.full((bench.study.sampling.samples,), condition),
                )
                with whole_file(path) as partial, partial.open("wb") as file:
                    np.save(file, images, allow_pickle=False)
        except Timeout:
            return False
        return True

    def _path(self, condition: int) -> Path:
        folder = self.bench.folders.table / "mixture"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{self.repeat}-{condition}.npy"
