import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reviewers import (
    ALL,
    SERVER,
    START,
    act,
    approved,
    case,
    contest,
    final,
    fresh,
    submitted,
)

from credit_plugin.compensation.review.actions import (
    ACTIONS,
    CHECKLIST,
    LONGEST_TEXT,
    SCOPE,
    apply,
    replay,
)
from credit_plugin.compensation.review.drafting import draft_entry
from credit_plugin.compensation.review.states import (
    ConflictError,
    ForbiddenError,
    RefusedError,
    State,
    begin,
    folded,
)

EXPORT = {"format": "csv", "sha256": "d" * 64, "payments": 3, "total_minor": 900}


def test_a_report_goes_from_sealed_to_paid():
    review = submitted()
    assert review.state is State.IN_REVIEW
    review = act(review, "approve", "Rob", ALL)
    assert review.state is State.APPROVED
    assert review.contest_until == START + timedelta(days=30)
    assert review.label(START + timedelta(days=1)) == "contest window"
    assert review.label(START + timedelta(days=30)) == "provisionally approved"
    review = act(review, "finalize", "Rob", {"files": 9}, days=30)
    assert review.state is State.FINAL
    review = act(review, "export", "Mona", EXPORT, days=31)
    assert review.state is State.FINAL
    review = act(review, "pay", "Mona", {"reference": "batch 7"}, days=32)
    assert review.state is State.PAID
    assert [entry.number for entry in review.entries] == [1, 2, 3, 4, 5]


def test_a_draft_cannot_be_submitted():
    with pytest.raises(ConflictError, match="is draft: one submits only what is sealed"):
        act(fresh(sealed=False), "submit", "Pat")


@pytest.mark.parametrize("action", ["approve", "request_changes", "reject"])
def test_who_prepared_a_report_does_not_review_it(action):
    with pytest.raises(ForbiddenError, match="Pat has prepared this report"):
        act(submitted(), action, "Pat", ALL if action == "approve" else None)


@pytest.mark.parametrize("name", ["pat", " PAT ", "\uff30at", "Pa\u0074"])
def test_the_same_person_is_not_two_by_spelling(name):
    with pytest.raises(ForbiddenError):
        act(submitted(), "approve", name, ALL)


@pytest.mark.parametrize("days", [0, 29.99])
def test_nothing_becomes_final_while_contests_are_possible(days):
    with pytest.raises(ConflictError, match="contests are possible until 2026-03-31T09:00:00"):
        act(approved(), "finalize", "Rob", {"files": 9}, days=days)


def test_time_alone_approves_nothing():
    review = submitted()
    assert review.label(START + timedelta(days=4000)) == "in review"
    assert approved().label(START + timedelta(days=4000)) == "provisionally approved"


def test_a_reviewer_who_asked_for_changes_does_not_submit():
    review = act(submitted(), "request_changes", "Rob")
    assert review.state is State.CHANGES_REQUESTED
    with pytest.raises(ForbiddenError, match="the preparer is somebody else"):
        act(review, "submit", "Rob")
    assert act(review, "submit", "Pat").state is State.IN_REVIEW


def test_what_is_rejected_stays_so():
    review = act(submitted(), "reject", "Rob")
    for action in ACTIONS:
        details = {
            "approve": ALL, "finalize": {"files": 1}, "export": EXPORT,
            "pay": {"reference": "x"}, "supersede": {"by": "4"},
            "contest": {"payee": "Ada", "ground": "images"},
            "decide": {"contest": "C1", "outcome": "upheld"},
        }.get(action)  # fmt: skip
        with pytest.raises(ConflictError, match="is rejected"):
            act(review, action, "Zoe", details)


def test_two_reviewers_are_two_people():
    review = submitted(approvals=2)
    review = act(review, "approve", "Rob", ALL)
    assert review.state is State.IN_REVIEW
    with pytest.raises(ForbiddenError, match="second reviewer is somebody else"):
        act(review, "approve", "rob", ALL)
    assert act(review, "approve", "Ria", ALL).state is State.APPROVED


def test_approvals_start_anew_after_changes():
    review = act(submitted(approvals=2), "approve", "Rob", ALL)
    review = act(review, "request_changes", "Ria")
    review = act(review, "submit", "Pat")
    assert act(review, "approve", "Rob", ALL).state is State.IN_REVIEW


@pytest.mark.parametrize("point", CHECKLIST)
def test_an_approval_confirms_every_point(point):
    details = {"checklist": [name for name in CHECKLIST if name != point]}
    with pytest.raises(RefusedError, match=f"checklist: '{point}' is not confirmed"):
        act(submitted(), "approve", "Rob", details)


