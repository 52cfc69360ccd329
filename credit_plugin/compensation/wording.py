"""Numbers and names in words, the same in every rendering and plot.

Readers are a reviewer who is no engineer and a contributor who wants to know why, so registered
names (``inception_score``) are told in plain words where they are known, and with spaces where not.
"""

# ruff: noqa: RUF001 - texts for people have typographic apostrophes

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NOT_KNOWN = "not known"
MINUS = "\u2212"
_NO_BREAK = "\u00a0"  # between a number and its unit, where no line may break


@dataclass(frozen=True)
class PropertyWords:
    """A property in plain words.

    Attributes:
        name: Its name with spaces.
        question: What the report on it answers.
        meaning: What the number says, as part of a sentence.
    """

    name: str
    question: str
    meaning: str


_PROPERTIES = {
    "inception_score": (
        "Whose work makes the model’s images recognisable and varied?",
        "how recognisable and how varied the generated images are",
    ),
    "frechet_distance": (
        "Whose work brings the model’s images close to real ones?",
        "how far the generated images are from the real ones",
    ),
    "diversity": (
        "Whose work makes the model’s images diverse?",
        "how many different kinds of images the model generates",
    ),
    "colourfulness": (
        "Whose work makes the model’s images colourful?",
        "how colourful the generated images are",
    ),
    "kernel_distance": (
        "Whose work brings the model’s images close to real ones?",
        "how far the generated images are from the real ones",
    ),
    "fid": (
        "Whose work brings the model’s images close to real ones?",
        "how far the generated images are from the real ones (FID)",
    ),
    "kid": (
        "Whose work brings the model’s images close to real ones?",
        "how far the generated images are from the real ones (KID)",
    ),
    "precision": (
        "Whose work makes the model’s images realistic?",
        "how many of the generated images look like real ones",
    ),
    "recall": (
        "Whose work makes the model cover what is real?",
        "how many of the real images are like something that the model generates",
    ),
    "pairwise_distance": (
        "Whose work makes the model’s images diverse?",
        "how different generated images are from each other",
    ),
    "lpips": (
        "Whose work makes the model’s images diverse?",
        "how different generated images look, two by two",
    ),
    "aesthetic": (
        "Whose work makes the model’s images beautiful?",
        "how beautiful people would find the generated images, by a model of their ratings",
    ),
    "clip_score": (
        "Whose work makes the model’s images follow their prompts?",
        "how well the generated images fit the texts that were asked for",
    ),
}

_UTILITIES = {
    "sparsified_finetuning": (
        "sparsified fine-tuning: the trained model was pruned once ({method}, ratio {ratio}), "
        "recovered for {recovery} steps on everybody’s images, and then fine-tuned for {steps} "
        "steps on the images of each coalition alone"
    ),
    "finetuning": (
        "fine-tuning: the trained model was fine-tuned for {steps} steps on the images of each "
        "coalition alone"
    ),
    "retraining": (
        "retraining: a new model was trained for {training} steps on the images of each coalition "
        "alone"
    ),
}

_DESIGNS = {
    "paired_border": "small and large coalitions first, each with its complement (paired border)",
    "shapley_iid": "drawn independently, sizes weighted as in KernelSHAP",
    "border_first": "everybody alone and everybody but one first, then as in paired border",
    "leverage": "every size alike, each coalition with its complement (leverage)",
    "permutation": "in the order in which contributors could have joined, and its reverse",
    "leave_one_out": "everybody, and everybody but one",
    "add_one_in": "nobody, and each one alone",
    "exact": "as in paired border, up to all coalitions",
    "uniform": "drawn uniformly from all coalitions",
    "fixed_size": "all of one size",
}

_BASELINES = {
    "untrained": "the untrained network",
    "base_model": "the base model",
    "zero": "zero",
    "number": "the number in the study file",
}


def property_words(name: str) -> PropertyWords:
    """Return a property in plain words; its name with spaces if nothing more is known of it."""
    spaced = plain(name)
    fallback = (f"Whose work gives the model its {spaced}?", f"the property “{spaced}”")
    question, meaning = _PROPERTIES.get(name, fallback)
    return PropertyWords(spaced, question, meaning)


def utility_words(settings: Mapping[str, Any]) -> str:
    """Return how v(S) was obtained, with the numbers of a study's settings."""
    game, pruning = settings["game"], settings["pruning"]
    if game["utility"] not in _UTILITIES:
        return plain(game["utility"])
    return _UTILITIES[game["utility"]].format(
        method=pruning["method"],
        ratio=pruning["ratio"],
        recovery=f"{pruning['finetuning']['steps']:,}",
        steps=f"{game['finetuning']['steps']:,}",
        training=f"{settings['diffusion']['training']['steps']:,}",
    )


def design_words(kind: str) -> str:
    """Return which coalitions a design chooses."""
    return _DESIGNS.get(kind, plain(kind))


def baseline_words(baseline: str | float) -> str:
    """Return what v(empty) is measured on."""
    if isinstance(baseline, str):
        return _BASELINES.get(baseline, plain(baseline))
    return f"the number {baseline:.15g}".replace("-", MINUS)


def plain(name: str) -> str:
    """Return a registered name with spaces; of ``python:module:function`` the function."""
    return name.rpartition(":")[2].replace("_", " ")


def decimals_for(numbers: Iterable[float | None], significant: int = 3) -> int:
    """Return how many decimals show the largest of some numbers with so many digits."""
    largest = max((abs(x) for x in numbers if x is not None and math.isfinite(x)), default=0.0)
    if largest == 0:
        return significant - 1
    return min(max(significant - 1 - math.floor(math.log10(largest)), 0), 12)


def fixed(number: float | None, digits: int, sign: bool = False) -> str:
    """Return a number with so many decimals and a real minus sign.

    Args:
        number: None if it is not known.
        digits: Decimals.
        sign: Write a plus sign too.
    """
    if number is None:
        return NOT_KNOWN
    text = f"{number:{'+' if sign else ''},.{digits}f}"
    if not text.strip("+-0.,"):
        return text.lstrip("+-")  # there is no negative zero
    return text.replace("-", MINUS)


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share of 1 as a percentage."""
    return NOT_KNOWN if share is None else f"{fixed(share * 100, digits)}{_NO_BREAK}%"


def duration(seconds: float | None) -> str:
    """Return a time span: ``48 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    if seconds is None:
        return NOT_KNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{fixed(seconds, 1 if seconds < 10 else 0)}{_NO_BREAK}s"
    if whole < 3600:
        return f"{whole // 60}{_NO_BREAK}min {whole % 60:02d}{_NO_BREAK}s"
    return f"{whole // 3600}{_NO_BREAK}h {whole % 3600 // 60:02d}{_NO_BREAK}min"


def moment(iso: str) -> str:
    """Return a time in UTC: ``23 November 2026, 20:50 UTC``."""
    time = datetime.fromisoformat(iso)
    return f"{time.day} {time:%B %Y, %H:%M} UTC"
