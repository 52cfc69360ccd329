"""Who gets what by a policy: rules, the gate, doubts, and sums of a policy that cannot be kept."""

import re
from dataclasses import replace

import numpy as np
import pytest

from credit_plugin import load_study
from credit_plugin.compensation.division import Claims, divide
from credit_plugin.compensation.doubts import find_outliers, robust_scores
from credit_plugin.compensation.gate import Gate, judge_gate
from credit_plugin.compensation.terms import check_policy, terms_of
from credit_plugin.compensation.valuing import valuation_of
from credit_plugin.config import CompensationSettings
from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame
from credit_plugin.values import estimate

OPEN = Gate("values", ())
NAMES = ("ann", "bob", "cleo", "dan")


def policy(**settings):
    return CompensationSettings.model_validate({"pool": "1000.00", **settings})


def valued(worths, name="kid"):
    """Return exact values of a game whose contributors are worth so much."""
    rows = design(len(worths), 2 ** len(worths), "exact")
    utilities = AdditiveGame(worths)(rows)
    table = UtilityTable.from_arrays(rows, utilities, NAMES[: len(worths)], property=name)
    return estimate(table, "exact", resamples=2)


def claims(images, disputed=None, distances=None):
    n = len(images)
    return Claims(
        images=np.array(images),
        disputed=np.zeros(n) if disputed is None else np.array(disputed),
        distances=np.full(n, np.nan) if distances is None else np.array(distances),
    )


def divided(worths, settings, gate=OPEN, images=(10, 10, 20, 60), others=None, **known):
    values = {"kid": valued(worths), **(others or {})}
    return divide(values, "kid", claims(images, **known), policy(**settings), gate, "key")


def test_values_are_clipped_and_renormalised():
    found = divided((1.0, 3.0, -2.0, 0.0), {})
    assert found.settlement.gross == [250_00, 750_00, 0, 0]
    assert found.by_values == found.settlement.gross
    assert found.by_count == [100_00, 100_00, 200_00, 600_00]


def test_a_closed_gate_pays_the_declared_rule_and_says_what_values_would_pay():
    closed = Gate("count", ("noise",))
    found = divided((1.0, 3.0, -2.0, 0.0), {}, closed)
    assert found.settlement.gross == found.by_count
    assert found.by_values == [250_00, 750_00, 0, 0]
    equal = divided((1.0, 3.0, -2.0, 0.0), {"fallback": "equal"}, Gate("equal", ("noise",)))
    assert equal.settlement.gross == [250_00] * 4


def test_a_base_share_follows_what_is_known():
    by_count = divided((1.0, 3.0, 0.0, 0.0), {"rule": {"base_share": 0.3}})
    assert by_count.settlement.gross == [205_00, 555_00, 60_00, 180_00]
    equal = divided((1.0, 3.0, 0.0, 0.0), {"rule": {"base_share": 0.4, "base": "equal"}})
    assert equal.settlement.gross == [250_00, 550_00, 100_00, 100_00]


def test_several_properties_split_the_pool():
    other = {"diversity": valued((0.0, 0.0, 1.0, 1.0), "diversity")}
    found = divided((1.0, 3.0, 0.0, 0.0), {"weights": {"kid": 3, "diversity": 1}}, others=other)
    assert found.settlement.gross == [187_50, 562_50, 125_00, 125_00]


def test_a_property_of_which_nothing_is_positive_is_paid_by_the_fall_back():
    other = {"diversity": valued((-1.0, -1.0, 0.0, -1.0), "diversity")}
    found = divided((1.0, 0.0, 0.0, 0.0), {"weights": {"kid": 1, "diversity": 1}}, others=other)
    assert found.settlement.gross == [550_00, 50_00, 100_00, 300_00]


def test_disputed_pictures_hold_their_part():
    found = divided((1.0, 1.0, 1.0, 1.0), {}, disputed=[0.5, 0, 0, 1 / 3])
    assert found.settlement.held == [125_00, 0, 0, 83_34]
    assert found.holds[0].reason == "several owners claim 50 % of the images"


def test_a_policy_holds_whom_it_names_and_brings_forward():
    found = divided(
        (1.0, 1.0, 1.0, 1.0),
        {"holds": {"bob": "no licence"}, "brought_forward": {"bob": "5.00", "cleo": "1.50"}},
    )
    assert found.settlement.held == [0, 250_00, 0, 0]
    assert found.settlement.paid == [250_00, 5_00, 251_50, 250_00]


def test_an_outlier_gets_the_payout_by_count_until_it_is_looked_at():
    found = divided(
        (8.0, 1.0, 1.0, 1.0), {}, images=(1, 10, 10, 9), distances=[100.0, 11.0, 10.0, 9.0]
    )
    (outlier,) = found.outliers
    assert outlier.owner == 0
    gross, count = found.settlement.gross[0], found.by_count[0]
    assert found.settlement.held == [gross - count, 0, 0, 0]
    assert found.settlement.paid[0] == count


