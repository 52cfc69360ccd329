"""``credit review`` and ``credit verify`` on a store, as people type them."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from test_review_store import artifact
from toy_reports import reseal_first_statement

from credit_plugin.cli import main

NAME = "toy.values"


@pytest.fixture
def credit(uri):
    """Return a function that runs a command on the store, and gives code, output and errors."""

    def run(*arguments, code=0):
        found = CliRunner().invoke(main, [*arguments, "--tracking-uri", uri])
        assert found.exit_code == code, found.output
        return found.output

    return run


def source(version):
    return f"models:/{NAME}/{version}"


def sign(credit, version, action, actor, *more, code=0):
    return credit(
        "review", action, source(version), "-m", "as agreed", "--as", actor, *more, code=code
    )


def released(credit, version):
    sign(credit, version, "submit", "Pat")
    sign(credit, version, "approve", "Rob", "--confirm", "all")
    return sign(credit, version, "finalize", "Rob")


def test_a_review_by_command(credit, version, tmp_path):
    assert "toy.values version 1: sealed" in credit("review", "show", source(version))
    sign(credit, version, "submit", "Pat")
    sign(credit, version, "approve", "Rob", "--confirm", "all")
    sign(credit, version, "contest", "Ada L.", "--payee", "Ada", "--ground", "images")
    sign(credit, version, "decide", "Dee", "--contest", "C1", "--outcome", "dismissed")
    sign(credit, version, "finalize", "Rob")
    out = tmp_path / "payments.csv"
    told = sign(credit, version, "export", "Mona", "--out", str(out))
    assert f"{out}: 4 payments" in told
    assert out.read_text("utf-8").splitlines()[1].startswith("Ada,")
    told = sign(credit, version, "pay", "Mona", "--reference", "batch 7")
    assert "toy.values version 1: paid" in told
    assert "1  2" in told
    assert "Pat (name not verified)" in told
    assert "C1  dismissed: Ada, images" in told
    verified = credit("verify", f"{NAME}@approved")
    assert "ok  review: paid, 7 lines, copies and tags agree with the ledger" in verified


def test_an_export_is_written_again_and_for_the_bank(credit, version, tmp_path):
    released(credit, version)
    first, second, bank = (tmp_path / n for n in ("first.csv", "second.csv", "bank.xml"))
    sign(credit, version, "export", "Mona", "--out", str(first))
    credit("review", "payments", source(version), "--out", str(second))
    assert first.read_bytes() == second.read_bytes()
    accounts = tmp_path / "accounts.csv"
    accounts.write_text(
        "payee,name,iban,bic\n"
        "payer,Model Company,DE89370400440532013000,COBADEFFXXX\n"
        "Ada,Ada L.,NL91ABNA0417164300,\nBo,Bo,NL91ABNA0417164300,\nCy,Cy,NL91ABNA0417164300,\n",
        "utf-8",
    )
    pain = ("review", "payments", source(version), "--accounts", str(accounts), "--out", str(bank))
    assert "there is none of 'Łódź <b>2</b>'" in credit(*pain, code=2)
    assert not bank.exists()
    with accounts.open("a", encoding="utf-8") as file:
        file.write("Łódź <b>2</b>,Studio,NL91ABNA0417164300,\n")
    credit(*pain)
    assert b"pain.001.001.03" in bank.read_bytes()


def test_nothing_is_written_over(credit, version, tmp_path):
    released(credit, version)
    out = tmp_path / "payments.csv"
    out.write_text("mine")
    told = sign(credit, version, "export", "Mona", "--out", str(out), code=2)
    assert told == f"error: {out}: is there already; choose another file\n"
    assert "export" not in credit("review", "show", source(version))


def test_a_key_signs(credit, version, tmp_path, uri):
    key = tmp_path / "pat.pem"
    found = CliRunner().invoke(main, ["review", "key", str(key)])
    assert "compensation.review.keys: {<your name>: " in found.output
    sign(credit, version, "submit", "Pat", "--key", str(key))
    refused = sign(credit, version, "reject", "Rob", "--key", str(tmp_path / "none"), code=2)
    assert refused.startswith(f"error: {tmp_path / 'none'}: ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("approve", "toy.values/1", "-m", "x", "--as", "Rob"), "is sealed: one approves only"),
        (("submit", "toy.values", "-m", "x"), "name a registered version"),
        (("submit", "toy.values/9", "-m", "x"), "is no registered version of values"),
        (("submit", "toy.values/1", "-m", " "), "comment: say why"),
        (("payments", "toy.values/1", "--out", "x.csv"), "nothing was exported"),
    ],
)
def test_what_cannot_be_done_gets_one_line(credit, version, arguments, line):
    told = credit("review", *arguments, code=2)
    assert line in told
    assert len(told.splitlines()) == 1


def test_verify_names_what_was_changed_in_the_review(credit, client, version):
    released(credit, version)
    client.set_model_version_tag(NAME, version, "credit.review", "paid")
    told = credit("verify", source(version), code=1)
    assert told == "does not match: tag credit.review says 'paid'; the ledger says 'final'\n"
    path = artifact(client, version, "review/ledger.jsonl")
    path.write_text(path.read_text("utf-8").replace("as agreed", "as argued", 1), "utf-8")
    told = credit("verify", source(version), code=1)
    assert "line 1 of the file beside the report is another than in the store" in told
    shown = credit("review", "show", source(version), code=1)
    assert "does not match: tag credit.review" in shown


def test_names_in_a_ledger_do_no_harm_in_a_terminal(credit, version):
    sign(credit, version, "submit", "Pat \x1b[31m\u202e")
    told = credit("review", "show", source(version))
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_a_server_without_our_pages_is_said_to_be_one(tmp_path):
    found = CliRunner().invoke(
        main, ["review", "show", "toy.values/1", "--tracking-uri", "http://127.0.0.1:9"]
    )
    assert found.exit_code == 2
    assert len(found.output.splitlines()) == 1


def test_statements_of_a_released_report_say_so(credit, version, tmp_path):
    credit("statement", source(version), "--owner", "Ada", "--out", str(tmp_path / "before"))
    released(credit, version)
    credit("statement", source(version), "--owner", "Ada", "--out", str(tmp_path / "after"))
    for kind in ("html", "md"):
        before, after = (
            (tmp_path / folder / f"statement-0001-ada.{kind}").read_text("utf-8")
            for folder in ("before", "after")
        )
        assert "not signed" in before
        assert "It was approved and released for payment." in after
        assert "not signed" not in after


def test_a_statement_under_a_root_of_its_own_is_not_handed_out(credit, client, version, report):
    reseal_first_statement(report / "statements.jsonl")
    told = credit("statement", str(report), "--out", "letters", code=2)
    assert "it is sealed under another root, or in another place, than the report's record" in told
    reseal_first_statement(artifact(client, version, "content/statements.jsonl"))
    told = credit("statement", source(version), "--out", "letters", code=2)
    assert "does not verify" in told
    assert not list(Path("letters").glob("*"))


def test_an_export_that_cannot_be_written_is_not_recorded(credit, version, tmp_path):
    released(credit, version)
    (tmp_path / "file").touch()
    lost = str(tmp_path / "file" / "payments.csv")
    told = sign(credit, version, "export", "Mona", "--out", lost, code=2)
    assert "--out" in told
    assert "cannot be written" in told
    sign(credit, version, "export", "Mona", "--out", str(tmp_path / "payments.csv"))


def test_no_statement_is_handed_out_while_the_review_does_not_check(
    credit, client, version, tmp_path
):
    released(credit, version)
    client.set_model_version_tag(NAME, version, "credit.review", "paid")
    told = credit("statement", source(version), "--out", str(tmp_path / "letters"), code=2)
    assert "its review does not check: tag credit.review says 'paid'" in told
    assert not (tmp_path / "letters").exists()
