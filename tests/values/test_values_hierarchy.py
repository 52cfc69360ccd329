"""Owen values: their axioms, orders by brute force, what agencies could gain, and 10^5 people."""

import json
import time
import tracemalloc
from itertools import pairwise, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.coalitions import distinct_rows
from credit_plugin.game.grouped import group_design, group_table, nested_design, too_many_groups
from credit_plugin.game.grouping import Grouping
from credit_plugin.game.toys import SaturatingGame
from credit_plugin.values import estimate
from credit_plugin.values.hierarchy import (
    Divider,
    if_merged,
    if_split,
    owen,
    register_way,
    way_names,
)
from credit_plugin.values.hierarchy.agreement import agreement
from credit_plugin.values.hierarchy.ways import WAYS, declared

QUICK = {"resamples": 2}
MANY = settings(max_examples=25, deadline=None)

seeds = st.integers(0, 2**32 - 1)


def everything(n):
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


def partition(labels):
    """Return the grouping of contributors c1, c2, ... with the given labels."""
    names = [f"c{i + 1}" for i in range(len(labels))]
    return Grouping.of(names, dict(zip(names, map("G{}".format, labels), strict=True)))


def enumerated(n, utilities):
    return UtilityTable.from_arrays(everything(n), utilities)


def square_root(amounts):
    """Return all coalitions of owners of amounts of data, of which the root is the utility."""
    rows = everything(len(amounts))
    return UtilityTable.from_arrays(rows, np.sqrt(rows @ np.array(amounts)))


def by_orders(utilities, labels):
    """Return mean gains on arrival over all orders that keep groups together."""
    n, total, orders = len(labels), np.zeros(len(labels)), 0
    for order in permutations(range(n)):
        arrived = [labels[player] for player in order]
        changes = sum(a != b for a, b in pairwise(arrived))
        if changes > len(set(labels)) - 1:
            continue
        codes = np.cumsum([0, *(1 << player for player in order)])
        total[list(order)] += np.diff(utilities[codes])
        orders += 1
    return total / orders


def members_of(table, grouping, **options):
    return owen(table, grouping, **QUICK, **options).members.values


def study(game, grouping, at_top, nested, sd=0.0, seed=0):
    """Evaluate a game as a study would: coalitions of groups, each group's own, and repeats."""
    rows = [group_design(grouping, at_top, seed=seed)]
    for name, size in zip(grouping.groups, grouping.sizes, strict=True):
        most = 2 ** (len(grouping.groups) - 1) * (2 ** int(size) - 2)
        rows += [nested_design(grouping, name, min(nested, most), seed)] if size > 1 else []
    rows = np.concatenate([*rows, rows[0][[0, 0, 1, 1]], rows[0][4:8]])
    noise = sd * np.random.default_rng(seed).normal(size=len(rows))
    return UtilityTable.from_arrays(rows, game(rows) + noise, grouping.contributors)


labellings = st.integers(2, 6).flatmap(
    lambda n: st.lists(st.integers(0, 3), min_size=n, max_size=n)
)


# The Owen value


@given(seed=seeds, labels=labellings)
@MANY
def test_all_coalitions_give_the_mean_over_orders_that_keep_groups_together(seed, labels):
    utilities = np.random.default_rng(seed).normal(size=2 ** len(labels))
    found = members_of(enumerated(len(labels), utilities), partition(labels))
    assert found == pytest.approx(by_orders(utilities, labels), abs=1e-9)


@given(seed=seeds, labels=labellings)
@MANY
def test_only_coalitions_that_the_designs_hold_are_needed(seed, labels):
    """The other coalitions of the enumeration do not enter: their utilities may be anything."""
    grouping, n = partition(labels), len(labels)
    _, partial = grouping.to_groups(everything(n))
    needed = partial.sum(axis=1) < 2
    generator = np.random.default_rng(seed)
    utilities = generator.normal(size=2**n)
    others = np.where(needed, utilities, generator.normal(size=2**n))
    rows = everything(n)[needed]
    found = members_of(UtilityTable.from_arrays(rows, utilities[needed]), grouping)
    assert found == pytest.approx(by_orders(utilities, labels), abs=1e-9)
    assert found == pytest.approx(members_of(enumerated(n, others), grouping), abs=1e-9)


