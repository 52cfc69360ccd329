"""The model registry: ``<study>.full``, ``<study>.pruned`` and ``<study>.values``.

A version is made once for each content (tag ``credit.content``); publishing the same again returns
the version that exists. Pruned versions link to their full version, values versions to both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModelInput, Metric
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from credit_plugin.tracking.flavors import diffusion, values
from credit_plugin.tracking.store import whole

CONTENT_TAG = "credit.content"
UNREVIEWED = "Nobody has reviewed this."
MODEL_TAG = "credit.model_id"  # the store does not fill in a version's model_id


@dataclass(frozen=True)
class PublishedModel:
    """A registered version.

    Attributes:
        name: Registered model.
        version: Version number as MLflow writes it.
        model_id: The logged model behind it.
    """

    name: str
    version: str
    model_id: str

    @property
    def uri(self) -> str:
        """``models:/name/version``."""
        return f"models:/{self.name}/{self.version}"


class Registry:
    """Publishes one study's models.

    Args:
        client: Talks to the tracking store and its registry.
        study: Name of the study.
    """

    def __init__(self, client: MlflowClient, study: str) -> None:
        self.client, self.study = client, study

    def publish_model(
        self,
        kind: str,
        folder: Path,
        *,
        run_id: str,
        content: str,
        metrics: Mapping[str, float],
        full_model_id: str | None = None,
    ) -> PublishedModel:
        """Register ``<study>.<kind>`` unless this content is registered.

        Args:
            kind: ``full`` or ``pruned``.
            folder: What the diffusion package saved.
            run_id: Run that made the model.
            content: Identifies the content.
            metrics: Logged on the model, so that it can be compared in the UI.
            full_model_id: Logged model that this one was pruned from.
        """
        known = self._find(f"{self.study}.{kind}", content)
        if known is not None:
            return known
        if full_model_id is not None:
            self.client.log_inputs(run_id, models=[LoggedModelInput(full_model_id)])
        logged = self._log(f"{self.study}.{kind}", diffusion, folder, run_id)
        stamp = [Metric(k, v, 0, 0) for k, v in metrics.items()]
        for metric in stamp:
            self.client.log_metric(
                run_id, metric.key, metric.value, model_id=logged.model_id, step=1
            )
        if full_model_id is not None:
            self.client.set_model_version_tag(
                logged.name, logged.version, "credit.full_model_id", full_model_id
            )
        return self._completed(logged, content)

    def publish_values(
        self, folder: Path, run_id: str, content: str, models: Sequence[PublishedModel]
    ) -> PublishedModel:
        """Register ``<study>.values`` from a report's folder unless this content is registered.

        Args:
            folder: The report.
            run_id: The study's run.
            content: Identifies the content.
            models: Versions that the values rest on.
        """
        name = f"{self.study}.values"
        known = self._find(name, content)
        if known is not None:
            return known
        published = self._log(name, values, folder, run_id)
        links = []
        for model in models:
            kind = model.name.rpartition(".")[2]
            self.client.set_model_version_tag(
                name, published.version, f"credit.{kind}", f"{model.name}/{model.version}"
            )
            address = f"#/models/{model.name}/versions/{model.version}"
            links.append(f"[{model.name} v{model.version}]({address})")
        self.client.update_model_version(
            name,
            published.version,
            f"**{UNREVIEWED}**\n\nValues of contributors. Report: artifact `content/report.html`."
            f" They rest on {' and '.join(links) or 'no registered model'}."
            f" [Review pages](credit/version?name={name}&version={published.version}) of a server"
            " that `credit ui` started.",
        )
        return self._completed(published, content)

    def _log(self, name: str, flavor: Any, folder: Path, run_id: str) -> PublishedModel:
        run, tags = self.client.get_run(run_id), {"credit.study": self.study}
        # left to itself, Model.log would use the experiment that is active in this process
        model = self.client.create_logged_model(
            run.info.experiment_id,
            name.rpartition(".")[2],
            source_run_id=run_id,
            tags=tags,
            params=run.data.params,
        )
        with whole(self.client):
            info = Model.log(
                artifact_path=None,
                name=model.name,
                flavor=flavor,
                registered_model_name=name,
                run_id=run_id,
                model_id=model.model_id,
                tags=tags,
                folder=folder,
            )
        return PublishedModel(name, str(info.registered_model_version), str(info.model_id))

    def _completed(self, model: PublishedModel, content: str) -> PublishedModel:
        """Mark a version as whole: one without its content was interrupted and is made again."""
        for tag, text in ((MODEL_TAG, model.model_id), (CONTENT_TAG, content)):
            self.client.set_model_version_tag(model.name, model.version, tag, text)
        return model

    def _find(self, name: str, content: str) -> PublishedModel | None:
        try:
            versions: list[ModelVersion] = list(
                self.client.search_model_versions(f"name = '{name}'", max_results=1000)
            )
        except MlflowException:
            return None
        for version in versions:
            if version.tags.get(CONTENT_TAG) == content:
                return PublishedModel(name, str(version.version), version.tags[MODEL_TAG])
        return None
