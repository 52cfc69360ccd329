"""Who plays with what: owners, withdrawals, exclusions, and copies across owners."""

from dataclasses import replace

import numpy as np
import pytest

from credit_plugin.config import CompensationSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.intake import take_in
from credit_plugin.errors import InputError


@pytest.fixture
def submitted():
    """Return ten different images: four of ann, three of bob, two of ann-2, one of cleo."""
    generator = np.random.default_rng(0)
    owner = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
    return ContributorDataset(
        name="toy",
        images=generator.integers(0, 256, (10, 8, 8, 3), np.uint8),
        contributor=owner.astype(np.int64),
        contributors=("ann", "bob", "ann-2", "cleo"),
        licences=("CC0", "CC BY 4.0", "CC BY 4.0", "CC0"),
        items=tuple(f"{k}.png" for k in range(10)),
    )


def copied(submitted, pairs):
    """Return the data with some images replaced by copies of others."""
    images = submitted.images.copy()
    for target, source in pairs:
        images[target] = images[source]
    return replace(submitted, images=images)


def policy(**settings):
    return CompensationSettings.model_validate(settings)


def by_owner(intake):
    return {record.owner: record for record in intake.submissions.owners}


def test_a_policy_that_says_nothing_changes_nothing(submitted):
    intake = take_in(submitted, policy())
    assert intake.dataset is submitted
    assert intake.decisions == ()
    assert [(r.owner, r.submitted, r.accepted) for r in intake.submissions.owners] == [
        ("ann", 4, 4),
        ("bob", 3, 3),
        ("ann-2", 2, 2),
        ("cleo", 1, 1),
    ]


def test_an_owner_is_the_union_of_names_and_files(submitted):
    intake = take_in(submitted, policy(owners={"Ann": ["ann", "ann-2", "9.png"]}))
    players = intake.dataset
    assert players.contributors == ("Ann", "bob")
    assert players.counts.tolist() == [7, 3]
    assert players.licences == ("CC0; CC BY 4.0", "CC BY 4.0")
    record = by_owner(intake)["Ann"]
    assert record.names == ("ann", "ann-2", "cleo")
    assert [r.owner for r in intake.submissions.owners] == ["Ann", "bob"]


def test_splitting_under_more_names_is_the_same_data_for_one_owner(submitted):
    whole = replace(
        submitted,
        contributor=np.where(submitted.contributor == 2, 0, submitted.contributor).clip(0, 1),
        contributors=("ann", "bob"),
        licences=(),
    )
    split = replace(submitted, licences=())
    one = take_in(whole, policy(owners={"Ann": ["ann"]}))
    many = take_in(split, policy(owners={"Ann": ["ann", "ann-2"], "bob": ["bob", "cleo"]}))
    assert one.dataset.digest() == many.dataset.digest()


def test_what_is_withdrawn_or_excluded_is_in_no_coalition(submitted):
    intake = take_in(
        submitted,
        policy(
            withdrawn={"bob": "by letter of 3 May"}, exclusions={"0.png": "not an image of ann"}
        ),
    )
    assert intake.dataset.contributors == ("ann", "ann-2", "cleo")
    assert intake.dataset.items == ("1.png", "2.png", "3.png", "7.png", "8.png", "9.png")
    record = by_owner(intake)["bob"]
    assert (record.submitted, record.accepted, dict(record.fates)) == (3, 0, {"withdrawn": 3})
    assert record.reasons == ("by letter of 3 May",)
    assert intake.submissions.owners[-1].owner == "bob"  # who plays comes first


def test_a_withdrawn_owner_takes_all_names_along(submitted):
    intake = take_in(
        submitted, policy(owners={"Ann": ["ann", "ann-2"]}, withdrawn={"Ann": "by letter"})
    )
    assert intake.dataset.contributors == ("bob", "cleo")


def test_the_earlier_registration_keeps_a_copy(submitted):
    data = copied(submitted, [(9, 4)])  # cleo's only image is bob's first
    dates = {"bob": "2026-03-01", "cleo": "2026-02-28"}
    intake = take_in(data, policy(registered=dates))
    assert "cleo" in intake.dataset.contributors
    (decision,) = intake.decisions
    assert (decision.item, decision.owner, decision.fate) == ("4.png", "bob", "merged")
    assert decision.reason == "a copy; cleo registered the picture first, on 2026-02-28"
    assert by_owner(intake)["cleo"].disputed_share == 0
    later = take_in(data, policy(registered={**dates, "cleo": "2026-03-02"}))
    assert "cleo" not in later.dataset.contributors
    assert by_owner(later)["cleo"].fates == {"merged": 1}


def test_dates_of_images_come_before_dates_of_names(submitted):
    data = replace(copied(submitted, [(9, 4)]), registered=("",) * 4 + ("2026-01-01",) + ("",) * 5)
    dates = {"bob": "2026-03-01", "cleo": "2026-02-28"}
    (decision,) = take_in(data, policy(registered=dates)).decisions
    assert decision.owner == "cleo"


@pytest.mark.parametrize(
    "dates", [{}, {"bob": "2026-03-01"}, {"bob": "2026-03-01", "cleo": "2026-03-01"}]
)
def test_where_the_first_is_not_known_the_money_is_held(submitted, dates):
    intake = take_in(copied(submitted, [(9, 4)]), policy(registered=dates))
    assert [(d.item, d.fate) for d in intake.decisions] == [
        ("4.png", "disputed"),
        ("9.png", "merged"),
    ]
    assert by_owner(intake)["bob"].disputed_share == pytest.approx(1 / 3)
    assert intake.submissions.clusters == 1


def test_hold_lets_all_copies_play_and_keep_does_nothing(submitted):
    data = copied(submitted, [(9, 4)])
    held = take_in(data, policy(duplicates="hold"))
    assert held.dataset is data
    assert by_owner(held)["cleo"].disputed_share == 1
    kept = take_in(data, policy(duplicates="keep"))
    assert (kept.dataset, kept.decisions) == (data, ())


def test_more_copies_leave_the_same_players(submitted):
    once = take_in(copied(submitted, [(9, 4)]), policy())
    thrice = take_in(copied(submitted, [(9, 4), (7, 4), (8, 4)]), policy())
    assert once.dataset.contributors == ("ann", "bob", "ann-2")
    assert thrice.dataset.contributors == ("ann", "bob")
    rows = np.flatnonzero(once.dataset.contributor < 2)
    assert np.array_equal(once.dataset.images[rows], thrice.dataset.images)


def test_copies_of_one_owner_are_no_dispute(submitted):
    data = copied(submitted, [(7, 0)])  # ann-2 copies ann, who is the same person
    assert take_in(data, policy(owners={"Ann": ["ann", "ann-2"]})).decisions == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"owners": {"Ann": ["anne"]}},
            "owners: there is no 'anne' in the data; did you mean 'ann'",
        ),
        ({"owners": {"bob": ["ann"]}}, "owners: 'bob' is a name in the data too"),
        ({"owners": {"A\u202eb": ["ann"]}}, "control character"),
        ({"withdrawn": {"99.png": "x"}}, "withdrawn: there is no '99.png'"),
        ({"exclusions": {"nobody": "x"}}, "exclusions: there is no 'nobody'"),
        ({"registered": {"nobody": "2026-01-01"}}, "registered: there is no 'nobody'"),
        ({"withdrawn": {"ann": "x", "bob": "x", "cleo": "x"}}, "fewer than two owners are left"),
    ],
)
def test_what_is_not_there_gets_one_line(submitted, settings, message):
    with pytest.raises(InputError, match="compensation") as caught:
        take_in(submitted, policy(**settings))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
