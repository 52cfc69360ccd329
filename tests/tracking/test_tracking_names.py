"""Names of people become names of metrics: valid, distinct, and the same every time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Metric

from credit_plugin.tracking.names import metric_names

ODD = (
    "Łódź Übersee", "李明", "👩‍🎨 studio", "a/b", "a\\b", "a:b", "..", ".", "...", " ", "", "a\tb",
    "=1+1", "#1", "x" * 300, "x" * 300 + "y", "'); DROP TABLE runs;--", "../../etc/passwd",
)  # fmt: skip


def log_each(client, names):
    run_id = client.create_run("0").info.run_id
    client.log_batch(run_id, metrics=[Metric(n, i, 0, 0) for i, n in enumerate(names)])
    return client.get_run(run_id).data.metrics


def test_ordinary_names_stay_as_they_are():
    plain = ["archive-a", "ann smith", "studio_7", "v1.5"]
    assert metric_names("value", plain) == {name: f"value/{name}" for name in plain}


def test_mlflow_takes_the_names_of_odd_people_and_keeps_them_apart(client):
    chosen = metric_names("value_se", ODD)
    assert list(chosen) == list(ODD)
    stored = log_each(client, chosen.values())
    assert stored == {name: i for i, name in enumerate(chosen.values())}


@pytest.mark.parametrize("equal", [("a/b", "a:b", "a_b", "a_b 2"), ("Ann", "ann", "ANN")])
def test_names_that_become_equal_are_numbered(equal):
    chosen = list(metric_names("value", equal).values())
    assert chosen[0].lower() == f"value/{equal[2].lower()}"
    assert len({name.lower() for name in chosen}) == len(equal)


def test_long_names_fit_the_column_of_every_database():
    names = metric_names("value_se", [f"{'x' * 300}{i}" for i in range(258)])
    assert len(set(names.values())) == 258
    assert max(map(len, names.values())) <= 250


@given(st.lists(st.text(max_size=40), unique=True, max_size=12))
def test_any_names_become_distinct_and_valid(names):
    chosen = metric_names("value", names)
    assert list(chosen) == names
    assert len({name.lower() for name in chosen.values()}) == len(names)
    for metric in chosen.values():
        part = metric.removeprefix("value/")
        assert part.isascii()
        assert part.strip() == part != ""
        assert part.strip(".") != ""
        assert set(part) <= set("_-. ") | {c for c in part if c.isalnum()}
    assert metric_names("value", names) == chosen
