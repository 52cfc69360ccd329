"""Acting in reviews through the server: forms, JSON, signed entries, and attacks."""

import threading
from pathlib import Path

import pytest
from toy_reports import publish, reseal_first_statement

from credit_plugin.compensation.review.actions import CHECKLIST
from credit_plugin.compensation.review.entries import parse_entry
from credit_plugin.compensation.review.signing import make_key, read_key, sign
from credit_plugin.plugin.server.arguments import LARGEST_BODY

API = "/ajax-api/2.0/credit/review"
NAME = "toy.values"
ALL = list(CHECKLIST)


def act(browser, version, action, actor, **details):
    told = {"name": NAME, "version": version, "action": action, "actor": actor,
            "comment": "as agreed", **details}  # fmt: skip
    return browser.post(f"{API}/act", json=told)


def state(browser, version):
    found = browser.get(API, query_string={"name": NAME, "version": version})
    return found.get_json()


def done(browser, version, *steps):
    """Take steps that must succeed, and return the last answer."""
    answer = None
    for action, actor, details in steps:
        answer = act(browser, version, action, actor, **details)
        assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


SUBMIT = ("submit", "Pat", {})
APPROVE = ("approve", "Rob", {"checklist": ALL})


def test_a_whole_review_by_json(browser, version):
    contest = ("contest", "Ada L.", {"payee": "Ada", "ground": "images", "evidence": "12 missing"})
    decide = ("decide", "Dee", {"contest": "C1", "outcome": "dismissed"})
    done(browser, version, SUBMIT, APPROVE, contest, decide, ("finalize", "Rob", {}))
    exported = done(browser, version, ("export", "Mona", {}))
    assert exported["csv"].splitlines()[0] == "payee,amount,currency,reference"
    paid = done(browser, version, ("pay", "Mona", {"reference": "batch 7"}))
    assert paid["state"] == "paid"
    assert paid["faults"] == []
    again = browser.get(f"{API}/payments", query_string={"name": NAME, "version": version})
    assert sum(one["amount_minor"] for one in again.get_json()["payments"]) == 1_000_000


def test_a_form_goes_back_to_the_page(browser, version):
    form = {"name": NAME, "version": version, "action": "submit", "actor": "Pat",
            "comment": "as agreed"}  # fmt: skip
    answer = browser.post(f"{API}/act", data=form)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/credit/review?name={NAME}&version={version}"


def test_a_form_that_is_refused_keeps_what_was_written(browser, version):
    done(browser, version, SUBMIT)
    form = {"name": NAME, "version": version, "action": "approve", "actor": "Rob",
            "comment": "long & <careful> words", "checklist": ["read", "gate"]}  # fmt: skip
    answer = browser.post(f"{API}/act", data=form)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "&#39;verified&#39; is not confirmed" in text
    assert "long &amp; &lt;careful&gt; words" in text
    assert state(browser, version)["state"] == "in review"


def test_an_export_by_form_is_a_file(browser, version):
    done(browser, version, SUBMIT, APPROVE, ("finalize", "Rob", {}))
    form = {"name": NAME, "version": version, "action": "export", "actor": "Mona",
            "comment": "for the bank"}  # fmt: skip
    answer = browser.post(f"{API}/act", data=form)
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "Ada," in answer.get_data(as_text=True)


def test_a_signed_entry_is_drafted_and_admitted(browser, version, tmp_path):
    make_key(tmp_path / "pat.pem")
    told = {"name": NAME, "version": version, "action": "submit", "actor": "Pat", "comment": "mine"}
    line = browser.post(f"{API}/draft", json=told).get_json()["line"]
    assert state(browser, version)["lines"] == []
    entry = sign(parse_entry(line), read_key(tmp_path / "pat.pem"))
    signed = {"name": NAME, "version": version, "action": "submit", "line": entry.line}
    assert browser.post(f"{API}/admit", json=signed).status_code == 200
    (kept,) = state(browser, version)["lines"]
    assert parse_entry(kept).signature == entry.signature
    # the same once more, with another action in front, and with a changed word
    assert browser.post(f"{API}/admit", json=signed).status_code == 409
    assert browser.post(f"{API}/admit", json={**signed, "action": "contest"}).status_code == 422
    forged = {**signed, "line": entry.line.replace("mine", "ours")}
    assert browser.post(f"{API}/admit", json=forged).status_code in (403, 409)
    assert len(state(browser, version)["lines"]) == 1


