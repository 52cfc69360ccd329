"""Every known way to cheat, with the numbers that governance measured for it."""

import numpy as np
import pytest

from credit_plugin.compensation.payout import allocate
from credit_plugin.config import CompensationSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.intake import take_in
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.grouping import Grouping
from credit_plugin.values import estimate, if_split, owen
from credit_plugin.values.estimation import shares_a_total
from credit_plugin.values.proxy_residuals import proxy_residuals


def exact(utility, names, estimator="exact"):
    """Return exact values of a game: a function from a set of names to a number."""
    rows = design(len(names), 2 ** len(names), "exact")
    sets = [frozenset(np.array(names, dtype=object)[row]) for row in rows]
    table = UtilityTable.from_arrays(rows, [utility(s) for s in sets], names)
    return table, estimate(table, estimator, resamples=2)


def shapley(utility, names):
    _, values = exact(utility, names)
    return dict(zip(names, values.values, strict=True))


def share_of(values, names):
    return sum(max(values[n], 0) for n in names) / sum(max(v, 0) for v in values.values())


def drawings(owners, units):
    """Return a dataset with one image for each entry; equal units are equal images."""
    generator = np.random.default_rng(5)
    pictures = {u: generator.integers(0, 256, (8, 8, 3), np.uint8) for u in sorted(set(units))}
    names = tuple(dict.fromkeys(owners))
    return ContributorDataset(
        name="toy",
        images=np.stack([pictures[unit] for unit in units]),
        contributor=np.array([names.index(owner) for owner in owners], dtype=np.int64),
        contributors=names,
    )


