"""Evidence of a real but very small study: a few digits of each contributor, a tiny network."""

from pathlib import Path

import numpy as np

from credit_plugin.config import load_study
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.snapshot import save_snapshot
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.diffusion.domain import domain_of
from credit_plugin.diffusion.storage import LoadedModel, save_model_folder
from credit_plugin.diffusion.tasks import create_task
from credit_plugin.diffusion.training import Trainer
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.folders import StudyFolders
from credit_plugin.game.utilities.workbench import Workbench

SMALL = (
    "name=small",
    "diffusion.network.block_out_channels=[4, 4]",
    "diffusion.network.norm_num_groups=2",
    "diffusion.network.attention_head_dim=4",
    "diffusion.training.steps=60",
    "diffusion.training.warmup_steps=5",
    "sampling.samples=16",
    "sampling.steps=5",
    "fidelity.images_each=5",
    "fidelity.generated=6",
    "fidelity.timesteps=3",
    "fidelity.projection=64",
)


def small_study(*overrides: str):
    return load_study("digits", overrides=(*SMALL, *overrides))


def some_digits(each: int = 7) -> ContributorDataset:
    """The first images of every contributor."""
    study = small_study()
    digits = load_contributors(study.data, study.seed)
    owner = digits.contributor
    rows = np.concatenate([np.flatnonzero(owner == i)[:each] for i in range(digits.n_contributors)])
    return ContributorDataset("some digits", digits.images[rows], owner[rows], digits.contributors)


def make_workbench(root: Path, dataset: ContributorDataset, *overrides: str) -> Workbench:
    """Train the network, save it with the images and open both as a worker does."""
    study = small_study(*overrides)
    folders = StudyFolders(root, study, dataset.digest())
    save_snapshot(dataset, folders.data)
    task = create_task(study.diffusion, domain_of(study.diffusion, dataset)[0])
    model = task.build(study.seed)
    Trainer(task, model, study.diffusion.training, study.seed).run(task.encode(dataset.images))
    save_model_folder(LoadedModel(task, model, study.sampling), folders.full)
    return Workbench(study, folders, "cpu")


def with_images(evidence: Evidence, rows: np.ndarray) -> Evidence:
    """Return evidence that looks at other training images, or at the same in another order."""
    other = Evidence(evidence.bench)
    other.rows = rows
    return other


def with_generated(evidence: Evidence, generated: np.ndarray) -> Evidence:
    """Return evidence of the same study whose generated images are these."""
    other = Evidence(evidence.bench)
    other.generated = generated
    return other