@given(seed=seeds, labels=labellings, noise=st.integers(0, 4))
@MANY
def test_members_sum_to_their_group_and_groups_to_everything(seed, labels, noise):
    grouping, generator = partition(labels), np.random.default_rng(seed)
    rows = everything(len(labels))
    rows = np.concatenate([rows, rows[:noise]])
    table = UtilityTable.from_arrays(rows, generator.normal(size=len(rows)))
    found = owen(table, grouping, resamples=20)
    sums = np.bincount(grouping.group_of, found.members.values)
    assert sums == pytest.approx(found.groups.values, abs=1e-9)
    assert sums.sum() == pytest.approx(found.members.v_full - found.members.v_empty, abs=1e-9)
    for drawn, of_groups in zip(found.members.draws, found.groups.draws, strict=True):
        assert np.bincount(grouping.group_of, drawn) == pytest.approx(of_groups, abs=1e-9)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4], [0, 0, 0, 0, 0]], ids=["alone", "all in one"])
@given(seed=seeds)
@MANY
def test_groups_of_one_and_one_group_of_all_give_shapley_values(labels, seed):
    table = enumerated(5, np.random.default_rng(seed).normal(size=32))
    plain = estimate(table, "exact", **QUICK).values
    assert members_of(table, partition(labels)) == pytest.approx(plain, abs=1e-9)


def test_groups_of_one_are_estimated_as_contributors_are():
    rows = design(8, 60, seed=3)
    table = UtilityTable.from_arrays(rows, SaturatingGame(range(1, 9), 12.0)(rows))
    plain, found = estimate(table, seed=5), owen(table, partition(range(8)), seed=5).members
    assert found.values == pytest.approx(plain.values, abs=1e-12)
    assert found.ci_low == pytest.approx(plain.ci_low, abs=1e-12)
    assert found.draws == pytest.approx(plain.draws, abs=1e-12)


@given(seed=seeds)
@MANY
def test_symmetric_members_and_symmetric_groups_get_the_same(seed):
    labels = [0, 0, 1, 1, 2]
    rows = everything(5)
    # the first two members enter by their number, and groups 0 and 1 by the set of their numbers
    counts = np.sort(np.stack([rows[:, :2].sum(axis=1), rows[:, 2:4].sum(axis=1)]), axis=0)
    _, same = np.unique(np.vstack([counts, rows[:, 4]]), axis=1, return_inverse=True)
    utilities = np.random.default_rng(seed).normal(size=32)[same.ravel()]
    found = owen(enumerated(5, utilities), partition(labels), **QUICK)
    assert found.members.values[:4] == pytest.approx(found.members.values[0], abs=1e-9)
    assert found.groups.values[0] == pytest.approx(found.groups.values[1], abs=1e-9)


@given(seed=seeds, player=st.integers(0, 4))
@MANY
def test_a_member_who_changes_nothing_gets_nothing(seed, player):
    without = everything(5)
    without[:, player] = False
    utilities = np.random.default_rng(seed).normal(size=32)[without @ (1 << np.arange(5))]
    found = members_of(enumerated(5, utilities), partition([0, 0, 1, 1, 1]))
    assert found[player] == pytest.approx(0, abs=1e-9)


@given(seed=seeds, labels=labellings, factor=st.floats(-3, 3))
@MANY
def test_values_of_a_sum_of_games_are_the_sum(seed, labels, factor):
    n, grouping = len(labels), partition(labels)
    one, other = np.random.default_rng(seed).normal(size=(2, 2**n))
    together = members_of(enumerated(n, one + factor * other), grouping)
    apart = members_of(enumerated(n, one), grouping)
    apart = apart + factor * members_of(enumerated(n, other), grouping)
    assert together == pytest.approx(apart, abs=1e-7)


@given(seed=seeds)
@MANY
def test_additive_games_are_recovered_from_a_few_coalitions(seed):
    worths = np.random.default_rng(seed).normal(size=12)
    grouping = partition([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5])
    table = study(lambda rows: 2.0 + rows @ worths, grouping, 30, 36, seed=seed % 100)
    assert members_of(table, grouping) == pytest.approx(worths, abs=1e-6)


# What governance asks for: six equal owners of 24 units, utility the root of all data


def test_an_agency_that_splits_gains_where_data_saturate():
    table = square_root([24] * 6)
    found = owen(table, partition([0, 0, 1, 1, 2, 2]), **QUICK)
    assert found.groups.values / found.groups.v_full == pytest.approx(1 / 3)
    split = if_split(table, found, "G0")
    assert 100 * split.before / split.gain == pytest.approx(33.33, abs=0.005)
    assert 100 * split.after / split.gain == pytest.approx(37.17, abs=0.005)
    assert split.exact
    assert split.standard_error == 0
    assert "G0 splits into 2: 33.33 % of the total before, 37.17 % after" in split.statement
    assert json.loads(json.dumps(split.to_json_dict()))["parts"] == ["c1", "c2"]


