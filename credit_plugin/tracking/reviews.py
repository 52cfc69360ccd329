"""Where MLflow keeps reviews: a run for each, its parameters the ledger, and mirrors of it.

MLflow changes no parameter of a run and gives each name away once, whichever process asks and
whatever database is behind it. So line 7 of a ledger is the parameter ``entry/0007`` of the
review's run, and of two people who decide at once exactly one gets it. Which run it is stands in
the same way in the study's run.

For people and tools that look elsewhere, a copy of the ledger lies beside the report in the
version's files, and tags, description and the alias ``approved`` of the version say where the
review stands. These are mirrors: everybody with write access can edit them, and
:mod:`credit_plugin.compensation.review.checking` compares them with the ledger.
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from credit_plugin.compensation.publication import sha256_of
from credit_plugin.compensation.report import FACTS
from credit_plugin.compensation.review.checking import (
    APPROVED_ALIAS,
    PAYABLE,
    TAG_STATE,
    check_mirrors,
    compare_copies,
    mirrored_tags,
)
from credit_plugin.compensation.review.entries import Entry
from credit_plugin.compensation.review.states import ConflictError, Review
from credit_plugin.errors import InputError
from credit_plugin.tracking.flavors.files import CONTENT
from credit_plugin.tracking.parent import COMMITTED, PARENT_TAG
from credit_plugin.tracking.store import STORE_ERRORS, complaint

SERVER_KEYS = "CREDIT_SERVER_KEYS"
FOLDER, FILE = "review", "ledger.jsonl"
ROLE = "review"
_SCHEME = "models:/"
_KEY = "entry/{:04d}"
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_TAKEN = "Changing param values is not allowed"

__all__ = ["ModelVersion", "ReviewStore", "direct", "open_reviews"]

Location = tuple[ArtifactRepository, str]


def direct(uri: str) -> Location:
    """Return the repository at a location, and the path in it."""
    return get_artifact_repository(uri), ""


def open_reviews() -> "ReviewStore":
    """Return the reviews of the store that MLflow uses.

    The keys of trusted servers are in the environment variable ``CREDIT_SERVER_KEYS``, separated by
    spaces or commas.

    Raises:
        InputError: If it cannot be used.
    """
    try:
        known = os.environ.get(SERVER_KEYS, "").replace(",", " ").split()
        return ReviewStore(MlflowClient(), servers=frozenset(known))
    except STORE_ERRORS as error:
        raise InputError(complaint(error)) from None


class ReviewStore:
    """Reviews of the registered versions of one MLflow.

    Args:
        client: Talks to the tracking store and its registry.
        locate: Finds the repository of an artifact location; a server's own locations need more
            than :func:`direct`.
        servers: Public keys of servers whose word on who signed in is taken, beside those that a
            policy lists.
    """

    def __init__(
        self,
        client: MlflowClient,
        locate: Callable[[str], Location] = direct,
        servers: frozenset[str] = frozenset(),
    ) -> None:
        self.client, self._locate, self.servers = client, locate, servers

    def version(self, name: str, version: str) -> ModelVersion:
        """Return a registered version of values.

        Args:
            name: Registered model.
            version: Its number, ``latest`` or an alias.

        Raises:
            InputError: If there is none, or it is no version of values.
        """
        try:
            if version == "latest":
                found = max(self.versions(name), key=lambda v: int(v.version), default=None)
            elif version.isdecimal():
                found = self.client.get_model_version(name, version)
            else:
                found = self.client.get_model_version_by_alias(name, version)
        except MlflowException as error:
            if error.error_code not in _ABSENT:
                raise InputError(f"{name}/{version}: {complaint(error)}") from None
            found = None
        except STORE_ERRORS as error:
            raise InputError(f"{name}/{version}: {complaint(error)}") from None
        if found is None or not str(found.source).startswith(_SCHEME) or not found.run_id:
            raise InputError(f"{name}/{version}: is no registered version of values")
        return found

    def versions(self, name: str) -> list[ModelVersion]:
        """Return every version of a registered model, the newest first."""
        quoted = name.replace("'", "")
        found = self.client.search_model_versions(f"name = '{quoted}'", max_results=1000)
        return sorted(found, key=lambda v: -int(v.version))

    def fetch(self, version: ModelVersion, folder: Path, path: str = CONTENT) -> Path:
        """Download one of the files of a version, or a folder of them.

        Raises:
            InputError: If it is not there.
        """
        return _download(lambda: self._files(version), path, folder)

    def fetch_of_run(self, run_id: str, folder: Path, path: str) -> Path:
        """Download one of the artifacts of a run.

        Raises:
            InputError: If it is not there.
        """

        def location() -> Location:
            return self._locate(self.client.get_run(run_id).info.artifact_uri)

        return _download(location, path, folder)

    def record(self, version: ModelVersion) -> tuple[dict[str, Any], str]:
        """Return the record of a version's report, and its sha256.

        Raises:
            InputError: If it is not there or is no record.
        """
        with tempfile.TemporaryDirectory(prefix="credit-record-") as folder:
            path = self.fetch(version, Path(folder), f"{CONTENT}/{FACTS}")
            try:
                facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
            except ValueError:
                raise InputError(f"{version.name}/{version.version}: {FACTS} is damaged") from None
            return facts, sha256_of(path)

    def lines(self, version: ModelVersion) -> list[str]:
        """Return the ledger of a version, oldest line first; empty if nobody has acted."""
        run_id = self._known_run(version)
        if run_id is None:
            return []
        params = self.client.get_run(run_id).data.params
        return [params[key] for key in sorted(params) if key.startswith("entry/")]

    def committed(self, version: ModelVersion) -> str | None:
        """Return the hash of the policy that the study's run named first; None if it names none.

        Nobody can change it there.
        """
        found: str | None = self.client.get_run(str(version.run_id)).data.params.get(COMMITTED)
        return found

    def append(self, version: ModelVersion, entry: Entry) -> None:
        """Write the next line.

        Raises:
            ConflictError: If somebody else wrote it in the meantime.
            InputError: If the store cannot be written.
        """
        try:
            run_id = self._known_run(version) or self._new_run(version)
            self.client.log_param(run_id, _KEY.format(entry.number), entry.line)
        except MlflowException as error:
            if _TAKEN in str(error):
                raise ConflictError(
                    "somebody else has acted at the same moment; look again, then decide anew"
                ) from None
            raise InputError(complaint(error)) from None

    def mirror(self, version: ModelVersion, standing: Callable[[list[str]], Review]) -> Review:
        """Write copy, tags, alias and description, and return where the review stands.

        Args:
            version: Whose.
            standing: Returns where a ledger leads.
        """
        lines = self.lines(version)
        while True:
            review = standing(lines)
            self._write_mirrors(version, review, lines)
            # somebody else's line may have come in between, and their mirror before ours
            newer = self.lines(version)
            if newer == lines:
                return review
            lines = newer

    def faults(self, version: ModelVersion, review: Review, lines: list[str]) -> list[str]:
        """Return what the mirrors say that the ledger does not, one sentence each."""
        found = self.client.get_model_version(version.name, str(version.version))
        mirrors = check_mirrors(review, found.tags, found.aliases)
        return [*compare_copies(lines, self._copy(version)), *mirrors]

    def _copy(self, version: ModelVersion) -> list[str]:
        repository, prefix = self._files(version)
        folder = str(PurePosixPath(prefix) / FOLDER)
        try:
            names = {PurePosixPath(f.path).name for f in repository.list_artifacts(folder)}
        except (MlflowException, OSError):
            names = set()
        if FILE not in names:
            return []
        with tempfile.TemporaryDirectory(prefix="credit-ledger-") as local:
            path = self.fetch(version, Path(local), f"{FOLDER}/{FILE}")
            return path.read_text("utf-8").splitlines()

    def _write_mirrors(self, version: ModelVersion, review: Review, lines: list[str]) -> None:
        repository, prefix = self._files(version)
        with tempfile.TemporaryDirectory(prefix="credit-ledger-") as folder:
            path = Path(folder) / FILE
            # every line, one that does not check among them: a copy hides nothing
            path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
            repository.log_artifact(str(path), str(PurePosixPath(prefix) / FOLDER))
        name, number = version.name, str(version.version)
        for tag, value in mirrored_tags(review).items():
            self.client.set_model_version_tag(name, number, tag, value)
        current = self.client.get_model_version(name, number)
        _, _, rest = (current.description or "").partition("\n\n")
        self.client.update_model_version(name, number, f"**Review: {review.state}.**\n\n{rest}")
        if review.state in PAYABLE and not self._newer_is_approved(name, int(number)):
            self.client.set_registered_model_alias(name, APPROVED_ALIAS, number)

    def _newer_is_approved(self, name: str, number: int) -> bool:
        """Say whether the alias names a released version that is no older than this one."""
        try:
            holder = self.client.get_model_version_by_alias(name, APPROVED_ALIAS)
        except MlflowException as error:
            if error.error_code not in _ABSENT:
                raise
            return False
        state = holder.tags.get(TAG_STATE)
        return int(holder.version) >= number and state in {one.value for one in PAYABLE}

    def _files(self, version: ModelVersion) -> Location:
        """Return where the files of a version are: of the logged model that was registered."""
        model_id = str(version.source).removeprefix(_SCHEME)
        return self._locate(str(self.client.get_logged_model(model_id).artifact_location))

    def _known_run(self, version: ModelVersion) -> str | None:
        found: str | None = self.client.get_run(str(version.run_id)).data.params.get(_slot(version))
        return found

    def _new_run(self, version: ModelVersion) -> str:
        """Make the run of a review, unless somebody else does at the same moment."""
        study = self.client.get_run(str(version.run_id))
        tags = {
            PARENT_TAG: version.run_id,
            "credit.role": ROLE,
            "credit.study": study.data.tags.get("credit.study", ""),
            "mlflow.note.content": "Each parameter is a line of the ledger of this review.",
        }
        name = f"review of {version.name} {version.version}"
        made = self.client.create_run(study.info.experiment_id, tags=tags, run_name=name)
        try:
            self.client.log_param(str(version.run_id), _slot(version), made.info.run_id)
        except MlflowException as error:
            if _TAKEN not in str(error):
                raise
            self.client.delete_run(made.info.run_id)
            known = self._known_run(version)
            assert known is not None  # the name is taken
            return known
        self.client.set_terminated(made.info.run_id)
        return str(made.info.run_id)


def _slot(version: ModelVersion) -> str:
    return f"review/{version.version}"


def _download(location: Callable[[], Location], path: str, folder: Path) -> Path:
    try:
        repository, prefix = location()
        inside = str(PurePosixPath(prefix) / path)
        return Path(repository.download_artifacts(inside, dst_path=str(folder)))
    except STORE_ERRORS:
        raise InputError(f"{path}: is not there, or its artifact store cannot be read") from None
