"""The verdict: numbers are those of the result, and every reason not to pay is told."""

import re
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from fidelity_results import fidelity_result
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.fidelity.counterfactual import RANDOM
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.fidelity.result import OWN, FidelityResult
from credit_plugin.fidelity.verdict import (
    CONTROL,
    best_rivals,
    change_words,
    kind_of,
    share_of_possible,
    verdict,
)

MANY = settings(max_examples=150, deadline=None)
COSTS_NOTHING = {"own_property/avg", "own_property/max", "image_count"} | {
    f"embedding_similarity/{variant}" for variant in ("avg", "max")
}


@cache
def good():
    return fidelity_result()


def with_lds(result, **changes):
    """Change the LDS of the main test set."""
    main = result.main
    changed = replace(main, lds=replace(main.lds, **changes))
    return replace(result, tests=tuple(changed if t is main else t for t in result.tests))


def with_change(result, method, change):
    return replace(
        result,
        counterfactuals=tuple(
            replace(c, change=change) if c.removal.method == method else c
            for c in result.counterfactuals
        ),
    )


def around(value, reach=0.1):
    return Interval(value, value - reach, value + reach)


def scored(result, own, control=None):
    scores = {**result.main.lds.scores, OWN: own}
    return with_lds(result, scores=scores if control is None else {**scores, CONTROL: control})


def test_good_values_have_no_warning_and_are_told_with_their_ceiling():
    found, main = verdict(good()), good().main
    own = main.lds.scores[OWN]
    assert found.warning is None
    assert (
        f"a score (LDS) of {own.value:.2f} (95\u00a0% interval {own.low:.2f} to" in found.statement
    )
    assert f"of a possible {main.lds.possible:.2f}," in found.statement
    assert "(alpha 0.5: 40 coalitions of 6 of 12 contributors, 2 seeds each)" in found.statement
    pearson = main.agreement["colourfulness"]["sparsified_finetuning"].pearson
    told = f"Sparsified fine-tuning follows retraining at Pearson {pearson.value:.2f} ("
    assert told in found.statement
    settled = good().settled_ranks
    assert found.findings[-1].startswith(f"{settled} of 12 ranks ")


def test_the_best_rival_of_each_kind_is_named_and_no_control():
    result = good()
    scores = result.main.lds.scores
    best = best_rivals(result, result.main)
    assert list(best) == ["nothing", "cheap", "retrains"]
    assert scores[best["nothing"].name].value == max(scores[n].value for n in COSTS_NOTHING)
    for kind, method in best.items():
        rivals = [m for m in result.rivals if kind_of(m) == kind]
        assert scores[method.name].value == max(scores[m.name].value for m in rivals)
        assert f"{method.label}, {scores[method.name].value:.2f}" in verdict(result).statement
    strong = scored(result, around(0.7), control=around(0.99, 0.01))
    assert CONTROL not in {m.name for m in best_rivals(strong, strong.main).values()}


def test_a_rival_that_is_surely_better_is_said_to_be():
    name = best_rivals(good(), good().main)["nothing"].name
    lead = {**good().main.lds.lead, name: Interval(-0.3, -0.4, -0.2)}
    assert verdict(good()).statement.count("(surely more than the values)") == 0
    told = verdict(with_lds(good(), lead=lead)).statement
    assert re.search(r"trains nothing, [^;]*\(surely more than the values\)", told)


def test_a_rival_that_is_better_by_its_estimate_is_said_to_be_that():
    name = best_rivals(good(), good().main)["nothing"].name
    assert "trains nothing" in verdict(good()).statement
    unsure = {**good().main.lds.lead, name: Interval(-0.1, -0.4, 0.2)}
    told = verdict(with_lds(good(), lead=unsure)).statement
    assert re.search(r"trains nothing, [^;]*\(more than the values\)", told)
    assert "surely" not in told
    behind = {n: Interval(0.1, -0.4, 0.2) for n in unsure}
    assert "more than the values" not in verdict(with_lds(good(), lead=behind)).statement


def test_values_in_the_wrong_order_are_not_to_be_paid_on():
    result = fidelity_result(own_scores=-np.array(good().methods[0].scores))
    doubts = verdict(result).doubts
    assert doubts[0].startswith("the whole interval of their score is below 0")
    assert (
        doubts[-1]
        == "without their top the property is no worse than without contributors at random"
    )
    assert "falls" in change_words(result, -0.1)


