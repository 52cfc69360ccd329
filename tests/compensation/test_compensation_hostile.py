"""Names and texts that somebody chose to do harm do none, and stay readable."""

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report_readers import Page, Sheet, name_in, read_cells

from credit_plugin.compensation.rendering import escape_markdown
from credit_plugin.compensation.report import as_cell, write_report
from credit_plugin.compensation.statement_rendering import (
    render_statement_html,
    render_statement_markdown,
    statement_file,
)
from credit_plugin.compensation.statements import read_statements
from credit_plugin.contributors.intake import Decision, OwnerRecord, Submissions
from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable

NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><iframe src=//evil.example></iframe>",
    "<!-- ",
    "]]>",
    "&lt;b&gt; &#x3c;",
    "{{ 7 * 7 }}{% for x in rows %}",
    '=HYPERLINK("http://evil.example";"click")',
    "+1+1",
    "-1-1",
    "@SUM(A1:A9)",
    "\uff1d1\uff0b1",
    " \u00a0=1",
    "\t=1+1",
    "'",
    "'=1",
    "a;=1+1;b",
    'quoted "name", with commas',
    "| a | b |",
    "`code` ``more``",
    "**bold** __bold__ ~~gone~~ $x^2$",
    "# heading",
    "1. list",
    "- item",
    "> quote",
    "    indented",
    "***",
    "\\| \\` \\",
    "[link](javascript:alert(1))",
    "![picture](http://evil.example/x.png)",
    "[reference]: http://evil.example",
    "<https://evil.example>",
    "https://evil.example/?a=1&b=2 www.evil.example",
    "../../etc/passwd",
    "%s %(name)s {0} ${HOME}",
    "\u202egnp.exe",
    "\u2067rli \u2066lri",
    "two  \u2028 lines",
    "bell\x07 escape\x1b[31m",
    "x" * 255,
    "\U0001f98a\U0001f3f3\ufe0f\u200d\U0001f308",
    "\u05d0\u05d1\u05d2 \u0639\u0631\u0628",
]
TEXTS = [*NAMES, "line\nbreak\n\n# heading", "carriage\rreturn", "\n\n---\n\n", "```\nfence\n```"]
FIRST = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
MANY = settings(max_examples=50, deadline=None)

biting = st.text(st.sampled_from("=+-@'\"\t ;,|`*_<>&#[]()!:/\\~$1a.\u202e\uff1d\u2212\xa0\n\x0b"))


def harmless(count):
    return [f"name {i}" for i in range(count)]


def report(make_inputs, folder, names, texts):
    worths = [(-1) ** i * (1 + i) / 10 for i in range(len(names))]
    inputs = make_inputs(
        worths=worths,
        names=names,
        resamples=2,
        licences=(texts * len(names))[: len(names)],
        attribution=texts,
        lost=texts,
        dataset_name=texts[0],
        models={"full": texts[2], "pruned": texts[3]},
        versions={"python": texts[4]},
    )
    write_report(replace(inputs, **chosen_by_strangers(inputs, names, texts)), folder)
    return folder


def chosen_by_strangers(inputs, names, texts):
    """Return what else carries texts: the policy, what was submitted, other studies."""
    policy = inputs.study.compensation.model_copy(
        update={
            "version": texts[0],
            "period": texts[1],
            "contact": texts[2],
            "provenance": {"issuer": texts[3], "provider": texts[4]},
            "holds": {names[0]: texts[5], names[1]: texts[6 % len(texts)]},
        }
    )
    records = [
        OwnerRecord(name, (text, name), 9, 8, {"merged": 1}, (text,))
        for name, text in zip(names, texts, strict=False)
    ]
    other = {
        "study": texts[0],
        "run": texts[1],
        "experiment": texts[2],
        "started": "2026-11-26T12:00:00+00:00",
        "status": texts[3],
        "headline": texts[4],
        "policy_sha256": texts[5],
    }
    return {
        "study": inputs.study.model_copy(update={"compensation": policy}),
        "submissions": Submissions(tuple(records), 3),
        "decisions": tuple(Decision(t, t, t, "merged", t) for t in texts),
        "others": (other,),
    }


