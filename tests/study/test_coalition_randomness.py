"""Which coalitions share their random numbers, seen where two contributors gave the same images."""

import pytest
from micro import micro_study

from credit_plugin.game.coalitions import to_bits
from credit_plugin.game.utilities import get_utility
from credit_plugin.game.utilities.workbench import Workbench

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(finished):
    return Workbench(micro_study(), finished.folders, "cpu")


@pytest.fixture(scope="module")
def measure(bench):
    def measure(utility, contributor, repeat=0):
        alone = [name == contributor for name in bench.dataset.contributors]
        payload = {"coalition": to_bits(alone), "repeat": repeat, "key": "test-preview"}
        return get_utility(utility).evaluate(bench, payload, lambda done, of: None)["properties"]

    return measure


@pytest.mark.parametrize("utility", ["sparsified_finetuning", "finetuning"])
def test_fine_tunings_of_a_repeat_share_their_luck(measure, utility):
    original = measure(utility, "office-c")
    assert measure(utility, "copycat") == original
    assert measure(utility, "copycat", repeat=1) != original


def test_retrainings_have_luck_of_their_own(measure):
    original = measure("retraining", "office-c")
    assert measure("retraining", "office-c") == original
    assert measure("retraining", "copycat") != original
