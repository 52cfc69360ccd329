"""The fields of published standards: all of them, filled in where something is known."""

import pytest
from report_readers import Page, Sheet

from credit_plugin.compensation.provenance import DATA_FIELDS, NAMES
from credit_plugin.compensation.report import write_report
from credit_plugin.compensation.terms import check_policy
from credit_plugin.config import CompensationSettings
from credit_plugin.errors import InputError


def test_there_are_22_fields_of_data():
    assert sum(map(len, DATA_FIELDS.values())) == 22


def test_known_stated_and_unknown_fields_are_told_apart(make_inputs, tmp_path):
    stated = "compensation.provenance={issuer: 'UCI <b>', provider: 'The lab'}"
    write_report(make_inputs(overrides=[stated]), tmp_path / "report")
    page = Page((tmp_path / "report" / "report.html").read_text("utf-8"))
    sheet = Sheet((tmp_path / "report" / "report.md").read_text("utf-8"))
    for document in (page, sheet):
        (table,) = [t for t in document.tables if t[0] == ["Field", "What is known"]]
        known = dict(table[1:])
        assert known["Source: Dataset issuer"] == "UCI <b>"
        assert known["Model: Provider"] == "The lab"
        assert known["Source: Dataset title or name"] == "digits"
        assert known["Use: License to use"] == "CC BY 4.0"
        assert known["Use: Consent documentation location"] == "not stated"
        assert len(known) == len(NAMES)


def test_a_field_that_does_not_exist_gets_one_line():
    policy = CompensationSettings(provenance={"isuer": "x"})
    with pytest.raises(InputError, match=r"no field 'isuer'; did you mean issuer\?"):
        check_policy(policy, ("a", "b"), {})
