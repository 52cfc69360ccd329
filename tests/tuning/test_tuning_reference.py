"""Reference coalitions: shared with the fidelity check, and split in two parts that are alike."""

import numpy as np
import pytest

from credit_plugin.config import FidelitySettings, load_study
from credit_plugin.errors import InputError
from credit_plugin.fidelity.reference import draw_test_sets, rests_on
from credit_plugin.game.coalitions import from_bits
from credit_plugin.tuning.reference import reference_coalitions

N = 12


def study(*overrides):
    return load_study("designers", overrides=overrides)


def pairs(coalitions):
    """How often contributors are in a coalition, and together in one, float [n, n]."""
    members = np.array([from_bits(bits) for bits in coalitions], float)
    return members.T @ members / len(members)


def test_they_are_the_first_that_the_fidelity_check_tests_on():
    found = reference_coalitions(study(), N)
    drawn = draw_test_sets(
        N, FidelitySettings(alphas=(0.5,), coalitions=40), 0, rests_on(study(), N)
    )[0]
    assert {*found.tuning, *found.held_out} == set(drawn.coalitions[:24])
    assert (len(found.tuning), len(found.held_out), found.size) == (12, 12, 6)


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_are_more_alike_than_first_and_last(seed):
    found = reference_coalitions(study(f"seed={seed}"), N)
    everything = draw_test_sets(
        N, FidelitySettings(alphas=(0.5,), coalitions=24), seed, rests_on(study(f"seed={seed}"), N)
    )[0].coalitions
    split = ((pairs(found.tuning) - pairs(found.held_out)) ** 2).sum()
    plain = ((pairs(everything[:12]) - pairs(everything[12:])) ** 2).sum()
    assert split < 0.8 * plain


def test_the_split_is_the_best_of_many_by_counting_directly():
    found = reference_coalitions(study(), N)
    both = np.array([*found.tuning, *found.held_out])
    split = ((pairs(found.tuning) - pairs(found.held_out)) ** 2).sum()
    generator = np.random.default_rng(0)
    others = []
    for _ in range(200):
        order = generator.permutation(24)
        others.append(((pairs(both[order[:12]]) - pairs(both[order[12:]])) ** 2).sum())
    assert split < np.quantile(others, 0.02)


def test_shares_that_are_held_out_are_kept_to_and_too_few_are_refused():
    found = reference_coalitions(study("tuning.held_out=0.25"), N)
    assert (len(found.tuning), len(found.held_out)) == (18, 6)
    assert not set(found.tuning) & set(found.held_out)
    with pytest.raises(InputError, match="both need 4"):
        reference_coalitions(study("tuning.held_out=0.9"), N)