def test_agencies_that_merge_lose_what_splitting_gains():
    table = square_root([24] * 6)
    apart = owen(table, partition([0, 1, 2, 2, 3, 3]), **QUICK)
    merged = if_merged(table, apart, ["G0", "G1"])
    assert 100 * merged.before / merged.gain == pytest.approx(37.17, abs=0.005)
    assert 100 * merged.after / merged.gain == pytest.approx(33.33, abs=0.005)
    over_groups = group_table(table, apart.grouping)
    assert if_merged(over_groups, apart, ["G0", "G1"]) == merged


def test_a_split_inside_an_agency_changes_nothing_for_the_others():
    whole = owen(square_root([24] * 6), partition([0, 0, 1, 1, 2, 2]), **QUICK)
    inside = owen(square_root([12, 12, *[24] * 5]), partition([0, 0, 0, 1, 1, 2, 2]), **QUICK)
    assert inside.groups.values == pytest.approx(whole.groups.values)
    assert inside.members.values[3:] == pytest.approx(whole.members.values[2:])


@pytest.mark.parametrize(("ids", "percent"), [(1, 16.67), (2, 18.75), (4, 20.79)])
def test_an_owner_gains_by_several_ids_as_players_and_not_as_one_verified_owner(ids, percent):
    table = square_root([24 / ids] * ids + [24] * 5)
    n = ids + 5
    as_ids = owen(table, partition(range(n)), **QUICK).members
    assert 100 * as_ids.values[:ids].sum() / as_ids.v_full == pytest.approx(percent, abs=0.005)
    as_owner = owen(table, partition([0] * ids + list(range(1, 6))), **QUICK)
    assert as_owner.groups.values / as_owner.groups.v_full == pytest.approx(1 / 6)


def test_options_of_the_estimator_are_those_of_the_groups():
    table = study(GAME, GROUPS, 20, 24, sd=0.05)
    usual = {"estimator": "regression_adjusted"}
    equal = {**usual, "estimator_options": {"proxy": "equal"}}
    one, other = (owen(table, GROUPS, **options, **QUICK) for options in (usual, equal))
    whole = group_table(table, GROUPS)
    expected = estimate(whole, "regression_adjusted", options={"proxy": "equal"}, **QUICK)
    assert other.groups.values == pytest.approx(expected.values)
    assert np.abs(one.groups.values - other.groups.values).max() > 1e-6
    split = [if_split(table, found, "G1").after for found in (one, other)]
    assert split[0] != split[1]


def test_one_merger_of_all_gets_everything():
    table = square_root([3, 4, 5])
    found = owen(table, partition([0, 1, 2]), **QUICK)
    merged = if_merged(table, found, ["G0", "G1", "G2"], "all")
    assert merged.after == pytest.approx(12**0.5)
    assert merged.parts == ("all",)


def test_what_if_is_estimated_from_a_study_and_says_so():
    game = SaturatingGame([3, 1, 2, 4, 2, 5, 1, 3, 2, 4], scale=15.0)
    grouping = partition([0, 0, 0, 1, 1, 2, 2, 3, 4, 5])
    table = study(game, grouping, 40, 60, sd=0.002)
    found = owen(table, grouping, resamples=50)
    for answer, after in [
        (if_split(table, found, "G0"), grouping.split("G0")),
        (if_merged(table, found, ["G1", "G2"]), grouping.merge(["G1", "G2"])),
    ]:
        of_groups = np.array([sum(game.weights[after.members(g)]) for g in after.groups])
        truth = dict(zip(after.groups, SaturatingGame(of_groups, 15.0).shapley(), strict=True))
        expected = sum(truth[part] for part in answer.parts)
        assert not answer.exact
        assert answer.standard_error > 0
        assert abs(answer.after - expected) < 4 * answer.standard_error
        assert abs(answer.after - expected) < 0.1 * expected


def test_what_cannot_be_known_is_refused():
    grouping = partition([0, 0, 1, 2])
    rows = grouping.to_contributors(everything(3))
    found = owen(
        table := UtilityTable.from_arrays(rows, rows.sum(axis=1)),
        grouping,
        "size",
        options={"counts": [1, 1, 1, 1]},
        **QUICK,
    )
    with pytest.raises(InputError, match=r"table: no coalition .* splits 'G0'.*nested_design"):
        if_split(table, found, "G0")
    with pytest.raises(InputError, match="table: its columns are not contributors"):
        if_split(group_table(table, grouping), found, "G0")
    with pytest.raises(InputError, match="parts: 'G1' does not split"):
        if_split(table, found, "G1")
    with pytest.raises(InputError, match="groups: 1 cannot merge"):
        if_merged(table, found, ["G1"])


