import json
from dataclasses import replace
from pathlib import Path

import pytest
from reviewers import (
    ALL,
    SERVER,
    SERVER_KEY,
    START,
    SUBJECT,
    act,
    approved,
    case,
    contest,
    final,
    fresh,
)

from credit_plugin.compensation.review.actions import apply
from credit_plugin.compensation.review.checking import (
    check_ledger,
    check_mirrors,
    compare_copies,
    mirrored_tags,
)
from credit_plugin.compensation.review.drafting import draft_entry
from credit_plugin.compensation.review.entries import (
    LONGEST_LINE,
    Subject,
    parse_entry,
    read_ledger,
)
from credit_plugin.compensation.review.signing import (
    attest,
    attestation_holds,
    make_key,
    public_of,
    read_key,
    sign,
    signature_holds,
)
from credit_plugin.compensation.review.states import ForbiddenError, State, begin
from credit_plugin.errors import InputError

DISMISSED = {"contest": "C1", "outcome": "dismissed"}


@pytest.fixture(name="lines")
def _lines():
    review = act(contest(approved()), "decide", "Dee", DISMISSED, 3)
    return [entry.line for entry in review.entries]


def test_a_ledger_reads_as_it_was_written(lines):
    entries, faults = read_ledger(lines, SUBJECT)
    assert faults == []
    assert [entry.line for entry in entries] == lines
    review, faults = check_ledger(case(), lines)
    assert (review.state, faults) == (State.APPROVED, [])


def test_each_flipped_character_is_found(lines):
    """Every byte of every line is under the hash of the next, or breaks the layout or the rules."""
    for number, line in enumerate(lines[:-1]):
        for place in range(0, len(line), 7):
            other = "0" if line[place] != "0" else "1"
            damaged = [*lines]
            damaged[number] = line[:place] + other + line[place + 1 :]
            _, faults = check_ledger(case(), damaged)
            assert faults, (number, place)
            named = f"line {number + 1} " in faults[0] or f"line {number + 2} " in faults[0]
            assert named, faults


def test_a_dropped_line_is_named(lines):
    _, faults = read_ledger([lines[0], *lines[2:]], SUBJECT)
    assert faults[0] == (
        "line 2 of the ledger is numbered 3: lines were dropped, moved or inserted"
    )


def test_reordered_lines_are_named(lines):
    _, faults = read_ledger([lines[1], lines[0], *lines[2:]], SUBJECT)
    assert any(fault.startswith("line 1 of the ledger is numbered 2") for fault in faults)


def test_a_ledger_of_another_report_is_refused(lines):
    other = Subject("designers.values", "4", *("d" * 64, "b" * 64, "c" * 64))
    _, faults = read_ledger(lines, other)
    assert any("about another record, designers.values/3" in fault for fault in faults)


def test_a_forged_approval_that_chains_is_found():
    """Who rewrites the chain still has to write entries that the rules admit."""
    review = act(fresh(), "submit", "Pat")
    forged = draft_entry(review, "approve", "Pat", "fine", ALL, now=START)
    _, faults = check_ledger(case(), [review.entries[0].line, forged.line])
    assert faults == [
        "line 2 of the ledger would not be admitted: Pat has prepared this report (line 1); the "
        "reviewer is somebody else"
    ]


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", "null", "7", '{"number": 1}', "{" * 3000, '"x"', "\u2028"]
)
def test_lines_that_are_none_are_named(line):
    with pytest.raises(InputError):
        parse_entry(line)
    assert read_ledger([line], SUBJECT)[1][0].startswith("line 1 of the ledger was forged")


@pytest.mark.parametrize(
    ("part", "value"),
    [("number", "1"), ("comment", 3), ("details", []), ("at", "yesterday"),
     ("at", "2026-03-01T09:00:00"), ("subject", {}), ("more", 1)],
)  # fmt: skip
def test_entries_of_other_types_are_none(lines, part, value):
    told = {**json.loads(lines[0]), part: value}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    with pytest.raises(InputError):
        parse_entry(text)


