"""The evaluator ``credit`` as MLflow finds it, and what it refuses before anything is computed."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.models.evaluation.base import list_evaluators

from credit_plugin.errors import InputError
from credit_plugin.plugin.evaluator import CreditEvaluator
from credit_plugin.tracking.evaluation import FEWEST_IMAGES, drawn_images, evaluation_data

ROWS = pd.DataFrame({"n": [16], "seed": [0]})


class Doubling(mlflow.pyfunc.PythonModel):
    """A model that no study made."""

    def predict(self, context, model_input, params=None):
        return model_input * 2


def refusal(client, model, data=ROWS, **options):
    given = {"model_type": "credit", "evaluators": "credit", **options}
    with mlflow.start_run(experiment_id="0") as run, pytest.raises(InputError) as caught:
        mlflow.models.evaluate(model, data, **given)
    assert client.get_run(run.info.run_id).data.metrics == {}
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_mlflow_knows_it():
    assert "credit" in list_evaluators()


@pytest.mark.parametrize(
    ("model_type", "ours"),
    [("credit", True), ("classifier", False), ("regressor", False), (None, False)],
)
def test_it_leaves_other_models_to_other_evaluators(model_type, ours):
    assert CreditEvaluator.can_evaluate(model_type=model_type, evaluator_config={}) is ours


def test_a_function_is_refused(client):
    assert "none of the flavors credit_diffusion" in refusal(client, lambda rows: rows)


def test_a_foreign_model_is_refused(client):
    with mlflow.start_run(experiment_id="0"):
        logged = mlflow.pyfunc.log_model(
            name="doubling", python_model=Doubling(), pip_requirements=["mlflow"]
        )
    uri = logged.model_uri
    for model, options in ((uri, {}), (None, {"model_id": uri.removeprefix("models:/")})):
        message = refusal(client, model, **options)
        assert "evaluator credit is for models that a study registered" in message


@pytest.mark.parametrize("uri", ["models:/nothing@latest", "models:/m-" + "0" * 32, "nowhere"])
def test_a_model_that_is_not_there_is_one_line(client, uri):
    with pytest.raises(InputError, match="cannot be read: ") as caught:
        evaluation_data(uri)
    assert "\n" not in str(caught.value)


def test_no_model_is_refused(client):
    assert "needs a model or a model_id" in refusal(client, None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"evaluator_config": {"devise": "cpu"}}, "evaluator_config: 'devise' is not an option"),
        ({"extra_metrics": [mlflow.metrics.latency()]}, "extra_metrics: "),
        ({"custom_artifacts": [lambda *_: {}]}, "custom_artifacts: "),
    ],
)
def test_options_that_would_be_ignored_are_refused(client, options, words):
    assert words in refusal(client, lambda rows: rows, **options)


@given(
    st.lists(
        st.tuples(st.integers(0, 4096), st.integers(0, 2**63 - 1)), min_size=1, max_size=6
    ).filter(lambda rows: sum(n for n, _ in rows) >= FEWEST_IMAGES)
)
def test_rows_are_images_and_seeds(rows):
    assert drawn_images(pd.DataFrame(rows, columns=["n", "seed"])) == rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((2, 2)), "no column 'n'"),
        (pd.DataFrame({"budget": ["100"]}), "no column 'n'"),
        (pd.DataFrame({"n": [16]}), "no column 'seed'"),
        (pd.DataFrame({"n": [16.0], "seed": [0]}), "column 'n' must hold integers"),
        (pd.DataFrame({"n": [16], "seed": ["0"]}), "column 'seed' must hold integers"),
        (pd.DataFrame({"n": [-16, 64], "seed": [0, 1]}), "column 'n' must hold integers"),
        (pd.DataFrame({"n": [16], "seed": [-1]}), "column 'seed' must hold integers"),
        (pd.DataFrame({"n": [8, 7], "seed": [0, 1]}), "15 images are too few"),
        (pd.DataFrame({"n": [True], "seed": [0]}), "column 'n' must hold integers"),
    ],
)
def test_other_rows_are_refused(rows, words):
    with pytest.raises(InputError, match=words) as caught:
        drawn_images(rows)
    assert "evaluation_data(model_uri)" in str(caught.value)