# Ways to divide a group's value


def test_these_are_all_ways():
    assert way_names() == ["nested", "proxy", "size"]


def test_sizes_and_scores_divide_a_group_and_scale_its_interval():
    grouping = partition([0, 0, 0, 1, 2, 3])
    game = SaturatingGame([5, 3, 2, 4, 6, 1], scale=8.0)
    rows = group_design(grouping, 12)
    noise = np.random.default_rng(0).normal(0, 0.01, 16)
    rows = np.concatenate([rows, rows[:4]])
    table = group_table(UtilityTable.from_arrays(rows, game(rows) + noise), grouping)
    counts = {"c1": 5, "c2": 3, "c3": 0, "c4": 9, "c5": 9, "c6": 9}
    found = owen(table, grouping, "size", options={"counts": counts}, resamples=50)
    shares = np.array([5 / 8, 3 / 8, 0, 1, 1, 1])
    for of_member, of_group in [
        (found.members.values, found.groups.values),
        (found.members.standard_errors, found.groups.standard_errors),
        (found.members.ci_high, found.groups.ci_high),
        (found.members.draws, found.groups.draws),
    ]:
        assert of_member == pytest.approx(shares * of_group[..., grouping.group_of])
    scores = [5, 3, 0, 9, 9, 9]
    same = owen(table, grouping, "proxy", options={"scores": scores}, resamples=50)
    assert same.members.values == pytest.approx(found.members.values)
    assert "counts rank the members of a group is unknown" in found.warnings[0]
    assert "declared" in found.members.diagnostics["intervals"]


def test_members_who_all_have_nothing_get_equal_parts_and_it_is_said():
    table = square_root([1, 2, 3])
    found = owen(table, partition([0, 0, 1]), "size", options={"counts": [0, 0, 0]}, **QUICK)
    assert found.members.values[0] == pytest.approx(found.groups.values[0] / 2)
    assert "all of 'G0' have 0 counts, so get equal parts" in found.warnings


def test_huge_scores_do_not_overflow():
    options = {"scores": [1.5e308, 1.5e308, 1]}
    found = owen(square_root([1, 2, 3]), partition([0, 0, 1]), "proxy", options=options, **QUICK)
    assert found.members.values[0] == pytest.approx(found.groups.values[0] / 2)


def test_groups_may_be_divided_in_different_ways():
    table, grouping = square_root([1, 2, 3, 4, 5]), partition([0, 0, 1, 1, 2])
    inside = {"G0": "nested", "G1": "proxy"}
    found = owen(table, grouping, inside, options={"scores": {"c3": 1, "c4": 3}}, **QUICK)
    assert found.members.values[:2] == pytest.approx(members_of(table, grouping)[:2])
    assert found.members.values[3] == pytest.approx(3 * found.members.values[2])
    assert found.inside == inside


def test_the_rank_correlation_of_scores_is_that_within_groups():
    table, grouping = square_root([1, 2, 3, 9, 8, 7]), partition([0, 0, 0, 1, 1, 1])
    # G0: the order of the values, G1: the opposite one of all but the ends
    options = {"scores": [1, 2, 3, 2, 3, 1], "reference": {"c1": 2, "c2": 1, "c3": 0}}
    found = owen(table, grouping, "proxy", options=options, **QUICK)
    nested, reference = found.agreements
    assert nested.correlation == pytest.approx((1 + 0.5) / 2)
    assert (nested.contributors, nested.groups) == (6, 2)
    assert nested.statement == (
        "rank correlation with values of nested games: 0.75 (n = 6 contributors in 2 groups)"
    )
    assert reference.correlation == pytest.approx(-1)
    assert (reference.contributors, reference.groups) == (3, 1)
    assert found.warnings == ()


def test_larger_groups_count_more_in_the_rank_correlation_and_ties_rank_nobody():
    up = np.arange(5.0)
    assert agreement([(up, up), (up[:2], -up[:2])], "").correlation == pytest.approx((4 - 1) / 5)
    assert agreement([(up, np.ones(5))], "").correlation == 0
    assert agreement([(up[:1], up[:1])], "").correlation is None