@pytest.mark.parametrize("comment", ["", " \n ", "x" * (LONGEST_TEXT + 1)])
def test_a_signature_has_a_comment_that_fits(comment):
    with pytest.raises(RefusedError, match="comment: "):
        act(fresh(), "submit", "Pat", comment=comment)


def test_a_signature_says_what_it_means():
    entry = draft_entry(fresh(), "submit", "Pat", "done", now=START)
    assert (entry.meaning, entry.scope) == ("I prepared this report and answer for it", SCOPE)
    with pytest.raises(RefusedError, match="meaning: submit means"):
        apply(fresh(), replace(entry, meaning="I had a look"))


class TestContests:
    def test_holds_the_money_of_one_payee_until_it_is_dismissed(self):
        review = contest(approved())
        assert review.held() == {"Ada"}
        decided = act(review, "decide", "Dee", {"contest": "C1", "outcome": "dismissed"}, days=2)
        assert decided.held() == set()
        upheld = act(review, "decide", "Dee", {"contest": "C1", "outcome": "upheld"}, days=2)
        assert upheld.held() == {"Ada"}
        assert upheld.contests[0].decision == "as agreed"

    @pytest.mark.parametrize("name", ["Pat", "Rob"])
    def test_is_not_decided_by_who_signed(self, name):
        with pytest.raises(ForbiddenError, match="the decider is somebody else"):
            act(contest(approved()), "decide", name, {"contest": "C1", "outcome": "upheld"}, 2)

    def test_is_not_decided_by_who_filed_it(self):
        review = contest(approved(), by="Dee")
        with pytest.raises(ForbiddenError, match="Dee filed C1"):
            act(review, "decide", "Dee", {"contest": "C1", "outcome": "dismissed"}, 2)

    def test_is_decided_once(self):
        review = act(
            contest(approved()), "decide", "Dee", {"contest": "C1", "outcome": "upheld"}, 2
        )
        with pytest.raises(ConflictError, match="C1 was upheld by Dee already"):
            act(review, "decide", "Dora", {"contest": "C1", "outcome": "dismissed"}, 3)

    def test_can_be_decided_after_the_others_are_paid(self):
        review = act(contest(approved()), "finalize", "Rob", {"files": 9}, days=31)
        assert review.held() == {"Ada"}
        review = act(review, "decide", "Dee", {"contest": "C1", "outcome": "dismissed"}, 40)
        assert (review.state, review.held()) == (State.FINAL, set())

    def test_is_late_after_the_window_and_too_late_after_the_release(self):
        assert not contest(approved(), days=29).contests[0].late
        assert contest(approved(), days=30).contests[0].late
        with pytest.raises(ConflictError, match="is final: one contests only"):
            contest(final(), days=32)

    def test_twice_on_the_same_ground_is_one(self):
        with pytest.raises(ConflictError, match="C1 contests the same on the same ground"):
            contest(contest(approved()), days=2)
        assert len(contest(contest(approved()), payee="Bo", days=2).contests) == 2

    @pytest.mark.parametrize(
        ("details", "line"),
        [
            ({"payee": "Zed", "ground": "images"}, "payee: nobody of the name 'Zed'"),
            ({"payee": "Ada", "ground": "envy"}, "ground: choose one of images, copies"),
            ({"payee": "Ada"}, "ground: field required"),
            ({"payee": "Ada", "ground": "images", "pay": 1}, "pay: extra inputs"),
            ({"payee": 7, "ground": "images"}, "payee: input should be a valid string"),
        ],
    )
    def test_that_cannot_be_used_is_refused(self, details, line):
        with pytest.raises(RefusedError, match=line):
            act(approved(), "contest", "Ada L.", details)

    def test_decides_what_exists(self):
        with pytest.raises(RefusedError, match="there is no 'C9'"):
            act(approved(), "decide", "Dee", {"contest": "C9", "outcome": "upheld"})