# Six equal owners of 24 units each; the utility is the square root of all data.
@pytest.mark.parametrize(("ids", "percent"), [(1, 16.67), (2, 18.75), (4, 20.79)])
def test_splitting_pays_ids_and_not_owners(ids, percent):
    names = [*(f"a{k}" for k in range(ids)), *"bcdef"]
    units = {**{f"a{k}": 24 / ids for k in range(ids)}, **dict.fromkeys("bcdef", 24)}
    as_players = shapley(lambda s: np.sqrt(sum(units[n] for n in s)), names)
    assert 100 * share_of(as_players, names[:ids]) == pytest.approx(percent, abs=0.005)

    pieces = [(f"a{k}", f"a{k}/{j}") for k in range(ids) for j in range(24 // ids)]
    pieces += [(owner, f"{owner}/{j}") for owner in "bcdef" for j in range(24)]
    submitted = drawings(*zip(*pieces, strict=True))
    policy = CompensationSettings(owners={"A": tuple(f"a{k}" for k in range(ids))})
    players = take_in(submitted, policy).dataset
    own = dict(zip(players.contributors, players.counts.tolist(), strict=True))
    as_owners = shapley(lambda s: np.sqrt(sum(own[n] for n in s)), players.contributors)
    paid = allocate(list(as_owners.values()), 10_000_00, "key")
    assert paid[players.contributors.index("A")] in (1666_66, 1666_67)


def test_worthless_ids_under_noise_earn_and_a_worthless_owner_hardly_does():
    """Of 50 payees with noise of half a mean share, values clipped at 0."""
    generator = np.random.default_rng(0)
    honest = generator.normal(1, 0.5, (20_000, 50)).clip(0)
    for ids, percent in ((1, 0.39), (10, 3.7)):
        worthless = generator.normal(0, 0.5, (20_000, ids)).clip(0).sum(axis=1)
        share = (worthless / (worthless + honest.sum(axis=1))).mean()
        assert 100 * share == pytest.approx(percent, rel=0.04)


def covering(units):
    """Return the game of covering units: how many are there among what a set of names has."""
    return lambda names: len({unit for name in names for unit in units[name]})


@pytest.mark.parametrize(("copies", "of_a"), [(0, 0.5), (1, 2 / 3), (2, 0.75), (4, 5 / 6)])
def test_copies_pay_as_ids_and_not_when_they_are_merged(copies, of_a):
    """A and the rival C each cover one unit; A uploads copies under other names."""
    names = ["A", *(f"A{k}" for k in range(copies)), "C", "D"]
    units = {**dict.fromkeys(names, "x"), "D": "y"}
    as_players = shapley(covering(units), names)
    assert sum(as_players[n] for n in names if n.startswith("A")) == pytest.approx(of_a)

    pictures = ["of A"] * (1 + copies) + ["of C", "of D"]
    dates = dict.fromkeys(names, "2026-02-01") | {"A": "2026-01-01"}
    policy = CompensationSettings.model_validate({"registered": dates})
    merged = take_in(drawings(names, pictures), policy).dataset
    assert merged.contributors == ("A", "C", "D")
    assert shapley(covering(units), merged.contributors)["A"] == pytest.approx(0.5)


def test_stealing_pays_until_the_earlier_registration_keeps_it():
    """B has nothing and copies C."""
    units = {"B": "x", "C": "x", "D": "y"}
    stolen = shapley(covering(units), ["B", "C", "D"])
    assert (stolen["B"], stolen["C"]) == (pytest.approx(0.5), pytest.approx(0.5))
    submitted = drawings(["B", "C", "D"], ["of C", "of C", "of D"])
    known = CompensationSettings.model_validate(
        {"registered": {"B": "2026-02-01", "C": "2026-01-01"}}
    )
    players = take_in(submitted, known).dataset.contributors
    assert players == ("C", "D")
    assert shapley(covering(units), players)["C"] == pytest.approx(1)
    unknown = take_in(submitted, CompensationSettings()).submissions
    assert {r.owner: r.disputed_share for r in unknown.owners} == {"B": 1, "C": 0, "D": 0}


def test_banzhaf_scaled_to_a_pool_is_not_robust_to_copies_and_cannot_be_paid_by():
    names = ["A", "A0", "A1", "A2", "A3", "C", "D"]
    units = {**dict.fromkeys(names, "x"), "D": "y"}
    _, values = exact(covering(units), names, "banzhaf")
    scaled = dict(zip(names, 2 * values.values / values.values.sum(), strict=True))
    assert scaled["C"] == pytest.approx(0.053, abs=0.0005)
    assert scaled["D"] == pytest.approx(1.684, abs=0.0005)
    assert not shares_a_total("banzhaf", {})  # so a study refuses it (test_policy_command)


def test_poison_is_shown_and_costs_its_victim():
    """P lowers the utility by 0.6 wherever C is."""

    def utility(names):
        return ("C" in names) + ("D" in names) - 0.6 * ({"C", "P"} <= names)

    values = shapley(utility, ["P", "C", "D"])
    assert list(values.values()) == pytest.approx([-0.3, 0.7, 1.0])
    paid = allocate([max(v, 0) for v in values.values()], 1000, "key")
    assert paid == [0, 412, 588]
    without = shapley(lambda names: utility(names - {"P"}), ["C", "D"])
    assert allocate(list(without.values()), 1000, "key") == [500, 500]


@pytest.mark.parametrize(("reruns", "gain"), [(3, 43), (5, 58), (10, 77), (20, 93)])
def test_the_best_of_reruns_is_why_the_policy_is_written_down_first(reruns, gain):
    """Noise of half a mean share; see test_compensation_commitment for what stops it."""
    draws = np.random.default_rng(0).normal(1, 0.5, (40_000, reruns))
    assert 100 * (draws.max(axis=1).mean() - 1) == pytest.approx(gain, abs=1.5)


def test_padding_raises_the_payout_by_count_and_not_the_one_by_values():
    units = {"A": "x", "B": "y"}
    before = shapley(covering(units), ["A", "B"])
    padded = shapley(covering({**units, "A": "xxxx"}), ["A", "B"])  # the same unit, four times
    assert padded == before
    assert allocate([1, 1], 100, "key") == [50, 50]
    assert allocate([4, 1], 100, "key") == [80, 20]


def test_an_agency_that_splits_gains_and_a_member_who_splits_takes_from_their_own_agency():
    """Three agencies of two equal members; the utility is the square root of all data."""
    names = tuple("abcdef")
    groups = {"a": "X", "b": "X", "c": "Y", "d": "Y", "e": "Z", "f": "Z"}
    rows = design(6, 64, "exact")
    table = UtilityTable.from_arrays(rows, np.sqrt(rows.sum(axis=1)), names)
    grouping = Grouping.of(names, groups)
    together = owen(table, grouping, resamples=2)
    shares = together.groups.shares()
    assert 100 * shares == pytest.approx([33.33] * 3, abs=0.005)
    apart = if_split(table, together, "X")
    total = together.groups.values.sum()
    assert 100 * apart.after / total == pytest.approx(37.17, abs=0.005)

    # a appears under two names inside X: the other agencies keep their third
    more = ("a1", "a2", *names[1:])
    weights = np.array([0.5, 0.5, 1, 1, 1, 1, 1])
    rows = design(7, 128, "exact")
    table = UtilityTable.from_arrays(rows, np.sqrt(rows @ weights), more)
    inner = {**{n: groups[n] for n in names[1:]}, "a1": "X", "a2": "X"}
    split = owen(table, Grouping.of(more, inner), resamples=2)
    assert 100 * split.groups.shares() == pytest.approx([33.33] * 3, abs=0.005)


def test_naive_rounding_misses_pools_and_largest_remainders_never_do():
    generator = np.random.default_rng(0)
    missed = 0
    for _ in range(2000):
        shares = generator.dirichlet(np.ones(258))
        pool = int(generator.integers(10_000, 10_000_000))
        missed += sum(round(share * pool) for share in shares) != pool
        assert sum(allocate(shares.tolist(), pool, "key")) == pool
    assert missed > 1500


def measured_twice(planted, seed=0, coalitions=40, noise=0.02):
    """Return coalitions of 12 with their utilities by a proxy and by retraining.

    Args:
        planted: By how much the proxy flatters player 0, as a part of everybody's utility.
        seed: Of everything.
        coalitions: How many.
        noise: Of retraining, standard deviation as a part of everybody's utility.
    """
    generator = np.random.default_rng(seed)
    rows = generator.random((coalitions, 12)) < 0.5
    worth = np.array([2.0, 2.0, 1.5, *[0.5] * 9])
    worth /= worth.sum()
    exact = rows @ worth + generator.normal(0, noise, coalitions)
    return rows, 0.8 * (rows @ worth) + 0.8 * planted * rows[:, 0] + 0.1, exact


def test_data_that_pleases_the_proxy_alone_is_flagged():
    for seed in range(20):
        found = proxy_residuals(*measured_twice(0.05, seed), players=[0, 1, 2])
        flags = {residual.player: residual for residual in found if residual.flagged}
        assert 0 in flags
        assert flags[0].effect == pytest.approx(-0.05, abs=0.03)


def test_nothing_is_flagged_where_nothing_is_planted():
    flagged = sum(
        any(r.flagged for r in proxy_residuals(*measured_twice(0, seed), players=[0, 1, 2]))
        for seed in range(200)
    )
    assert flagged / 200 < 0.08  # the level of the test is .0455


def test_too_few_retrainings_say_nothing():
    assert proxy_residuals(*measured_twice(0.05, coalitions=29), players=[0]) == []
    rows, cheap, utilities = measured_twice(0.05)
    rows[:, 1] = True
    assert [r.player for r in proxy_residuals(rows, cheap, utilities, [0, 1])] == [0]
