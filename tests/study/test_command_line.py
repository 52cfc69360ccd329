"""The command line: help, exit codes, single lines."""

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from credit_plugin.cli import _split, main


def call(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    "command",
    [
        ["run"], ["train"], ["prune"], ["coalitions"], ["values"], ["report"], ["fidelity"],
        ["presets"], ["doctor"], ["data", "check"],
    ],
)  # fmt: skip
def test_every_command_helps_with_an_example(command):
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"credit {' '.join(command)}" in result.output


def test_presets_are_listed_with_what_they_need():
    result = call("presets")
    assert result.exit_code == 0
    assert "designers" in result.output
    assert "digits" in result.output
    assert "CPU" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--set", "pruning.ratio=2"], "error: pruning.ratio: input should be less than 1"),
        (["run", "--preset", "nothing"], "error: preset 'nothing' does not exist"),
        (["run", "--config", "absent.yaml"], "error: study file absent.yaml cannot be read"),
        (["run", "--overrides", "seed=x game.budget=1"], "error: game.budget"),
        (["train", "--nonsense"], "No such option"),
        (["data", "check", "absent"], "absent"),
    ],
)
def test_bad_input_is_exit_code_2_and_no_traceback(arguments, message):
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_empty_parameters_of_mlproject_count_as_not_given():
    result = call("run", "--preset", "", "--config", "", "--overrides", "seed=-1")
    assert result.exit_code == 2
    assert result.output.startswith("error: seed:")


def test_overrides_split_at_settings_and_not_inside_values():
    assert _split("a.b=1 c=[1, 2]  d.e=x y") == ["a.b=1", "c=[1, 2]", "d.e=x y"]
    assert _split("  ") == []


def test_doctor_finds_this_installation_sound():
    result = call("doctor", "--tracking-uri", "sqlite:///mlflow.db")
    assert "torchvision" in result.output
    assert "mlflow.db is not there yet" in result.output.replace("\n      ", " ")
    assert result.exit_code == 0, result.output
    assert list(Path().iterdir()) == []


def test_doctor_says_what_to_mend():
    Path("mlflow.db").write_text("no database, whatever its name says: " * 30)
    result = call("doctor", "--tracking-uri", "sqlite:///mlflow.db")
    assert result.exit_code == 1
    told = result.output.replace("\n      ", " ")
    assert "FIX   tracking store" in told
    assert "--tracking-uri" in told


PROJECT = yaml.safe_load((Path(__file__).parents[2] / "MLproject").read_text("utf-8"))


@pytest.mark.parametrize("entry", PROJECT["entry_points"])
def test_every_entry_point_calls_a_command_with_options_that_it_has(entry):
    point = PROJECT["entry_points"][entry]
    name = re.match(r"credit (\w+) ", point["command"])[1]
    assert name == {"main": "run"}.get(entry, entry)
    options = {option for parameter in main.commands[name].params for option in parameter.opts}
    asked = re.findall(r"(--[a-z-]+) \{(\w+)\}", point["command"])
    assert {option for option, _ in asked} <= options
    assert {parameter for _, parameter in asked} == set(point["parameters"])
