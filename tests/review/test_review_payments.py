from datetime import date
from typing import ClassVar
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reviewers import act, approved, contest

from credit_plugin.compensation.review.export import (
    Account,
    payments_csv,
    payments_xml,
    read_accounts,
)
from credit_plugin.compensation.review.states import RefusedError
from credit_plugin.compensation.review.tranches import Payment, payments_due
from credit_plugin.errors import InputError

IBANS = ("DE89370400440532013000", "NL91ABNA0417164300", "FR1420041010050500013M02606")


def facts_of(*rows, threshold="0.00"):
    """Return the facts that payments need; a row is gross, reserve, doubted and brought forward."""
    told = []
    for name, (gross, reserve, doubted, brought) in zip(("Ada", "Bo", "Cy"), rows, strict=False):
        due = gross - doubted + brought
        carried = due if due < round(float(threshold) * 100) else 0
        held = doubted if carried else max(reserve, doubted)
        told.append(
            {
                "contributor": name,
                "doubted_minor": doubted,
                "held_minor": held,
                "carried_minor": carried,
                "paid_minor": gross + brought - held - carried,
            }
        )
    return {"rows": told, "currency": "EUR"}


def exported(review, facts, days):
    due = payments_due(facts, review)
    total = sum(one.amount_minor for one in due)
    details = {"format": "csv", "sha256": "d" * 64, "payments": len(due), "total_minor": total}
    return act(review, "export", "Mona", details, days), {p.payee: p.amount_minor for p in due}


def released(review):
    return act(review, "finalize", "Rob", {"files": 9}, days=31)


def test_without_contests_the_reserve_is_due_with_the_rest():
    facts = facts_of((1000, 100, 0, 0), (500, 50, 0, 0), (0, 0, 0, 0))
    assert payments_due(facts, released(approved())) == [
        Payment("Ada", 1000, 1),
        Payment("Bo", 500, 2),
    ]


def test_a_contest_holds_one_payee_and_everybodys_reserve():
    facts = facts_of((1000, 100, 0, 0), (500, 50, 0, 0), (300, 30, 0, 0))
    review, first = exported(released(contest(approved())), facts, 32)
    assert first == {"Bo": 450, "Cy": 270}
    review, nothing = exported(review, facts, 33)
    assert nothing == {}
    review = act(review, "decide", "Dee", {"contest": "C1", "outcome": "dismissed"}, 34)
    review, second = exported(review, facts, 35)
    assert second == {"Ada": 1000, "Bo": 50, "Cy": 30}


def test_an_upheld_contest_releases_the_others_reserve_alone():
    facts = facts_of((1000, 100, 0, 0), (500, 50, 0, 0))
    review = released(contest(approved()))
    review = act(review, "decide", "Dee", {"contest": "C1", "outcome": "upheld"}, 34)
    assert exported(review, facts, 35)[1] == {"Bo": 500}


def test_doubts_hold_what_they_held():
    facts = facts_of((1000, 100, 400, 0), (500, 50, 20, 0))
    assert exported(released(approved()), facts, 32)[1] == {"Ada": 600, "Bo": 480}


def test_the_threshold_counts_for_the_whole_payment():
    facts = facts_of((1000, 100, 0, 0), (95, 10, 0, 0), (80, 0, 0, 0), threshold="0.90")
    review, first = exported(released(contest(approved())), facts, 32)
    assert first == {"Bo": 85}
    review = act(review, "decide", "Dee", {"contest": "C1", "outcome": "dismissed"}, 34)
    assert exported(review, facts, 35)[1] == {"Ada": 1000, "Bo": 10}


ROWS = st.tuples(st.integers(0, 5000), st.integers(0, 300), st.integers(0, 900), st.integers(0, 99))