LONGEST = {"payee": "Ada", "ground": "measurement", "evidence": "\u00e9" * 1500}


def test_the_longest_texts_fit_into_the_store():
    """All texts as long as they may be, with both signatures."""
    entry = draft_entry(approved(), "contest", "x" * 200, "\u00e9" * 1500, LONGEST, SERVER, START)
    entry = attest(sign(entry, SERVER_KEY), SERVER_KEY)
    apply(approved(), entry)
    assert len(entry.line) <= LONGEST_LINE


def test_texts_that_json_makes_longer_than_the_store_takes_are_refused():
    details = {**LONGEST, "evidence": '"' * 1500}
    entry = draft_entry(approved(), "contest", "x", "\\" * 1500, details, now=START)
    assert len(entry.line) > LONGEST_LINE
    with pytest.raises(InputError, match="too long"):
        apply(approved(), entry)


class TestKeys:
    def test_a_signature_holds_until_a_character_changes(self, tmp_path: Path):
        public = make_key(tmp_path / "rob.pem")
        key = read_key(tmp_path / "rob.pem")
        assert public == public_of(key)
        entry = sign(draft_entry(fresh(), "submit", "Pat", "done", now=START), key)
        assert signature_holds(entry)
        assert not signature_holds(replace(entry, comment="Done"))
        assert not signature_holds(replace(entry, at="2026-03-01T09:00:01+00:00"))
        assert not signature_holds(replace(entry, key="ab" * 32))
        assert signature_holds(attest(replace(entry, identity=SERVER), SERVER_KEY))

    def test_the_file_is_its_owners_alone_and_never_overwritten(self, tmp_path: Path):
        make_key(tmp_path / "k.pem", "open sesame")
        assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600
        read_key(tmp_path / "k.pem", "open sesame")
        with pytest.raises(InputError, match="passphrase"):
            read_key(tmp_path / "k.pem")
        with pytest.raises(InputError, match="passphrase is wrong"):
            read_key(tmp_path / "k.pem", "guess")
        with pytest.raises(InputError, match="choose another file"):
            make_key(tmp_path / "k.pem")

    def test_a_listed_key_verifies_a_name_without_a_server(self, tmp_path: Path):
        keys = {name: make_key(tmp_path / name) for name in ("Pat", "Rob")}
        review = begin(case(keys=keys, contest_days=0))
        for action, name, details in (
            ("submit", "Pat", {}), ("approve", "Rob", ALL), ("finalize", "Rob", {"files": 2})
        ):  # fmt: skip
            entry = draft_entry(review, action, name, "as agreed", details, now=START)
            with pytest.raises(ForbiddenError, match="the policy lists a key of"):
                apply(review, entry)
            review = apply(review, sign(entry, read_key(tmp_path / name)))
        assert review.state is State.FINAL

    def test_somebody_elses_key_is_refused(self, tmp_path: Path):
        keys = {"Rob": make_key(tmp_path / "Rob")}
        make_key(tmp_path / "Eve")
        review = act(begin(case(keys=keys)), "submit", "Pat")
        entry = draft_entry(review, "approve", "ROB", "fine", ALL, SERVER, START)
        with pytest.raises(ForbiddenError, match="the policy lists a key"):
            apply(review, sign(entry, read_key(tmp_path / "Eve")))
        with pytest.raises(ForbiddenError, match="not of this entry"):
            apply(review, replace(entry, key=keys["Rob"], signature="00" * 64))

    def test_an_unlisted_key_verifies_nobody(self, tmp_path: Path):
        make_key(tmp_path / "Eve")
        review = begin(case(contest_days=0))
        for action, name, details in (("submit", "Pat", {}), ("approve", "Eve", ALL)):
            entry = draft_entry(review, action, name, "fine", details, now=START)
            review = apply(review, sign(entry, read_key(tmp_path / "Eve")))
        with pytest.raises(ForbiddenError, match="nothing verifies"):
            act(review, "finalize", "Rob", {"files": 2})

    def test_other_keys_and_files_get_one_line(self, tmp_path: Path):
        (tmp_path / "none.pem").write_text("hello")
        for name in ("none.pem", "missing.pem"):
            with pytest.raises(InputError) as refusal:
                read_key(tmp_path / name)
            assert "\n" not in str(refusal.value)


