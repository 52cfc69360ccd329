"""What a report says of a check against retraining, and that it says so if there was none."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fidelity.fidelity_results import fidelity_result
from report_readers import Page, Sheet, read_cells

from credit_plugin.compensation.publication import check_manifest, sha256_of
from credit_plugin.compensation.report import write_report
from credit_plugin.errors import InputError
from credit_plugin.fidelity.result import OWN, FidelityResult
from credit_plugin.fidelity.verdict import verdict

QUESTION = "Has it been checked against retraining?"
UNCHECKED = "nobody has compared these values with training models from scratch"


def check_of(inputs, worths=None, **options):
    headline = inputs.headline
    given = {"alphas": (0.4, 0.6), "noise": 0.2, "rivals": 12, "resamples": 30, **options}
    return fidelity_result(
        len(headline.values),
        worths=headline.values if worths is None else worths,
        own_scores=headline.values,
        contributors=headline.contributors,
        property=headline.property,
        **given,
    )


def with_check(inputs, **options):
    return replace(inputs, fidelity=check_of(inputs, **options))


def documents_in(folder):
    page = Page((folder / "report.html").read_text("utf-8"))
    return page, Sheet((folder / "report.md").read_text("utf-8"))


def checked_table(document):
    (table,) = [t for t in document.tables if t[0][0] == "Test coalitions"]
    return table


def facts_in(folder):
    return json.loads((folder / "values.json").read_text("utf-8"))["fidelity"]


@pytest.fixture(scope="module")
def checked(make_inputs, tmp_path_factory):
    """A report that several tests read and none changes."""
    inputs = with_check(make_inputs())
    folder = tmp_path_factory.mktemp("checked") / "report"
    return inputs, folder, write_report(inputs, folder)


def test_the_check_is_beside_the_report_and_in_the_manifest(checked):
    inputs, folder, manifest = checked
    assert {"fidelity.csv", "fidelity.json"} <= set(manifest["files"])
    assert check_manifest(folder) == []
    assert FidelityResult.load(folder).metrics() == inputs.fidelity.metrics()
    assert len(read_cells(folder / "fidelity.csv")) == 1 + len(inputs.fidelity.methods)
    for document in documents_in(folder):
        assert sha256_of(folder / "fidelity.json") in document.text


def test_every_finding_is_told(checked):
    inputs, folder, _ = checked
    found = verdict(inputs.fidelity)
    assert found.warning is None
    for document in documents_in(folder):
        assert QUESTION in document.text
        for finding in found.findings:
            assert " ".join(finding.split()) in document.text
        assert "Warning." not in document.text
        assert "which was measured apart" in document.text
        assert UNCHECKED not in document.text


def test_the_table_has_the_numbers_of_every_test_set(checked):
    inputs, folder, _ = checked
    for document in documents_in(folder):
        header, *rows = checked_table(document)
        assert len(header) == 1 + len(inputs.fidelity.tests)
        named = {row[0]: row[1:] for row in rows}
        for k, test in enumerate(inputs.fidelity.tests):
            assert named["These values"][k].startswith(f"{test.lds.scores[OWN].value:.2f}")
            (noise,) = [cells for name, cells in named.items() if "noise ceiling" in name]
            assert noise[k].startswith(f"{test.lds.noise_ceiling.value:.2f}")
            pearson = test.agreement[inputs.fidelity.property]["sparsified_finetuning"].pearson
            (cells,) = [cells for name, cells in named.items() if "Pearson" in name]
            assert cells[k].startswith(f"{pearson.value:.2f}")


def test_the_facts_hold_the_same_numbers(checked):
    inputs, folder, _ = checked
    facts, result = facts_in(folder), inputs.fidelity
    assert facts["statement"] == verdict(result).statement
    assert [t["alpha"] for t in facts["tests"]] == [0.4, 0.6]
    own = result.tests[0].lds.scores[OWN]
    assert facts["tests"][0]["lds"] == {"value": own.value, "low": own.low, "high": own.high}
    top, bottom, random = facts["removals"]
    assert (top["who"], bottom["who"], random["who"]) == ("top", "bottom", "random")
    change = result.counterfactual(OWN, 0.4, True)
    assert top["change"]["value"] == change.value
    assert top["relative_change"]["value"] == result.relative(change.value)
    assert random["orders"] == 3


def test_a_warning_looks_like_one(make_inputs, tmp_path):
    inputs = make_inputs()
    inputs = with_check(inputs, worths=-inputs.headline.values)
    write_report(inputs, tmp_path / "report")
    page, sheet = documents_in(tmp_path / "report")
    assert ("div", "class", "warning") in page.attributes
    for document in (page, sheet):
        assert (
            f"Warning. {verdict(inputs.fidelity).warning}".replace("\u00a0", " ") in document.text
        )
    assert facts_in(tmp_path / "report")["warning"] == verdict(inputs.fidelity).warning


def test_without_a_check_the_report_says_so(make_inputs, tmp_path):
    write_report(make_inputs(), tmp_path / "report")
    assert facts_in(tmp_path / "report") is None
    assert not list((tmp_path / "report").glob("fidelity.*"))
    for document in documents_in(tmp_path / "report"):
        assert QUESTION in document.text
        assert UNCHECKED in document.text
        assert "credit fidelity" in document.text
        assert "which was measured apart" not in document.text


def test_what_is_not_known_is_said_to_be_not_known(make_inputs, tmp_path):
    inputs = make_inputs()
    result = check_of(inputs, coalitions=4, seeds=2, rivals=0, proxies=(), alphas=(0.4,))
    lost = tuple(replace(c, change=None) for c in result.counterfactuals)
    result = replace(result, counterfactuals=lost, lost=("retraining 11000: out of memory",))
    write_report(replace(inputs, fidelity=result), tmp_path / "report")
    for document in documents_in(tmp_path / "report"):
        named = {row[0]: row[1:] for row in checked_table(document)}
        assert [v for k, v in named.items() if "additive" in k] == [["not known"]]
        assert "not known, because retrainings were lost" in document.text
        assert "1 retraining or measurement was lost" in document.text
        assert "No rival was compared." in document.text
        assert "nan" not in document.text.lower().split()


def test_titles_of_methods_are_harmless(make_inputs, tmp_path):
    inputs = with_check(make_inputs())
    evil = "<script>alert(1)</script> | **x** [l](javascript:1) \u202e"

    def renamed(title):
        methods = [replace(m, title=title) for m in inputs.fidelity.methods]
        result = replace(inputs.fidelity, methods=tuple(methods))
        write_report(replace(inputs, fidelity=result), tmp_path / "report")
        return documents_in(tmp_path / "report")

    (page, sheet), (hostile, hostile_sheet) = renamed("plain"), renamed(evil)
    assert hostile.structure == page.structure
    assert hostile_sheet.structure == sheet.structure
    assert hostile_sheet.live() == set()
    assert "<script>alert(1)</script>" in hostile.text


@pytest.mark.parametrize(
    "change",
    [
        lambda r: {"property": "diversity"},
        lambda r: {"contributors": tuple("abcde")},
        lambda r: {"methods": (replace(r.methods[0], scores=tuple(np.arange(5.0))),)},
        lambda r: {"methods": (replace(r.methods[0], scores=(1.0, 2.0)),)},
    ],
)
def test_a_check_of_other_values_is_refused(make_inputs, change):
    inputs = make_inputs()
    result = check_of(inputs, rivals=0, resamples=5)
    with pytest.raises(InputError, match="fidelity: other values than these were checked"):
        replace(inputs, fidelity=replace(result, **change(result)))


def test_a_policy_may_ask_values_to_follow_retraining(make_inputs, tmp_path):
    """Values that were checked against their own game pass, and against a reversed one fail."""
    inputs = make_inputs(overrides=["compensation.gate.fidelity=0.7"])
    good, bad = with_check(inputs), with_check(inputs, worths=-inputs.headline.values)
    for checked, opens in ((good, True), (bad, False)):
        write_report(checked, tmp_path / "report")
        gate = json.loads((tmp_path / "report" / "values.json").read_text("utf-8"))["gate"]
        assert (gate["open"], gate["paid_by"]) == (opens, "values" if opens else "count")
    assert "of what retraining allows, and 0.7 is asked for" in gate["statement"]


def flattered(inputs, by):
    """Return inputs whose proxy flatters the first contributor in the check against retraining."""
    found = check_of(inputs, coalitions=60, noise=0.02)
    tests = []
    for test in found.tests:
        measured = [seeds[0] for seeds in test.utilities]  # noisy, as a proxy is
        pairs = zip(measured, test.coalitions, strict=True)
        said = [utility + by * (bits[0] == "1") for utility, bits in pairs]
        tests.append(replace(test, cheap={found.utility: tuple(said)}))
    return replace(inputs, fidelity=replace(found, tests=tuple(tests)))


def test_a_large_payee_whose_payout_rests_on_the_proxy_alone_is_named(make_inputs, tmp_path):
    worths = (4.0, 0.5, 0.5, 0.5, 0.5, 0.4, 0.3, 0.2)
    inputs = make_inputs(worths=worths, only="inception_score")
    for by, named in ((0.0, False), (1.5, True)):
        write_report(flattered(inputs, by), tmp_path / "report")
        facts = json.loads((tmp_path / "report" / "values.json").read_text("utf-8"))
        warned = [line for line in facts["warnings"] if "Retraining gives c1 less" in line]
        assert bool(warned) is named, facts["proxy_residuals"]
