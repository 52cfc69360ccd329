"""Sections of the game, of the values that are read from it, and of how these are checked."""

import math
from typing import Literal

from pydantic import Field, field_validator

from credit_plugin.config.fields import Count, Names, Positive, Ratio, Ratios, Settings
from credit_plugin.config.models import TrainingSettings


class GameSettings(Settings):
    """Which coalitions are evaluated, and how v(S) is obtained."""

    utility: str = Field(
        "sparsified_finetuning",
        description="Registered utility: sparsified_finetuning, finetuning, retraining, "
        "conditional_mixture.",
    )
    finetuning: TrainingSettings = Field(
        TrainingSettings(steps=100), description="Gradient steps on a coalition's data."
    )
    design: str = Field(
        "paired_border",
        description="Registered design, which coalitions are evaluated: paired_border, "
        "border_first, leverage, shapley_iid, permutation, uniform, fixed_size, leave_one_out, "
        "add_one_in, exact.",
    )
    coalition_size: int | None = Field(
        None,
        ge=1,
        description="Size of the coalitions of design fixed_size; by default half of the players.",
    )
    budget: int = Field(
        48, ge=4, description="Distinct coalitions, the empty and the full one among them."
    )
    stop: str = Field(
        "",
        description="Stopping rule, for instance 'interval_width(0.25) | money(20)': coalitions "
        "are evaluated in rounds until it holds, at most the budget. Rules: budget, time, money, "
        "interval_width, settled_ranks, values_change. Empty: all of the budget in one go.",
    )
    round: Count = Field(
        16, description="Further distinct coalitions in each round of a study that has a rule."
    )
    retrainings: int = Field(
        0,
        ge=0,
        description="Coalitions that are retrained from scratch as well, the first ones of the "
        "design; values are then those of the game of retraining, estimated from both. 0: none.",
    )
    border_repeats: int = Field(
        3,
        ge=1,
        description="Evaluations of the empty and of the full coalition, each with its own seeds.",
    )
    repeated_coalitions: int = Field(
        4, ge=0, description="Further coalitions that are evaluated twice, to measure seed noise."
    )
    baseline: Literal["untrained", "base_model"] | float = Field(
        "untrained",
        description="What v(empty) is: the untrained network, a task's base model, or a number.",
    )

    @field_validator("baseline")
    @classmethod
    def _finite(cls, value: str | float) -> str | float:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a baseline number must be finite")
        return value


class ValuesSettings(Settings):
    """From utilities to values."""

    estimator: str = Field(
        "auto",
        description="Registered estimator; auto chooses among those of the Shapley value.",
    )
    options: dict[str, float | str] = Field(
        {}, description="Settings of the estimator itself, for instance {proxy: ols}."
    )
    interactions: bool = Field(
        False, description="Also estimate who substitutes or complements whom, with a plot."
    )
    # nearer to 1 the upper half of what is left out is 0 by rounding
    confidence: float = Field(0.95, gt=0, lt=1 - 2**-53, description="Level of the intervals.")
    resamples: int = Field(400, ge=20, description="Bootstrap resamples behind the intervals.")


class FidelitySettings(Settings):
    """How values are checked against retraining (credit fidelity); changes no value."""

    alphas: Ratios = Field(
        (0.25, 0.5, 0.75),
        min_length=1,
        description="Sizes of the test coalitions as shares of the contributors.",
    )
    coalitions: int = Field(
        40, ge=4, description="Test coalitions of each size, at most as many as there are."
    )
    seeds: int = Field(
        2, ge=2, description="Retrainings of each test coalition; two say how noisy they are."
    )
    proxies: Names = Field(
        ("sparsified_finetuning", "finetuning"),
        description="Utilities whose v(S) is compared with that of retraining.",
    )
    methods: Names = Field(
        (),
        description="Attribution methods to compare with; empty: every registered one.",
    )
    removals: Ratios = Field(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        description="Shares of the contributors that counterfactuals leave out.",
    )
    curves: Names = Field(
        ("own_property", "embedding_similarity"),
        description="Methods whose top and bottom are left out at every share, beside the study's "
        "values and random orders; all others lose their top at compared_removal alone. Empty: "
        "every method, which takes several times as many retrainings.",
    )
    compared_removal: Ratio = Field(
        0.4, description="Share of the contributors by which all methods' top is left out."
    )
    removal_seeds: Count = Field(2, description="Retrainings of each counterfactual.")
    random_orders: Count = Field(3, description="Random orders, the control of counterfactuals.")
    shapley_budget: int = Field(
        0,
        ge=0,
        description="Distinct coalitions of the Shapley values by retraining and by fine-tuning "
        "without pruning; 0: four for each contributor, at most game.budget.",
    )
    images_each: Count = Field(
        32, description="Images of each contributor that image methods look at."
    )
    generated: Count = Field(64, description="Generated images that image methods look at.")
    timesteps: Count = Field(4, description="Noise levels at which gradients are averaged.")
    projection: Count = Field(512, description="Dimensions that gradients are projected to.")
    damping: Positive = Field(
        0.1, description="Ridge of gradient methods, relative to the mean eigenvalue."
    )
    clip_model: str = Field("ViT-B-32", description="Architecture of the CLIP model (open_clip).")
    clip_weights: str | None = Field(
        None,
        description="Weights of the CLIP model: a name that open_clip can download or a file; null "
        "leaves clip_similarity out.",
    )
    resamples: int = Field(1000, ge=100, description="Resamples behind intervals.")
    payable: Ratio = Field(
        0.7, description="Share of the possible LDS below which the report warns against paying."
    )
