"""Every page: what it says, that names do no harm, and that no argument leads anywhere else."""

import re
from html.parser import HTMLParser

import pytest
from toy_reports import NAMES, publish

NAME = "toy.values"
HOSTILE = "Łódź <b>2</b>"


class Page(HTMLParser):
    """Text and links of a page, and whatever a strict policy forbids."""

    def __init__(self, text):
        super().__init__()
        self.words, self.links, self.forbidden, self.tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "a":
            self.links.append(given.get("href"))
        if "style" in given or any(name.startswith("on") for name in given):
            self.forbidden.append((tag, given))
        if tag == "script" and "src" not in given:
            self.forbidden.append((tag, given))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def get(browser, path, status=200, **arguments):
    answer = browser.get(f"/credit{path}", query_string=arguments)
    assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
    return Page(answer.get_data(as_text=True))


PATHS = ("", "/version", "/review", "/coalitions", "/contributor", "/coalition", "/compare")


def arguments_of(path, version, who="Ada"):
    given = {} if path == "" else {"name": NAME, "version": version}
    more = {
        "/contributor": {"who": who}, "/statement": {"who": who}, "/coalition": {"bits": "1" * 5},
        "/compare": {"before": version},
    }  # fmt: skip
    return {**given, **more.get(path, {})}


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_strict_and_links_to_what_is_there(browser, version, path):
    page = get(browser, path, **arguments_of(path, version))
    assert page.forbidden == []
    assert {"main", "h1", "nav"} <= set(page.tags)
    own = [link for link in page.links if link.startswith("/credit")]
    for link in own:
        assert browser.get(link.partition("#")[0]).status_code == 200, link
    assert any(link.startswith("/#/") for link in page.links)  # MLflow's own pages


@pytest.mark.parametrize("path", [*PATHS, "/report", "/summary", "/statement"])
def test_every_answer_has_a_policy(browser, version, path):
    given = arguments_of(path, version)
    answer = browser.get(f"/credit{path}", query_string=given)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("who", NAMES)
@pytest.mark.parametrize("path", ["/contributor", "/statement"])
def test_names_are_shown_as_they_are(browser, version, path, who):
    page = get(browser, path, **arguments_of(path, version, who))
    assert who in page.text
    harmless = get(browser, path, **arguments_of(path, version))
    assert page.tags.count("b") == harmless.tags.count("b")
    assert page.tags.count("script") == harmless.tags.count("script")


def test_studies_lists_versions_and_states(browser, version):
    page = get(browser, "")
    assert "toy" in page.text
    assert f"/credit/version?name={NAME}&version={version}" in page.links


def test_version_says_who_gets_what(browser, version):
    page = get(browser, "/version", name=NAME, version=version)
    assert "10,000.00 EUR" in page.text
    assert "Paid by values." in page.text
    assert "Sealed. Nobody has reviewed this report yet" in page.text


def test_tables_sort_and_find_without_script(browser, version):
    def first(**more):
        page = get(browser, "/version", name=NAME, version=version, **more)
        table = page.text[page.text.index("What waits") :]
        return min(NAMES, key=lambda name: table.index(name) if name in table else 10**6)

    assert first() == "Ada"
    assert first(sort="value", order="up") == "=idle()"
    assert first(sort="contributor", order="down") == HOSTILE
    assert first(find="cy") == "Cy"
    assert (
        "1 of 5 contributors"
        in get(browser, "/version", name=NAME, version=version, find="Cy").text
    )
    assert (
        "Nobody of this name"
        in get(browser, "/version", name=NAME, version=version, find="zz").text
    )


def test_what_if_divides_on_the_server(browser, version):
    page = get(browser, "/version", name=NAME, version=version, pool="5000", paid_by="equal")
    assert page.text.count("1,000.00") >= 5
    assert "4,500.00 EUR would be paid, 500.00 EUR held" in page.text
    refused = get(browser, "/version", name=NAME, version=version, pool="-3")
    assert "pool: " in refused.text


