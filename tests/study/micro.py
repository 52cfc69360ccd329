"""A study small enough for tests: digits, a handful of steps, every part real."""

import contextlib
import json
import shutil
from pathlib import Path

from credit_plugin.config import load_study

MICRO = (
    "name=micro",
    "properties.headline=inception_score",
    "diffusion.network.block_out_channels=[16,16]",
    "diffusion.training.steps=16",
    "diffusion.training.warmup_steps=2",
    "pruning.finetuning.steps=8",
    "pruning.finetuning.warmup_steps=2",
    "game.finetuning.steps=4",
    "game.finetuning.warmup_steps=1",
    "game.budget=16",
    "game.border_repeats=2",
    "game.repeated_coalitions=1",
    "sampling.samples=48",
    "sampling.steps=3",
    "properties.classifier.steps=30",
    "values.resamples=20",
    "execution.workers=1",  # a second one, or a second thread, costs more than it brings
    "execution.training_threads=1",
)
EVALUATIONS = 16 + 2 + 1


def micro_study(*overrides):
    return load_study("digits", overrides=(*MICRO, *overrides))


def copy_studies(home, place):
    """Copy a finished study's folder, to go on with it in a tracking store of its own."""
    shutil.copytree(home / "studies", place / "studies")
    for path in place.glob("studies/micro/table-*/tracking.json"):
        path.unlink()
    return place


def run_in(place, study, **options):
    """Run a study in ``place``, where MLflow keeps its artifacts too."""
    from credit_plugin import run_study

    with contextlib.chdir(place):
        uri = f"sqlite:///{place / 'mlflow.db'}"
        return run_study(study, workdir=place / "studies", tracking_uri=uri, **options)


def ledger_lines(workdir: Path):
    return [
        json.loads(line)
        for path in sorted(workdir.glob("micro/table-*/ledger.jsonl"))
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
    ]