def test_a_way_of_the_users_own_is_one_function():
    @register_way("first takes all")
    def first_takes_all(question, *, bonus=0.0):
        def divide(group):
            shares = np.zeros(question.grouping.sizes[group])
            shares[0] = 1
            return declared(float(question.groups.values[group]), shares)

        return Divider(divide, "declared")

    try:
        table = square_root([1, 2, 3])
        found = owen(table, partition([0, 0, 1]), "first takes all", options={"bonus": 1}, **QUICK)
        assert found.members.values[1] == 0
    finally:
        del WAYS._entries["first takes all"]


# Estimates


def owen_of_saturating(game, grouping):
    """Return exact Owen values: in the inner game the others' weight is a random number."""
    values = np.empty(game.n_players)
    for name in grouping.groups:
        members = grouping.members(name)
        others = [g for g in grouping.groups if g != name]
        sets = everything(len(others))
        chance = np.array([1 / comb(len(others), q) for q in sets.sum(axis=1)]) / len(
            grouping.groups
        )
        loads = sets @ [game.weights[grouping.members(g)].sum() for g in others]
        # 1 - exp(-(a + b)) = 1 - exp(-a) exp(-b): others scale the members' own game
        scale = chance @ np.exp(-loads / game.scale)
        values[members] = scale * SaturatingGame(game.weights[members], game.scale).shapley()
    return values


GAME = SaturatingGame([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], scale=25.0)
GROUPS = partition([0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4])


def test_the_closed_form_is_the_mean_over_orders():
    small, labels = SaturatingGame([2, 7, 1, 8, 2], scale=9.0), [0, 0, 1, 1, 2]
    exact = by_orders(small(everything(5)), labels)
    assert owen_of_saturating(small, partition(labels)) == pytest.approx(exact)


def test_more_coalitions_lead_to_the_owen_value():
    truth = owen_of_saturating(GAME, GROUPS)
    sums, sizes = np.bincount(GROUPS.group_of, truth), GROUPS.sizes
    equal_parts = (sums / sizes)[GROUPS.group_of]

    def error(nested, seed):
        """Return the squared error, as a part of that of dividing every group equally."""
        found = members_of(study(GAME, GROUPS, 32, nested, seed=seed), GROUPS)
        return ((found - truth) ** 2).sum() / ((equal_parts - truth) ** 2).sum()

    few, more = (np.mean([error(nested, seed) for seed in range(5)]) for nested in (12, 60))
    assert few < 1
    assert more < few / 10
    assert error(10**6, 0) < 1e-20  # everything that matters was evaluated


def test_intervals_cover():
    truth, covered = owen_of_saturating(GAME, GROUPS), []
    for seed in range(30):
        table = study(GAME, GROUPS, 28, 32, sd=0.01, seed=seed)
        found = owen(table, GROUPS, resamples=100, seed=seed).members
        covered.append((found.ci_low <= truth) & (truth <= found.ci_high))
    # 360 intervals that are not independent; nominal .95
    assert 0.88 < np.mean(covered) < 0.999


def test_seed_noise_alone_gives_the_standard_error_of_a_linear_combination():
    """Two members and one independent, all evaluated twice: Owen's weights are known."""
    rows = np.concatenate([everything(3)] * 2)
    noise = np.random.default_rng(0).normal(size=16)
    table = UtilityTable.from_arrays(rows, noise)
    found = owen(table, partition([0, 0, 1]), resamples=4000).members
    # phi_1 = sum over Q of 1/2 [v(Q1) - v(Q) + v(Q12) - v(Q2)] / 2: eight weights of 1/4
    sigma = found.diagnostics["seed_noise"]
    expected = (8 / 16 * sigma**2 / 2) ** 0.5
    assert found.standard_errors[0] == pytest.approx(expected, rel=0.06)
    assert found.draws.std(axis=0)[0] == pytest.approx(expected, rel=0.06)
    # c3: 1/2 [v(3) - v() + v(123) - v(12)], where c1 and c2 come and go together
    assert found.standard_errors[2] == pytest.approx((4 / 4 * sigma**2 / 2) ** 0.5, rel=0.06)


def test_what_was_evaluated_completely_leaves_nothing_to_chance():
    table = enumerated(6, np.random.default_rng(0).normal(size=64))
    found = owen(table, partition([0, 0, 0, 1, 1, 2]), **QUICK).members
    assert found.standard_errors == pytest.approx(0, abs=1e-12)
    assert (owen(study(GAME, GROUPS, 28, 36), GROUPS).members.standard_errors > 0).all()


