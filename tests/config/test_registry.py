"""Names become code: this project's modules, a decorator, an installed package."""

from importlib import import_module

import pytest

from credit_plugin.errors import InputError
from credit_plugin.game import design_names
from credit_plugin.registry import Registry


@pytest.fixture
def registry():
    return Registry("credit_plugin.game.designs", "credit_plugin.toys", "a toy")


def test_what_is_registered_is_found(registry):
    @registry.register("kite")
    def kite():
        return "flies"

    assert registry.get("kite", "game.toy") is kite
    assert registry.names() == ["kite"]


@pytest.mark.parametrize(
    ("name", "hint"), [("kit", "did you mean kite?"), ("??", "choose from ball, kite")]
)
def test_an_unknown_name_is_said_in_one_line(registry, name, hint):
    registry.register("kite")(1)
    registry.register("ball")(2)
    with pytest.raises(InputError) as caught:
        registry.get(name, "game.toy")
    assert str(caught.value) == f"game.toy: {name!r} is not a toy; {hint}"


@pytest.mark.parametrize("name", ["", ".", "..", "../designs", "paired_border.x", "os", "a/b"])
def test_a_name_imports_nothing_outside_the_package(registry, monkeypatch, name):
    imported = []

    def record(module):
        imported.append(module)
        return import_module(module)

    monkeypatch.setattr("credit_plugin.registry.import_module", record)
    with pytest.raises(InputError, match="is not a toy"):
        registry.get(name, "game.toy")
    package = registry.package
    assert set(imported) == {package, *(f"{package}.{design}" for design in design_names())}


def test_an_installed_package_announces_its_own(registry, tmp_path, monkeypatch):
    described = tmp_path / "toymaker-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: toymaker\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[credit_plugin.toys]\ntop = toymaker_top\n")
    (tmp_path / "toymaker_top.py").write_text(
        "import test_registry\ntest_registry.announced.register('top')('spins')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(globals(), "announced", registry)
    assert registry.names() == ["top"]
    assert registry.get("top", "game.toy") == "spins"