@pytest.mark.parametrize(
    ("worths", "images", "distances"),
    [
        ((8.0, 1.0, 1.0, 1.0), (1, 10, 10, 9), [10.0, 11.0, 10.0, 9.0]),  # usual images
        ((1.0, 1.0, 1.0, 1.0), (10, 10, 10, 9), [100.0, 11.0, 10.0, 9.0]),  # usual value
        ((-8.0, 1.0, 1.0, 1.0), (1, 10, 10, 9), [100.0, 11.0, 10.0, 9.0]),  # a bad value
    ],
)
def test_one_sign_alone_is_no_outlier(worths, images, distances):
    assert divided(worths, {}, images=images, distances=distances).outliers == []


def test_nobody_is_an_outlier_where_nobody_is_positive():
    assert find_outliers(np.array([-1.0, 0.0]), np.array([1, 1]), np.array([1.0, 9.0]), 5) == []


def test_scores_where_most_are_the_same():
    assert robust_scores(np.array([1.0, 1.0, 1.0, 2.0])).tolist() == [0, 0, 0, np.inf]


def gate_of(inputs, **limits):
    """Return what the gate says of values that are judged by the limits of a policy."""
    overrides = [f"compensation.gate.{name}={limit}" for name, limit in limits.items()]
    study = load_study("digits", overrides=["compensation.fallback=equal", *overrides])
    valuation = valuation_of(study, inputs.table.contributors, inputs.image_counts)
    judged = valuation.reliability(inputs.table, inputs.headline)
    return judge_gate(
        study.compensation, inputs.headline.property, {inputs.headline.property: judged}
    )


def test_the_limits_of_the_gate_are_the_policys(make_inputs):
    inputs = make_inputs()
    assert gate_of(inputs) == OPEN
    closed = gate_of(inputs, misallocation=0.0001)
    assert (closed.paid_by, closed.open) == ("equal", False)
    assert re.fullmatch(
        r"The values are not reliable enough to pay by: with other coalitions and seeds \d\.\d % "
        r"of the payout would go to others \(0\.01 % at most\)\. As the policy declared for this "
        r"case, the pool is paid to every owner alike\.",
        closed.statement,
    )
    noisy = make_inputs(worths=(1.0, 1.01, 0.99, 1.02, 0.98))
    assert not gate_of(noisy).open
    assert gate_of(noisy, misallocation=1, correlation=0).open


def test_values_that_nobody_assessed_do_not_pay():
    assert judge_gate(policy(), "kid", {}).failures == ("nobody assessed how reliable they are",)


def test_every_property_that_is_paid_is_judged(make_inputs):
    inputs, paid = make_inputs(), "diversity"
    sure = inputs.reliability["inception_score"]
    noisy = replace(sure, failures=("too noisy",), findings=("noise moves too much",))
    judged = {"inception_score": sure, paid: noisy}
    assert judge_gate(policy(), "inception_score", judged).open
    found = judge_gate(policy(weights={paid: 1}), "inception_score", judged)
    assert found.failures == ("diversity: noise moves too much",)
    both = policy(weights={paid: 1, "inception_score": 1}, gate={"fidelity": 0.7})
    assert judge_gate(both, "inception_score", {"inception_score": sure}).failures == (
        "diversity: nobody assessed how reliable they are",
        "nobody checked diversity against retraining",
        "the policy asks for a check against retraining, and there was none",
    )


def test_an_outlier_is_found_in_the_property_that_is_paid():
    images, distances = [10] * 4, [1.0, 1.1, 0.9, 9.0]
    paid = {"diversity": valued((1.0, 1.0, 1.0, 40.0), "diversity")}
    weights = {"weights": {"diversity": 1}}
    found = divided((1.0, 1, 1, 1), weights, images=images, others=paid, distances=distances)
    assert [one.owner for one in found.outliers] == [3]
    assert divided((1.0, 1, 1, 1), {}, images=images, distances=distances).outliers == []


def test_a_policy_may_ask_for_a_check_against_retraining(make_inputs):
    inputs = make_inputs()
    asks = policy(gate={"fidelity": 0.7})
    found = judge_gate(asks, "inception_score", inputs.reliability)
    assert found.failures == ("the policy asks for a check against retraining, and there was none",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"floor": "300.00"}, "compensation.floor: 4 owners of 300.00 EUR each are guaranteed"),
        ({"cap": "200.00"}, "compensation.cap: 4 owners can get 800.00 EUR at most, less than"),
        ({"holds": {"anne": "x"}}, "compensation.holds: 'anne' is no owner; did you mean 'ann'?"),
        ({"brought_forward": {"zoe": "1.00"}}, "compensation.brought_forward: 'zoe' is no owner"),
        ({"groups": {"agency": ["zoe"]}}, "compensation.groups.agency: 'zoe' is no owner"),
        (
            {"directions": {"kid": "higher"}},
            "compensation.directions.kid: higher is stated, but lower is better",
        ),
    ],
)
def test_a_policy_that_does_not_fit_gets_one_line(settings, message):
    with pytest.raises(InputError) as caught:
        check_policy(policy(**settings), NAMES, {"kid": -1.0})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_sums_are_in_minor_units():
    terms = terms_of(
        policy(floor="1.50", cap="500", threshold="0.99", reserve=0.1), len(NAMES), "k"
    )
    assert (terms.pool, terms.floor, terms.cap) == (1000_00, 150, 500_00)
    assert (terms.threshold, terms.reserve, terms.tie_key) == (99, 100_00, "k")
    assert terms_of(policy(currency="JPY", pool="1000"), 4).pool == 1000