def test_draws_of_a_nested_game_do_not_follow_those_of_the_groups():
    table = study(GAME, GROUPS, 28, 32, sd=0.01, seed=3)
    found = owen(table, GROUPS, seed=4)
    members = GROUPS.members("G0")
    inner = found.members.draws[:, members] - found.groups.draws[:, [0]] / len(members)
    together = np.corrcoef(found.groups.draws[:, 0], inner[:, 0])[0, 1]
    assert abs(together) < 4 / len(inner) ** 0.5


def test_values_do_not_depend_on_the_seed_and_draws_do():
    table = study(GAME, GROUPS, 28, 32, sd=0.01)
    one, other = owen(table, GROUPS, seed=0), owen(table, GROUPS, seed=1)
    assert (one.members.values == other.members.values).all()
    assert not np.array_equal(one.members.draws, other.members.draws)
    again = owen(table, GROUPS, seed=0)
    assert (one.members.draws == again.members.draws).all()


def test_a_study_says_what_it_rests_on():
    found = owen(study(GAME, GROUPS, 28, 24, sd=0.01), GROUPS, **QUICK)
    facts = found.members.diagnostics
    assert (facts["groups"], facts["group_coalitions"], facts["nested_coalitions"]) == (5, 28, 72)
    assert facts["unused_coalitions"] == 0
    assert facts["seed_noise_degrees"] == 8
    assert found.members.quantity == "Owen value"
    frame = found.to_frame()
    assert frame["group"].tolist() == [GROUPS.groups[g] for g in GROUPS.group_of]
    assert frame["value"].tolist() == found.members.values.tolist()
    record = json.loads(json.dumps(found.to_json_dict()))
    assert Grouping.of(GROUPS.contributors, record["grouping"]).groups == GROUPS.groups


def test_single_draws_are_said_of_groups_and_inside_them():
    grouping = partition([0, 0, 1, 2, 3])
    amounts = np.array([1, 2, 3, 4, 5])

    def facts(at_top, nested):
        table = study(lambda rows: np.sqrt(rows @ amounts), grouping, at_top, nested, sd=0.01)
        return owen(table, grouping, **QUICK).members.diagnostics

    inside = facts(16, 6)  # all without or with every other group, and one pair in between
    assert inside["single_draw"]
    assert "single draws, whose error is unknown, inside G0" in inside["intervals"]
    assert facts(12, 16)["single_draw"]  # one of three pairs of groups
    assert "single_draw" not in facts(16, 16)


def test_few_coalitions_of_a_nested_game_are_a_warning():
    found = owen(study(GAME, GROUPS, 28, 24), GROUPS, **QUICK).warnings
    assert found[0] == (
        "24 coalitions are few for 5 members of 'G0' and 4 other groups: members may be too alike "
        "and their intervals too narrow; evaluate 36"
    )
    assert found[1].startswith("24 coalitions are few for 3 members of 'G1'")
    assert len(found) == 2  # 24 are 4 for each of the 2 members of G2 and 4 others
    assert owen(study(GAME, GROUPS, 28, 36), GROUPS, **QUICK).warnings == ()
    assert owen(square_root([1, 2, 3]), partition([0, 0, 1]), **QUICK).warnings == ()


# A hundred thousand contributors


def test_a_hundred_thousand_contributors_in_fifty_groups_take_seconds_and_little_memory():
    names = [f"artist-{i}" for i in range(100_000)]
    generator = np.random.default_rng(0)
    counts = generator.integers(1, 40, len(names))
    tracemalloc.start()
    start = time.perf_counter()
    agencies = generator.integers(0, 50, len(names))
    grouping = Grouping.of(
        names, {name: f"agency-{a}" for name, a in zip(names, agencies, strict=True)}
    )
    rows = design(50, 1000)
    data = np.bincount(grouping.group_of, counts)
    table = UtilityTable.from_arrays(rows, np.sqrt(rows @ data), grouping.groups)
    found = owen(table, grouping, "proxy", options={"scores": counts})
    seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 60  # 3 s on an idle machine; memory is traced here, which takes time
    assert peak < 200 * 2**20
    assert found.members.values.sum() == pytest.approx(data.sum() ** 0.5)
    assert found.members.draws.shape == (0, 100_000)
    assert found.groups.draws.shape == (400, 50)
    assert len(found.warnings) == 1  # nothing to compare the scores with