class TestServers:
    """Names that a server has verified, and names that somebody only says were."""

    def forged(self, review, action, name, details, **marks):
        return replace(draft_entry(review, action, name, "x", details, now=START), **marks)

    @pytest.mark.parametrize(
        "marks",
        [
            {"identity": SERVER},
            {"identity": SERVER, "server": "ab" * 32, "attestation": "cd" * 64},
            {"server": "ab" * 32, "attestation": "cd" * 64},
            {"attestation": "cd" * 64},
        ],
    )
    def test_an_identity_that_no_server_attests_is_refused(self, marks):
        review = act(fresh(), "submit", "Pat")
        with pytest.raises(ForbiddenError, match="no server attests"):
            apply(review, self.forged(review, "approve", "Rob", ALL, **marks))

    def test_an_attestation_is_of_one_entry(self):
        review = act(fresh(), "submit", "Pat")
        entry = attest(draft_entry(review, "reject", "Rob", "no", {}, SERVER, START), SERVER_KEY)
        assert attestation_holds(entry)
        for change in ({"actor": "Ria"}, {"comment": "yes"}, {"identity": "x"}, {"number": 3}):
            assert not attestation_holds(replace(entry, **change))

    def test_the_word_of_an_unknown_server_releases_nothing(self, tmp_path: Path):
        public = make_key(tmp_path / "own.pem")
        own = read_key(tmp_path / "own.pem")
        review = begin(case(contest_days=0))
        steps = (("submit", "Pat", {}), ("approve", "Rob", ALL), ("finalize", "Rob", {"files": 2}))
        for action, name, details in steps[:2]:
            entry = draft_entry(review, action, name, "as agreed", details, SERVER, START)
            review = apply(review, attest(entry, own))
        action, name, details = steps[2]
        last = attest(draft_entry(review, action, name, "x", details, SERVER, START), own)
        with pytest.raises(ForbiddenError, match=f"the server with key {public} says so"):
            apply(review, last)
        # whoever knows it admits the same ledger
        known = replace(review.case, servers=frozenset({public}))
        lines = [entry.line for entry in (*review.entries, last)]
        assert check_ledger(known, lines)[1] == []
        assert check_ledger(review.case, lines)[1] != []


class TestMirrors:
    def test_copies_are_compared_line_by_line(self, lines):
        assert compare_copies(lines, lines) == []
        assert compare_copies(lines, lines[:-1]) == [
            f"line {len(lines)} of the ledger is missing in the file beside the report"
        ]
        assert compare_copies(lines[:-1], lines) == [
            f"line {len(lines)} of the file beside the report is not in the store"
        ]
        assert "another than in the store" in compare_copies(lines, ["x", *lines[1:]])[0]

    def test_an_edited_tag_and_a_moved_alias_are_named(self):
        review = approved()
        tags = mirrored_tags(review)
        assert check_mirrors(review, tags, []) == []
        assert check_mirrors(review, {**tags, "credit.review": "final"}, []) == [
            "tag credit.review says 'final'; the ledger says 'provisionally approved'"
        ]
        assert check_mirrors(review, tags, ["approved"]) == [
            "alias approved names this version, which is provisionally approved, not final"
        ]
        assert check_mirrors(final(), mirrored_tags(final()), ["approved"]) == []

    def test_a_version_that_nobody_reviewed_needs_no_tags(self):
        assert check_mirrors(fresh(), {}, []) == []
        assert check_mirrors(fresh(), {"credit.review": "final"}, []) == [
            "tag credit.review says 'final'; the ledger says 'sealed'"
        ]
