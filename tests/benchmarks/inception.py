"""What the Inception observer costs, and how strongly its head should be penalised.

    python -m tests.benchmarks.inception .../tiny_imagenet_mammals20.npz

Looks at real images of the preset ``tiny_imagenet_mammals20`` on one thread, and prints seconds an
image, with the network's memory laid out both ways and the part that is resizing; then fits heads
to five sixths of them at several penalties and prints how likely the others are.
"""

import time
from pathlib import Path

import click
import numpy as np
import torch

from credit_plugin.config import load_study
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.properties.observers.inception.head import PENALTY, fit_head
from credit_plugin.properties.observers.inception.network import (
    BATCH,
    InceptionNetwork,
    find_network,
    prepare_images,
)
from credit_plugin.properties.stratified import stratified_order
from credit_plugin.seeding import numpy_generator

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
TIMED = 4 * BATCH


def seconds_each(run) -> float:
    run()  # the first time compiles
    started = time.monotonic()
    run()
    return (time.monotonic() - started) / TIMED


def print_cost(network: InceptionNetwork, images: np.ndarray) -> None:
    resizing = seconds_each(lambda: prepare_images(images))
    print(f"seconds an image: {seconds_each(lambda: network.features(images)):.3f}")
    print(f"of which resizing: {resizing:.3f}")
    batches = prepare_images(images).split(BATCH)
    with torch.inference_mode():
        plain = seconds_each(lambda: [network._network(batch) for batch in batches])
    print(f"with channels first: {plain + resizing:.3f}")


@click.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.option("--images", default=960, show_default=True)
def main(archive: Path, images: int) -> None:
    torch.set_num_threads(1)
    study = load_study("tiny_imagenet_mammals20", overrides=[f"data.path={archive}"])
    dataset = load_contributors(study.data)
    order = stratified_order(dataset.labels, numpy_generator(0, "", "benchmark"))[:images]
    chosen, labels = np.asarray(dataset.images[order]), dataset.labels[order]
    network = InceptionNetwork(find_network(None))
    print_cost(network, chosen[:TIMED])
    features = network.features(chosen)
    fitted = images * 5 // 6
    print(f"{'C':>8}{'nats':>8}{'accuracy':>10}   on {images - fitted} left-out images")
    for penalty in PENALTIES:
        head = fit_head(features[:fitted], labels[:fitted], penalty)
        likely = head.probabilities(features[fitted:])
        rows = np.arange(images - fitted), np.searchsorted(head.classes, labels[fitted:])
        nats = -np.log(likely[rows]).mean()
        accuracy = head.accuracy(features[fitted:], labels[fitted:])
        mark = "  <- the observer's" if penalty == PENALTY else ""
        print(f"{penalty:>8g}{nats:>8.2f}{accuracy:>10.0%}{mark}")


if __name__ == "__main__":
    main()
