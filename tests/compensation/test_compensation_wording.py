"""Numbers and names in words."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin import load_study
from credit_plugin.compensation.wording import (
    baseline_words,
    decimals_for,
    design_words,
    duration,
    fixed,
    moment,
    percent,
    plain,
    property_words,
    utility_words,
)
from credit_plugin.properties.registry import PROPERTIES

MANY = settings(max_examples=50, deadline=None)
THIN = "\u00a0"


@pytest.mark.parametrize(
    ("numbers", "digits"),
    [
        ([1.5, 0.2], 2),
        ([12.0], 1),
        ([123.0], 0),
        ([45678.0], 0),
        ([-0.0123, 0.001], 4),
        ([0.0, 0.0], 2),
        ([], 2),
        ([None, math.nan, math.inf, 2.0], 2),
        ([1e-30], 12),
    ],
)
def test_the_largest_number_is_shown_with_three_digits(numbers, digits):
    assert decimals_for(numbers) == digits


@given(st.floats(1e-9, 1e9), st.integers(1, 5))
@MANY
def test_so_many_digits_are_enough_for_the_relative_error(number, significant):
    shown = float(f"{number:.{decimals_for([number], significant)}f}")
    assert abs(shown - number) <= 0.5000001 * 10 ** (1 - significant) * number


@pytest.mark.parametrize(
    ("number", "digits", "sign", "text"),
    [
        (1234.567, 2, False, "1,234.57"),
        (-1234.567, 1, False, "\u22121,234.6"),
        (0.25, 2, True, "+0.25"),
        (-0.25, 2, True, "\u22120.25"),
        (-0.001, 2, False, "0.00"),
        (-0.0, 0, True, "0"),
        (0.001, 2, True, "0.00"),
        (None, 2, False, "not known"),
    ],
)
def test_numbers_with_fixed_decimals(number, digits, sign, text):
    assert fixed(number, digits, sign) == text


@given(st.floats(-1e9, 1e9), st.integers(0, 8), st.booleans())
@MANY
def test_fixed_numbers_read_back(number, digits, sign):
    text = fixed(number, digits, sign).replace("\u2212", "-").replace(",", "")
    assert float(text) == round(number, digits)
    assert "-" not in text or float(text) < 0


def test_shares_as_percentages():
    assert percent(0.1234) == f"12.3{THIN}%"
    assert percent(1.0, 0) == f"100{THIN}%"
    assert percent(-0.0) == f"0.0{THIN}%"
    assert percent(None) == "not known"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, f"0.0{THIN}s"),
        (2.34, f"2.3{THIN}s"),
        (48.2, f"48{THIN}s"),
        (59.7, f"1{THIN}min 00{THIN}s"),
        (200, f"3{THIN}min 20{THIN}s"),
        (3599.6, f"1{THIN}h 00{THIN}min"),
        (7500, f"2{THIN}h 05{THIN}min"),
        (360_000, f"100{THIN}h 00{THIN}min"),
        (None, "not known"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_moments():
    assert moment("2026-11-23T20:50:00+00:00") == "23 November 2026, 20:50 UTC"


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ("untrained", "the untrained network"),
        ("base_model", "the base model"),
        ("my_own", "my own"),
        (1.5, "the number 1.5"),
        (3.0, "the number 3"),
        (-0.25, "the number \u22120.25"),
        (123456789.125, "the number 123456789.125"),
    ],
)
def test_baselines(baseline, words):
    assert baseline_words(baseline) == words


def test_every_property_of_the_package_has_its_question():
    for name in PROPERTIES.names():
        assert "gives the model its" not in property_words(name).question, name


def test_known_properties_have_a_question_and_others_get_one():
    known, own = property_words("inception_score"), property_words("my_own_score")
    assert known.name == "inception score"
    assert known.question.startswith("Whose work makes the model")
    assert own.question == "Whose work gives the model its my own score?"
    assert own.meaning == "the property “my own score”"
    assert plain("a_b_c") == "a b c"


STEPS = (
    "game.finetuning.steps=51", "pruning.finetuning.steps=201", "diffusion.training.steps=801",
)  # fmt: skip


@pytest.mark.parametrize(
    ("utility", "words"),
    [
        ("sparsified_finetuning", ("magnitude, ratio 0.5", "201 steps", "51 steps")),
        ("finetuning", ("fine-tuned for 51 steps",)),
        ("retraining", ("trained for 801 steps",)),
        ("my_own", ("my own",)),
        ("odd_{name}", ("odd {name}",)),
    ],
)
def test_utilities_are_told_with_the_numbers_of_the_study(utility, words):
    study = load_study("digits", overrides=[f"game.utility='{utility}'", *STEPS])
    told = utility_words(study.model_dump(mode="json"))
    assert all(word in told for word in words)


def test_designs():
    assert "complement" in design_words("paired_border")
    assert design_words("my_own") == "my own"