def test_many_groups_for_few_coalitions_are_a_warning():
    assert too_many_groups(100, 1000) is None
    assert too_many_groups(101, 1000) == (
        "101 groups are too many for 1000 coalitions, whose values would be mostly noise; join "
        "them to 100 or fewer, or evaluate 1021"
    )
    assert too_many_groups(101, 1021) is None
    rows = design(30, 60)
    table = UtilityTable.from_arrays(rows, rows.sum(axis=1))
    assert "30 groups are too many for 60" in owen(table, partition(range(30)), **QUICK).warnings[0]


# Groups and the coalitions they need


def test_who_is_not_named_is_independent():
    grouping = Grouping.of("abcd", {"b": "agency", "d": "agency"})
    assert grouping.groups == ("a", "agency", "c")
    assert grouping.group_of.tolist() == [0, 1, 2, 1]
    assert grouping.to_mapping() == {"a": "a", "b": "agency", "c": "c", "d": "agency"}


def test_groups_split_and_merge():
    grouping = Grouping.of("abcd", {"a": "A", "b": "A", "c": "A"})
    assert grouping.split("A").groups == ("a", "b", "c", "d")
    assert grouping.split("A", {"a": "A1", "b": "A1"}).groups == ("A1", "c", "d")
    assert grouping.split("A", {"a": "A", "b": "A"}).groups == ("A", "c", "d")
    assert grouping.merge(["A", "d"]).groups == ("A + d",)
    assert grouping.merge(["A", "d"], "A").groups == ("A",)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grouping.of("aba"), "contributors: 'a' is there 2 times"),
        (lambda: Grouping.of(""), "contributors: there is none"),
        (lambda: Grouping.of(["anna"], {"ana": "A"}), "groups: 'ana' is no .* mean 'anna'"),
        (lambda: Grouping.of("ab", {"a": " "}), "groups: contributor 'a' has no group"),
        (lambda: Grouping.of("ab", {"a": 3}), "groups: contributor 'a' has no group"),
        (lambda: Grouping.of("ab", {"a": "b"}), "groups: 'b' is a group and an independent"),
        (lambda: GROUPS.members("G9"), "group: 'G9' does not exist"),
        (lambda: GROUPS.split("G0", {"c9": "x"}), "parts: 'c9' is not in group 'G0'"),
        (lambda: GROUPS.split("G0", {"c1": "G1"}), "groups: there is another group 'G1'"),
        (lambda: GROUPS.merge(["G0", "G1"], "G2"), "groups: there is another group 'G2'"),
        (lambda: nested_design(GROUPS, "G3", 8), "group: 'G3' has one member"),
        (lambda: nested_design(GROUPS, "G2", 33), r"budget: 33 is outside 2..2\^4 \* \(2\^2 - 2\)"),
        (lambda: nested_design(GROUPS, "G2", 1), "budget: 1 is outside"),
        (lambda: group_design(partition([0, 0]), 4), "grouping: a single group"),
        (lambda: group_design(GROUPS, 4, "no such"), "game.design: 'no such'"),
    ],
)
def test_groups_that_cannot_be_are_said_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inside": "siez"}, "inside: 'siez' is not a way to divide .*size"),
        ({"inside": {"G0": "size"}}, "inside: group 'G1' has none"),
        ({"inside": {"G7": "size"}}, "group: 'G7' does not exist"),
        ({"inside": "size"}, "options: way size needs 'counts'"),
        ({"options": {"counts": [1, 2]}}, "options: 'counts' is not of the ways .* there are none"),
        ({"inside": "size", "options": {"counts": [1, 2]}}, "counts: 2 numbers for 4"),
        ({"inside": "size", "options": {"counts": {"x": 1}}}, "counts: 'x' is no contributor"),
        ({"inside": "size", "options": {"counts": {"c1": 1}}}, "counts: 'c2' has none"),
        ({"inside": "size", "options": {"counts": [1, -1, 2, 2]}}, "counts: 'c2' has -1"),
        ({"inside": "proxy", "options": {"scores": [1, np.inf, 2, 2]}}, "scores: 'c2' has inf"),
        ({"inside": "proxy", "options": {"scores": ["a", 1, 2, 3]}}, "scores: numbers are needed"),
        (
            {"inside": "proxy", "options": {"scores": [1] * 4, "reference": {"x": 1}}},
            "reference: 'x' is no contributor",
        ),
        ({"estimator": "banzhaf"}, "estimator: banzhaf is of the Banzhaf value"),
        (
            {"estimator_options": {"nonsense": 1}},
            "values.options: 'nonsense' is not an option of estimator auto; it has none",
        ),
        ({"confidence": 1.0}, "confidence: 1.0 is not between"),
        ({"resamples": 1}, "resamples: 1 is too few"),
        ({"property": "charm"}, "property: 'charm' is not in the table"),
    ],
)
def test_arguments_that_cannot_be_are_said_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        owen(square_root([1, 2, 3, 4]), partition([0, 0, 1, 1]), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 0, 0, 0]])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence": 1.0}, "confidence: 1.0"),
        ({"resamples": 1}, "resamples: 1 is too few"),
        ({"estimator_options": {"nonsense": 1}}, "values.options: 'nonsense'"),
    ],
)
def test_one_group_of_all_refuses_what_several_do(labels, arguments, message):
    with pytest.raises(InputError, match=message):
        owen(square_root([1, 2, 3, 4]), partition(labels), **arguments)


