"""The run table as it should open: coalitions only, our columns, sorted by the headline.

MLflow keeps shared states of the run table as experiment tags. They are undocumented, so the link
carries the filter and the order as well, which are stable parts of the URL.
"""

import json
from urllib.parse import quote

from mlflow.tracking import MlflowClient

from credit_plugin.config import Study
from credit_plugin.tracking._mlflow_compat import SHARED_VIEW_TAG
from credit_plugin.tracking.parent import PARENT_TAG


def share_view(client: MlflowClient, experiment_id: str, study: Study, parent_run_id: str) -> str:
    """Write the shared state and return the page's address relative to the server."""
    headline = f"metrics.`property/{study.properties.headline}`"
    search = f"tags.`{PARENT_TAG}` = '{parent_run_id}' and tags.`credit.role` != 'train'"
    columns = [f"metrics.`property/{name}`" for name in study.properties.names]
    columns += ["tags.`credit.coalition`", "tags.`credit.role`", "metrics.`coalition/size`"]
    state = {
        "searchFilter": search,
        "orderByKey": headline,
        "orderByAsc": False,
        "selectedColumns": columns,
    }
    key = f"credit-{study.name}"
    client.set_experiment_tag(experiment_id, f"{SHARED_VIEW_TAG}{key}", json.dumps(state))
    return (
        f"#/experiments/{experiment_id}/runs?workflowType=machine_learning"
        f"&viewStateShareKey={quote(key)}&searchFilter={quote(search)}"
        f"&orderByKey={quote(headline)}&orderByAsc=false"
    )
