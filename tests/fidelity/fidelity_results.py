"""Results of checks on toy games, by the package's own statistics.

Retraining is a game with noise; the cheap utility is the same game, bent, with noise of its own.
The study's values are Shapley values of a table of cheap utilities, and rivals are the exact values
with more or less noise.
"""

from collections.abc import Sequence
from math import comb

import numpy as np

from credit_plugin.fidelity.agreement import agreement
from credit_plugin.fidelity.counterfactual import Noise, change, random_removal, removal
from credit_plugin.fidelity.lds import linear_datamodeling_score
from credit_plugin.fidelity.result import OWN, Counterfactual, FidelityResult, Method, Test
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.coalitions import from_bits, to_bits
from credit_plugin.game.toys import AdditiveGame, Game, SaturatingGame
from credit_plugin.values import estimate
from credit_plugin.values.ranks import rank_intervals

# name, title, noise of the scores in units of their spread, trains, retrains, seconds
ROSTER = (
    ("retraining_shapley", "Shapley values by retraining", 0.15, True, True, 5200.0),
    ("finetuning_shapley", "Shapley values by fine-tuning", 0.3, True, False, 900.0),
    ("banzhaf", "Banzhaf values", 0.35, True, False, 0.1),
    ("datamodel", "Datamodel (ridge)", 0.4, True, False, 0.1),
    ("leave_one_out_retraining", "Leave-one-out by retraining", 0.9, True, True, 700.0),
    ("leave_one_out", "Leave-one-out", 1.2, True, False, 60.0),
    ("add_one_in_retraining", "Add-one-in by retraining", 1.0, True, True, 700.0),
    ("add_one_in", "Add-one-in", 1.1, True, False, 60.0),
    ("embedding_similarity/avg", "Embedding distance", 1.3, False, False, 1.2),
    ("embedding_similarity/max", "Embedding distance", 1.6, False, False, 1.2),
    ("own_property/avg", "Property of own images", 1.0, False, False, 0.4),
    ("own_property/max", "Property of own images", 2.0, False, False, 0.4),
    ("random_order", "Random order (control)", 1e6, False, False, 0.0),
    ("image_count", "Number of images", 1.4, False, False, 0.0),
    ("pixel_similarity/avg", "Pixel similarity", 3.0, False, False, 0.2),
    ("pixel_similarity/max", "Pixel similarity", 4.0, False, False, 0.2),
    ("clip_similarity/avg", "CLIP similarity", 1.7, False, False, 9.0),
    ("clip_similarity/max", "CLIP similarity", 2.1, False, False, 9.0),
    *(
        (f"{name}/{variant}", title, noise, False, False, 6.0)
        for name, title, noise in (
            ("gradient_similarity", "Gradient similarity", 2.2),
            ("trak", "TRAK", 1.5),
            ("journey_trak", "Journey TRAK", 1.6),
            ("d_trak", "D-TRAK", 1.2),
            ("relative_influence", "Relative influence", 2.5),
            ("renormalised_influence", "Renormalised influence functions", 2.4),
        )
        for variant in ("sum", "mean")
    ),
)
CURVES = (OWN, "own_property/avg", "embedding_similarity/avg")


