"""A review in a real browser, on a real server that asks for passwords; nothing is simulated."""

import base64
import os
from pathlib import Path

import mlflow
import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright
from servers import ADMIN, auth_environment, chromium, credit_ui, free_port, running
from stores import copy_store
from toy_reports import publish, sealed_report

from credit_plugin.compensation.review.actions import CHECKLIST

NAME = "toy.values"
PEOPLE = ("pat", "rob", "dee", "mona", "ada")
API = "/ajax-api/2.0/credit/review"

pytestmark = pytest.mark.slow
expect.set_options(timeout=20_000)  # busy machines are slow, not wrong


def password(name):
    return ADMIN if name == "admin" else f"{name}-long-password"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server with four versions and five people; ada may only read."""
    folder = tmp_path_factory.mktemp("server")
    uri, before = copy_store(folder), mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    policy = ("compensation.contest_days=0", "compensation.reserve=0.1")
    report = sealed_report(folder / "first" / "study", policy)
    other = sealed_report(folder / "second" / "study", policy, (3.0, 2.5, 2.5, 0.75, 0.1))
    run_id = client.create_run("0", tags={"credit.role": "study"}).info.run_id
    for number, content in enumerate((report, other, report, report)):
        publish(client, content, f"v{number}", run_id)
    mlflow.set_tracking_uri(before)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = credit_ui(uri, port, "--auth")
    with running(command, f"{url}/credit", folder / "log.txt", auth_environment(folder)):
        for name in PEOPLE:
            made = requests.post(
                f"{url}/api/2.0/mlflow/users/create",
                json={"username": name, "password": password(name)},
                auth=("admin", ADMIN),
                timeout=30,
            )
            assert made.status_code == 200, made.text
            if name != "ada":
                permit(url, name)
        yield url


def permit(url, name, change="grant", permission="EDIT"):
    """Grant or revoke a permission of the model, as the administrator does."""
    told = {"username": name, "resource_type": "registered_model", "resource_id": NAME}
    if change == "grant":
        told["permission"] = permission
    answer = requests.post(
        f"{url}/api/3.0/mlflow/users/permissions/{change}",
        json=told,
        auth=("admin", ADMIN),
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def chrome():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def sign_in(chrome, server):
    """Return a function that opens a page as somebody; problems on it fail the test."""
    contexts, problems = [], []

    def enter(name, **settings):
        token = base64.b64encode(f"{name}:{password(name)}".encode()).decode()
        context = chrome.new_context(
            base_url=server,
            extra_http_headers={"Authorization": f"Basic {token}"},
            viewport={"width": 1200, "height": 900},
            **settings,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: (
                problems.append(message.text) if "Content Security Policy" in message.text else None
            ),
        )
        return page

    yield enter
    for context in contexts:
        context.close()
    assert problems == []


def picture(page, name):
    """Keep a screenshot where CREDIT_SCREENSHOTS says, to be looked at."""
    folder = os.environ.get("CREDIT_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def offer(page, title):
    """Open the form of an action."""
    summary = page.locator("summary", has_text=title)
    summary.click()
    return page.locator("details[open]", has=summary)


def sign(form, title, comment="as agreed"):
    form.locator("textarea[name=comment]").fill(comment)
    form.get_by_role("button", name=title).click()


def test_from_mlflows_page_to_the_export(server, sign_in):
    """Find the model in MLflow, review it as five people, and get the list of payments."""
    page = sign_in("pat")
    page.goto(f"/#/models/{NAME}/versions/1?workflowType=machine_learning")
    with page.expect_popup() as opened:  # MLflow opens links of a description in a new tab
        page.get_by_role("link", name="Review pages").click(timeout=60_000)
    page = opened.value
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "/credit/version" in page.url
    picture(page, "version")

    page.locator("input[name=pool]").fill("5000")
    page.get_by_role("button", name="Divide").click()
    expect(page.locator("td.tried").first).to_have_text("2,282.95")
    page.goto(f"/credit/compare?name={NAME}&before=1&version=2")
    expect(page.locator("tbody tr")).to_have_count(5)
    picture(page, "compare")

    page.goto(f"/credit/review?name={NAME}&version=1")
    sign(offer(page, "Submit for review"), "Submit for review")
    expect(page.locator(".standing")).to_contain_text("In review. Submitted by pat")
    expect(offer(page, "Approve")).to_contain_text("you signed line 1")  # no form for themselves

    page = sign_in("rob")
    page.goto(f"/credit/review?name={NAME}&version=1")
    form = offer(page, "Approve")
    for box in form.locator("input[type=checkbox]").all():
        box.check()
    picture(page, "approve")
    sign(form, "Approve", "looked at everything")
    expect(page.locator(".standing")).to_contain_text("Provisionally approved. Approved by rob")

    page = sign_in("ada")
    page.goto(f"/credit/contributor?name={NAME}&version=1&who=Ada")
    picture(page, "contributor")
    page.get_by_role("link", name="Contest this payout").click()
    form = page.locator("details#contest[open]")
    expect(page.locator("summary")).to_have_count(1)  # who may only read may only contest
    expect(form.locator("input[name=payee]")).to_have_value("Ada")
    form.locator("textarea[name=evidence]").fill("the delivery note of 3 May")
    sign(form, "Contest a payout", "12 pictures are missing")
    expect(page.locator(".contest")).to_contain_text("C1: Ada")
    picture(page, "contested")

    page = sign_in("rob")
    page.goto(f"/credit/review?name={NAME}&version=1")
    expect(offer(page, "Decide a contest")).to_contain_text("you signed line 2")

    page = sign_in("dee")
    page.goto(f"/credit/review?name={NAME}&version=1")
    form = offer(page, "Decide a contest")
    form.locator("input[value=dismissed]").check()
    sign(form, "Decide a contest", "the 12 pictures are copies of others")
    expect(page.locator(".contest")).to_contain_text("dismissed")

    page = sign_in("rob")
    page.goto(f"/credit/review?name={NAME}&version=1")
    sign(offer(page, "Release for payment"), "Release for payment")
    expect(page.locator(".standing")).to_contain_text("Final. Released for payment by rob")

    page = sign_in("mona")
    page.goto(f"/credit/review?name={NAME}&version=1")
    form = offer(page, "Export payments")
    with page.expect_download() as download:
        sign(form, "Export payments", "for the bank")
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert lines[:2] == [
        "payee,amount,currency,reference",
        f"Ada,4565.90,EUR,{NAME}/1 statement 1",
    ]
    page.goto(f"/credit/review?name={NAME}&version=1")
    form = offer(page, "Record the payment")
    form.locator("input[name=reference]").fill("batch 7")
    sign(form, "Record the payment")
    expect(page.locator(".standing")).to_contain_text("Paid. Paid by mona, reference batch 7")
    expect(page.locator(".ledger > li")).to_have_count(7)
    picture(page, "paid")


PAGES = (
    "",
    f"/version?name={NAME}&version=2",
    f"/review?name={NAME}&version=2",
    f"/contributor?name={NAME}&version=2&who=Ada",
    f"/compare?name={NAME}&before=1&version=2",
    f"/coalitions?name={NAME}&version=2",
    f"/coalition?name={NAME}&version=2&bits=10100",
    f"/report?name={NAME}&version=2",
    f"/summary?name={NAME}&version=2",
    f"/statement?name={NAME}&version=2&who=Ada",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(server, sign_in, scheme):
    """No page has a fault that axe-core knows, in light and dark."""
    page = sign_in("rob", color_scheme=scheme, bypass_csp=True)
    found = {}
    for path in PAGES:
        page.goto(f"/credit{path}")
        for summary in page.locator("summary").all():
            summary.click()
        result = Axe().run(page)
        found[path] = [(v["id"], v["nodes"][0]["html"]) for v in result.response["violations"]]
        picture(page, f"{scheme}{path.partition('?')[0].replace('/', '-')}")
    assert {path: faults for path, faults in found.items() if faults} == {}


def test_pages_fit_a_phone(server, sign_in):
    page = sign_in("rob")
    page.set_viewport_size({"width": 390, "height": 800})
    for path in PAGES:
        page.goto(f"/credit{path}")
        width = page.evaluate("document.documentElement.scrollWidth")
        picture(page, f"phone{path.partition('?')[0].replace('/', '-')}")
        assert width <= 390, (path, width)


def test_keyboard_alone_is_enough(server, sign_in):
    """Tab to the skip link, to the form of an action, open it, and sign."""
    page = sign_in("pat")
    page.goto(f"/credit/review?name={NAME}&version=3")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.name") == "replaces":
        page.keyboard.press("Tab")
    page.keyboard.type("signed without a mouse")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".ledger")).to_contain_text("signed without a mouse")


class TestStrangers:
    """Who may not, is refused by the server, and nothing has changed."""

    def ask(self, url, who, method="post", path=f"{API}/act", **told):
        call = getattr(requests, method)
        auth = (who, password(who)) if who else None
        message = {"json": told} if method == "post" else {"params": told}
        return call(f"{url}{path}", auth=auth, timeout=30, **message)

    def lines(self, url, version="2"):
        found = self.ask(url, "admin", "get", API, name=NAME, version=version)
        return found.json()["lines"]

    @pytest.mark.parametrize("path", [f"/credit{path}" for path in PAGES])
    def test_nobody_is_shown_anything_without_a_password(self, server, path):
        assert requests.get(f"{server}{path}", timeout=30).status_code == 401

    @pytest.mark.parametrize("name", ["submit", "approve", "reject", "finalize", "export"])
    def test_who_may_read_may_not_act(self, server, name):
        before = self.lines(server)
        told = {"name": NAME, "version": "2", "action": name, "comment": "me too"}
        assert self.ask(server, "ada", **told).status_code == 403
        draft = self.ask(server, "ada", path=f"{API}/draft", **told)
        assert draft.status_code == 403
        assert self.lines(server) == before

    def test_nobody_signs_as_somebody_else(self, server):
        told = {"name": NAME, "version": "2", "action": "submit", "comment": "x", "actor": "rob"}
        answer = self.ask(server, "mona", **told)
        assert answer.status_code == 200
        assert '"actor":"mona"' in answer.json()["lines"][0]
        assert '"identity":"mlflow basic-auth"' in answer.json()["lines"][0]
        forged = answer.json()["lines"][0].replace('"actor":"mona"', '"actor":"rob"')
        signed = {"name": NAME, "version": "2", "action": "submit", "line": forged}
        assert self.ask(server, "mona", path=f"{API}/admit", **signed).status_code == 403

    def test_who_can_write_to_the_store_cannot_write_in_anybodys_name(self, server):
        """An entry that chains and that the rules allow, written around the server's endpoints."""
        told = {"name": NAME, "version": "4", "action": "submit", "comment": "x"}
        assert self.ask(server, "pat", **told).status_code == 200
        told = {**told, "action": "approve", "checklist": list(CHECKLIST)}
        line = self.ask(server, "dee", path=f"{API}/draft", **told).json()["line"]
        assert '"identity":"mlflow basic-auth"' in line  # as it would be, were it not for the key
        mlflow_api = "/api/2.0/mlflow"
        found = self.ask(
            server, "admin", "get", f"{mlflow_api}/model-versions/get", name=NAME, version="4"
        )
        study = self.ask(
            server,
            "admin",
            "get",
            f"{mlflow_api}/runs/get",
            run_id=found.json()["model_version"]["run_id"],
        )
        params = {p["key"]: p["value"] for p in study.json()["run"]["data"]["params"]}
        forged = {"run_id": params["review/4"], "key": "entry/0002", "value": line}
        path = f"{mlflow_api}/runs/log-parameter"
        assert self.ask(server, "rob", path=path, **forged).status_code == 403
        assert self.ask(server, "admin", path=path, **forged).status_code == 200
        shown = self.ask(server, "rob", "get", API, name=NAME, version="4").json()
        assert shown["state"] == "in review"
        assert shown["faults"] == [
            "line 2 of the ledger would not be admitted: identity: no server attests that this "
            "name was verified"
        ]

    def test_other_sites_cannot_act(self, server):
        before = self.lines(server)
        answer = requests.post(
            f"{server}{API}/act",
            data={"name": NAME, "version": "2", "action": "reject", "comment": "x"},
            headers={"Origin": "https://evil.example"},
            auth=("rob", password("rob")),
            timeout=30,
        )
        assert answer.status_code == 403
        assert self.lines(server) == before

    def test_a_model_that_may_not_be_read_is_not_shown(self, server):
        permit(server, "ada", permission="DENY")
        try:
            page = self.ask(server, "ada", "get", "/credit/version", name=NAME)
            assert page.status_code == 403
            assert "toy" not in self.ask(server, "ada", "get", "/credit").text
        finally:
            permit(server, "ada", "revoke")