def test_compare_says_who_moved(browser, site, version, draft):
    page = get(browser, "/compare", name=NAME, before=version, version=draft)
    assert f"Version {version} and version {draft}: who moved, and why" in page.text
    assert "% of what is paid goes to others" in page.text


def test_a_draft_cannot_be_acted_on(browser, draft):
    page = get(browser, "/review", name=NAME, version=draft)
    assert "Draft. The policy was not kept" in page.text
    assert "form" not in page.tags


def test_coalitions_are_filtered(browser, version):
    def count(**more):
        page = get(browser, "/coalitions", name=NAME, version=version, **more)
        return int(re.search(r"(\d+) measurements?\.", page.text).group(1))

    assert count() == 64
    assert count(having="Ada") + count(lacking="Ada") == 64
    assert count(least="5") == 2
    assert count(most="0") == 2
    page = get(browser, "/coalitions", name=NAME, version=version, sort="size", order="up")
    assert "nobody" in page.text
    assert "everybody" not in page.text  # it is on the next part of the table


def test_a_coalition_shows_who_is_in_it(browser, version):
    page = get(browser, "/coalition", name=NAME, version=version, bits="10100")
    assert "2 of 5 contributors" in page.text
    assert "In it Ada , Cy" in page.text


@pytest.mark.parametrize(
    ("path", "arguments", "status"),
    [
        ("/version", {"name": "../../etc/passwd"}, 400),
        ("/version", {"name": "toy.values/../x"}, 400),
        ("/version", {"name": "/etc.values"}, 400),
        ("/version", {"name": "toy.full"}, 400),
        ("/version", {"name": "none.values"}, 400),
        ("/version", {"name": NAME, "version": "../1"}, 400),
        ("/version", {"name": NAME, "version": "999999"}, 400),
        ("/version", {"name": NAME, "version": "1 OR 1=1"}, 400),
        ("/version", {"name": NAME, "sort": "__class__"}, 400),
        ("/version", {"name": NAME, "start": "-1"}, 400),
        ("/version", {"name": NAME, "start": "9" * 500}, 400),
        ("/contributor", {"name": NAME, "who": "<script>"}, 400),
        ("/statement", {"name": NAME, "who": "../Ada"}, 400),
        ("/coalition", {"name": NAME, "bits": "' or '1'='1"}, 400),
        ("/coalition", {"name": NAME, "bits": "2" * 5}, 400),
        ("/coalitions", {"name": NAME, "property": "x"}, 400),
        ("/coalitions", {"name": NAME, "having": "nobody here"}, 400),
        ("/sample", {"name": NAME, "key": "../../../etc/passwd"}, 400),
        ("/sample", {"name": NAME, "key": "a" * 16}, 400),
        ("/compare", {"name": NAME, "before": "../1"}, 400),
        ("/static/../app.py", {}, 404),
        ("/static/app.py", {}, 404),
        ("/nothing", {}, 404),
    ],
)
def test_arguments_lead_nowhere_else(browser, version, path, arguments, status):
    answer = browser.get(f"/credit{path}", query_string=arguments)
    text = answer.get_data(as_text=True)
    assert answer.status_code == status, text
    assert "Traceback" not in text
    assert "<script>" not in text
    assert "sqlite" not in text


def test_only_get_shows_pages(browser, version):
    for method in ("post", "put", "delete", "patch"):
        answer = getattr(browser, method)("/credit/version")
        assert answer.status_code == 405


def test_an_unreadable_record_gets_one_line(browser, site, easy_report, tmp_path):
    import shutil

    broken = shutil.copytree(easy_report, tmp_path / "broken")
    (broken / "values.json").write_text("{")
    number = publish(site.client, broken, "broken", site.run_id).version
    page = get(browser, "/version", 400, name=NAME, version=number)
    assert "values.json is damaged" in page.text
