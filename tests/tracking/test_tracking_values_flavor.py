"""The values as a model: exact payouts for any budget, and nothing that was tampered with."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException
from stores import using

from credit_plugin.errors import InputError
from credit_plugin.tracking.flavors import diffusion, values
from credit_plugin.tracking.registry import Registry

NAMES = ["ann", "bob's =studio", "Łódź 2", "idle"]


@pytest.fixture
def published(shelf, shelved_values):
    with using(shelf):
        yield shelved_values


@pytest.fixture
def root(published, tmp_path):
    """A copy of the published model's folder."""
    return shutil.copytree(mlflow.artifacts.download_artifacts(published), tmp_path / "model")


@pytest.fixture
def payouts(published):
    return mlflow.pyfunc.load_model(published)


def edit(root, change):
    path = root / "MLmodel"
    described = yaml.safe_load(path.read_text())
    change(described["flavors"])
    path.write_text(yaml.safe_dump(described))


def refusal(load, *arguments):
    with pytest.raises(InputError) as caught:
        load(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_values_come_back_as_they_were(published, toy_values, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    loaded = values.load_model(published)
    assert loaded.contributors == tuple(NAMES)
    assert (loaded.values == toy_values[1].values).all()
    assert loaded.v_empty == toy_values[1].v_empty


def test_payouts_sum_exactly_to_each_budget(payouts, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    budgets = ["100.00", "0.01", "0.00", "99999999999999999.99"]
    paid = payouts.predict(pd.DataFrame({"budget": budgets}))
    assert paid["budget"].tolist() == [b for b in budgets for _ in NAMES]
    assert paid["contributor"].tolist() == NAMES * len(budgets)
    assert set(paid["currency"]) == {"EUR"}
    for budget in budgets:
        rows = paid[paid["budget"] == budget]
        amounts = [Decimal(amount) for amount in rows["payout"]]
        assert sum(amounts) == Decimal(budget)
        assert all(amount == round(amount, 2) >= 0 for amount in amounts)
    hundred = paid.iloc[:4]
    assert hundred["payout"].tolist() == ["57.14", "28.57", "14.29", "0.00"]
    assert hundred["share"].tolist() == pytest.approx([4 / 7, 2 / 7, 1 / 7, 0])


@pytest.mark.parametrize(
    "budget",
    [
        "-0.01",
        "NaN",
        "Infinity",
        "",
        "ten",
        "1,000.00",
        "0.001",
        "1.0.0",
        "1e400000",
        "1e-999999999",
        "0e999999999",
        "0e-999999999",
    ],
)
def test_what_is_no_budget_is_refused(payouts, budget):
    message = refusal(payouts.predict, pd.DataFrame({"budget": [budget]}))
    assert budget in message


@pytest.mark.parametrize("budget", [100, 100.0, "100", "1e2", Decimal(100), np.float64(100)])
def test_budgets_may_be_numbers(payouts, budget):
    paid = payouts.predict(pd.DataFrame({"budget": [budget]}))
    assert paid["payout"].tolist() == ["57.14", "28.57", "14.29", "0.00"]


def test_cents_of_numbers_are_those_that_were_meant(payouts):
    budgets = [0.1 + cents / 100 for cents in range(99)] + [9999999999999.01]
    paid = payouts.predict(pd.DataFrame({"budget": np.round(budgets, 2)}))
    for budget, rows in paid.groupby("budget"):
        assert sum(map(Decimal, rows["payout"])) == Decimal(budget)


@pytest.mark.parametrize("budget", [-1.0, float("nan"), float("inf"), 0.001, True, None])
def test_numbers_that_are_no_budget_are_refused(payouts, budget):
    assert "budget" in refusal(payouts.predict, pd.DataFrame({"budget": [budget]}))


def test_a_number_too_large_to_be_exact_is_refused(payouts):
    message = refusal(payouts.predict, pd.DataFrame({"budget": [1e13]}))
    assert "give it as text" in message
    payouts.predict(pd.DataFrame({"budget": ["10000000000000.00"]}))


def test_a_request_in_json_keeps_text_exact(published, tmp_path):
    mlflow.models.predict(
        published,
        pd.DataFrame({"budget": ["99999999999999999.99"]}),
        content_type="json",
        env_manager="local",
        output_path=str(tmp_path / "paid.json"),
    )
    rows = json.loads((tmp_path / "paid.json").read_text())["predictions"]
    assert sum(Decimal(row["payout"]) for row in rows) == Decimal("99999999999999999.99")


def test_the_signature_asks_for_a_budget(payouts):
    with pytest.raises(MlflowException, match="missing inputs"):
        payouts.predict(pd.DataFrame({"money": ["1.00"]}))


def test_an_empty_list_of_budgets_gives_an_empty_table(payouts):
    paid = payouts.predict(pd.DataFrame({"budget": pd.Series([], dtype=str)}))
    assert len(paid) == 0
    assert list(paid.columns) == ["budget", "contributor", "share", "payout", "currency"]


def test_no_pickle_and_no_code(root, no_pickle):
    assert no_pickle(root) == []
    assert not [p for p in root.rglob("*") if p.suffix in {".py", ".pyc", ".so"}]


CHANGES = {
    "a changed byte": lambda content: flip_byte(content / "values.json"),
    "a changed manifest": lambda content: flip_byte(content / "manifest.json"),
    "an extra file": lambda content: (content / "extra.txt").write_text("x"),
    "a hidden file": lambda content: (content / ".hidden").write_text(""),
    "an extra file in a folder": lambda content: add_folder(content),
    "a missing file": lambda content: (content / "values.csv").unlink(),
    "no files": lambda content: shutil.rmtree(content),
    "a link to the same bytes": lambda content: link_away(content / "values.json"),
    "a broken link": lambda content: (content / "more").symlink_to("nowhere"),
    "a link to a folder": lambda content: (content / "more").symlink_to("/etc"),
}


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def add_folder(content):
    (content / "more").mkdir()
    (content / "more" / "x").write_text("x")


def link_away(path):
    away = path.parent.parent / "away"
    shutil.move(path, away)
    path.symlink_to(away)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_content_is_refused_by_both_ways_to_load(root, change):
    change(root / "content")
    message = refusal(values.load_model, str(root))
    assert "file '" in message
    assert refusal(mlflow.pyfunc.load_model, str(root)) == message


def test_the_registry_has_no_way_around_the_check(client, report):
    run_id = client.create_run("0").info.run_id
    uri = Registry(client, "toy").publish_values(report, run_id, "abc", ()).uri
    flip_byte(Path(mlflow.artifacts.download_artifacts(uri), "content", "values.json"))
    message = refusal(values.load_model, uri)
    assert "file 'values.json' is not the one that was logged" in message
    assert refusal(mlflow.pyfunc.load_model, uri) == message


DESCRIPTIONS = {
    "a foreign loader": (
        lambda flavors: flavors["python_function"].update(loader_module="os"),
        "names a foreign loader, 'os'",
    ),
    "a loader of ours for something else": (
        lambda flavors: flavors["python_function"].update(loader_module=diffusion.__name__),
        "names a foreign loader",
    ),
    "no loader": (
        lambda flavors: flavors["python_function"].pop("loader_module"),
        "names a foreign loader, None",
    ),
    "code": (lambda flavors: flavors["python_function"].update(code="code"), "carries code"),
    "no python function": (lambda flavors: flavors.pop("python_function"), "is not a model"),
    "another flavor": (
        lambda flavors: flavors.update(sklearn=flavors.pop("credit_values")),
        "is not a model of flavor credit_values",
    ),
    "a flavor without files": (
        lambda flavors: flavors["credit_values"].pop("files"),
        "is not a model",
    ),
    "a flavor that is a word": (
        lambda flavors: flavors.update(credit_values="yes"),
        "is not a model",
    ),
    "a function that is a word": (
        lambda flavors: flavors.update(python_function="yes"),
        "is not a model",
    ),
}


@pytest.mark.parametrize(("change", "says"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_another_description_is_refused(root, change, says):
    edit(root, change)
    assert says in refusal(values.load_model, str(root))


def test_a_folder_of_code_is_refused_although_nothing_names_it(root):
    (root / "code").mkdir()
    assert "carries code" in refusal(values.load_model, str(root))


@pytest.mark.parametrize("text", ["", "- a list", "flavors: [1]", "{", "\0", "flavors: !!python/x"])
def test_a_description_that_is_none_is_refused(root, text):
    (root / "MLmodel").write_text(text)
    assert "is not a model of flavor credit_values" in refusal(values.load_model, str(root))


def test_a_values_model_is_not_a_diffusion_model(published):
    assert "is not a model of flavor credit_diffusion" in refusal(diffusion.load_model, published)


def test_a_report_that_was_changed_before_publishing_is_refused(client, report):
    (report / "values.csv").write_text("contributor,payout\nme,all\n")
    run_id = client.create_run("0").info.run_id
    published = Registry(client, "toy").publish_values(report, run_id, "abc", ())
    message = refusal(values.load_model, published.uri)
    assert "values.csv is not the file that was written" in message
