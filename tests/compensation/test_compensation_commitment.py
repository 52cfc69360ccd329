"""The policy that was written down first binds, and a later one is told from it."""

import json
from datetime import UTC, datetime

import pytest

from credit_plugin import load_study
from credit_plugin.compensation.commitment import (
    FILE,
    commit,
    differences,
    policy_of,
    protocol_of,
    read_commitments,
    sha256_of_policy,
)
from credit_plugin.errors import InputError

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DIRECTIONS = {"inception_score": 1.0, "frechet_distance": -1.0, "diversity": 1.0}


def committed(folder, *overrides, evaluations=0, now=NOW):
    study = load_study("digits", overrides=overrides)
    return commit(folder, policy_of(study, DIRECTIONS), protocol_of(study), evaluations, now)


def test_the_first_policy_binds_and_the_same_one_later_is_no_news(tmp_path):
    first = committed(tmp_path)
    assert first.sealable
    later = committed(tmp_path, evaluations=40, now=datetime(2026, 12, 1, tzinfo=UTC))
    assert later.sealable
    assert later.first == first.first
    assert len(read_commitments(tmp_path / FILE)) == 1


def test_another_policy_is_written_down_too_and_cannot_be_sealed(tmp_path):
    committed(tmp_path)
    other = committed(tmp_path, "compensation.pool=500", evaluations=12)
    assert not other.sealable
    assert other.complaints == (
        "the policy is not the one that was written down before the first coalition: "
        'compensation.pool was "10000.00" and is "500.00"',
    )
    again = committed(tmp_path, evaluations=12)  # back to the first one
    assert again.sealable
    assert [c.policy["compensation"]["pool"] for c in read_commitments(tmp_path / FILE)] == [
        "10000.00",
        "500.00",
        "10000.00",
    ]


@pytest.mark.parametrize(
    "override",
    [
        "compensation.gate.correlation=0.1",
        "compensation.fallback=equal",
        "compensation.weights={diversity: 1}",
        "properties.headline=diversity",
        "game.baseline=0.0",
    ],
)
def test_everything_that_decides_who_is_paid_binds(tmp_path, override):
    committed(tmp_path)
    assert not committed(tmp_path, override, evaluations=1).sealable


def test_a_larger_budget_is_told_and_does_not_bind(tmp_path):
    committed(tmp_path)
    later = committed(tmp_path, "game.budget=96", "values.estimator=permutation", evaluations=48)
    assert later.sealable
    assert later.changes == (
        "game.budget was 48 and is 96",
        'values.estimator was "auto" and is "permutation"',
    )


def test_too_late_is_too_late(tmp_path):
    late = committed(tmp_path, evaluations=7)
    assert late.complaints == ("the policy was written down when 7 evaluations were known already",)
    assert late.to_json_dict()["sealable"] is False


def test_the_hash_is_of_the_policy_whatever_the_order_of_its_fields():
    study = load_study("digits")
    policy = policy_of(study, DIRECTIONS)
    turned = json.loads(json.dumps(dict(reversed(policy.items()))))
    assert sha256_of_policy(turned) == sha256_of_policy(policy)
    assert sha256_of_policy({**policy, "headline": "diversity"}) != sha256_of_policy(policy)


@pytest.mark.parametrize("damage", ["edited", "cut", "foreign"])
def test_a_damaged_file_is_refused(tmp_path, damage):
    committed(tmp_path)
    path = tmp_path / FILE
    text = path.read_text("utf-8")
    path.write_text(
        {
            "edited": text.replace('"10000.00"', '"90000.00"'),
            "cut": text[: len(text) // 2],
            "foreign": text + '{"policy": 1}\n',
        }[damage],
        "utf-8",
    )
    with pytest.raises(InputError, match="is not a policy as it was written down"):
        committed(tmp_path)


def test_differences_name_the_place():
    assert differences({"a": {"b": 1, "c": [1]}}, {"a": {"b": 1, "c": [2]}, "d": None}) == [
        "a.c was [1] and is [2]"
    ]
    assert differences({}, {"d": 1.0}) == ["d was null and is 1.0"]