class Trials:
    """A game that can be retrained, and a cheap utility that follows it.

    Args:
        n: Contributors.
        noise: Of one retraining, in units of the spread over coalitions of half the contributors.
        bend: How far the cheap utility is from the retrained one, in the same unit.
        direction: +1 if higher is better.
        seed: Of all noise.
        worths: Of an additive game; without them more data helps less and less.
    """

    def __init__(
        self,
        n: int,
        noise: float,
        bend: float,
        direction: int,
        seed: int,
        worths: Sequence[float] | None = None,
    ) -> None:
        self.n, self.direction = n, direction
        self.random = np.random.default_rng(seed)
        weights = 1 + self.random.permutation(np.arange(n) ** 2 // 2)
        saturating = SaturatingGame(weights, float(weights.sum()) * 0.8)
        self.game: Game = saturating if worths is None else AdditiveGame(worths)
        half = np.array([self.random.permutation(n) < n // 2 for _ in range(200)])
        self.unit = float(self.game(half).std()) or 1.0
        self.sd, self.bend = noise * self.unit, bend * self.unit
        self.tilt = self.random.standard_normal(n)
        self.retrained: dict[str, list[float]] = {}

    def truth(self, members: np.ndarray) -> np.ndarray:
        """Return what retraining reaches without noise, oriented."""
        start = 0.4 if self.direction > 0 else -1.6
        return start + self.game(members)

    def retrain(self, members: np.ndarray, seeds: int) -> np.ndarray:
        """Return float [m, s], remembered by coalition."""
        means = self.truth(members)
        for bits, mean in zip(map(to_bits, members), means, strict=True):
            own = self.retrained.setdefault(bits, [])
            while len(own) < seeds:
                own.append(float(mean + self.sd * self.random.standard_normal()))
        return np.array([self.retrained[bits][:seeds] for bits in map(to_bits, members)])

    def cheap(self, members: np.ndarray, closer: float = 1.0) -> np.ndarray:
        """Return float [m]: a little lower than retraining, tilted, with noise."""
        tilted = members @ self.tilt / np.sqrt(self.n)
        noise = self.random.standard_normal(len(members))
        return self.truth(members) - 0.05 + closer * self.bend * (tilted + 0.3 * noise)


def fidelity_result(
    n: int = 12,
    *,
    coalitions: int = 40,
    seeds: int = 2,
    alphas: tuple[float, ...] = (0.25, 0.5, 0.75),
    noise: float = 0.3,
    bend: float = 0.3,
    direction: int = 1,
    rivals: int = 14,
    removals: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    worths: Sequence[float] | None = None,
    own_scores: np.ndarray | None = None,
    proxies: tuple[str, ...] = ("sparsified_finetuning", "finetuning"),
    contributors: tuple[str, ...] = (),
    property: str = "colourfulness",
    payable: float = 0.7,
    resamples: int = 80,
    seed: int = 0,
) -> FidelityResult:
    """Return the result of a check; ``own_scores`` replaces the values that are estimated."""
    trials = Trials(n, noise, bend, direction, seed, worths)
    rows = design(n, min(2**n, 4 * n), seed=seed)
    table = UtilityTable.from_arrays(rows, trials.cheap(rows), property=property)
    values = estimate(table, seed=seed, property=property, resamples=100)
    ranks = rank_intervals(values)
    own = values.values if own_scores is None else own_scores
    methods = _methods(trials, own, rivals)
    scores = {m.name: np.array(m.scores) for m in methods}
    everybody = trials.retrain(np.ones((1, n), dtype=bool), seeds)
    tests = tuple(
        _test(trials, scores, alpha, coalitions, seeds, proxies, property, resamples)
        for alpha in alphas
    )
    return FidelityResult(
        study="toys",
        property=property,
        direction=direction,
        utility="sparsified_finetuning",
        contributors=contributors or tuple(f"contributor {i}" for i in range(n)),
        confidence=0.95,
        everybody=float(everybody.mean()),
        methods=methods,
        tests=tests,
        counterfactuals=_counterfactuals(trials, scores, removals, seeds),
        compared_removal=0.4,
        settled_ranks=int((ranks[:, 0] == ranks[:, 1]).sum()),
        payable=payable,
        skipped={"clip_similarity": "fidelity.clip_weights: name weights to use this method"},
        lost=(),
        seconds={"test coalitions": 6400.0, "counterfactuals": 1900.0, "methods": 1500.0},
    )


def _methods(trials: Trials, own: np.ndarray, rivals: int) -> tuple[Method, ...]:
    exact = trials.game.shapley()
    found = [Method(OWN, "Values of this study", "", tuple(own.tolist()), True, False, 480.0)]
    for name, title, noise, trains, retrains, seconds in ROSTER[:rivals]:
        drawn = exact + noise * exact.std() * trials.random.standard_normal(trials.n)
        variant = name.partition("/")[2]
        scores = tuple(drawn.tolist())
        found.append(Method(name, title, variant, scores, trains, retrains, seconds))
    return tuple(found)


def _test(
    trials: Trials,
    scores: dict[str, np.ndarray],
    alpha: float,
    coalitions: int,
    seeds: int,
    proxies: tuple[str, ...],
    property: str,
    resamples: int,
) -> Test:
    size = min(max(round(alpha * trials.n), 1), trials.n - 1)
    wanted = min(coalitions, comb(trials.n, size))
    members = design(trials.n, wanted + 2, "fixed_size", 0, size=size)[2:]
    utilities = trials.retrain(members, seeds)
    cheap = {name: trials.cheap(members, 1 / (1 + k)) for k, name in enumerate(proxies)}
    return Test(
        alpha=alpha,
        size=size,
        coalitions=tuple(map(to_bits, members)),
        seeds=seeds,
        utilities=tuple(tuple(own) for own in utilities.tolist()),
        cheap={name: tuple(column.tolist()) for name, column in cheap.items()},
        lds=linear_datamodeling_score(scores, members, utilities, resamples=resamples),
        agreement={
            property: {
                name: agreement(column, utilities, resamples=resamples)
                for name, column in cheap.items()
            }
        },
    )


def _counterfactuals(
    trials: Trials, scores: dict[str, np.ndarray], removals: tuple[float, ...], seeds: int
) -> tuple[Counterfactual, ...]:
    left = [removal(name, own, 0.4, True) for name, own in scores.items()]
    for share in removals:
        left.append(random_removal(trials.n, share, 3, 0))
        for name in scores.keys() & set(CURVES):
            left += [removal(name, scores[name], share, top) for top in (True, False)]
    distinct = list(dict.fromkeys(left))
    for found in distinct:
        trials.retrain(np.array([from_bits(bits) for bits in found.rest]), seeds)
    noise = Noise.pooled(trials.retrained)
    return tuple(Counterfactual(r, change(r, trials.retrained, noise)) for r in distinct)
