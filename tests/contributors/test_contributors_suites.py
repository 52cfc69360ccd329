"""Sources of the package inherit the suite that is published for those of others."""

import numpy as np
from PIL import Image

from credit_plugin.testing import SourceSuite


class TestDigits(SourceSuite):
    source = "digits"


class TestDesigners(SourceSuite):
    source = "designers"


class TestImagefolder(SourceSuite):
    source = "imagefolder"

    def fields(self, folder):
        for number, owner in enumerate(["ada", "ben"] * 3):
            (folder / owner).mkdir(exist_ok=True)
            picture = Image.new("RGB", (10, 14), (number * 40, 9, 200))
            picture.save(folder / owner / f"{number}.png")
        return {"path": folder}


class TestArchive(SourceSuite):
    source = "archive"

    def fields(self, folder):
        images = np.random.default_rng(0).integers(0, 256, (12, 10, 10, 3), np.uint8)
        np.savez(folder / "all.npz", images=images, contributor=np.arange(12) % 3)
        return {"path": folder / "all.npz"}
