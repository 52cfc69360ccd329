"""Pages of MLflow's UI that a study links to, among them its run table as it should open.

MLflow keeps shared states of the run table as experiment tags: coalitions only, our columns, the
best on top. A link names the state alone: a filter beside it would make the UI ignore the columns.
These states are undocumented; ``test_tracking_compat`` looks whether MLflow still knows them.
"""

import json
from urllib.parse import quote

from mlflow.tracking import MlflowClient

from credit_plugin.config import Study
from credit_plugin.tracking._mlflow_compat import SHARED_VIEW_TAG
from credit_plugin.tracking.parent import PARENT_TAG

# a browser that has never been here would open the pages of generative AI
PAGES = "workflowType=machine_learning"


def share_view(
    client: MlflowClient, experiment_id: str, study: Study, parent_run_id: str, ascending: bool
) -> str:
    """Write the shared state of a study's run and return the page's address on the server."""
    columns = [f"metrics.`property/{name}`" for name in study.properties.names]
    columns += ["tags.`credit.coalition`", "tags.`credit.role`", "metrics.`coalition/size`"]
    search = f"tags.`{PARENT_TAG}` = '{parent_run_id}'"
    search += "".join(f" and tags.`credit.role` != '{role}'" for role in ("train", "review"))
    state = {
        "searchFilter": search,
        "orderByKey": f"metrics.`property/{study.properties.headline}`",
        "orderByAsc": ascending,
        "selectedColumns": columns,
    }
    key = shared_view_key(study.name, parent_run_id)
    client.set_experiment_tag(experiment_id, f"{SHARED_VIEW_TAG}{key}", json.dumps(state))
    return f"#/experiments/{experiment_id}/runs?{PAGES}&viewStateShareKey={quote(key)}"


def shared_view_key(study: str, parent_run_id: str) -> str:
    """Return what the shared state of a study's run is called."""
    return f"credit-{study}-{parent_run_id[:8]}"


def artifact_page(experiment_id: str, run_id: str, artifact: str) -> str:
    """Return the address, on the server, of the page that shows an artifact of a run."""
    return f"#/experiments/{experiment_id}/runs/{run_id}/artifacts/{quote(artifact)}?{PAGES}"