class TestPayer:
    @pytest.mark.parametrize("name", ["Pat", "Rob"])
    def test_is_nobody_who_signed(self, name):
        with pytest.raises(ForbiddenError, match="the payer is somebody else"):
            act(final(), "export", name, EXPORT, days=32)

    def test_may_have_signed_where_the_policy_states_a_control(self):
        review = final(compensating_control="the treasurer checks every payment afterwards")
        assert act(review, "export", "Rob", EXPORT, days=32).last("export") is not None

    def test_a_control_lets_nobody_review_their_own_report(self):
        with pytest.raises(ForbiddenError):
            act(submitted(compensating_control="we are two"), "approve", "Pat", ALL)

    def test_a_blank_control_is_none(self):
        with pytest.raises(ForbiddenError):
            act(final(compensating_control="  "), "export", "Rob", EXPORT, days=32)

    def test_pays_what_was_exported(self):
        with pytest.raises(ConflictError, match="nothing was exported"):
            act(final(), "pay", "Mona", {"reference": "x"}, days=32)

    def test_does_not_release(self):
        review = act(
            contest(approved()), "decide", "Dee", {"contest": "C1", "outcome": "upheld"}, 2
        )
        with pytest.raises(ForbiddenError):
            act(review, "finalize", "Dee", {"files": 9}, days=31)


class TestIdentity:
    def test_unverified_names_make_nothing_final(self):
        review = act(submitted(), "approve", "Rob", ALL, identity="")
        with pytest.raises(ForbiddenError, match="nothing verifies that line 2 is by Rob"):
            act(review, "finalize", "Ria", {"files": 9}, days=31)

    def test_unless_the_policy_says_so(self):
        review = act(submitted(unverified=True), "approve", "Rob", ALL, identity="")
        review = act(review, "finalize", "Rob", {"files": 9}, days=31, identity="")
        assert review.state is State.FINAL

    def test_the_one_who_releases_is_verified_too(self):
        with pytest.raises(ForbiddenError, match="nothing verifies that this entry is by Rob"):
            act(approved(), "finalize", "Rob", {"files": 9}, days=31, identity="")


def test_an_entry_is_refused_if_somebody_acted_in_between():
    review = submitted()
    stale = draft_entry(review, "reject", "Ria", "no", identity=SERVER, now=START)
    review = act(review, "approve", "Rob", ALL)
    with pytest.raises(ConflictError, match="somebody else has acted"):
        apply(review, stale)


def test_clocks_do_not_run_backwards():
    with pytest.raises(ConflictError, match="before what was done last"):
        act(submitted(), "approve", "Rob", ALL, days=-1)


def test_a_later_version_takes_the_place_of_an_open_one():
    review = act(submitted(), "supersede", "Pat", {"by": "4"})
    assert (review.state, review.superseded_by) == (State.SUPERSEDED, "4")
    with pytest.raises(ConflictError):
        act(final(), "supersede", "Pat", {"by": "4"}, days=32)
    with pytest.raises(RefusedError, match="cannot take its own place"):
        act(submitted(), "supersede", "Pat", {"by": "3"})


def test_every_action_has_words_for_its_refusals():
    for name in ACTIONS:
        entry = draft_entry(begin(case(sealed=False)), name, "Zoe", "x", now=START)
        with pytest.raises(RefusedError) as refusal:
            apply(begin(case(sealed=False)), entry)
        assert re.search(r"[a-z]", str(refusal.value))


PEOPLE = st.sampled_from(["Pat", "Rob", "Ria", "Dee", "Mona"])
DETAILS = {
    "submit": {}, "approve": ALL, "request_changes": {}, "reject": {},
    "contest": {"payee": "Ada", "ground": "images"},
    "decide": {"contest": "C1", "outcome": "dismissed"},
    "finalize": {"files": 3}, "export": EXPORT, "pay": {"reference": "r"},
    "supersede": {"by": "4"},
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(DETAILS)), PEOPLE, st.integers(0, 20)), max_size=25),
    st.sampled_from([1, 2]),
)
def test_laws_of_any_review(steps, approvals):
    """However people try: separated duties, a chain that replays, money only after a release."""
    review = fresh(approvals=approvals, contest_days=10)
    day = 0
    for action, actor, later in steps:
        day += later
        try:
            review = act(review, action, actor, DETAILS[action], days=day)
        except RefusedError:
            continue
    done = {name: {folded(e.actor) for e in review.entries if e.action == name} for name in ACTIONS}
    signers = done["approve"] | done["request_changes"] | done["reject"] | done["finalize"]
    assert not done["submit"] & signers
    assert not done["decide"] & (done["submit"] | signers)
    assert not (done["pay"] | done["export"]) & (done["submit"] | signers)
    if review.state in (State.FINAL, State.PAID):
        assert len({folded(name) for name in review.approvals}) == approvals
        approval, release = review.last("approve"), review.last("finalize")
        assert (release.time - approval.time).days >= 10
    else:
        assert not done["export"] | done["pay"]
    again, faults = replay(begin(review.case), list(review.entries))
    assert (again, faults) == (review, [])
