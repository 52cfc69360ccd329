"""The examples of CONTRIBUTING.md, as another package would announce them, and as modules here."""

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from study.micro import ledger_lines, micro_study, run_in

from credit_plugin.config import DataSettings
from credit_plugin.contributors.sources import SOURCES, load_contributors
from credit_plugin.errors import InputError
from credit_plugin.execution.engine import ENGINES
from credit_plugin.game import UtilityTable
from credit_plugin.game.utilities import UTILITIES, get_utility
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.properties.registry import PROPERTIES, ImageSet, get_property
from credit_plugin.testing import EngineSuite, EstimatorSuite, PropertySuite, SourceSuite
from credit_plugin.values import estimate
from credit_plugin.values.registry import ESTIMATORS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SECTION = re.compile(r"^### .*?`(credit_plugin/\S+\.py)`.*?^```python\n(.*?)^```", re.M | re.S)
EXAMPLES = {Path(path): code for path, code in SECTION.findall(PAGE)}
ANNOUNCED = tomllib.loads(re.search(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)[1])
REGISTRIES = {r.group: r for r in (PROPERTIES, ESTIMATORS, UTILITIES, SOURCES, ENGINES)}
REGISTRY_OF = {
    name: REGISTRIES[group]
    for group, names in ANNOUNCED["project"]["entry-points"].items()
    for name in names
}
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def forget(package):
    """Take the examples out of the registries, so that other tests do not meet them."""
    for name, registry in REGISTRY_OF.items():
        registry._entries.pop(name, None)
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        del sys.modules[name]


@pytest.fixture(scope="module", autouse=True)
def mine(tmp_path_factory):
    """Install all examples as package ``mine``, with the entry points that the page shows."""
    site = tmp_path_factory.mktemp("site")
    (site / "mine").mkdir()
    (site / "mine" / "__init__.py").touch()
    for path, code in EXAMPLES.items():
        (site / "mine" / path.name).write_text(code, "utf-8")
    (site / "mine-1.0.dist-info").mkdir()
    (site / "mine-1.0.dist-info" / "METADATA").write_text("Name: mine\nVersion: 1.0\n")
    groups = ANNOUNCED["project"]["entry-points"].items()
    (site / "mine-1.0.dist-info" / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items())
            for group, entries in groups
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        yield
        forget("mine")


def test_there_is_one_example_for_each_registry():
    assert sorted(path.stem for path in EXAMPLES) == sorted(REGISTRY_OF)
    assert len(EXAMPLES) == len(REGISTRIES) == 5
    for path in EXAMPLES:
        package = REGISTRY_OF[path.stem].package
        assert str(path.parent).replace("/", ".") == package


@each_example
def test_an_example_is_short_and_as_clean_as_the_package(path):
    code = EXAMPLES[path]
    assert len(code.splitlines()) < 30
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=code,
            cwd=ROOT,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@each_example
def test_an_example_works_from_its_folder_here(path, tmp_path, monkeypatch):
    registry = REGISTRY_OF[path.stem]
    package = importlib.import_module(registry.package)
    forget("mine")
    (tmp_path / path.name).write_text(EXAMPLES[path], "utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    try:
        found = registry.get(path.stem, "field")
        assert found.__module__ == f"{registry.package}.{path.stem}"
    finally:
        forget("mine")
        del sys.modules[f"{registry.package}.{path.stem}"]
        delattr(package, path.stem)


class TestSharpness(PropertySuite):
    name = "sharpness"
    per_image = True

    def test_one_bright_pixel_is_four_and_its_neighbours_one(self):
        images = np.zeros((1, 5, 5, 1), np.uint8)
        images[0, 2, 2] = 90
        empty = np.zeros((1, 1))
        measured = get_property("sharpness").measure(ImageSet(images, empty, empty), {})
        assert measured == pytest.approx(90 * (4 + 4) / 9)


class TestComplementary(EstimatorSuite):
    estimator = "complementary"
    linear = True

    def test_a_table_without_pairs_is_refused(self):
        rows = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0]], bool)
        with pytest.raises(InputError, match="complementary needs coalitions together with"):
            estimate(UtilityTable.from_arrays(rows, rows.sum(axis=1)), "complementary")


def write_arrays(folder, names=("ada", "ben", "cy", "di"), size=8):
    for seed, name in enumerate(names):
        generator = np.random.default_rng(seed)
        shape = (12 + seed, size, size, 1)
        np.save(folder / f"{name}.npy", generator.integers(0, 60 * (seed + 1), shape, np.uint8))
    return folder


class TestArrays(SourceSuite):
    source = "arrays"

    def fields(self, folder):
        return {"path": write_arrays(folder)}

    @pytest.mark.parametrize("shapes", [[], [(4, 8, 8)], [(4, 8, 8, 1), (4, 9, 9, 1)]])
    def test_what_is_no_folder_of_images_is_refused(self, shapes, tmp_path):
        for number, shape in enumerate(shapes):
            np.save(tmp_path / f"{number}.npy", np.zeros(shape, np.uint8))
        with pytest.raises(InputError, match=r"data\.path: name a folder of arrays"):
            load_contributors(DataSettings(source="arrays", path=tmp_path, image_size=12))


class TestInline(EngineSuite):
    engine = "inline"
    replaces_workers = False


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("contributing")


@pytest.fixture(scope="module")
def study(place):
    (place / "arrays").mkdir()
    return micro_study(
        "properties.names=[sharpness]",
        "properties.headline=sharpness",
        "values.estimator=complementary",
        "game.utility=bias_finetuning",
        "data.source=arrays",
        f"data.path={write_arrays(place / 'arrays')}",
        "execution.engine=inline",
        "execution.training_threads=1",
    )


@pytest.fixture(scope="module")
def result(place, study):
    return run_in(place, study)


@pytest.mark.slow
def test_a_study_is_made_of_all_five(place, result):
    lines = ledger_lines(place / "studies")
    assert len({line["coalition"] for line in lines}) == 2**4
    assert all(set(line["properties"]) == {"sharpness"} for line in lines)
    assert all((line["error"], line["attempts"]) == (None, 1) for line in lines)
    values = result.headline
    assert values.estimator == "complementary"
    assert list(values.contributors) == ["ada", "ben", "cy", "di"]
    assert values.values.sum() == pytest.approx(values.v_full - values.v_empty)


@pytest.mark.slow
def test_worker_processes_find_them_by_their_entry_points(place, study, result):
    before = len(ledger_lines(place / "studies"))
    more = study.game.model_copy(update={"border_repeats": 3})
    elsewhere = study.execution.model_copy(update={"engine": "processes"})
    asked = study.model_copy(update={"game": more, "execution": elsewhere})
    run_in(place, asked, until="coalitions")
    added = ledger_lines(place / "studies")[before:]
    assert {line["coalition"] for line in added} == {"0000", "1111"}
    assert all((line["error"], line["attempts"]) == (None, 1) for line in added)


@pytest.mark.slow
def test_only_vectors_of_the_full_model_are_trained(study, result):
    bench = Workbench(study, result.folders, "cpu")
    model = get_utility("bias_finetuning").start(bench, 0)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert {weight.ndim for weight in trained} == {1}


def test_biases_are_not_asked_of_adapters():
    adapters = micro_study("diffusion.task=text_to_image_lora")
    assert "adapters have no biases" in get_utility("bias_finetuning").unsuitable(adapters)
