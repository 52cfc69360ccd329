"""MLflow model evaluator ``credit``: properties and fidelity of a study's models as metrics.

Found by MLflow through the entry point ``mlflow.model_evaluator``. What it computes, and what is
carried over from the study, is told in :mod:`credit_plugin.tracking.evaluation`.
"""

from typing import Any

from mlflow.models.evaluation.base import EvaluationResult, ModelEvaluator

MODEL_TYPE = "credit"
DEVICE = "device"


class CreditEvaluator(ModelEvaluator):
    """Evaluates a full or pruned model or the values of a study.

    ``data`` is required by MLflow and is logged as the evaluation's dataset. For a full or pruned
    model each row (n, seed) asks for n images from the initial noise of that seed, as the model's
    signature says, and all of them are measured together; ``evaluation_data`` gives the row of
    the images that the study measured. For values no metric depends on it.

    ``evaluator_config`` may hold ``device`` (``cpu`` by default, ``cuda:i``). Metrics are logged on
    the active run, or a new one, and on the logged model.

    Example::

        import mlflow
        from mlflow.models import MetricThreshold
        from credit_plugin.tracking.evaluation import evaluation_data

        uri = "models:/digits.pruned@latest"
        result = mlflow.models.evaluate(
            uri, evaluation_data(uri), model_type="credit", evaluators="credit"
        )
        mlflow.validate_evaluation_results(
            {"property/inception_score": MetricThreshold(2.0, greater_is_better=True)}, result
        )

    MLflow loads the model that a URI names before any evaluator sees it, and runs what a foreign
    model brings along; set ``MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false`` where that matters. With
    ``model_id="m-..."`` in place of a URI nothing is loaded but by this package.
    """

    @classmethod
    def can_evaluate(
        cls, *, model_type: str | None, evaluator_config: dict[str, Any] | None, **_: Any
    ) -> bool:
        """Return whether ``model_type`` is ``credit``."""
        return model_type == MODEL_TYPE

    def evaluate(
        self,
        *,
        model_type: str | None,
        dataset: Any,
        run_id: str,
        evaluator_config: dict[str, Any] | None,
        model: Any = None,
        model_id: str | None = None,
        **others: Any,
    ) -> EvaluationResult:
        """Evaluate a model and log its metrics.

        Args:
            model_type: ``credit``.
            dataset: The rows, as MLflow wraps them.
            run_id: Where metrics are logged.
            evaluator_config: May hold ``device``.
            model: Loaded as a python function; None if ``model_id`` says which.
            model_id: The logged model, if MLflow knows it; it then logs the metrics itself.
            others: MLflow's further arguments; extra metrics and artifacts are refused.

        Raises:
            InputError: One line about what cannot be used.
        """
        from credit_plugin.tracking.evaluation import evaluate_model, log_evaluation

        device = _device(evaluator_config or {})
        _refuse_extras(others)
        found = _model_id(model, model_id)
        metrics = evaluate_model(f"models:/{found}", dataset.features_data, device)
        if found != model_id:
            log_evaluation(run_id, found, metrics, dataset)
        return EvaluationResult(metrics, {}, run_id)


def _device(config: dict[str, Any]) -> str:
    from credit_plugin.errors import InputError

    unknown = sorted(set(config) - {DEVICE})
    if unknown:
        raise InputError(f"evaluator_config: {unknown[0]!r} is not an option; {DEVICE!r} is")
    return str(config.get(DEVICE, "cpu"))


def _refuse_extras(others: dict[str, Any]) -> None:
    from credit_plugin.errors import InputError

    for name in ("extra_metrics", "custom_artifacts", "predictions"):
        if others.get(name):
            raise InputError(f"{name}: evaluator credit takes none; leave it out")


def _model_id(model: Any, given: str | None) -> str:
    """Return the logged model that is meant, after checking that ``model`` is a copy of it."""
    from credit_plugin.errors import InputError
    from credit_plugin.tracking.evaluation import check_same_files, own_flavor

    if model is None:
        if given is None:
            raise InputError("model: evaluator credit needs a model or a model_id")
        return given
    description: Any = getattr(model, "metadata", None)  # a plain function has none
    flavors = getattr(description, "flavors", {})
    own_flavor(flavors, "the model")
    check_same_files(flavors, description.model_id)
    return str(description.model_id)