def test_a_signed_export_comes_with_its_payments(browser, version, tmp_path):
    done(browser, version, SUBMIT, APPROVE, ("finalize", "Rob", {}))
    make_key(tmp_path / "mona.pem")
    told = {"name": NAME, "version": version, "action": "export", "actor": "Mona", "comment": "x"}
    line = browser.post(f"{API}/draft", json=told).get_json()["line"]
    entry = sign(parse_entry(line), read_key(tmp_path / "mona.pem"))
    signed = {"name": NAME, "version": version, "action": "export", "line": entry.line}
    csv = browser.post(f"{API}/admit", json=signed).get_json()["csv"]
    assert len(csv.splitlines()) - 1 == entry.details["payments"]


def test_a_second_version_that_pays_the_same_pool_is_not_released(
    site, browser, version, easy_report
):
    second = publish(site.client, easy_report, "second", site.run_id)
    done(browser, version, SUBMIT, APPROVE, ("finalize", "Rob", {}))
    done(browser, second.version, SUBMIT, APPROVE)
    refused = act(browser, second.version, "finalize", "Rob")
    site.client.delete_model_version(NAME, second.version)
    assert refused.status_code == 409
    assert "pays the same pool and is final" in refused.get_json()["error"]


def test_a_statement_under_a_root_of_its_own_is_not_shown(site, browser, version):
    model = site.client.get_model_version(NAME, version).source.removeprefix("models:/")
    place = site.client.get_logged_model(model).artifact_location.removeprefix("file://")
    reseal_first_statement(Path(place) / "content" / "statements.jsonl")
    asked = {"name": NAME, "version": version, "who": "Ada"}
    answer = browser.get("/credit/statement", query_string=asked)
    assert answer.status_code == 400
    assert "sealed under another root" in answer.get_data(as_text=True)


