"""Tags runs that are started while a study file is named in ``CREDIT_STUDY``."""

import os

from mlflow.tracking.context.abstract_context import RunContextProvider


class StudyRunContext(RunContextProvider):
    """Adds ``credit.study`` to the user's own runs, so that they can be found beside a study's."""

    def in_context(self) -> bool:
        """Return whether the environment names a study."""
        return bool(os.environ.get("CREDIT_STUDY"))

    def tags(self) -> dict[str, str]:
        """Return the tags."""
        return {"credit.study": os.environ["CREDIT_STUDY"]}
