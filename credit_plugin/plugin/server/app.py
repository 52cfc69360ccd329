"""What ``mlflow server --app-name credit`` and ``--app-name credit-auth`` start.

Both are the real MLflow server with our pages at ``/credit`` and our endpoints at
``/ajax-api/2.0/credit``, where MLflow refuses requests from other sites. The second one asks for a
name and a password (MLflow's basic authentication), and checks them against the permissions of
each registered model. Whatever is not listed in :func:`credit_plugin.plugin.server.access.guards`
is refused to everybody but administrators.

Only Flask routes are added: routes of FastAPI would be missing under gunicorn and behind a prefix,
and would answer anonymous users.
"""

from typing import Any


def create_app() -> Any:
    """Return the MLflow server with our pages, without authentication."""
    from credit_plugin.tracking._mlflow_compat import finished_app

    return finished_app(_with_pages())


def create_auth_app() -> Any:
    """Return the MLflow server with our pages, behind MLflow's basic authentication."""
    from credit_plugin.plugin.server.access import AUTH_SETTING, guards
    from credit_plugin.tracking._mlflow_compat import protect

    app = _with_pages()
    app.config[AUTH_SETTING] = True
    return protect(app, guards())


def _with_pages() -> Any:
    from mlflow.server import app

    from credit_plugin.plugin.server.blueprint import NAME, make_blueprints

    if NAME not in app.blueprints:
        for blueprint in make_blueprints():
            app.register_blueprint(blueprint)
    return app