class TestAttacks:
    """Each is refused with one line, and nothing has changed."""

    @pytest.fixture
    def unchanged(self, browser, version):
        done(browser, version, SUBMIT)
        before = state(browser, version)
        yield
        assert state(browser, version) == before

    @pytest.mark.parametrize(
        "told",
        [
            {"action": "approve", "actor": "Pat", "checklist": ALL},
            {"action": "approve", "actor": " pAT", "checklist": ALL},
            {"action": "approve", "actor": "", "checklist": ALL},
            {"action": "approve", "actor": "Rob", "checklist": "read"},
            {"action": "approve", "actor": "Rob", "checklist": [1, 2]},
            {"action": "approve", "actor": "Rob", "checklist": ALL, "comment": ""},
            {"action": "approve", "actor": "Rob", "checklist": ALL, "comment": 7},
            {"action": "approve", "actor": "R" * 300, "checklist": ALL},
            {"action": "approve", "actor": "Rob", "checklist": ALL, "comment": "x" * 3000},
            {"action": "approve", "actor": "Rob", "checklist": ALL, "head": "0" * 64},
            {"action": "finalize", "actor": "Rob"},
            {"action": "export", "actor": "Mona"},
            {"action": "pay", "actor": "Mona", "reference": "x"},
            {"action": "__init__", "actor": "Rob"},
            {"action": "", "actor": "Rob"},
            {"action": "contest", "actor": "x", "payee": "../Ada", "ground": "images"},
            {"action": "decide", "actor": "x", "contest": "C1", "outcome": "upheld"},
            {"action": "reject", "actor": "Rob", "name": "other.values"},
            {"action": "reject", "actor": "Rob", "version": "../../1"},
            {"action": "reject", "actor": "Rob", "name": ["toy.values"]},
        ],
        ids=str,
    )
    @pytest.mark.usefixtures("unchanged")
    def test_requests_that_are_not_allowed(self, browser, version, told):
        told = {"name": NAME, "version": version, "comment": "as agreed", **told}
        answer = browser.post(f"{API}/act", json=told)
        assert answer.status_code in (400, 403, 409, 422), answer.get_data(as_text=True)
        line = answer.get_json()["error"]
        assert line
        assert "\n" not in line

    @pytest.mark.usefixtures("unchanged")
    def test_large_bodies(self, browser, version):
        told = {"name": NAME, "version": version, "action": "reject", "actor": "Rob",
                "comment": "x" * 10_000_000}  # fmt: skip
        assert browser.post(f"{API}/act", json=told).status_code == 413
        assert browser.post(f"{API}/act", data=told).status_code == 413
        assert LARGEST_BODY < 100_000

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"x"'])
    @pytest.mark.usefixtures("unchanged")
    def test_bodies_that_are_no_object(self, browser, content):
        answer = browser.post(f"{API}/act", data=content, content_type="application/json")
        assert answer.status_code == 400

    @pytest.mark.parametrize("origin", ["cross-site", "same-site"])
    @pytest.mark.usefixtures("unchanged")
    def test_other_sites(self, browser, version, origin):
        told = {"name": NAME, "version": version, "action": "reject", "actor": "Rob",
                "comment": "as agreed"}  # fmt: skip
        headers = {"Sec-Fetch-Site": origin}
        assert browser.post(f"{API}/act", data=told, headers=headers).status_code == 403

    @pytest.mark.usefixtures("unchanged")
    def test_reading_changes_nothing(self, browser, version):
        told = {"name": NAME, "version": version, "action": "reject", "actor": "Rob",
                "comment": "as agreed"}  # fmt: skip
        assert browser.get(f"{API}/act", query_string=told).status_code == 405

    def test_a_replayed_request_is_refused(self, browser, version):
        head = state(browser, version)["head"]
        first = act(browser, version, "submit", "Pat", head=head)
        again = act(browser, version, "submit", "Pat", head=head)
        assert (first.status_code, again.status_code) == (200, 409)
        assert len(state(browser, version)["lines"]) == 1

    def test_words_do_no_harm_where_they_are_shown(self, browser, version):
        words = "<script>alert(1)</script>\u202e\"'><img src=x onerror=alert(1)>"
        done(browser, version, SUBMIT, APPROVE)
        answer = act(browser, version, "contest", words, payee="Ada", ground="images",
                     comment=words, evidence=words)  # fmt: skip
        assert answer.status_code == 200
        for path in ("/review", "/contributor"):
            page = browser.get(f"/credit{path}", query_string={"name": NAME, "version": version,
                                                               "who": "Ada"})  # fmt: skip
            text = page.get_data(as_text=True)
            assert "<script>alert" not in text
            assert "<img src=x" not in text
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text

    def test_of_fifty_decisions_at_once_one_wins(self, site, version, browser):
        done(browser, version, SUBMIT)
        head = state(browser, version)["head"]
        start, statuses = threading.Barrier(50), []

        def decide(number):
            own = site.app.test_client()
            start.wait()
            action, details = ("approve", {"checklist": ALL}) if number % 2 else ("reject", {})
            answer = act(own, version, action, f"Reviewer {number}", head=head, **details)
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=decide, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [409] * 49
        found = state(browser, version)
        assert len(found["lines"]) == 2
        assert found["faults"] == []


def test_a_submission_supersedes_what_it_replaces(browser, site, version, easy_report):
    done(browser, version, SUBMIT)
    newer = publish(site.client, easy_report, "newer", site.run_id).version
    page = browser.get("/credit/review", query_string={"name": NAME, "version": newer})
    assert f'<option value="{version}">version {version}</option>' in page.get_data(as_text=True)
    refused = act(browser, newer, "submit", "Pat", replaces="999999")
    assert (refused.status_code, state(browser, newer)["state"]) == (400, "sealed")
    done(browser, newer, ("submit", "Pat", {"replaces": version}))
    assert state(browser, version)["state"] == "superseded"


def test_who_reviewed_the_earlier_version_does_not_supersede_it(
    browser, site, version, easy_report
):
    done(browser, version, SUBMIT, ("request_changes", "Rob", {}))
    newer = publish(site.client, easy_report, "newest", site.run_id).version
    refused = act(browser, newer, "submit", "Rob", replaces=version)
    assert refused.status_code == 403
    assert (state(browser, newer)["lines"], state(browser, version)["state"]) == (
        [],
        "changes requested",
    )


def test_every_rendering_shows_who_signed(browser, version):
    def texts():
        for path in ("/report", "/summary", "/statement"):
            given = {"name": NAME, "version": version, "who": "Ada"}
            yield browser.get(f"/credit{path}", query_string=given).get_data(as_text=True)

    assert all("Signed by</dt><dd>nobody" in text for text in texts())
    done(browser, version, SUBMIT, APPROVE)
    for text in texts():
        assert "It was approved, and is not released for payment yet." in text
        assert "<bdi>Rob</bdi> (not verified)" in text
        assert "I reviewed this report and approve it" in text
        assert "no promise to pay" not in text
