"""A decoded copy of a dataset that every worker maps into memory instead of decoding it again.

``images.npy``, ``contributor.npy`` and ``labels.npy`` are plain arrays (read-only memory maps of
the images share their pages between workers); ``dataset.json`` holds the rest. The one process
that saves compares a snapshot that exists with the dataset, by digest, before workers use it; so
they load it without hashing it each.
"""

import json
import shutil
from pathlib import Path

import numpy as np

from credit_plugin.contributors.dataset import ContributorDataset


def save_snapshot(dataset: ContributorDataset, folder: Path) -> None:
    """Write a snapshot, complete or not at all, unless ``folder`` holds this dataset already.

    A snapshot that is damaged, or of another dataset, is replaced.
    """
    if _holds(folder, dataset):
        return
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    np.save(partial / "images.npy", dataset.images)
    np.save(partial / "contributor.npy", dataset.contributor)
    if dataset.labels is not None:
        np.save(partial / "labels.npy", dataset.labels)
    rest = {
        "name": dataset.name,
        "contributors": dataset.contributors,
        "captions": dataset.captions,
        "attribution": dataset.attribution,
        "licences": dataset.licences,
    }
    (partial / "dataset.json").write_text(json.dumps(rest), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def load_snapshot(folder: Path) -> ContributorDataset:
    """Read what :func:`save_snapshot` wrote; the images stay on disk until they are used."""
    rest = json.loads((folder / "dataset.json").read_text("utf-8"))
    labels = folder / "labels.npy"
    return ContributorDataset(
        name=rest["name"],
        images=np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False),
        contributor=np.load(folder / "contributor.npy", allow_pickle=False),
        contributors=tuple(rest["contributors"]),
        labels=np.load(labels, allow_pickle=False) if labels.exists() else None,
        captions=None if rest["captions"] is None else tuple(rest["captions"]),
        attribution=tuple(rest["attribution"]),
        licences=tuple(rest["licences"]),
    )


def _holds(folder: Path, dataset: ContributorDataset) -> bool:
    if not folder.exists():
        return False
    try:
        return load_snapshot(folder).digest() == dataset.digest()
    except (OSError, ValueError, KeyError, TypeError, EOFError):  # cut short or not a snapshot
        return False
