"""``mlflow.data.from_contributors`` and the source that it records.

MLflow recognises a constructor by its name (``from_...``) and by the class that its return
annotation names, so annotations in this module are real ones.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.data.dataset import Dataset
from mlflow.data.dataset_source import DatasetSource

if TYPE_CHECKING:
    from credit_plugin.config import DataSettings


class ContributorsSource(DatasetSource):
    """Where a contributor dataset comes from: a registered source and, for folders, a path.

    Args:
        source: Registered source: ``designers``, ``digits``, ``imagefolder``, ``archive``.
        path: Folder or archive of the images.
        image_size: Height and width in pixels.
        options: Settings of the source itself.
    """

    def __init__(
        self,
        source: str,
        path: str | None = None,
        image_size: int = 16,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.source, self.path, self.image_size = source, path, image_size
        self.options = options or {}

    @classmethod
    def from_settings(cls, data: "DataSettings") -> "ContributorsSource":
        """Return the source that a study's settings name."""
        path = None if data.path is None else str(data.path)
        return cls(data.source, path, data.image_size, data.options)

    @staticmethod
    def _get_source_type() -> str:
        return "contributors"

    def load(self, **_: Any) -> Any:
        """Return the ``ContributorDataset``."""
        from credit_plugin.config import DataSettings
        from credit_plugin.contributors.sources import load_contributors

        return load_contributors(
            DataSettings(
                source=self.source,
                path=Path(self.path) if self.path else None,
                image_size=self.image_size,
                min_images=1,  # it is the study that decides how few are too few
                options=self.options,
            )
        )

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> "ContributorsSource":
        raise ValueError("a contributor source is named, not guessed from a path")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "source": self.source,
            "path": self.path,
            "image_size": self.image_size,
            "options": self.options,
        }

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> "ContributorsSource":
        """Return what :meth:`to_dict` described."""
        return cls(**source_dict)


class ContributorsDataset(Dataset):
    """A contributor-labelled dataset as MLflow shows it.

    Args:
        source: Where it comes from.
        name: Name in the UI.
        digest: Computed from the data by default.
    """

    def __init__(
        self, source: ContributorsSource, name: str | None = None, digest: str | None = None
    ) -> None:
        self.data = source.load()
        super().__init__(source=source, name=name or self.data.name, digest=digest)

    def _compute_digest(self) -> str:
        return str(self.data.digest()[:36])

    def to_dict(self) -> dict[str, str]:
        """Return plain data for the tracking store."""
        import json

        return {**super().to_dict(), "profile": json.dumps(self.profile), "schema": "{}"}

    @property
    def profile(self) -> dict[str, Any]:
        """Numbers of images and contributors, and the images' size."""
        return {
            "images": self.data.n_images,
            "contributors": self.data.n_contributors,
            "image_size": self.data.image_size,
        }

    @property
    def schema(self) -> None:
        """Images have no table schema."""
        return


def from_contributors(
    source: str,
    path: str | None = None,
    image_size: int = 16,
    name: str | None = None,
    digest: str | None = None,
    options: dict[str, Any] | None = None,
) -> ContributorsDataset:
    """Return a contributor dataset that ``mlflow.log_input`` takes.

    Args:
        source: Registered source: ``designers``, ``digits``, ``imagefolder``, ``archive``.
        path: Folder of the images, for sources that read one.
        image_size: Height and width in pixels.
        name: Name in the UI; the source's own by default.
        digest: Computed from the data by default.
        options: Settings of the source itself.
    """
    return ContributorsDataset(ContributorsSource(source, path, image_size, options), name, digest)
