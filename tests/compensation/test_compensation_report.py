"""The report: every file says the same, and says it exactly."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from report_readers import Page, Sheet, amount_in, read_cells

from credit_plugin.compensation.payout import allocate
from credit_plugin.compensation.publication import check_manifest, sha256_of
from credit_plugin.compensation.report import write_report
from credit_plugin.compensation.verification import verify_report
from credit_plugin.compensation.wording import fixed
from credit_plugin.errors import InputError
from credit_plugin.game import UtilityTable
from credit_plugin.values import ContributorValues, estimate

COLUMNS = ["contributor", "value", "standard_error", "ci_low", "ci_high", "share", "payout"]
FILES = {
    "values.csv",
    "values.json",
    "coalitions.csv",
    "report.html",
    "report.md",
    "summary.html",
    "summary.md",
    "statements.jsonl",
    "payouts.csv",
    "thumbnails.json",
    "manifest.json",
}


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def read_facts(folder):
    return json.loads((folder / "values.json").read_text("utf-8"), parse_constant=refuse)


def columns_of(folder):
    header, *rows = read_cells(folder / "values.csv")
    assert header == COLUMNS
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def read_page(folder):
    return Page((folder / "report.html").read_text("utf-8"))


def read_sheet(folder):
    return Sheet((folder / "report.md").read_text("utf-8"))


@pytest.fixture(scope="module")
def study_report(make_inputs, tmp_path_factory):
    """A report that several tests read and none changes."""
    inputs, folder = make_inputs(), tmp_path_factory.mktemp("reports") / "report"
    return inputs, folder, write_report(inputs, folder)


def test_these_are_the_files_and_the_manifest_holds(study_report):
    _, folder, manifest = study_report
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    assert check_manifest(folder) == []
    assert manifest == json.loads((folder / "manifest.json").read_text("utf-8"))
    assert set(manifest["files"]) == FILES - {"manifest.json"}
    assert manifest["data"] == {"name": "digits", "sha256": "d" * 64}
    assert manifest["models"] == {"full": "digits.full/3", "pruned": "digits.pruned/2"}
    assert manifest["settings"]["compensation"]["pool"] == "10000.00"
    assert manifest["status"] == "draft, not signed"


def test_the_same_inputs_give_the_same_bytes(study_report, make_inputs, tmp_path):
    _, folder, _ = study_report
    write_report(make_inputs(), tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_values_csv_sums(study_report):
    inputs, folder, _ = study_report
    columns, headline = columns_of(folder), inputs.headline
    values = {c: float(v) for c, v in zip(columns["contributor"], columns["value"], strict=True)}
    assert values == dict(zip(headline.contributors, headline.values.tolist(), strict=True))
    assert sum(values.values()) == pytest.approx(headline.v_full - headline.v_empty, abs=1e-9)
    assert sum(map(float, columns["share"])) == pytest.approx(1, abs=1e-12)
    assert sum(map(Decimal, columns["payout"])) == Decimal("10000.00")
    assert list(values.values()) == sorted(values.values(), reverse=True)
    low, high = (np.array(columns[c], dtype=float) for c in ("ci_low", "ci_high"))
    assert np.all(low < list(values.values()))
    assert np.all(high > list(values.values()))


def test_values_below_zero_are_shown_and_paid_nothing(study_report):
    _, folder, _ = study_report
    row = read_facts(folder)["rows"][-1]
    assert row["contributor"] == "c3"
    assert row["value"] == pytest.approx(-0.5, abs=0.1)
    assert (row["share"], row["payout"], row["payout_minor"]) == (0, "0.00", 0)
    assert row["count_payout_minor"] == 10_000_00 * 30 // 150


def test_payouts_are_in_proportion_to_the_shares(study_report):
    inputs, folder, _ = study_report
    rows = read_facts(folder)["rows"]
    paid = {row["contributor"]: row["payout_minor"] for row in rows}
    expected = allocate(inputs.headline.shares().tolist(), 10_000_00, inputs.dataset_digest)
    assert [paid[name] for name in inputs.table.contributors] == expected
    by_count = {row["contributor"]: row["count_payout_minor"] for row in rows}
    assert [by_count[n] for n in inputs.table.contributors] == allocate(
        inputs.image_counts.tolist(), 10_000_00, inputs.dataset_digest
    )


def test_coalitions_csv_gives_the_same_values_again(study_report):
    inputs, folder, _ = study_report
    table, facts = UtilityTable.from_csv(folder / "coalitions.csv"), read_facts(folder)
    for name, stated in facts["properties"].items():
        again = estimate(table, stated["estimator"], 0, property=name, resamples=20)
        assert again.to_json_dict() == stated
    assert table.contributors == inputs.table.contributors


def test_values_json_holds_the_values_to_the_last_bit(study_report):
    inputs, folder, _ = study_report
    facts = read_facts(folder)
    stated = ContributorValues.from_json_dict(facts["properties"][facts["property"]])
    for name in ("values", "standard_errors", "ci_low", "ci_high"):
        assert np.array_equal(getattr(stated, name), getattr(inputs.headline, name))
    assert facts["settings"] == inputs.study.model_dump(mode="json")
    assert facts["created"] == "2026-11-23T20:50:00+00:00"


@pytest.mark.parametrize(
    ("currency", "pool", "smallest"),
    [("EUR", "1234567.89", "0.01"), ("JPY", "100000", "1"), ("KWD", "777.5", "0.001")],
)
def test_all_renderings_agree_on_payouts(make_inputs, tmp_path, currency, pool, smallest):
    overrides = [f"compensation.pool={pool!r}", f"compensation.currency={currency}"]
    inputs = make_inputs(overrides=overrides)
    write_report(inputs, tmp_path / "report")
    folder = tmp_path / "report"
    columns = columns_of(folder)
    written = dict(zip(columns["contributor"], map(Decimal, columns["payout"]), strict=True))
    assert sum(written.values()) == Decimal(pool)
    unit = Decimal(smallest)
    assert {a.as_tuple().exponent for a in written.values()} == {unit.as_tuple().exponent}
    stated = read_facts(folder)["rows"]
    assert written == {row["contributor"]: Decimal(row["payout"]) for row in stated}
    assert written == {
        row["contributor"]: row["payout_minor"] * Decimal(smallest) for row in stated
    }
    for document in (read_page(folder), read_sheet(folder)):
        header, *rows, total = document.tables[0]
        assert header[4].startswith("Payout")
        assert {row[0]: amount_in(row[4]) for row in rows} == written
        assert amount_in(total[4]) == Decimal(pool)
        assert f"({currency})" in header[4]


def test_documents_agree_on_every_number_of_the_main_table(study_report):
    _, folder, _ = study_report
    page, sheet = read_page(folder).tables[0][1:], read_sheet(folder).tables[0][1:]
    assert page == sheet


def test_sums_of_the_main_table_are_sums(study_report):
    _, folder, _ = study_report
    *rows, total = read_page(folder).tables[0][1:]
    for column in (4, 5, 6):  # payouts, images, payouts by count
        assert sum(amount_in(row[column]) for row in rows) == amount_in(total[column])
    for row in rows:
        assert amount_in(row[4]) - amount_in(row[6]) == amount_in(row[7])


def test_documents_rest_on_the_files_beside_them(study_report):
    _, folder, _ = study_report
    for name in ("values.json", "coalitions.csv"):
        assert sha256_of(folder / name) in read_page(folder).text
        assert sha256_of(folder / name) in read_sheet(folder).text


def test_the_value_of_nobody_moves_every_value_alike(study_report):
    """With every coalition measured, v(empty) + d takes d/n from each exact Shapley value."""
    inputs, folder, _ = study_report
    own, zero = read_facts(folder)["baselines"]
    assert (own["name"], zero["name"], zero["v_empty"]) == ("own", "zero", 0)
    assert own["values"] == inputs.headline.values.tolist()
    moved = np.array(own["values"]) + own["v_empty"] / len(own["values"])
    assert zero["values"] == pytest.approx(moved.tolist(), abs=1e-9)
    positive = np.clip(zero["values"], 0, None)
    assert zero["shares"] == pytest.approx((positive / positive.sum()).tolist())
    assert zero["payouts_minor"] == allocate(zero["shares"], 10_000_00, inputs.dataset_digest)


def test_documents_show_payouts_under_other_baselines(study_report):
    inputs, folder, _ = study_report
    own, zero = read_facts(folder)["baselines"]
    page, sheet = read_page(folder), read_sheet(folder)
    for document in (page, sheet):
        (table,) = [t for t in document.tables if "(this report)" in t[0][1] and "v(∅)" in t[0][1]]
        assert table[0][2].startswith("Zero")
        for name, *cells in table[1:]:
            place = inputs.table.contributors.index(name)
            for case, cell in zip((own, zero), cells, strict=True):
                amount = Decimal(case["payouts_minor"][place]) / 100
                assert cell.startswith(f"{amount:,.2f}")


def test_a_baseline_like_the_own_one_is_not_shown_twice(make_inputs, tmp_path):
    inputs = make_inputs()
    same = {"untrained": inputs.headline.v_empty * (1 + 1e-12)}
    write_report(replace(inputs, baselines=same), tmp_path / "report")
    assert [case["name"] for case in read_facts(tmp_path / "report")["baselines"]] == ["own"]
    assert "No other baseline was stated" in read_page(tmp_path / "report").text
    assert "No other baseline was stated" in read_sheet(tmp_path / "report").text


def test_where_no_value_is_positive_the_declared_rule_pays(make_inputs, tmp_path):
    write_report(make_inputs(worths=(-1.0, -2.0, -0.5, -3.0)), tmp_path / "report")
    columns, facts = columns_of(tmp_path / "report"), read_facts(tmp_path / "report")
    counts = dict(zip(columns["contributor"], columns["payout"], strict=True))
    assert counts == {f"c{k}": f"{k}000.00" for k in (1, 2, 3, 4)}
    assert {row["value_share"] for row in facts["rows"]} == {0.0}
    assert {row["value_payout_minor"] for row in facts["rows"]} == {0}
    assert facts["gate"]["paid_by"] == "count"
    for document in (read_page(tmp_path / "report"), read_sheet(tmp_path / "report")):
        assert "No contributor’s value is positive" in document.text  # noqa: RUF001
        assert "the pool" in document.text
        assert "is paid by number of accepted images" in document.text
        assert document.tables[0][0][7].startswith("By values")
        assert all(row[7] == "0.00" for row in document.tables[0][1:])


def test_what_is_not_a_number_becomes_null_and_not_known(make_inputs, tmp_path):
    inputs = make_inputs(
        full_model_properties={"inception_score": float("nan")},
        pruned_model_properties={"inception_score": float("inf")},
        costs={"training": float("nan"), "coalitions": 30.0},
    )
    write_report(inputs, tmp_path / "report")
    facts = read_facts(tmp_path / "report")
    assert facts["full_model_properties"] == {"inception_score": None}
    assert facts["pruned_model_properties"] == {"inception_score": None}
    assert facts["costs"] == {"training": None, "coalitions": 30.0}
    for document in (read_page(tmp_path / "report"), read_sheet(tmp_path / "report")):
        (row,) = [r for t in document.tables for r in t if r[0].startswith("inception score (")]
        assert row[3:] == ["not known"] * 3
        assert "training not known" in document.text
        assert "nan" not in document.text.lower().split()


def test_an_estimator_that_knows_no_intervals_can_be_reported(make_inputs, tmp_path):
    inputs = make_inputs()
    unknown = np.full(len(inputs.table.contributors), np.nan)
    blind = replace(inputs.headline, standard_errors=unknown, ci_low=unknown, ci_high=unknown)
    values = {**inputs.values, inputs.headline.property: blind}
    write_report(replace(inputs, values=values), tmp_path / "report")
    assert {row["ci_low"] for row in read_facts(tmp_path / "report")["rows"]} == {None}
    assert set(columns_of(tmp_path / "report")["ci_high"]) == {""}
    assert read_page(tmp_path / "report").tables[0][1][2] == "not known to not known"
    assert read_sheet(tmp_path / "report").tables[0][1][2] == "not known to not known"


def test_where_lower_is_better_numbers_are_shown_as_measured(make_inputs, tmp_path):
    inputs = make_inputs(overrides=["properties.headline=frechet_distance"])
    write_report(inputs, tmp_path / "report")
    measured = f"reaches frechet distance {fixed(-inputs.headline.v_full, 2)} (lower is better)"
    for document in (read_page(tmp_path / "report"), read_sheet(tmp_path / "report")):
        assert measured in document.text
        assert "a positive value means that the contributor made it better" in document.text


def test_a_property_alone_and_facts_that_are_missing(make_inputs, tmp_path):
    bare = make_inputs(
        only="inception_score",
        attribution=(),
        licences=(),
        contributor_digests={},
        models={},
        full_model_properties={},
        pruned_model_properties={},
        baselines={},
        costs={},
        lost=(),
        versions={},
        thumbnails={},
    )
    write_report(bare, tmp_path / "report")
    for document in (read_page(tmp_path / "report"), read_sheet(tmp_path / "report")):
        for text in ("none registered", "not recorded", "not stated", "No measurement was lost"):
            assert text in document.text
        assert "Had another property been chosen" not in document.text
        assert "Attribution" not in document.text
    assert "img" not in {tag for tag, *_ in read_page(tmp_path / "report").structure}


def test_258_contributors(make_inputs, tmp_path):
    names = [f"artist {i:03d}" for i in range(258)]
    worths = np.linspace(-0.5, 4, 258)
    inputs = make_inputs(worths=worths, names=names, only="inception_score", resamples=2)
    write_report(inputs, tmp_path / "report")
    columns = columns_of(tmp_path / "report")
    assert sorted(columns["contributor"]) == names
    assert sum(map(Decimal, columns["payout"])) == Decimal("10000.00")
    page, sheet = read_page(tmp_path / "report"), read_sheet(tmp_path / "report")
    assert len(page.tables[0]) == len(sheet.tables[0]) == 260
    assert page.tables[0][1:] == sheet.tables[0][1:]
    assert "218 contributors in the middle are left out here" in page.text
    # so many rows scroll in a box that a keyboard reaches, and what comes after them is in sight
    assert ("div", "aria-label", "Who gets what") in page.attributes
    assert "All 258 contributors are in the table, which scrolls." in page.text


def test_lost_measurements_are_told_and_counted(study_report):
    _, folder, _ = study_report
    assert "which scrolls" not in read_page(folder).text
    for document in (read_page(folder), read_sheet(folder)):
        assert "1 measurement was lost and is missing from these values" in document.text
        assert "coalition 10100: worker died three times" in document.text


def test_only_pictures_are_embedded(study_report):
    _, folder, _ = study_report
    sources = read_page(folder).values_of("src")
    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,iVBORw0KGgo")


def test_an_older_report_stays_when_a_new_one_cannot_be_made(make_inputs, tmp_path):
    write_report(make_inputs(), tmp_path / "report")
    before = (tmp_path / "report" / "manifest.json").read_bytes()
    overrides = ["compensation.currency=JPY", "compensation.pool='0.50'"]
    with pytest.raises(InputError, match=r"compensation\.pool"):
        write_report(make_inputs(overrides=overrides), tmp_path / "report")
    assert (tmp_path / "report" / "manifest.json").read_bytes() == before
    assert check_manifest(tmp_path / "report") == []


def test_a_new_report_replaces_the_older_one(make_inputs, tmp_path):
    write_report(make_inputs(), tmp_path / "deep" / "report")
    (tmp_path / "deep" / "report" / "stray.txt").write_text("stray", "utf-8")
    write_report(make_inputs(worths=(1.0, 2.0)), tmp_path / "deep" / "report")
    assert check_manifest(tmp_path / "deep" / "report") == []
    assert len(columns_of(tmp_path / "deep" / "report")["value"]) == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda i: {"values": {}}, "headline property"),
        (lambda i: {"directions": {}}, "directions: 'inception_score'"),
        (lambda i: {"directions": dict.fromkeys(i.values, 2)}, "needs \\+1 or -1"),
        (lambda i: {"image_counts": np.ones(4)}, "image_counts: 4"),
        (lambda i: {"licences": ("CC0",)}, "licences: 1"),
        (lambda i: {"created": datetime(2026, 11, 23)}, "created"),
        (
            lambda i: {"created": datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=1)))},
            "created",
        ),
        (
            lambda i: {
                "values": {k: replace(v, contributors=tuple("abcde")) for k, v in i.values.items()}
            },
            "other contributors than the table",
        ),
    ],
)
def test_facts_that_do_not_fit_together_are_refused(make_inputs, change, named):
    inputs = make_inputs()
    with pytest.raises(InputError, match=named):
        replace(inputs, **change(inputs))


def test_a_pool_of_a_single_cent_is_paid(make_inputs, tmp_path):
    write_report(make_inputs(overrides=["compensation.pool='0.01'"]), tmp_path / "report")
    columns = columns_of(tmp_path / "report")
    assert columns["contributor"][0] == "c2"
    assert columns["payout"] == ("0.01", "0.00", "0.00", "0.00", "0.00")


def test_how_reliable_every_property_is_that_is_paid_is_said(make_inputs, tmp_path):
    alone = make_inputs()
    write_report(alone, tmp_path / "alone")
    assert read_facts(tmp_path / "alone")["reliability_of_others"] == {}
    paid = make_inputs(overrides=["compensation.weights={diversity: 1}"])
    write_report(paid, tmp_path / "paid")
    said = paid.reliability["diversity"].statement
    assert read_facts(tmp_path / "paid")["reliability_of_others"] == {"diversity": said}
    for name in ("report.html", "report.md"):
        text = (tmp_path / "paid" / name).read_text("utf-8")
        assert "Reliability of diversity" in text
        assert "Reliability of" not in (tmp_path / "alone" / name).read_text("utf-8")
    assert verify_report(tmp_path / "paid") == []