def statements_of(folder):
    return list(read_statements(folder / "statements.jsonl"))


@pytest.fixture(scope="module")
def hostile(make_inputs, tmp_path_factory):
    return report(make_inputs, tmp_path_factory.mktemp("hostile") / "r", NAMES, tuple(TEXTS))


@pytest.fixture(scope="module")
def plain(make_inputs, tmp_path_factory):
    names, texts = harmless(len(NAMES)), tuple(f"text {i}" for i in range(len(TEXTS)))
    return report(make_inputs, tmp_path_factory.mktemp("plain") / "r", names, texts)


@pytest.fixture(scope="module")
def page(hostile):
    return Page((hostile / "report.html").read_text("utf-8"))


def test_hostile_texts_add_no_element_to_the_page(page, plain):
    assert page.structure == Page((plain / "report.html").read_text("utf-8")).structure


def test_hostile_texts_add_no_element_to_the_summary_and_to_statements(hostile, plain):
    texts = [(folder / "summary.html").read_text("utf-8") for folder in (hostile, plain)]
    assert Page(texts[0]).structure == Page(texts[1]).structure
    sheets = [Sheet((folder / "summary.md").read_text("utf-8")) for folder in (hostile, plain)]
    assert sheets[0].structure == sheets[1].structure
    for sealed, harmless_one in zip(statements_of(hostile), statements_of(plain), strict=True):
        page, other = Page(render_statement_html(sealed)), Page(render_statement_html(harmless_one))
        assert page.structure == other.structure
        assert sealed["statement"]["row"]["contributor"] in page.names
        sheet = Sheet(render_statement_markdown(sealed))
        assert sheet.live() == set()
        assert sheet.structure == Sheet(render_statement_markdown(harmless_one)).structure


def test_files_of_statements_lead_nowhere_and_are_told_apart(hostile):
    files = [statement_file(sealed["statement"]) for sealed in statements_of(hostile)]
    assert len(set(files)) == len(files)
    assert all(re.fullmatch(r"statement-\d{4}(-[a-z0-9]+)*", file) for file in files), files


def test_the_summary_names_nobody_and_a_statement_nobody_else(plain):
    names = harmless(len(NAMES))
    for file in ("summary.html", "summary.md"):
        text = (plain / file).read_text("utf-8")
        assert not any(re.search(rf"{name}\b", text) for name in names), file
    for index, sealed in enumerate(statements_of(plain)):
        own = sealed["statement"]["row"]["contributor"]
        for text in (render_statement_html(sealed), render_statement_markdown(sealed)):
            others = [name for name in names if name != own and re.search(rf"{name}\b", text)]
            assert others == [], index


def test_names_are_on_the_page_as_they_are(page):
    assert set(NAMES) <= set(page.names)
    assert [row[0] for row in page.tables[0][1:-1]] == sorted(
        NAMES, key=lambda name: [row[0] for row in page.tables[0]].index(name)
    )


def test_nothing_on_the_page_runs_or_loads(page):
    tags = {tag for tag, *_ in page.structure}
    assert not tags & {"script", "iframe", "object", "embed", "link", "form", "base", "a", "video"}
    names = {name for _, name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"style", "href", "srcset", "action", "formaction", "background"}
    assert all(source.startswith("data:image/png;base64,") for source in page.values_of("src"))
    for _, name, value in page.attributes:
        assert "//" not in value or name == "src", (name, value)
    assert "url(" not in page.style
    assert "@import" not in page.style


def test_the_page_forbids_everything_but_its_own_style_and_pictures(page):
    (policy,) = [v for t, n, v in page.attributes if t == "meta" and "default-src" in v]
    assert "Content-Security-Policy" in page.values_of("http-equiv")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "no-referrer" in page.values_of("content")


def test_hostile_texts_are_plain_text_in_markdown(hostile, plain):
    source = (hostile / "report.md").read_text("utf-8")
    sheet = Sheet(source)
    assert sheet.live() == set()
    assert sheet.structure == Sheet((plain / "report.md").read_text("utf-8")).structure
    assert re.search(r"https?:|www\.|javascript:", source) is None  # what viewers make links of
    assert not set("\u202e\u2066\u2067\x07\x1b") & set(source)


