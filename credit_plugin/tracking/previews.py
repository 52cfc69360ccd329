"""Samples of every coalition as artifacts of the study's run, so that pages can show them."""

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from mlflow.tracking import MlflowClient

PREVIEWS = "previews"


def log_previews(client: MlflowClient, run_id: str, folder: Path) -> int:
    """Log the pictures of a folder that the run does not have, and return how many.

    Args:
        client: Talks to the tracking store.
        run_id: The study's run.
        folder: Pictures, ``<coalition key>.png``; they never change.
    """
    known = {PurePosixPath(file.path).name for file in client.list_artifacts(run_id, PREVIEWS)}
    new = [path for path in sorted(folder.glob("*.png")) if path.name not in known]
    with TemporaryDirectory(prefix="credit-previews-") as draft:
        for path in new:
            # links save the copies; a file system without them gets copies
            target = Path(draft) / path.name
            try:
                target.symlink_to(path.resolve())
            except OSError:
                target.write_bytes(path.read_bytes())
        if new:
            client.log_artifacts(run_id, draft, PREVIEWS)
    return len(new)
