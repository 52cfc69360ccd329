"""Reports on toy games: three properties, a baseline to compare with, and facts of every kind."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from credit_plugin import load_study
from credit_plugin.compensation.report import ReportInputs
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, NoisyGame
from credit_plugin.values import assess, estimate

WORTHS = (1.0, 2.5, -0.5, 0.25, 0.0)
HEADLINE = "properties.headline=inception_score"
DIRECTIONS = {"inception_score": 1, "frechet_distance": -1, "diversity": 1}


def measured(worths: Sequence[float], noise: float = 0.05) -> UtilityTable:
    """Return a table of the three properties; everybody and nobody are measured three times."""
    n = len(worths)
    rows = design(n, min(2**n, n + 40), seed=1)
    borders = np.array([[False] * n, [True] * n])
    rows = np.concatenate([rows, borders, borders])
    tables = []
    for seed, name in enumerate(DIRECTIONS):
        game = AdditiveGame(np.roll(worths, seed), base=1.25 + seed)
        utilities = NoisyGame(game, noise, seed)(rows)
        tables.append(UtilityTable.from_arrays(rows, utilities, property=name))
    return UtilityTable.concat(*tables)


def with_names(table: UtilityTable, names: Sequence[str]) -> UtilityTable:
    return UtilityTable(
        tuple(names),
        table.coalitions,
        table.utilities,
        table.properties,
        table.seeds,
        table.repeats,
    )


def picture() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), (20, 90, 160)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def make_inputs() -> Callable[..., ReportInputs]:
    """Return a function from worths, names, settings and other facts to what a report needs.

    ``only`` leaves out the other properties.
    """

    def make(
        worths: Sequence[float] = WORTHS,
        names: Sequence[str] | None = None,
        overrides: Sequence[str] = (),
        only: str | None = None,
        resamples: int = 20,
        **facts: object,
    ) -> ReportInputs:
        own = (HEADLINE, f"values.resamples={max(resamples, 20)}", *overrides)
        study = load_study("digits", overrides=own)
        table = measured(worths) if only is None else measured(worths).select(only)
        table = table if names is None else with_names(table, names)
        names = table.contributors
        estimator, seed = study.values.estimator, study.seed
        values = {
            name: estimate(table, estimator, seed, property=name, resamples=resamples)
            for name in table.property_names
        }
        given = {
            "reliability": {name: assess(table, found, seed) for name, found in values.items()},
            "study": study,
            "created": datetime(2026, 11, 23, 20, 50, tzinfo=UTC),
            "values": values,
            "directions": {name: DIRECTIONS[name] for name in values},
            "table": table,
            "image_counts": np.arange(1, len(names) + 1) * 10,
            "attribution": ("Handwritten digits, CC BY 4.0",),
            "licences": ("CC BY 4.0",) * len(names),
            "dataset_name": "digits",
            "dataset_digest": "d" * 64,
            "contributor_digests": {name: f"{i:064x}" for i, name in enumerate(names)},
            "models": {"full": "digits.full/3", "pruned": "digits.pruned/2"},
            "full_model_properties": {"inception_score": 5.5, "frechet_distance": 12.0},
            "pruned_model_properties": {"inception_score": 4.5},
            "baselines": {"zero": 0.0},
            "costs": {"training": 61.5, "coalitions": 400.0},
            "lost": ("coalition 10100: worker died three times",),
            "versions": {"python": "3.11.9", "numpy": "2.1.0"},
            "thumbnails": {names[0]: picture(), names[1]: b"not a picture"},
        }
        return ReportInputs(**{**given, **facts})

    return make