def test_names_can_be_read_in_markdown(hostile, page):
    sheet = Sheet((hostile / "report.md").read_text("utf-8"))
    hidden = dict.fromkeys(map(ord, "\u202e\u2066\u2067\x07\x1b"), "\ufffd")
    for shown, exact in zip(sheet.tables[0][1:], page.tables[0][1:], strict=True):
        assert shown[0] == " ".join(exact[0].translate(hidden).split())
        assert shown[1:] == exact[1:]


def test_no_cell_is_a_formula_and_exact_names_come_back(hostile):
    _, *rows = read_cells(hostile / "values.csv")
    assert {name_in(row[0]) for row in rows} == set(NAMES)
    for row in rows:
        assert row[0].startswith("'") or not row[0].strip().startswith(FIRST)
        for number in row[1:]:
            float(number)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_reader_with_another_separator_finds_no_formula_either(hostile, separator):
    text = (hostile / "values.csv").read_text("utf-8")
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


@pytest.mark.parametrize("file", ["payouts.csv", "submissions.csv"])
def test_no_cell_of_the_other_tables_is_a_formula(hostile, file):
    _, *rows = read_cells(hostile / file)
    for row in rows:
        assert not any(cell.startswith(FIRST[:4]) for cell in row), row


def test_exact_names_are_in_json_and_in_the_table(hostile):
    facts = json.loads((hostile / "values.json").read_text("utf-8"))
    assert {row["contributor"] for row in facts["rows"]} == set(NAMES)
    assert UtilityTable.from_csv(hostile / "coalitions.csv").contributors == tuple(NAMES)
    assert facts["attribution"] == TEXTS


def test_a_name_that_no_file_can_hold_is_refused(make_inputs):
    with pytest.raises(InputError, match=r"contributors.*ud800"):
        make_inputs(worths=(1.0, 2.0), names=["fine", "lone \ud800 surrogate"])


def test_other_texts_with_lone_surrogates_are_written(make_inputs, tmp_path):
    texts = tuple(f"lone \udcff surrogate {i}" for i in range(6))
    folder = report(make_inputs, tmp_path / "r", harmless(3), texts)
    facts = json.loads((folder / "values.json").read_text("utf-8"))
    assert facts["attribution"][0] == "lone ? surrogate 0"
    assert "lone ? surrogate 5" in Page((folder / "report.html").read_text("utf-8")).text


@given(biting)
@example("'=1")
@MANY
def test_cells_are_no_formulas_and_one_apostrophe_is_all_there_is_to_remove(name):
    cell = as_cell(name)
    assert name_in(cell) == name
    assert cell in (name, f"'{name}")
    assert cell.startswith("'") or not cell.strip().startswith(FIRST[:4])


@pytest.mark.parametrize(
    "name", ["\uff1d1", "\uff0b1", "\ufe63 1", "\uff20x", "\u00a0 =1", "\ufb29"]
)
def test_what_looks_like_a_formula_to_some_spreadsheets_is_none_either(name):
    assert as_cell(name) == f"'{name}"


def test_ordinary_names_are_not_touched():
    for name in ("Ann", "O'Neill", "Zoë Ωmega", "1 & 2", "(c) Bob", "a=b", "\u2212 minus"):
        assert as_cell(name) == name


@given(biting)
@MANY
def test_escaped_markdown_reads_as_the_text_on_one_line(text):
    shown = " ".join(text.replace("\u202e", "\ufffd").split())
    escaped = escape_markdown(text)
    for start in ("", "- ", "Some words ", "**bold** "):
        sheet = Sheet(f"{start}{escaped}\n")
        words = " ".join(f"{start.strip('- *')} {shown}".split()).replace("bold**", "bold")
        assert sheet.text == words
        assert not {t for t in sheet.structure if t.startswith(("code", "em", "heading", "hr"))}
        assert sheet.live() == set()
    table = Sheet(f"| a | b |\n|:--|--:|\n| {escaped} | 1 |\n").tables[0]
    assert table[1] == [shown, "1"]
