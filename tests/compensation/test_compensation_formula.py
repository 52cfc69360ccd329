"""The formula with a payee's own numbers: every equation on it is true."""

import json
import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from report_readers import amount_in

from credit_plugin.compensation.report import write_report
from credit_plugin.compensation.statements import read_statements

PERCENT = r"([\d.,]+)\xa0%"


def reported(make_inputs, folder, *overrides, **options):
    write_report(make_inputs(overrides=overrides, **options), folder)
    facts = json.loads((folder / "values.json").read_text("utf-8"))
    return facts, [one["statement"] for one in read_statements(folder / "statements.jsonl")]


def found(pattern, lines):
    """Return the groups of the only line that begins as a pattern does."""
    (match,) = [m for m in (re.match(pattern, line) for line in lines) if m]
    return match.groups()


@pytest.mark.parametrize("overrides", [[], ["compensation.rule={base_share: 0.25, base: equal}"]])
def test_without_bounds_share_times_pool_is_the_payout(make_inputs, tmp_path, overrides):
    _, statements = reported(make_inputs, tmp_path / "r", *overrides)
    for one in statements:
        share, payout = found(
            rf"payout = share × pool = {PERCENT} × 10,000\.00 EUR = (.*) EUR$",  # noqa: RUF001
            one["formula"],
        )
        assert amount_in(payout) == Decimal(one["row"]["payout_minor"]) / 100
        assert abs(Decimal(share) * 100 - amount_in(payout)) < Decimal("0.51")  # of a rounded share


@pytest.mark.parametrize("bounds", ["floor: 500", "cap: 4000", "floor: 300, cap: 5000"])
def test_within_bounds_the_product_and_the_payout_are_told_apart(make_inputs, tmp_path, bounds):
    facts, statements = reported(make_inputs, tmp_path / "r", f"compensation={{{bounds}}}")
    bound = 0
    for one in statements:
        product = round(one["row"]["share"] * facts["pool_minor"])
        if abs(product - one["row"]["payout_minor"]) <= 1:
            continue
        bound += 1
        (amount,) = found(r"share × pool = .* = (.*) EUR$", one["formula"])  # noqa: RUF001
        assert amount_in(amount) == Decimal(product) / 100
        payout, why = found(r"payout = (.*) EUR, because (nobody gets .*),", one["formula"])
        assert amount_in(payout) == Decimal(one["row"]["payout_minor"]) / 100
        assert ("less than" in why) == ("floor" in bounds)
        assert ("more than" in why) == ("cap" in bounds)
    assert bound


def test_what_is_paid_now_is_a_sum_that_is_right(make_inputs, tmp_path):
    overrides = (
        "compensation={reserve: 0.1, threshold: 700, brought_forward: {c3: '12.50', c4: '3.00'}}",
    )
    _, statements = reported(make_inputs, tmp_path / "r", *overrides)
    for one in statements:
        row, lines = one["row"], [x for x in one["formula"] if x.startswith("paid now = ")]
        moved = row["held_minor"] or row["carried_minor"] or row["brought_forward_minor"]
        assert len(lines) == bool(moved)
        if not moved:
            assert row["paid_minor"] == row["payout_minor"]
            continue
        (line,) = lines
        *terms, paid = re.split(r" = ", line.removeprefix("paid now = "))
        total = Decimal(0)
        for sign, amount in re.findall(r"(^|\+ |− )([\d,.]+) EUR", terms[0]):  # noqa: RUF001
            total += amount_in(amount) * (-1 if sign.startswith("−") else 1)  # noqa: RUF001
        assert total == amount_in(paid.removesuffix(" EUR"))
        assert total == Decimal(row["paid_minor"]) / 100


@pytest.mark.parametrize(
    "override",
    [
        "compensation={floor: 500, cap: 4000}",
        "compensation.weights={inception_score: 1, diversity: 3}",
        "compensation.rule={base_share: 0.4}",
    ],
)
def test_the_studys_own_baseline_pays_what_the_report_pays(make_inputs, tmp_path, override):
    facts, _ = reported(make_inputs, tmp_path / "r", override)
    names = facts["properties"][facts["property"]]["contributors"]
    paid = {row["contributor"]: row["payout_minor"] for row in facts["rows"]}
    own, zero = facts["baselines"]
    assert own["payouts_minor"] == [paid[name] for name in names]
    assert sum(zero["payouts_minor"]) == facts["pool_minor"]
    assert zero["payouts_minor"] != own["payouts_minor"]


@pytest.mark.parametrize(
    ("override", "paid_nothing", "said"),
    [
        ("compensation.version=1a", True, False),
        ("compensation.floor=40", False, True),
        ("compensation.rule={base_share: 0.2}", False, False),
    ],
)
def test_the_key_says_nothing_is_paid_only_where_nothing_is(
    make_inputs, tmp_path, override, paid_nothing, said
):
    facts, _ = reported(make_inputs, tmp_path / "r", override)
    (below,) = [row for row in facts["rows"] if row["value"] < -0.1]
    assert (below["payout_minor"] == 0) is paid_nothing
    page = (tmp_path / "r" / "report.html").read_text("utf-8")
    assert ("did not help: nothing is paid" in page) is paid_nothing
    assert ("Nobody gets less than 40.00 EUR." in page) is said


@pytest.mark.parametrize("fallback", ["count", "equal"])
def test_a_part_that_no_value_pays_is_shown_by_the_fall_back(make_inputs, tmp_path, fallback):
    policy = f"compensation={{weights: {{inception_score: 1, diversity: 1}}, fallback: {fallback}}}"
    inputs = make_inputs(overrides=[policy])
    low = replace(inputs.values["diversity"], values=-np.abs(inputs.values["diversity"].values))
    both = {"inception_score": inputs.values["inception_score"], "diversity": low}
    sure = inputs.reliability["inception_score"]
    given = replace(inputs, values=both, reliability=dict.fromkeys(both, sure))
    write_report(given, tmp_path / "r")
    for one in read_statements(tmp_path / "r" / "statements.jsonl"):
        record = one["statement"]
        first, second = found(
            rf"share by values = 50\xa0% × {PERCENT} of inception score \+ 50\xa0% × {PERCENT} by "  # noqa: RUF001
            r"number of .*, because no value of diversity is positive$",
            record["formula"],
        )
        share = (float(first) + float(second)) / 200
        assert share == pytest.approx(record["row"]["share"], abs=1e-4)
