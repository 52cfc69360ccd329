"""How many changed copies are found, and how many unrelated pictures are taken for copies.

    python -m tests.benchmarks.duplicates [--folder PATH --size 64]... [--archive NPZ --size 32]...

Without arguments the demo's drawings are looked at, 16 pixels, and digits, 8 pixels. A folder is
one of source ``imagefolder``, an archive holds ``images`` [owners, concepts, H, W, C]. Each change
is made to 400 pictures; unrelated are all pairs of different owners, at most 3,000 pictures.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from credit_plugin import load_study
from credit_plugin.config import DataSettings
from credit_plugin.contributors.lookalike import find_alike, has_contrast, thumbnails
from credit_plugin.contributors.sources import load_contributors

CHANGED, COMPARED = 400, 3000
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def mirror(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return image[:, ::-1]


def crop(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    side = round(0.9 * len(image))
    top, left = generator.integers(0, len(image) - side + 1, 2)
    picture = Image.fromarray(image[top : top + side, left : left + side])
    return np.asarray(picture.resize(image.shape[:2], Image.Resampling.BICUBIC))


def jpeg(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=50)
    return np.asarray(Image.open(stream).convert("RGB"))


def tint(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return np.clip(image * generator.choice([0.95, 1.05], 3), 0, 255).astype(np.uint8)


def all_four(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    for change in (mirror, crop, tint, jpeg):
        image = change(image, generator)
    return image


CHANGES: tuple[Change, ...] = (mirror, crop, jpeg, tint, all_four)


def found(images: np.ndarray, change: Change) -> float:
    """Return the share of pictures that are found again after a change."""
    generator = np.random.default_rng(0)
    count = len(images)
    changed = np.stack([change(image, generator) for image in images])
    pairs = find_alike(thumbnails(np.concatenate([images, changed])), np.repeat([0, 1], count))
    return sum(pair.second == pair.first + count for pair in pairs) / count


def row(name: str, images: np.ndarray, owner: np.ndarray) -> str:
    if images.shape[-1] == 1:
        images = np.repeat(images, 3, axis=-1)
    keep = has_contrast(thumbnails(images))
    images, owner = images[keep], owner[keep]
    generator = np.random.default_rng(0)
    order = generator.permutation(len(images))
    shares = [found(images[order[:CHANGED]], change) for change in CHANGES]
    compared = order[:COMPARED]
    started = time.perf_counter()
    pairs = find_alike(thumbnails(images[compared]), owner[compared])
    seconds = time.perf_counter() - started
    wrong = len({pair.second for pair in pairs}) / len(compared)
    cells = "".join(f"{share:>10.1%}" for share in shares)
    return f"{name:<28}{len(compared):>7}{cells}{wrong:>11.2%}{seconds:>8.1f} s"


def main() -> None:
    """Print one row for each collection."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", action="append", default=[], type=Path)
    parser.add_argument("--archive", action="append", default=[], type=Path)
    parser.add_argument("--size", default=64, type=int, help="pixels of the folders' images")
    arguments = parser.parse_args()
    names = "".join(f"{change.__name__:>10}" for change in CHANGES)
    print(f"{'collection':<28}{'images':>7}{names}{'unrelated':>11}{'time':>10}")
    drawings = load_contributors(load_study("designers").data)
    print(row("designers, 16 px", drawings.images, drawings.contributor), flush=True)
    own = load_study("digits", overrides=["data.options={duplicate: false, noisy: false}"])
    digits = load_contributors(own.data)
    print(row("digits, 8 px", digits.images, digits.contributor), flush=True)
    for path in arguments.folder:
        data = DataSettings(source="imagefolder", path=path, image_size=arguments.size)
        dataset = load_contributors(data)
        title = f"{path.name}, {arguments.size} px"
        print(row(title, dataset.images, dataset.contributor), flush=True)
    for path in arguments.archive:
        with np.load(path, allow_pickle=False) as archive:
            images = archive["images"]
        owner = np.repeat(np.arange(len(images)), images.shape[1])
        flat = images.reshape(-1, *images.shape[2:])
        print(row(f"{path.stem}, {flat.shape[1]} px", flat, owner), flush=True)


if __name__ == "__main__":
    main()
