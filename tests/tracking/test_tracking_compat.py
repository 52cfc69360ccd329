"""Contracts with the parts of MLflow that it does not promise, and where they may be used."""

import ast
import inspect
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow.utils import mlflow_tags

import credit_plugin
from credit_plugin.tracking import _mlflow_compat
from credit_plugin.tracking.flavors.files import CONDA_ENV, PYTHON_ENV, REQUIREMENTS_FILE
from credit_plugin.tracking.parent import PARENT_TAG

PACKAGE = Path(credit_plugin.__file__).parent
FILES = [path for folder in ("tracking", "plugin") for path in (PACKAGE / folder).rglob("*.py")]


def imports_of(path):
    """Return (module, name) of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def abstract_parts_of(kind):
    return {n for n in dir(kind) if getattr(getattr(kind, n), "__isabstractmethod__", False)}


def is_private(name):
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def test_only_tracking_and_plugin_import_mlflow():
    importing = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        if any(module.split(".")[0] == "mlflow" for module, _ in imports_of(path))
    }
    assert importing == {"tracking", "plugin"}


def test_only_the_compat_module_imports_private_parts_of_mlflow():
    private = {
        (path.name, f"{module}.{name}")
        for path in FILES
        for module, name in imports_of(path)
        if module.split(".")[0] == "mlflow" and is_private(f"{module}.{name}")
    }
    assert {name for name, _ in private} <= {"_mlflow_compat.py"}


def test_only_the_compat_module_reaches_into_mlflows_objects():
    reached = {
        (path.name, node.attr)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "tracker", "cls"})
    }
    assert {name for name, _ in reached} == {"_mlflow_compat.py"}
    assert {attribute for _, attribute in reached} == {
        "_tracking_client",
        "_add_static_prefix",
        "_get_alembic_config",
        "_is_servable_proxied_run_artifact_root",
        "_get_artifact_repo_mlflow_artifacts",
        "_get_proxied_run_artifact_destination_path",
    }


def test_the_engine_of_a_sqlite_store_is_where_we_look_for_it(client, uri):
    engine = _mlflow_compat.sqlite_engine(client)
    assert engine is not None
    assert str(engine.url) == uri


def test_a_server_has_no_sqlite_engine_here():
    assert _mlflow_compat.sqlite_engine(mlflow.MlflowClient("http://127.0.0.1:9")) is None


def test_a_schema_is_the_one_that_mlflow_itself_checks(client, uri):
    from mlflow.store.db import utils

    found = _mlflow_compat.read_schema(uri)
    assert found.found == found.wanted == utils._get_latest_schema_revision()
    assert found.known
    assert utils._get_schema_version(_mlflow_compat.sqlite_engine(client)) == found.found


def test_the_user_interface_still_knows_shared_views():
    pages = Path(mlflow.__file__).parent / "server" / "js" / "build" / "static" / "js"
    code = "".join(path.read_text("utf-8") for path in pages.glob("*.js"))
    assert _mlflow_compat.SHARED_VIEW_TAG in code
    assert "viewStateShareKey" in code
    for key in ("searchFilter", "orderByKey", "orderByAsc", "selectedColumns"):
        assert key in code


def test_tags_are_those_that_mlflow_reads():
    assert PARENT_TAG == mlflow_tags.MLFLOW_PARENT_RUN_ID
    assert mlflow_tags.MLFLOW_RUN_NOTE == "mlflow.note.content"
    assert mlflow_tags.MLFLOW_DATASET_CONTEXT == "mlflow.data.context"


def test_environment_files_have_the_names_and_forms_that_mlflow_reads(tmp_path):
    from mlflow.utils import environment

    from credit_plugin.tracking.flavors.files import _write_environment

    assert (REQUIREMENTS_FILE, PYTHON_ENV, CONDA_ENV) == (
        environment._REQUIREMENTS_FILE_NAME,
        environment._PYTHON_ENV_FILE_NAME,
        environment._CONDA_ENV_FILE_NAME,
    )
    _write_environment(tmp_path)
    pinned = (tmp_path / REQUIREMENTS_FILE).read_text().splitlines()
    assert f"mlflow=={mlflow.__version__}" in pinned
    assert not [line for line in pinned if "+" in line]
    python = environment._PythonEnv.from_yaml(tmp_path / PYTHON_ENV)
    assert python.python == environment.PYTHON_VERSION
    assert python.dependencies == ["-r requirements.txt"]
    of_conda = environment._PythonEnv.from_conda_yaml(tmp_path / CONDA_ENV)
    assert of_conda.python == environment.PYTHON_VERSION
    assert yaml.safe_load((tmp_path / CONDA_ENV).read_text())["dependencies"][2] == {"pip": pinned}


def test_the_contract_of_dataset_plugins():
    from mlflow.data.dataset import Dataset
    from mlflow.data.dataset_source import DatasetSource

    assert abstract_parts_of(DatasetSource) == {
        "_get_source_type", "load", "_can_resolve", "_resolve", "to_dict", "from_dict",
    }  # fmt: skip
    assert abstract_parts_of(Dataset) == {"_compute_digest", "profile", "schema"}


def test_a_model_is_logged_by_public_arguments():
    from mlflow.models import Model
    from mlflow.pyfunc import add_to_model

    assert {
        "artifact_path", "name", "flavor", "registered_model_name", "run_id", "tags",
    } <= set(inspect.signature(Model.log).parameters)  # fmt: skip
    assert {"loader_module", "data", "conda_env", "python_env"} <= set(
        inspect.signature(add_to_model).parameters
    )


class TestServer:
    """What the pages in the MLflow server rest on."""

    def test_a_server_finds_its_own_artifacts(self, monkeypatch, tmp_path):
        monkeypatch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
        monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", str(tmp_path))
        monkeypatch.setattr("mlflow.server.handlers._artifact_repo", None)
        (tmp_path / "1" / "models").mkdir(parents=True)
        (tmp_path / "1" / "models" / "a.txt").write_text("here")
        repository, path = _mlflow_compat.server_location("mlflow-artifacts:/1/models")
        assert path == "1/models"
        to = tmp_path / "copy"
        to.mkdir()
        found = repository.download_artifacts(f"{path}/a.txt", dst_path=str(to))
        assert Path(found).read_text() == "here"

    def test_other_locations_are_left_alone(self, tmp_path):
        repository, path = _mlflow_compat.server_location(str(tmp_path))
        assert (type(repository).__name__, path) == ("LocalArtifactRepository", "")

    def test_routes_go_below_the_prefix(self, monkeypatch):
        assert _mlflow_compat.with_static_prefix("/credit") == "/credit"
        monkeypatch.setenv("_MLFLOW_STATIC_PREFIX", "/tools/")
        assert _mlflow_compat.with_static_prefix("/credit") == "/tools/credit"

    def test_uvicorn_is_told_by_its_variable(self, monkeypatch):
        from mlflow.environment_variables import _MLFLOW_SGI_NAME
        from mlflow.server import app

        assert _MLFLOW_SGI_NAME.name == "_MLFLOW_SGI_NAME"
        monkeypatch.delenv("_MLFLOW_SGI_NAME", raising=False)
        assert _mlflow_compat.finished_app(app) is app
        monkeypatch.setenv("_MLFLOW_SGI_NAME", "uvicorn")
        assert type(_mlflow_compat.finished_app(app)).__name__ == "FastAPI"

    def test_checks_are_looked_up_by_path_and_method(self):
        from mlflow.server import auth

        key, check = next(iter(auth.BEFORE_REQUEST_VALIDATORS.items()))
        assert [type(part) for part in key] == [str, str]
        assert callable(check)
        assert list(inspect.signature(auth.create_app).parameters) == ["app"]
        for name in ("sender_is_admin", "validate_can_read_registered_model",
                     "validate_can_update_registered_model"):  # fmt: skip
            assert not inspect.signature(getattr(auth, name)).parameters

    def test_a_changed_parameter_is_refused_in_these_words(self, client):
        from credit_plugin.tracking.reviews import _TAKEN

        run_id = client.create_run("0").info.run_id
        client.log_param(run_id, "entry/0001", "one")
        client.log_param(run_id, "entry/0001", "one")
        with pytest.raises(mlflow.MlflowException, match=_TAKEN):
            client.log_param(run_id, "entry/0001", "two")
