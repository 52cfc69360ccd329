"""A small folder of real pictures that tests then damage."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from credit_plugin.contributors.check import Finding, check_folder


class Gallery:
    """A folder with contributors ann, bob and cleo, three different pictures each."""

    owners = ("ann", "bob", "cleo")

    def __init__(self, root: Path) -> None:
        self.root = root
        for index, owner in enumerate(self.owners):
            for number in range(3):
                self.save(f"{owner}/{number}.png", self.picture(10 * index + number))

    @staticmethod
    def picture(seed: int, width: int = 48, height: int = 40) -> Image.Image:
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)

    def save(self, file: str, picture: Image.Image, **options: object) -> Path:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, **options)
        return path

    def rows(self) -> list[list[str]]:
        return [[f"{owner}/{n}.png", owner] for owner in self.owners for n in range(3)]

    def write_rows(
        self, rows: list[list[str]], header: tuple[str, ...] = ("file_name", "contributor")
    ) -> None:
        with (self.root / "metadata.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])

    def check(self, **options: int) -> list[Finding]:
        return check_folder(self.root, **options)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery")


@pytest.fixture
def has() -> Callable[[list[Finding], str, str, str], bool]:
    def found(findings: list[Finding], severity: str, where: str, text: str) -> bool:
        return any(
            f.severity == severity and f.where == where and text in f.message for f in findings
        )

    return found
