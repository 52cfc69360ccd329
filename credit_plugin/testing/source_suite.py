"""What every source has to keep: the data that settings describe, the same every time."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from credit_plugin.config import DataSettings
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.errors import InputError


class SourceSuite:
    """The laws of a source; inherit, and set what is different.

    Attributes:
        source: Its registered name.
    """

    source: ClassVar[str]

    def fields(self, folder: Path) -> dict[str, Any]:
        """Return further fields of ``data``, after making files in a folder if it reads any."""
        return {}

    def load(self, folder: Path, **fields: Any) -> ContributorDataset:
        """Load the data as a study does, at 8 pixels unless told otherwise."""
        told = {"image_size": 8, **self.fields(folder), **fields}
        return load_contributors(DataSettings(source=self.source, **told), seed=1)

    @pytest.mark.parametrize("size", [8, 12])
    def test_images_have_the_size_that_is_asked_for(self, size: int, tmp_path: Path) -> None:
        """Whatever the size of the originals."""
        assert self.load(tmp_path, image_size=size).image_size == size

    def test_the_same_settings_give_the_same_data(self, tmp_path: Path) -> None:
        """A study that goes on would begin anew otherwise."""
        one, two = self.load(tmp_path), self.load(tmp_path)
        assert one.digest() == two.digest()
        assert one.contributors == two.contributors

    def test_the_images_of_everybody_are_all_images(self, tmp_path: Path) -> None:
        """Each is one contributor's."""
        data = self.load(tmp_path)
        each = [data.indices(one) for one in np.eye(data.n_contributors, dtype=bool)]
        assert np.array_equal(np.sort(np.concatenate(each)), np.arange(data.n_images))

    def test_an_option_that_it_does_not_have_is_refused(self, tmp_path: Path) -> None:
        """A slip of the pen must not go unnoticed."""
        options = {**self.fields(tmp_path).get("options", {}), "no_such_option": 1}
        with pytest.raises(InputError, match=r"data\.options\.no_such_option"):
            self.load(tmp_path, options=options)
