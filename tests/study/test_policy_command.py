"""``credit policy``: a policy in plain words, with the hash that a study of it will carry."""

import pytest

from credit_plugin import load_study
from credit_plugin.compensation.commitment import policy_of, sha256_of_policy
from credit_plugin.errors import InputError
from credit_plugin.policy import read_policy
from credit_plugin.properties.suite import directions

OWNERS = "compensation.owners={Office: [office-c, office-d]}"


def test_it_says_who_plays_and_what_the_hash_is():
    study = load_study("digits", overrides=["compensation.withdrawn={noise: by letter}", OWNERS])
    lines = list(read_policy(study))
    assert "6 owners play with 1,250 images" in lines
    assert "  Office: 280 accepted; as office-c, office-d" in lines
    assert "  noise: 0 accepted; 120 withdrawn" in lines
    expected = sha256_of_policy(policy_of(study, directions(study.properties)))
    assert lines[-1] == f"sha256 of this policy: {expected}"


def test_what_cannot_be_kept_is_refused():
    study = load_study("digits", overrides=["compensation.floor=5000.00"])
    with pytest.raises(InputError, match=r"8 owners of 5,000\.00 EUR each are guaranteed"):
        list(read_policy(study))


def test_a_study_does_not_pay_by_values_that_share_no_total():
    study = load_study("digits", overrides=["values.estimator=banzhaf"])
    with pytest.raises(InputError, match="do not sum to what is to be shared out"):
        list(read_policy(study))