def test_values_that_say_nothing_may_be_chance():
    result = fidelity_result(own_scores=np.ones(12))
    assert result.main.lds.scores[OWN].value == 0
    assert verdict(result).doubts[0] == "the interval of their score reaches 0, so it may be chance"


def test_noise_hides_everything_and_is_the_only_reason():
    found = verdict(fidelity_result(noise=8.0))
    (doubt,) = found.doubts
    assert "so nothing could be shown" in doubt
    assert "fidelity.seeds" in doubt
    assert "how much is possible is not known" in found.statement
    unknown = Interval(*[float("nan")] * 3)
    assert "nothing could be shown" in verdict(with_lds(good(), cross_seed=unknown)).warning


def test_too_small_a_share_of_the_possible_is_told_with_the_limit():
    share = share_of_possible(good().main)
    assert verdict(replace(good(), payable=share - 1e-6)).warning is None
    (doubt,) = verdict(replace(good(), payable=share + 1e-3)).doubts
    assert f"{100 * share:.1f}\u00a0% of what is possible" in doubt
    assert "fidelity.payable" in doubt


def test_random_scores_that_do_as_well_are_a_reason():
    same = scored(good(), around(0.85), control=around(0.85))
    assert verdict(same).doubts == ("random scores reach as much (0.85)",)
    one, other = (f"{CONTROL}/{k}" for k in (1, 2))
    control = same.method(CONTROL)
    methods = tuple(m for m in same.methods if m != control)
    several = replace(
        same, methods=(*methods, replace(control, name=one), replace(control, name=other))
    )
    scores = {**same.main.lds.scores, one: around(0.95), other: around(-0.1)}
    assert verdict(with_lds(several, scores=scores)).warning is None  # their mean is 0.425


def test_lost_retrainings_are_unknown_and_no_number():
    lost = verdict(with_change(good(), OWN, None))
    assert "is not known, because retrainings were lost" in lost.statement
    assert lost.warning is None
    assert "(random orders: not known)" in verdict(with_change(good(), RANDOM, None)).statement
    never = verdict(replace(good(), counterfactuals=()))
    assert "Without their top" not in never.statement


@pytest.mark.parametrize(("direction", "verb"), [(1, "falls"), (-1, "rises")])
def test_the_property_is_told_as_it_is_measured(direction, verb):
    result = fidelity_result(8, direction=direction, property="some_number", alphas=(0.5,))
    change = result.counterfactual(OWN, 0.4, True)
    assert change.value < 0  # oriented: worse
    amount = 100 * -change.value / abs(result.everybody)
    assert f"{verb} by {amount:.0f}\u00a0% (random" in verdict(result).statement
    assert ("where lower is better" in verdict(result).statement) == (direction < 0)


def test_changes_from_zero_are_in_the_propertys_own_unit():
    zero = replace(good(), everybody=0.0)
    assert change_words(zero, -0.25) == "falls by 0.250"
    assert change_words(good(), 0.0) == "does not change"


def test_a_check_without_rivals_or_with_few_coalitions_can_be_told():
    result = fidelity_result(6, coalitions=5, rivals=0, alphas=(0.5,), proxies=())
    assert result.main.lds.additive is None
    statement = verdict(result).statement
    assert "No rival was compared." in statement
    assert "too few coalitions to say how far any sum could get" in statement
    assert "Pearson" not in statement
    assert "nan" not in statement


@given(
    own=st.floats(-1, 1),
    reach=st.floats(0, 0.5),
    ceiling=st.floats(0.05, 1),
    payable=st.floats(0.01, 0.99),
    control=st.floats(-1, 1),
    top=st.floats(-1, 1),
    random=st.floats(-1, 1),
)
@MANY
def test_there_is_a_warning_exactly_if_a_criterion_fails(
    own, reach, ceiling, payable, control, top, random
):
    result = scored(good(), around(own, reach), control=around(control, 0.1))
    result = with_lds(result, noise_ceiling=around(ceiling, 0.01), additive=None)
    result = with_change(with_change(result, OWN, around(top)), RANDOM, around(random))
    holds = own - reach > 0 and own / ceiling >= payable and own > control and top < random
    assert (verdict(replace(result, payable=payable)).warning is None) == holds


def test_what_is_saved_and_loaded_gives_the_same_verdict(tmp_path):
    good().save(tmp_path)
    assert verdict(FidelityResult.load(tmp_path)) == verdict(good())


def test_a_verdict_needs_no_heavy_library():
    import subprocess

    code = "import sys, credit_plugin.fidelity.verdict; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "mlflow", "matplotlib"} & set(done.stdout.split())
