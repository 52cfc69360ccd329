"""Credit the data contributors of a diffusion model with Shapley values, inside MLflow.

``load_study`` reads a study file, ``run_study`` runs it, :mod:`credit_plugin.game` and
:mod:`credit_plugin.values` can be used alone on any table of numbers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from credit_plugin.config import Study, load_study
    from credit_plugin.study import StudyResult, run_study

__all__ = ["Study", "StudyResult", "load_study", "run_study"]

# imported when they are first used: this package is loaded by every mlflow process
_HOMES = {
    "Study": "credit_plugin.config",
    "load_study": "credit_plugin.config",
    "StudyResult": "credit_plugin.study",
    "run_study": "credit_plugin.study",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
