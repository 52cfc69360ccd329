"""Families of text-to-image pipelines: what differs between Stable Diffusion, SDXL, SD3 and FLUX.

A family says which component denoises, how prompts become its inputs, and how it is called. The
class of the pipeline, as ``model_index.json`` names it, decides the family. A further family is one
more module in this folder that registers itself with :func:`register_family`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from credit_plugin.errors import InputError
from credit_plugin.registry import Registry

Inputs = Mapping[str, Tensor]
"""What the denoiser gets of prompts: tensors with one row for each, by name."""


class Family(ABC):
    """One family of text-to-image pipelines.

    Attributes:
        pipelines: Classes of diffusers that belong to it.
        component: Name of the denoiser.
        patch: Latent positions, in height and in width, of one position that attends.
        packed: Input channels of the denoiser for one channel of latents.
    """

    pipelines: ClassVar[tuple[str, ...]]
    component: ClassVar[str] = "unet"
    patch: ClassVar[int] = 1
    packed: ClassVar[int] = 1

    @abstractmethod
    def encode(
        self,
        pipeline: Any,
        prompts: Sequence[str],
        image_size: int,
        config: Mapping[str, Any],
        device: str,
    ) -> dict[str, Tensor]:
        """Return the denoiser's inputs of prompts, one row for each, on the CPU.

        Args:
            pipeline: With its text encoders.
            prompts: Texts.
            image_size: Height and width in pixels.
            config: Of the denoiser.
            device: Where text encoders run.
        """

    @abstractmethod
    def predict(
        self, network: Callable[..., Any], noisy: Tensor, time: Tensor, given: Inputs
    ) -> Tensor:
        """Call the denoiser.

        Args:
            network: The denoiser, or a function that calls it with other weights.
            noisy: Latents [n, c, h, w].
            time: As the forward process counts it, [n] or one for all.
            given: Rows of :meth:`encode`, one for each of ``noisy``.
        """


FAMILIES: Registry[type[Family]] = Registry(
    __name__, "credit_plugin.families", "a family of pipelines"
)
register_family = FAMILIES.register


def family_of(folder: Path, field: str) -> Family:
    """Return the family of the pipeline in a folder.

    Args:
        folder: Of the pipeline.
        field: Setting that led to it, for errors.

    Raises:
        InputError: If there is no pipeline, or one of a family that is not known.
    """
    try:
        name = str(json.loads((folder / "model_index.json").read_text("utf-8"))["_class_name"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{field}: {folder} holds no pipeline of diffusers (no model_index.json)"
        ) from None
    families = [FAMILIES.get(family, field) for family in FAMILIES.names()]
    for family in families:
        if name in family.pipelines:
            return family()
    known = ", ".join(sorted(name for family in families for name in family.pipelines))
    raise InputError(f"{field}: pipelines of class {name} are not known; known are {known}")