@settings(max_examples=200, deadline=None)
@given(st.lists(ROWS, min_size=3, max_size=3), st.permutations(["C1", "C2", "C3"]), st.data())
def test_exports_add_up_whenever_they_are_made(rows, order, data):
    """Whatever is exported in between, in the end everybody has the same."""
    rows = [(g, min(r, g), min(d, g), b) for g, r, d, b in rows]
    facts = facts_of(*rows)
    review = approved()
    for payee in ("Ada", "Bo", "Cy"):
        review = contest(review, payee, by=f"{payee} L.")
    review = released(review)
    paid = dict.fromkeys(("Ada", "Bo", "Cy"), 0)
    for day, number in enumerate(order, start=40):
        if data.draw(st.booleans()):
            review, some = exported(review, facts, day)
            paid = {who: paid[who] + some.get(who, 0) for who in paid}
        review = act(review, "decide", "Dee", {"contest": number, "outcome": "dismissed"}, day)
    review, some = exported(review, facts, 60)
    paid = {who: paid[who] + some.get(who, 0) for who in paid}
    assert paid == {who: g - d + b for who, (g, _, d, b) in zip(paid, rows, strict=True)}


def test_csv_says_what_for_and_starts_no_formula():
    payments = [Payment("Ada", 123456, 1), Payment("=cmd()", 5, 7)]
    assert payments_csv(payments, "EUR", "designers.values/3").decode().splitlines() == [
        "payee,amount,currency,reference",
        "Ada,1234.56,EUR,designers.values/3 statement 1",
        "'=cmd(),0.05,EUR,designers.values/3 statement 7",
    ]


def test_currencies_without_cents_have_none():
    assert b"Ada,1234,JPY" in payments_csv([Payment("Ada", 1234, 1)], "JPY", "d.values/1")


class TestXml:
    payments: ClassVar = (Payment("Ada", 123456, 1), Payment("Bo \u00d8 & <x>", 5, 7))
    accounts: ClassVar = {
        "Ada": Account("Ada L.", IBANS[1], ""),
        "Bo \u00d8 & <x>": Account("Bo <script>", IBANS[2], "PSSTFRPPXXX"),
    }
    payer = Account("Model Company", IBANS[0], "COBADEFFXXX")

    def test_holds_every_payment_and_their_sum(self):
        text = payments_xml(
            self.payments, "EUR", "d.values/3", self.payer, self.accounts, date(2026, 4, 1)
        )
        space = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"}
        root = ElementTree.fromstring(text)
        amounts = [node.text for node in root.findall(".//p:InstdAmt", space)]
        assert amounts == ["1234.56", "0.05"]
        assert root.find(".//p:GrpHdr/p:CtrlSum", space).text == "1234.61"
        ibans = [n.text for n in root.findall(".//p:CdtrAcct//p:IBAN", space)]
        assert ibans == list(IBANS[1:])
        assert b"<script>" not in text

    @pytest.mark.parametrize(
        ("currency", "accounts", "line"),
        [
            ("USD", accounts, "SEPA pays EUR alone"),
            ("EUR", {}, "there is none of 'Ada'"),
            ("EUR", {**accounts, "Ada": Account("Ada", "DE00", "")}, "'Ada': "),
        ],
    )
    def test_that_cannot_be_made_gets_one_line(self, currency, accounts, line):
        with pytest.raises(InputError, match=line) as refusal:
            payments_xml(
                self.payments, currency, "d.values/3", self.payer, accounts, date(2026, 4, 1)
            )
        assert "\n" not in str(refusal.value)

    def test_accounts_come_from_a_file(self, tmp_path):
        file = tmp_path / "accounts.csv"
        file.write_text("payee,name,iban,bic\nAda,Ada L.,de89 3704 0044 0532 0130 00,\n")
        assert read_accounts(file) == {"Ada": Account("Ada L.", IBANS[0], "")}
        file.write_text("payee,iban\nAda,x\n")
        with pytest.raises(InputError, match="column 'bic' is missing"):
            read_accounts(file)
        file.write_text("payee,name,iban,bic\nAda,A,x,\nAda,B,y,\n")
        with pytest.raises(InputError, match="'Ada' is there twice"):
            read_accounts(file)
        with pytest.raises(InputError, match="No such file"):
            read_accounts(tmp_path / "none.csv")


def test_an_export_is_refused_unless_final():
    facts = facts_of((1000, 100, 0, 0))
    with pytest.raises(RefusedError, match="one exports payments of only what is final or paid"):
        exported(approved(), facts, 2)
