"""What is searched: settings by dotted name, and how a trial's become those of a study.

Only what leaves retraining as it is can be searched: pruning, fine-tuning of coalitions, sampling
and the utility. Everything else decides what retraining gives, which is what trials are compared
with.

The default search lies around the study's own settings: a quarter to twice of what is a number on
a logarithmic scale, so that it suits a toy and a large model alike. All of it are short lists, the
learning rate too: trials that agree in what a training depends on share it, and no two draws from
a range agree. The study's own settings are always part of the search, because they are the first
trial.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import ValidationError

from credit_plugin.config import SearchRange, Study, TrainingSettings
from credit_plugin.errors import InputError
from credit_plugin.game.utilities import get_utility

if TYPE_CHECKING:
    from credit_plugin.diffusion.tasks import DiffusionTask

UTILITY = "game.utility"
SEARCHABLE = ("pruning.", "sampling.", "game.finetuning.", UTILITY)

Parameters = Mapping[str, Any]
Space = Mapping[str, BaseDistribution]


def search_space(study: Study) -> Space:
    """Return Optuna's distribution of every searched setting.

    Raises:
        InputError: If a setting does not exist, cannot be searched, cannot have one of the values,
            or does not have the study's own value among them.
    """
    searched = study.tuning.search or default_search(study)
    space = {}
    for name, values in searched.items():
        _check_name(study, name)
        own = _own(study, name)
        space[name] = _distribution(name, values, own)
        _check_values(study, name, space[name], own)
    return space


def check_samplers(study: Study, space: Space, task: "DiffusionTask") -> None:
    """Refuse settings of sampling that the study's task cannot draw samples with.

    Args:
        study: The study that is tuned.
        space: What is searched.
        task: The study's, for the images of its data.

    Raises:
        InputError: One line that names the setting.
    """
    for name in space:
        if not name.startswith("sampling."):
            continue
        for value in _values(space[name], None):
            try:
                task.check_sampling(apply(study, {name: value}).sampling)
            except InputError as error:
                reason = str(error).removeprefix(f"{name}: ")
                raise InputError(f"tuning.search.{name}: {reason}") from None


def default_search(study: Study) -> dict[str, tuple[Any, ...]]:
    """Return what is searched if the study file does not say it."""
    ratio, training = study.pruning.ratio, study.game.finetuning
    return {
        "pruning.method": tuple(dict.fromkeys((study.pruning.method, "magnitude", "taylor"))),
        "pruning.ratio": tuple(sorted({ratio, 0.3, 0.5, 0.7})),
        "pruning.finetuning.steps": _around(study.pruning.finetuning.steps, (0.5, 1, 2)),
        "game.finetuning.steps": _around(training.steps, (0.25, 0.5, 1, 2)),
        "game.finetuning.learning_rate": tuple(training.learning_rate * f for f in (0.5, 1, 2)),
        "sampling.samples": _around(study.sampling.samples, (0.25, 0.5, 1), least=16),
        "sampling.steps": _around(study.sampling.steps, (0.5, 1, 2)),
    }


def own_parameters(study: Study, space: Space) -> dict[str, Any]:
    """Return the study's own settings as the parameters of a trial."""
    return {name: _own(study, name) for name in space}


def apply(study: Study, parameters: Parameters) -> Study:
    """Return the study with the settings of a trial.

    A warm-up that is longer than the run is cut to its length.

    Raises:
        InputError: If they exclude each other.
    """
    tree = study.model_dump(mode="json")
    for name, value in parameters.items():
        *sections, field = name.split(".")
        section = tree
        for part in sections:
            section = section[part]
        section[field] = value
    for training in (tree["pruning"]["finetuning"], tree["game"]["finetuning"]):
        training["warmup_steps"] = min(training["warmup_steps"], training["steps"])
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"tuning.search: {where}: {first['msg']}") from None


def possible_runs(study: Study, space: Space) -> list[TrainingSettings]:
    """Return trainings of every length and schedule that trials may have, for their beginnings.

    Of a range of lengths the two ends count.
    """
    runs = []
    for section in ("pruning.finetuning", "game.finetuning"):
        training = _own(study, section)
        for steps in _values(space.get(f"{section}.steps"), training.steps):
            for schedule in _values(space.get(f"{section}.lr_schedule"), training.lr_schedule):
                changes = {"steps": steps, "lr_schedule": schedule}
                runs.append(training.model_copy(update=changes))
    return runs


def _values(distribution: Any, own: Any) -> tuple[Any, ...]:
    if distribution is None:
        return (own,)
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return (distribution.low, distribution.high)


def _around(own: int, factors: tuple[float, ...], least: int = 1) -> tuple[int, ...]:
    return tuple(sorted({own, *(max(round(own * factor), least) for factor in factors)}))


def _check_name(study: Study, name: str) -> None:
    if not name.startswith(SEARCHABLE):
        raise InputError(
            f"tuning.search.{name}: cannot be searched, because retraining depends on it or values "
            "do not; choose settings of pruning, sampling and game.finetuning, or game.utility"
        )
    section: Any = study
    for part in name.split("."):
        if part not in getattr(type(section), "model_fields", {}):
            raise InputError(f"tuning.search.{name}: there is no such setting")
        section = getattr(section, part)


def _own(study: Study, name: str) -> Any:
    value: Any = study
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _distribution(name: str, values: SearchRange | tuple[Any, ...], own: Any) -> BaseDistribution:
    if not isinstance(values, SearchRange):
        return CategoricalDistribution(values)
    if isinstance(own, bool) or not isinstance(own, int | float):
        raise InputError(f"tuning.search.{name}: is no number; give a list of choices")
    if not isinstance(own, int):
        return FloatDistribution(values.low, values.high, log=values.log, step=values.step)
    whole = [values.low, values.high, values.step or 1]
    if any(number != int(number) for number in whole):
        raise InputError(f"tuning.search.{name}: is a whole number, and so are its bounds and step")
    low, high, step = map(int, whole)
    return IntDistribution(low, high, log=values.log, step=step)


def _check_values(study: Study, name: str, distribution: BaseDistribution, own: Any) -> None:
    if isinstance(distribution, CategoricalDistribution):
        tried, contained = distribution.choices, own in distribution.choices
    else:
        bounds: Any = distribution  # both kinds of number have low, high and step
        tried = (bounds.low, bounds.high)
        steps = (own - bounds.low) / (bounds.step or 1)
        on_grid = not bounds.step or math.isclose(steps, round(steps), abs_tol=1e-9)
        contained = bounds.low <= own <= bounds.high and on_grid
    for value in tried:
        changed = apply(study, {name: value})
        if name == UTILITY:
            unsuitable = get_utility(str(value), f"tuning.search.{name}").unsuitable(changed)
            if unsuitable:
                raise InputError(f"tuning.search.{name}: {unsuitable}")
    if not contained:
        raise InputError(
            f"tuning.search.{name}: must contain the study's own value, {own}, which is tried first"
        )