def test_tables_that_lack_a_level_are_refused():
    grouping = partition([0, 0, 1, 1])
    ends, rows = everything(4)[[0, -1]], group_design(grouping, 4)
    for coalitions, message in [
        (ends, "table: only the empty and the full coalition are of whole groups"),
        (rows, "table: no coalition splits group 'G0' and no other .*nested_design"),
        (everything(4)[1:3], "table: every coalition splits a group, for instance 1000"),
    ]:
        table = UtilityTable.from_arrays(coalitions, coalitions.sum(axis=1))
        with pytest.raises(InputError, match=message):
            owen(table, grouping)
    with pytest.raises(InputError, match="grouping: neither its contributors nor its groups"):
        owen(square_root([1, 2, 3]), grouping)


def test_of_several_properties_one_is_named():
    rows = everything(3)
    tables = [
        UtilityTable.from_arrays(rows, k * rows.sum(axis=1), property=p)
        for k, p in [(1, "x"), (2, "y")]
    ]
    table, grouping = UtilityTable.concat(*tables), partition([0, 0, 1])
    assert owen(table, grouping, property="y", **QUICK).members.values == pytest.approx(2)
    with pytest.raises(InputError, match="property: the table holds x, y; name one"):
        owen(table, grouping)


def test_designs_over_groups_hold_whole_groups_and_are_nested_in_the_budget():
    rows = group_design(GROUPS, 24, seed=2)
    whole, partial = GROUPS.to_groups(rows)
    assert not partial.any()
    assert (whole == design(5, 24, seed=2)).all()
    assert (group_design(GROUPS, 12, seed=2) == rows[:12]).all()


@pytest.mark.parametrize(("group", "members"), [("G0", 5), ("G1", 3), ("G2", 2)])
def test_nested_designs_split_one_group_and_are_nested_in_the_budget(group, members):
    everything_there_is = 2**4 * (2**members - 2)
    rows = nested_design(GROUPS, group, everything_there_is, seed=2)
    _, partial = GROUPS.to_groups(rows)
    assert partial[:, GROUPS.position(group)].all()
    assert (partial.sum(axis=1) == 1).all()
    assert len(distinct_rows(rows)[0]) == everything_there_is
    assert (rows[1::2] == ~rows[::2]).all()
    for budget in (2, 7, everything_there_is // 2):
        assert (nested_design(GROUPS, group, budget, seed=2) == rows[:budget]).all()
    assert not (nested_design(GROUPS, group, 16, seed=3) == rows[:16]).all()


def test_a_nested_design_spreads_over_the_others_evenly_and_over_the_members_by_the_kernel():
    grouping = partition([0] * 9 + list(range(1, 10)))
    rows = nested_design(grouping, "G0", 720)
    inside, others = rows[:, :9].sum(axis=1), rows[:, 9:].sum(axis=1)
    sizes = np.arange(1, 9)
    kernel = 1 / (sizes * (9 - sizes))
    # with 72 rows for each of ten q: the cells with fewer coalitions than that are taken whole
    assert np.bincount(others)[[0, 9]] == pytest.approx(72, abs=14)
    expected = 720 * kernel / kernel.sum()
    assert np.bincount(inside, minlength=9)[1:] == pytest.approx(expected, rel=0.15)


def test_ranges_of_memory_do_not_change_what_groups_see(monkeypatch):
    rows = np.random.default_rng(0).random((50, 12)) < 0.5
    whole, partial = GROUPS.to_groups(rows)
    monkeypatch.setattr("credit_plugin.game.grouping._NUMBERS_AT_ONCE", 30)
    assert (GROUPS.to_groups(rows)[0] == whole).all()
    assert (GROUPS.to_groups(rows)[1] == partial).all()
    for row, sees in zip(rows, whole, strict=True):
        assert sees.tolist() == [bool(row[GROUPS.members(g)].all()) for g in GROUPS.groups]
