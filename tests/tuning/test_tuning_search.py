"""What may be searched, how it is written, and how a trial's settings become a study's."""

import re
from pathlib import Path

import pytest
import yaml

from credit_plugin.config import Study, dump_study, load_study
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.tasks import create_task
from credit_plugin.errors import InputError
from credit_plugin.tuning.search import (
    apply,
    check_samplers,
    default_search,
    own_parameters,
    possible_runs,
    search_space,
)


def study_with(*overrides):
    return load_study("digits", overrides=overrides)


def space_of(*overrides):
    return search_space(study_with(*overrides))


def test_sections_within_sections_and_dotted_names_are_the_same():
    nested = study_with("tuning.search.pruning.ratio=[0.3, 0.5]")
    both = study_with("tuning.search={pruning: {ratio: [0.3, 0.5]}}")
    assert nested.tuning.search == both.tuning.search == {"pruning.ratio": (0.3, 0.5)}


def test_a_study_file_with_a_search_loads_again():
    study = study_with(
        "tuning.search.game.finetuning.steps={low: 20, high: 200, log: true}",
        "tuning.search.pruning.method=[magnitude, taylor]",
    )
    assert Study.model_validate(yaml.safe_load(dump_study(study))) == study


@pytest.mark.parametrize("preset", ["digits", "designers", "omniglot_drawers"])
def test_the_default_search_contains_the_study_itself(preset):
    study = load_study(preset)
    space = search_space(study)
    assert set(space) == set(default_search(study))
    assert apply(study, own_parameters(study, space)) == study


def test_the_search_in_the_readme_is_one():
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    given = yaml.safe_load(re.search(r"```yaml\n(tuning:.*?)```", text, re.DOTALL).group(1))
    study = study_with(f"tuning={yaml.safe_dump(given['tuning'], default_flow_style=True)}")
    assert {"pruning.ratio", "game.finetuning.lr_schedule"} < set(search_space(study))


def test_ranges_are_whole_numbers_where_the_setting_is_one():
    space = space_of(
        "tuning.search.game.finetuning.steps={low: 20, high: 200}",
        "tuning.search.game.finetuning.learning_rate={low: 0.001, high: 0.004, log: true}",
    )
    steps, rate = space["game.finetuning.steps"], space["game.finetuning.learning_rate"]
    assert (steps.low, steps.high, steps.step) == (20, 200, 1)
    assert isinstance(steps.low, int)
    assert rate.log


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("diffusion.training.steps=[300, 600]", "retraining depends on it"),
        ("values.resamples=[300, 600]", "or values do not"),
        ("pruning.rati=[0.3, 0.5]", "no such setting"),
        ("pruning.ratio.x=[0.3, 0.5]", "no such setting"),
        ("pruning.ratio=[0.3, 0.7]", "must contain the study's own value, 0.5"),
        ("pruning.ratio={low: 0.1, high: 0.9, step: 0.3}", "must contain the study's own value"),
        ("pruning.ratio=[0.5, 1.5]", "less than 1"),
        ("pruning.method=[magnitude, best]", "'magnitude', 'random' or 'taylor'"),
        ("pruning.method={low: 1, high: 2}", "is no number"),
        ("sampling.samples={low: 4, high: 512}", "greater than or equal to 16"),
        ("sampling.steps={low: 2.5, high: 10}", "is a whole number"),
        ("game.finetuning=[1]", "cannot be searched"),
        ("game.utility=[sparsified_finetuning, finetunning]", "game.utility: 'finetunning' is no"),
        ("game.utility=[sparsified_finetuning, conditional_mixture]", "needs a conditional model"),
    ],
)
def test_what_cannot_be_searched_is_named(override, words):
    with pytest.raises(InputError, match=r"tuning\.search") as caught:
        space_of(f"tuning.search.{override}")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("pruning.ratio={low: 0.7, high: 0.3}", "low must be below high"),
        ("pruning.ratio={low: 0, high: 0.9, log: true}", "above 0"),
        ("pruning.ratio={low: 0.1, high: 0.9, step: 0.1, log: true}", "exclude each other"),
        ("pruning.ratio=[]", "at least 1 item"),
    ],
)
def test_ranges_that_make_no_sense_are_refused_when_the_file_is_read(override, words):
    with pytest.raises(InputError, match=words):
        study_with(f"tuning.search.{override}")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            "sampling.scheduler=[DDIMScheduler, DDIMSheduler]",
            "tuning.search.sampling.scheduler: diffusers has no scheduler "
            "'DDIMSheduler'; try DDIMScheduler or DPMSolverMultistepScheduler",
        ),
        ("sampling.guidance=[1, 2]", "tuning.search.sampling.guidance: sampling.guidance = 2.0"),
    ],
)
def test_samplers_that_the_task_does_not_have_are_refused(override, line):
    study = study_with(f"tuning.search.{override}")
    task = create_task(study.diffusion, ImageDomain(8, 1))
    with pytest.raises(InputError) as caught:
        check_samplers(study, search_space(study), task)
    assert str(caught.value).startswith(line)
    assert len(str(caught.value).splitlines()) == 1
    check_samplers(study, search_space(study_with()), task)


def test_a_warm_up_is_cut_to_a_shorter_run_and_nothing_else_changes():
    study = study_with("game.finetuning.warmup_steps=20")
    tried = apply(study, {"game.finetuning.steps": 12})
    assert tried.game.finetuning.warmup_steps == 12
    same = {"steps": study.game.finetuning.steps, "warmup_steps": 20}
    assert tried.game.finetuning.model_copy(update=same) == study.game.finetuning
    assert tried.diffusion == study.diffusion


def test_beginnings_are_kept_where_any_trial_branches_off():
    study = study_with(
        "tuning.search.game.finetuning.steps=[50, 100]",
        "tuning.search.game.finetuning.lr_schedule=[cosine, cooldown]",
        "tuning.search.pruning.finetuning.steps={low: 100, high: 300}",
    )
    runs = possible_runs(study, search_space(study))
    assert {(run.steps, run.lr_schedule) for run in runs} == {
        (100, "cosine"),
        (300, "cosine"),
        (50, "cosine"),
        (50, "cooldown"),
        (100, "cooldown"),
    }
