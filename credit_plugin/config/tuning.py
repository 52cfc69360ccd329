"""Section of the search for cheap coalitions that say what retraining says."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from credit_plugin.config.fields import Count, Positive, Ratio, Settings

Choice = bool | int | float | str


class SearchRange(Settings):
    """Numbers from ``low`` to ``high``; whole numbers where the setting is one."""

    low: float = Field(description="Smallest value.")
    high: float = Field(description="Largest value.")
    step: Positive | None = Field(None, description="Distance between values; null is none.")
    log: bool = Field(False, description="Whether ratios count, not differences.")

    @model_validator(mode="after")
    def _ordered(self) -> "SearchRange":
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 where log is true")
        if self.log and self.step is not None:
            raise ValueError("step and log exclude each other")
        return self


def _flat(tree: Any, prefix: str = "") -> Any:
    """Turn sections within sections into dotted names; a range and a list of choices are leaves."""
    if not isinstance(tree, Mapping):
        return tree
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and "low" not in value and "high" not in value:
            flat |= _flat(value, f"{name}.")
        elif isinstance(value, Mapping | list | tuple | SearchRange):
            flat[name] = value
        else:
            flat[name] = [value]
    return flat


def _kind(values: Any) -> str:
    return "range" if isinstance(values, Mapping | SearchRange) else "choices"


Choices = Annotated[tuple[Choice, ...], Field(min_length=1)]
Searched = Annotated[
    Annotated[SearchRange, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_kind)
]
Search = Annotated[dict[str, Searched], BeforeValidator(_flat)]


class TuningSettings(Settings):
    """How pruning and fine-tuning are chosen (credit tune); changes no value by itself."""

    trials: Count = Field(30, description="Settings to try, the study's own first.")
    search: Search = Field(
        {},
        description="What is searched, nested as in a study file: a list of choices or {low, high, "
        "step, log}, for settings of pruning, sampling, game.finetuning, and for game.utility. "
        "Empty: the usual ones, around the study's own.",
    )
    coalitions: int = Field(
        24, ge=8, description="Reference coalitions that are retrained, once for all trials."
    )
    held_out: Ratio = Field(
        0.5, description="Share of them that no trial sees and that the choice is checked on."
    )
    alpha: Ratio = Field(
        0.5, description="Size of the reference coalitions as a share of the contributors."
    )
    seeds: Count = Field(1, description="Retrainings of each reference coalition.")
    fidelity: Literal["pearson", "spearman"] = Field(
        "pearson", description="Correlation of v(S) with that of retraining, to be high."
    )
    cost: Literal["flops", "seconds"] = Field(
        "seconds",
        description="Cost of one coalition, to be low: measured here, or counted for any machine.",
    )
    cost_limit: Positive | None = Field(
        None,
        description="Largest cost, in the unit of cost: fidelity alone is then maximised below it.",
    )
    sampler: str = Field(
        "TPESampler", description="Any sampler of Optuna by class name, such as NSGAIISampler."
    )
    sampler_options: dict[str, Choice] = Field(
        {}, description="Arguments of the sampler, for instance {population_size: 8}."
    )
    judge_after: int = Field(
        6, ge=4, description="Coalitions after which a trial that is clearly worse is stopped."
    )
    rule: Literal["no_dearer", "one_standard_error", "within"] = Field(
        "no_dearer",
        description="The choice: the highest fidelity that similar settings lead to expect, at no "
        "more cost than the study's own; or the cheapest trial at most so far below the best.",
    )
    within: Ratio = Field(0.02, description="How far below the best, for rule within.")
    storage: str = Field(
        "",
        description="Storage of Optuna: the URL of a database or a journal file; empty is a "
        "journal in the study's folder. Several processes may share one.",
    )
    keep_beginnings: bool = Field(
        False,
        description="Keep the trained states that trials share after the last one; they are three "
        "times as large as a pruned network, for every reference coalition.",
    )
