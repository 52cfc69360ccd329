import copy

import pytest

from credit_plugin.compensation.comparison import compare_reports
from credit_plugin.compensation.facts import collect_facts
from credit_plugin.compensation.what_if import divide_otherwise
from credit_plugin.errors import InputError


@pytest.fixture(scope="module")
def facts(make_inputs):
    return collect_facts(make_inputs())


def by_name(comparison):
    return {move.contributor: move for move in comparison.moves}


class TestComparison:
    def test_a_report_and_itself_do_not_differ(self, facts):
        found = compare_reports(facts, facts)
        assert (found.settings, found.policy, found.data, found.moved) == ((), (), False, 0.0)
        assert all(move.payout_change == 0 for move in found.moves)

    def test_moves_come_largest_first_and_say_why(self, facts):
        after = copy.deepcopy(facts)
        first, second = after["rows"][0], after["rows"][1]
        first["payout_minor"] += 500
        second["payout_minor"] -= 400
        first["value"] += 10 * first["standard_error"]
        second["value"] += second["standard_error"]
        second["data_sha256"], second["images"] = "f" * 64, 7
        after["dataset_digest"] = "e" * 64
        found = compare_reports(facts, after)
        names = [row["contributor"] for row in facts["rows"][:2]]
        assert [move.contributor for move in found.moves[:2]] == names
        one, two = found.moves[:2]
        assert one.payout_change == 500
        assert one.standard_errors == pytest.approx(10 / 2**0.5)
        assert one.reasons == ("other contributors' images changed",)
        images = facts["rows"][1]["images"]
        assert two.reasons == (
            f"own images changed, {images} then and 7 now",
            "the value moved within chance",
        )

    def test_settings_and_policy_are_told_apart(self, facts):
        after = copy.deepcopy(facts)
        after["settings"]["game"]["budget"] = 999
        after["settings"]["compensation"]["reserve"] = 0.25
        after["settings"]["execution"]["workers"] = 7
        found = compare_reports(facts, after)
        assert found.settings == (
            f"game.budget was {facts['settings']['game']['budget']} and is 999",
        )
        assert found.policy == ("reserve was 0.0 and is 0.25",)
        reasons = found.moves[0].reasons
        assert "settings of the measurement changed" in reasons
        assert "the policy changed" in reasons

    def test_who_came_and_who_left(self, facts):
        after = copy.deepcopy(facts)
        after["rows"][0]["contributor"] = "newcomer"
        moves = by_name(compare_reports(facts, after))
        left = moves[facts["rows"][0]["contributor"]]
        assert left.payout_change == -facts["rows"][0]["payout_minor"]
        assert left.reasons == ("not in this report",)
        assert moves["newcomer"].reasons == ("new in this report",)
        assert moves["newcomer"].value_change is None

    def test_other_properties_and_currencies_are_not_compared(self, facts):
        after = {**copy.deepcopy(facts), "currency": "JPY"}
        found = compare_reports(facts, after)
        assert (found.comparable, found.moved) == (False, None)
        assert all(move.value_change is None for move in found.moves)

    def test_the_part_that_moves_is_half_of_all_changes(self, facts):
        after = copy.deepcopy(facts)
        after["rows"][0]["payout_minor"] -= 1000
        after["rows"][1]["payout_minor"] += 1000
        total = facts["totals_minor"]["gross"]
        assert compare_reports(facts, after).moved == pytest.approx(1000 / total)


class TestWhatIf:
    def test_no_change_pays_what_the_report_pays(self, facts):
        found = divide_otherwise(facts, {})
        assert dict(found.payouts) == {r["contributor"]: r["payout_minor"] for r in facts["rows"]}
        assert found.settlement.totals() == facts["totals_minor"]

    @pytest.mark.parametrize("rule", ["values", "count", "equal"])
    def test_another_pool_is_divided_to_the_cent(self, facts, rule):
        found = divide_otherwise(facts, {"pool": "1234.57", "floor": "10"}, rule)
        assert sum(found.payouts.values()) == 123457
        assert min(found.payouts.values()) >= 1000

    def test_count_pays_the_count_payout(self, facts):
        found = divide_otherwise(facts, {}, "count")
        assert dict(found.payouts) == {
            r["contributor"]: r["count_payout_minor"] for r in facts["rows"]
        }

    @pytest.mark.parametrize(
        ("changes", "rule", "line"),
        [
            ({"pool": "-1"}, "", "pool: "),
            ({"pool": "many"}, "", "pool: "),
            ({"pool": ""}, "", "pool: "),
            ({"floor": "9999999"}, "", "floor = 9999999"),
            ({"cap": "0.01"}, "", "compensation.cap: 5 owners can get"),
            ({"reserve": "x"}, "", "reserve: 'x' is no number"),
            ({"reserve": "nan"}, "", "reserve: "),
            ({"base_share": "2"}, "", "rule.base_share: "),
            ({"owners": "{}"}, "", "owners: cannot be tried"),
            ({}, "friends", "paid_by: 'friends' is none of"),
        ],
    )
    def test_what_cannot_be_kept_gets_one_line(self, facts, changes, rule, line):
        with pytest.raises(InputError) as refusal:
            divide_otherwise(facts, changes, rule)
        assert line in str(refusal.value)
        assert "\n" not in str(refusal.value)

    def test_an_empty_cap_is_none(self, facts):
        assert divide_otherwise(facts, {"cap": " "}).settings.cap is None
