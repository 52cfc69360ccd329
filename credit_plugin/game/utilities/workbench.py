"""What a worker loads once and uses for every job: data, models, references, noise."""

import copy
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from credit_plugin.config import Study, TrainingSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.snapshot import load_snapshot
from credit_plugin.diffusion.beginnings import Beginnings, BeginningStore
from credit_plugin.diffusion.domain import ImageDomain, domain_of, draw_conditions
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.kernels import apply_kernels
from credit_plugin.diffusion.sampling import sample_images
from credit_plugin.diffusion.stacked import Stack, StackedExamples, sample_stack
from credit_plugin.diffusion.storage import LoadedModel, load_model_folder
from credit_plugin.diffusion.tasks import DiffusionTask, create_task
from credit_plugin.folders import StudyFolders
from credit_plugin.properties.suite import PropertySuite, load_suite
from credit_plugin.seeding import derive_seed

PREVIEW_SIDE = 8
GRID_LINE = 128


class Workbench:
    """Everything that jobs of one study share, loaded when it is first used.

    Args:
        study: The settings.
        folders: Where data, models and references are.
        device: ``cpu`` or ``cuda:i``.
        beginnings: Where fine-tunings that begin alike share what they have in common.
    """

    def __init__(
        self,
        study: Study,
        folders: StudyFolders,
        device: str,
        beginnings: BeginningStore | None = None,
    ) -> None:
        self.study, self.folders, self.device = study, folders, device
        self.beginnings = beginnings
        self.noise: Callable[[int], Tensor] = lru_cache(maxsize=2)(self._noise)

    @cached_property
    def dataset(self) -> ContributorDataset:
        """The contributor-labelled images."""
        return load_snapshot(self.folders.data)

    @cached_property
    def _domain(self) -> tuple[ImageDomain, np.ndarray | None]:
        return domain_of(self.study.diffusion, self.dataset)

    @cached_property
    def task(self) -> DiffusionTask:
        """The diffusion task."""
        parts = self.folders.parts
        return create_task(self.study.diffusion, self._domain[0], parts if parts.exists() else None)

    @cached_property
    def all_examples(self) -> Examples:
        """Every image as a training example, on the device."""
        images, flips = np.asarray(self.dataset.images), self.study.flips
        return self.task.study_examples(images, self.condition, flips).to(self.device)

    @property
    def prompts(self) -> tuple[str, ...]:
        """Texts that the model is told; empty unless it is told texts."""
        prompted = self.study.diffusion.condition == "prompt"
        return self.task.domain.conditions if prompted else ()

    @property
    def condition(self) -> np.ndarray | None:
        """What each image is of, int64 [N]; None without conditions."""
        return self._domain[1]

    @cached_property
    def full(self) -> LoadedModel:
        """The full model."""
        return load_model_folder(self.folders.full, self.device)

    @cached_property
    def pruned(self) -> LoadedModel:
        """The pruned and recovered model."""
        return load_model_folder(self.folders.pruned, self.device)

    @cached_property
    def properties(self) -> PropertySuite:
        """The study's properties with their references."""
        return load_suite(self.study.properties, self.folders.reference, self.device)

    def beginnings_of(self, settings: TrainingSettings, *start: str) -> Beginnings | None:
        """Return what a run shares with those that begin alike, if anything is shared."""
        return self.beginnings.of(settings, *start) if self.beginnings else None

    def examples(self, coalition: np.ndarray) -> Examples:
        """Return the training examples of a coalition (bool [n])."""
        return self.all_examples[self.dataset.indices(coalition)]

    def stacked_examples(self, coalitions: Sequence[np.ndarray]) -> StackedExamples:
        """Return the training examples of several coalitions (bool [n]), held once."""
        rows = [torch.as_tensor(self.dataset.indices(coalition)) for coalition in coalitions]
        return StackedExamples(self.all_examples, rows)

    def shares(self, coalition: np.ndarray | None = None) -> tuple[int, ...]:
        """Return how many images of each condition a coalition has, by default everybody's.

        Empty without conditions. The empty coalition counts as everybody: its model is untrained.
        """
        if self.condition is None:
            return ()
        found = self.condition
        if coalition is not None and coalition.any():
            found = found[self.dataset.indices(coalition)]
        return tuple(np.bincount(found, minlength=len(self.task.domain.conditions)).tolist())

    def sample(
        self,
        model: nn.Module,
        repeat: int = 0,
        coalition: np.ndarray | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Return the samples of a model, from the noise that all models of a repeat share.

        Args:
            model: The network.
            repeat: Of the evaluation.
            coalition: Whose conditions are drawn, bool [n]; by default everybody's.
            report: Called with (images done, images in all).
        """
        return sample_images(
            self.task,
            model,
            self.noise(repeat),
            self.study.sampling,
            report,
            self.drawn_conditions(repeat, coalition),
        )

    def sample_stack(
        self,
        stack: Stack,
        repeats: Sequence[int],
        coalitions: Sequence[np.ndarray],
        at_once: int,
        report: Callable[[int, int], None] | None = None,
    ) -> list[np.ndarray]:
        """Return the samples of each network of a stack, as :meth:`sample` would.

        Args:
            stack: The networks.
            repeats: Of each evaluation.
            coalitions: Of each evaluation, bool [n].
            at_once: Networks that are sampled at once, at most.
            report: Called with (images done, images in all).
        """
        noise = [self.noise(repeat) for repeat in repeats]
        drawn = [self.drawn_conditions(*asked) for asked in zip(repeats, coalitions, strict=True)]
        conditions = [found for found in drawn if found is not None] or None
        sampling = self.study.sampling
        return sample_stack(self.task, stack, noise, sampling, conditions, at_once, report)

    def drawn_conditions(
        self, repeat: int = 0, coalition: np.ndarray | None = None
    ) -> Tensor | None:
        """Return what a coalition's samples are of, int64 [samples]; None without conditions."""
        shares = self.shares(coalition)
        if not shares:
            return None
        seed = noise_seed(self.study.seed, repeat)
        return draw_conditions(shares, self.study.sampling.samples, seed)

    def ready(self, model: nn.Module) -> nn.Module:
        """Return a network that is about to be trained or sampled, as the kernels want it."""
        return apply_kernels(model, self.study.execution.kernels)

    def copy_of(self, loaded: LoadedModel) -> nn.Module:
        """Return a copy of a loaded network that may be trained."""
        return copy.deepcopy(loaded.model)

    def untrained(self, seed: int) -> nn.Module:
        """Return the full architecture before training."""
        return self.task.build(seed).to(self.device)

    def untrained_pruned(self, seed: int) -> nn.Module:
        """Return the pruned architecture before training."""
        return self.task.rebuild(self.pruned.history, seed).to(self.device)

    def measure(
        self,
        images: np.ndarray,
        repeat: int = 0,
        coalition: np.ndarray | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> dict[str, float]:
        """Return every property of the samples that :meth:`sample` drew with the same arguments.

        Args:
            images: uint8 [N, H, W, C].
            repeat: Of the evaluation.
            coalition: Whose conditions were drawn, bool [n]; by default everybody's.
            report: Called with (work done, work in all).

        Raises:
            FloatingPointError: If one of them is not finite.
        """
        drawn = self.drawn_conditions(repeat, coalition)
        condition = None if drawn is None else drawn.numpy()
        measured = self.properties.measure(images, condition, report)
        for name, value in measured.items():
            if not np.isfinite(value):
                raise FloatingPointError(f"property {name} of the samples is {value}")
        return measured

    def save_preview(self, name: str, images: np.ndarray) -> None:
        """Write a square grid of the first images to ``previews/<name>.png``."""
        self.folders.previews.mkdir(parents=True, exist_ok=True)
        path = self.folders.previews / f"{name}.png"
        partial = path.with_suffix(".partial.png")
        image_grid(images, PREVIEW_SIDE).save(partial)
        partial.replace(path)

    def _noise(self, repeat: int) -> Tensor:
        return self.task.noise(self.study.sampling.samples, noise_seed(self.study.seed, repeat))


def noise_seed(seed: int, repeat: int) -> int:
    """Return the seed of the initial noise that all models and coalitions of a repeat share."""
    return derive_seed(seed, f"repeat {repeat}", "initial noise")


def image_grid(images: np.ndarray, side: int, pixels: int = 512) -> Image.Image:
    """Return the first side * side images as one picture, grey lines between, enlarged sharply.

    Args:
        images: uint8 [N, H, W, C]; missing ones stay white.
        side: Images in a row and in a column.
        pixels: Smallest width of the picture.
    """
    cells = np.full((side * side, *images.shape[1:]), 255, np.uint8)
    cells[: min(len(images), side * side)] = images[: side * side]
    cells = np.pad(cells, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=GRID_LINE)
    height, width, channels = cells.shape[1:]
    grid = cells.reshape(side, side, height, width, channels).swapaxes(1, 2)
    grid = grid.reshape(side * height, side * width, channels)[:-1, :-1]
    picture = Image.fromarray(grid.squeeze(-1) if channels == 1 else grid)
    factor = max(1, -(-pixels // picture.width))
    return picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
    )
