"""Flavor ``credit_diffusion``: a full or pruned diffusion model.

The files are those of :mod:`credit_plugin.diffusion.storage`. ``load_model`` gives a model that
can be sampled, trained or evaluated; as a python function it turns rows (n, seed) into images.
"""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import ColSpec, DataType, Schema
from PIL import Image

from credit_plugin.errors import InputError
from credit_plugin.tracking.flavors.files import check_model, checked_content, write_model

if TYPE_CHECKING:
    from credit_plugin.diffusion.storage import LoadedModel

FLAVOR = "credit_diffusion"
MOST_IMAGES = 4096

SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.long, "n"), ColSpec(DataType.long, "seed")]),
    outputs=Schema([ColSpec(DataType.long, "seed"), ColSpec(DataType.string, "image")]),
)


def save_model(path: str, folder: Path, mlflow_model: Model | None = None, **_: Any) -> None:
    """Write an MLflow model around a model folder."""
    write_model(Path(path), folder, FLAVOR, __name__, SIGNATURE, mlflow_model, {})


def load_model(model_uri: str, device: str = "cpu") -> "LoadedModel":
    """Return the network of a logged or registered model, after checking every file.

    Raises:
        InputError: If it is not a model of this flavor or was changed.
    """
    from credit_plugin.diffusion.storage import load_model_folder

    return load_model_folder(checked_content(model_uri, FLAVOR, __name__), device)


def _load_pyfunc(path: str) -> "_Sampler":
    from credit_plugin.diffusion.storage import load_model_folder

    return _Sampler(load_model_folder(check_model(Path(path).parent, FLAVOR, __name__)))


class _Sampler:
    def __init__(self, loaded: "LoadedModel") -> None:
        self.loaded = loaded

    def predict(self, rows: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return PNG images in base64, ``n`` for each row.

        Raises:
            InputError: If a row asks for more than ``MOST_IMAGES`` or for less than none.
        """
        drawn: list[tuple[int, str]] = []
        for n, seed in zip(map(int, rows["n"]), map(int, rows["seed"]), strict=True):
            if not 0 <= n <= MOST_IMAGES:
                raise InputError(f"n: {n} images cannot be drawn; ask for 0 to {MOST_IMAGES}")
            images = self.loaded.sample(n, seed) if n else ()
            drawn += [(seed, _as_png(image)) for image in images]
        return pd.DataFrame(drawn, columns=["seed", "image"])


def _as_png(pixels: Any) -> str:
    buffer = BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG")
    return b64encode(buffer.getvalue()).decode("ascii")
