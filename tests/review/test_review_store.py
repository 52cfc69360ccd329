"""Reviews in real sqlite stores: exactly one of two, mirrors, payments, verification."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from reviewers import ALL
from stores import copy_store
from toy_reports import publish, sealed_report

from credit_plugin.compensation.review.checking import APPROVED_ALIAS, check_ledger
from credit_plugin.compensation.review.signing import make_key, read_key, sign
from credit_plugin.compensation.review.states import (
    ConflictError,
    ForbiddenError,
    RefusedError,
    State,
)
from credit_plugin.errors import InputError
from credit_plugin.reviewing import Request, act, open_docket, parse_source, replaceable
from credit_plugin.tracking.parent import COMMITTED
from credit_plugin.tracking.reviews import ReviewStore

NAME = "toy.values"


def do(store, version, action, actor, details=None, **more):
    return act(store, NAME, version, Request(action, actor, "as agreed", details or {}, **more))


def approve(store, version):
    do(store, version, "submit", "Pat")
    return do(store, version, "approve", "Rob", ALL)


def release(store, version):
    approve(store, version)
    return do(store, version, "finalize", "Rob")


def test_a_review_from_the_first_line_to_the_last(store, client, version):
    assert open_docket(store, NAME, version).review.state is State.SEALED
    docket = approve(store, version).docket
    assert docket.review.state is State.APPROVED
    contested = do(store, version, "contest", "Ada L.", {"payee": "Ada", "ground": "images"})
    assert contested.docket.review.held() == {"Ada"}
    do(store, version, "decide", "Dee", {"contest": "C1", "outcome": "dismissed"})
    finalized = do(store, version, "finalize", "Rob")
    assert finalized.entry.details["files"] > 8
    exported = do(store, version, "export", "Mona")
    facts = exported.docket.facts
    assert sum(p.amount_minor for p in exported.payments) == facts["pool_minor"]
    assert exported.csv.decode().splitlines()[1].startswith("Ada,")
    paid = do(store, version, "pay", "Mona", {"reference": "batch 7"})
    assert paid.docket.review.state is State.PAID
    docket = open_docket(store, NAME, "approved")
    assert (docket.review.state, docket.faults) == (State.PAID, ())
    assert len(docket.review.entries) == 7


def test_tags_description_and_alias_follow(store, client, version):
    approve(store, version)
    found = client.get_model_version(NAME, version)
    assert found.tags["credit.review"] == "provisionally approved"
    assert found.tags["credit.review_lines"] == "2"
    assert found.description.startswith("**Review: provisionally approved.**\n\nValues of")
    assert found.aliases == ["latest"] or found.aliases == []
    do(store, version, "finalize", "Rob")
    assert APPROVED_ALIAS in client.get_model_version(NAME, version).aliases


def test_the_ledger_lies_beside_the_report(store, client, version, tmp_path):
    approve(store, version)
    copy = mlflow.artifacts.download_artifacts(f"models:/{NAME}/{version}/review/ledger.jsonl")
    entries = open_docket(store, NAME, version).review.entries
    assert Path(copy).read_text("utf-8").splitlines() == [entry.line for entry in entries]


def test_nothing_is_exported_before_the_release(store, version):
    approve(store, version)
    with pytest.raises(ConflictError, match="one exports payments of only what is final or paid"):
        do(store, version, "export", "Mona")


def test_everything_is_exported_once(store, version):
    release(store, version)
    do(store, version, "export", "Mona")
    with pytest.raises(ConflictError, match="nothing is due"):
        do(store, version, "export", "Mona")


def test_claimed_numbers_are_not_taken(store, version):
    release(store, version)
    exported = do(store, version, "export", "Mona", {"total_minor": 1, "format": "csv"})
    assert exported.entry.details["total_minor"] == exported.docket.facts["pool_minor"]


def artifact(client, version, name):
    """Return the file of a version as it lies in the store."""
    model = client.get_model_version(NAME, version).source.removeprefix("models:/")
    location = client.get_logged_model(model).artifact_location
    return Path(location.removeprefix("file://")) / name


@pytest.mark.parametrize("file", ["payouts.csv", "coalitions.csv", "report.html"])
def test_a_changed_file_stops_release_and_export(store, client, version, file):
    approve(store, version)
    path = artifact(client, version, f"content/{file}")
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(ConflictError, match="the report does not verify: "):
        do(store, version, "finalize", "Rob")
    assert open_docket(store, NAME, version).review.state is State.APPROVED


def test_another_first_policy_than_the_runs_is_a_fault(store, client, report):
    run_id = client.create_run("0").info.run_id
    client.log_param(run_id, COMMITTED, "0" * 64)
    version = publish(client, report, run_id=run_id).version
    (fault,) = open_docket(store, NAME, version).faults
    assert "the study's run, where nobody can change it, says 000000000000" in fault
    with pytest.raises(ConflictError, match="so nothing is added: the report says that the policy"):
        do(store, version, "submit", "Pat")


def test_a_pool_is_released_once_whatever_version_pays_it(store, client, version, report):
    second = publish(client, report, content="again").version
    release(store, version)
    approve(store, second)
    with pytest.raises(ConflictError, match=f"version {version} pays the same pool and is final"):
        do(store, second, "finalize", "Rob")


def test_the_alias_stays_with_the_newest_released_version(store, client, version, tmp_path):
    policy = ("compensation.contest_days=0", "compensation.review.unverified=true")
    other = sealed_report(tmp_path / "other", (*policy, "compensation.period=2026 H2"))
    newer = publish(client, other, content="H2").version
    for each in (version, newer):
        release(store, each)
        do(store, each, "export", "Mona")
    do(store, version, "pay", "Mona", {"reference": "late"})
    assert str(client.get_model_version_by_alias(NAME, APPROVED_ALIAS).version) == newer
    assert open_docket(store, NAME, version).faults == ()


def test_only_a_version_that_is_there_takes_the_place_of_another(store, client, version, report):
    do(store, version, "submit", "Pat")
    with pytest.raises(InputError, match=r"toy\.values/99: is no registered version"):
        do(store, version, "supersede", "Pat", {"by": "99"})
    second = publish(client, report, content="again").version
    assert do(store, version, "supersede", "Pat", {"by": "latest"}).entry.details == {"by": second}


def test_a_changed_record_is_not_the_one_that_was_signed(store, client, version):
    approve(store, version)
    path = artifact(client, version, "content/values.json")
    path.write_text(path.read_text("utf-8").replace('"Ada"', '"Eva"'), "utf-8")
    docket = open_docket(store, NAME, version)
    assert "about another record" in " ".join(docket.faults)
    with pytest.raises(ConflictError, match="the ledger does not check"):
        do(store, version, "finalize", "Rob")


class TestMirrors:
    def test_an_edited_tag_is_named(self, store, client, version):
        approve(store, version)
        client.set_model_version_tag(NAME, version, "credit.review", "final")
        assert open_docket(store, NAME, version).faults == (
            "tag credit.review says 'final'; the ledger says 'provisionally approved'",
        )

    def test_a_moved_alias_is_named(self, store, client, version):
        client.set_registered_model_alias(NAME, APPROVED_ALIAS, version)
        (fault,) = open_docket(store, NAME, version).faults
        assert fault == "alias approved names this version, which is sealed, not final"

    def test_an_edited_copy_is_named(self, store, client, version):
        approve(store, version)
        path = artifact(client, version, "review/ledger.jsonl")
        path.write_text(path.read_text().splitlines()[0] + "\n")
        (fault,) = open_docket(store, NAME, version).faults
        assert fault == "line 2 of the ledger is missing in the file beside the report"

    def test_what_a_killed_writer_left_is_mended_by_the_next(self, store, client, version):
        do(store, version, "submit", "Pat")
        path = artifact(client, version, "review/ledger.jsonl")
        path.unlink()
        client.delete_model_version_tag(NAME, version, "credit.review_head")
        assert len(open_docket(store, NAME, version).faults) == 2
        do(store, version, "approve", "Rob", ALL)
        assert open_docket(store, NAME, version).faults == ()

    @pytest.mark.parametrize("how", ["edit", "drop"])
    def test_lines_changed_in_the_database_are_named(self, store, client, version, uri, how):
        approve(store, version)
        change = {
            "edit": "UPDATE params SET value = replace(value, 'as agreed', 'never') "
            "WHERE key = 'entry/0001'",
            "drop": "DELETE FROM params WHERE key = 'entry/0001'",
        }[how]
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database, database:
            database.execute(change)
        faults = open_docket(store, NAME, version).faults
        expected = {"edit": "line 2 of the ledger does not follow", "drop": "numbered 2"}[how]
        assert any(expected in fault for fault in faults)


def test_a_copy_keeps_a_forged_line_and_those_before_it(store, client, version):
    """Whoever writes past the rules must not make the next mirror forget what was signed."""
    do(store, version, "submit", "Pat")
    found = store.version(NAME, version)
    run_id = client.get_run(found.run_id).data.params[f"review/{version}"]
    client.log_param(run_id, "entry/0002", "{}")
    case = open_docket(store, NAME, version).review.case
    store.mirror(found, lambda lines: check_ledger(case, lines)[0])
    kept = artifact(client, version, "review/ledger.jsonl").read_text("utf-8").splitlines()
    assert kept == store.lines(found)
    assert len(kept) == 2


class TestTogether:
    def test_of_two_decisions_one_wins(self, store, uri, version):
        """Both looked at the same state; whoever comes second is told to look again."""
        do(store, version, "submit", "Pat")
        head = open_docket(store, NAME, version).review.head
        start, outcomes = threading.Barrier(2), []

        def decide(action, actor, details):
            own = ReviewStore(mlflow.MlflowClient(uri))
            start.wait()
            try:
                do(own, version, action, actor, details, head=head)
                outcomes.append(action)
            except ConflictError as refusal:
                outcomes.append(str(refusal))

        threads = [
            threading.Thread(target=decide, args=args)
            for args in (("approve", "Rob", ALL), ("reject", "Ria", {}))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won = [outcome for outcome in outcomes if outcome in ("approve", "reject")]
        lost = [outcome for outcome in outcomes if "somebody else has acted" in outcome]
        assert (len(won), len(lost)) == (1, 1), outcomes
        docket = open_docket(store, NAME, version)
        assert [entry.action for entry in docket.review.entries] == ["submit", *won]
        assert docket.faults == ()

    def test_everybody_who_contests_gets_in(self, store, uri, version):
        approve(store, version)
        grounds = ("images", "copies", "consent", "measurement", "arithmetic", "other")
        start, errors = threading.Barrier(len(grounds)), []

        def file_contest(ground):
            own = ReviewStore(mlflow.MlflowClient(uri))
            start.wait()
            try:
                do(own, version, "contest", "Ada L.", {"payee": "Ada", "ground": ground})
            except (InputError, MlflowException) as error:
                errors.append(error)

        threads = [threading.Thread(target=file_contest, args=(g,)) for g in grounds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        docket = open_docket(store, NAME, version)
        assert errors == []
        assert {contest.ground for contest in docket.review.contests} == set(grounds)
        assert docket.faults == ()

    def test_two_first_lines_make_one_ledger(self, store, uri, version):
        start, outcomes = threading.Barrier(4), []

        def submit(name):
            own = ReviewStore(mlflow.MlflowClient(uri))
            start.wait()
            try:
                do(own, version, "submit", name)
                outcomes.append("in")
            except RefusedError:
                outcomes.append("out")

        threads = [threading.Thread(target=submit, args=(f"Pat {i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["in", "out", "out", "out"]
        assert len(open_docket(store, NAME, version).review.entries) == 1


def test_a_new_version_takes_the_place_of_an_open_one(store, client, report, version):
    run_id = client.get_model_version(NAME, version).run_id
    do(store, version, "submit", "Pat")
    newer = publish(client, report, "xyz", run_id).version
    assert replaceable(store, open_docket(store, NAME, newer)) == [version]
    do(store, newer, "submit", "Pat", {"replaces": version})
    assert open_docket(store, NAME, version).review.state is State.SUPERSEDED
    assert open_docket(store, NAME, newer).review.state is State.IN_REVIEW
    assert replaceable(store, open_docket(store, NAME, newer)) == []


def test_the_default_policy_asks_for_verified_names(tmp_path, strict_report):
    uri = copy_store(tmp_path, "strict")
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    store, version = ReviewStore(client), publish(client, strict_report).version
    approve(store, version)
    with pytest.raises(ForbiddenError, match="nothing verifies that line 1 is by Pat"):
        do(store, version, "finalize", "Rob")


def test_a_signed_entry_is_admitted_once(store, version, tmp_path):
    make_key(tmp_path / "pat.pem")
    key = read_key(tmp_path / "pat.pem")
    acted = do(store, version, "submit", "Pat", signer=lambda entry: sign(entry, key))
    assert len(acted.entry.signature) == 128
    assert open_docket(store, NAME, version).faults == ()


def test_who_prepared_is_refused_and_nothing_changes(store, version):
    do(store, version, "submit", "Pat")
    before = open_docket(store, NAME, version).review
    with pytest.raises(ForbiddenError):
        do(store, version, "approve", "Pat", ALL)
    assert open_docket(store, NAME, version).review == before


@pytest.mark.parametrize(
    "source", ["toy.values", "models:/", "toy.values/1/2", "/1", "toy.values@"]
)
def test_sources_that_are_none_get_one_line(source):
    with pytest.raises(InputError, match="name a registered version"):
        parse_source(source)


def test_sources():
    assert parse_source("models:/toy.values/3") == ("toy.values", "3")
    assert parse_source("toy.values@approved") == ("toy.values", "approved")


@pytest.mark.parametrize(
    ("name", "number"),
    [("toy.values", "99"), ("none.values", "1"), ("toy.values", "nope"), ("none", "latest")],
)
def test_versions_that_are_none_get_one_line(store, version, name, number):
    with pytest.raises(InputError) as refusal:
        open_docket(store, name, number)
    assert "\n" not in str(refusal.value)
