"""``credit estimate``: from any table to a terminal, files and exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tracking"))

from stores import copy_store, using

from credit_plugin.cli import main
from credit_plugin.compensation import publication
from credit_plugin.compensation.stacked import GAP
from credit_plugin.errors import InputError
from credit_plugin.estimating import EstimateSettings, files, run_estimate
from credit_plugin.estimating.terminal import shown
from credit_plugin.game import UtilityTable, design
from credit_plugin.game.toys import AdditiveGame, NoisyGame, SaturatingGame
from credit_plugin.tables import read_table
from credit_plugin.values import ContributorValues, estimate, estimator_names

NAMES = ("Łódź Studio", "=1+1", "李雷", "bob")
WORTHS = (0.5, 0.25, 0.125, 0.0)
ALWAYS = {"values.csv", "values.json", "coalitions.csv", "values.png"}


def enumerated(names=NAMES, worths=WORTHS, repeats=2):
    """All coalitions of an additive and a saturating game with noise, everybody repeated."""
    n = len(worths)
    rows = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    rows = np.concatenate([rows, *[np.array([[0] * n, [1] * n], bool)] * (repeats - 1)])
    weights = np.arange(n, 0, -1)
    games = {"worth": AdditiveGame(worths, 1.0), "quality": SaturatingGame(weights, 4.0)}
    return UtilityTable.concat(
        *(
            UtilityTable.from_arrays(rows, NoisyGame(game, 0.01, 5)(rows), names, name)
            for name, game in games.items()
        )
    )


@pytest.fixture(scope="module")
def both():
    return enumerated()


@pytest.fixture
def two(both):
    """Path of a table of two properties."""
    both.to_csv("two.csv")
    return "two.csv"


@pytest.fixture
def one(both):
    """Path of a table of one property."""
    both.select("worth").to_csv("one.csv")
    return "one.csv"


def call(*arguments):
    given = [str(a) for a in arguments]
    if "--help" not in given:
        given += ["--resamples", "20"]
    return CliRunner().invoke(main, ["estimate", *given])


def refused(*arguments):
    """Return the one line of a command that must end with exit code 2."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1
    assert not isinstance(result.exception, InputError)
    return result.output.strip()


def test_help_has_an_example():
    text = call("--help").output
    assert "Example:\n    credit estimate coalitions.csv" in text


def test_the_terminal_says_what_was_found_and_what_it_rests_on(two):
    result = call(two)
    assert result.exit_code == 0, result.output
    text = result.output
    assert text.startswith("two.csv: 4 contributors, 36 rows, properties worth, quality\n")
    for name in ("worth", "quality"):
        assert f"{name}: Shapley value" in text
    for column in ("contributor", "value", "95% interval", "share", "rank"):
        assert column in text
    assert all(name in text for name in NAMES)
    assert "measured     18 evaluations of 16 coalitions" in text
    assert text.count("standard deviation of one evaluation, from 2 repeats") == 2
    assert text.count("sum of values = ") == 2
    assert "intervals    seed noise only: no coalition was left to chance" in text
    table = read_table(two)
    found = run_estimate(two, EstimateSettings(resamples=20))
    assert found.values["worth"].values == pytest.approx(
        estimate(table, property="worth", resamples=20).values
    )
    for reliability in found.reliability.values():
        assert f"reliability  {reliability.statement}" in text
    assert "wrote" not in text
    assert sorted(p.name for p in Path().iterdir()) == ["two.csv"]


def test_auto_says_what_it_chose_and_why(one):
    text = call(one, "--estimator", "auto").output
    assert "estimator    auto: exact\n" in text
    assert "             every coalition was evaluated\n" in text


def test_every_estimator_names_its_own_quantity(one):
    table = read_table(one)
    for name in estimator_names():
        quantity = estimate(table, name, resamples=2).quantity
        text = call(one, "--estimator", name).output
        assert f"worth: {quantity}\n" in text
        assert ("Shapley value" in text) == ("Shapley value" in quantity)
        assert ("need not be the difference" in text) == (quantity != "Shapley value")


def test_files_hold_the_values_in_every_digit(two):
    result = call(two, "--out", "found", "--seed", "3", "--confidence", "0.9")
    assert result.exit_code == 0, result.output
    assert {p.name for p in Path("found").iterdir()} == ALWAYS
    assert (
        "wrote        found: values.csv, values.json, coalitions.csv, values.png" in result.output
    )
    record = json.loads(Path("found/values.json").read_text("utf-8"))
    assert record["settings"]["seed"] == 3
    table = read_table(two)
    frame = pd.read_csv("found/values.csv")
    assert list(frame) == [
        "property", "contributor", "value", "standard_error", "ci_low", "ci_high", "share",
        "rank_low", "rank_high",
    ]  # fmt: skip
    for name in table.property_names:
        values = estimate(table, seed=3, property=name, confidence=0.9, resamples=20)
        part = record["properties"][name]
        again = ContributorValues.from_json_dict(part["values"])
        assert again.contributors == NAMES
        assert again.ci_high.tobytes() == values.ci_high.tobytes()
        assert part["values"]["diagnostics"]["evaluations"] == 18
        assert part["reliability"]["statement"]
        rows = frame[frame["property"] == name]
        order = np.argsort(-values.values)
        assert rows["value"].tolist() == values.values[order].tolist()
        assert rows["ci_low"].tolist() == values.ci_low[order].tolist()
        assert (
            rows["rank_low"].tolist() == np.array(part["reliability"]["rank_low"])[order].tolist()
        )
    again = read_table("found/coalitions.csv")
    assert again.utilities.tobytes() == table.utilities.tobytes()
    assert again.properties == table.properties


def test_the_picture_has_a_panel_for_each_property(two):
    heights = {}
    for chosen in (["worth"], ["quality"], ["worth", "quality"]):
        wanted = [part for name in chosen for part in ("--property", name)]
        assert call(two, *wanted, "--out", "found").exit_code == 0
        with Image.open("found/values.png") as picture:
            picture.load()
            heights[tuple(chosen)] = picture.height
    both = heights.pop(("worth", "quality"))
    assert both == sum(heights.values()) + GAP
    assert min(heights.values()) > 200


def test_values_csv_is_for_spreadsheets(one):
    call(one, "--out", "found")
    content = Path("found/values.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfcontributor,value,")  # or Excel takes it for Latin-1
    text = content.decode("utf-8-sig")
    assert '"Łódź Studio",' in text
    assert '"\'=1+1",' in text
    assert not Path("found/coalitions.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_interactions_are_told_and_written(two):
    result = call(two, "--interactions", "--out", "found")
    assert result.exit_code == 0, result.output
    assert {p.name for p in Path("found").iterdir()} == ALWAYS | {
        "interactions.csv",
        "interactions.png",
    }
    assert "interactions " in result.output
    assert "of 6 pairs have an interval that does not contain 0" in result.output
    frame = pd.read_csv("found/interactions.csv")
    assert list(frame)[:4] == ["property", "first", "second", "interaction"]
    assert frame.groupby("property").size().to_dict() == {"worth": 6, "quality": 6}
    # who saturates substitutes
    strongest = frame[frame["property"] == "quality"].iloc[0]
    assert {strongest["first"], strongest["second"]} == {"Łódź Studio", "'=1+1"}
    assert strongest["ci_high"] < 0
    record = json.loads(Path("found/values.json").read_text("utf-8"))
    assert record["properties"]["worth"]["interactions"]["pairs"][0]["first"] in NAMES


def test_properties_are_chosen_by_name(two):
    result = call(two, "--property", "quality", "--out", "found")
    assert "quality: Shapley value" in result.output
    assert "worth: Shapley value" not in result.output
    assert "property" not in pd.read_csv("found/values.csv")
    assert read_table("found/coalitions.csv").property_names == ("worth", "quality")


def test_options_have_the_types_that_the_estimator_declares(one):
    beta = ("--estimator", "beta_shapley")
    text = call(one, *beta, "--option", "alpha=4", "--option", "beta=1e0").output
    assert "worth: Beta(4, 1) Shapley value" in text
    wrong = "--option alpha: 'much' is not a number"
    assert refused(one, *beta, "--option", "alpha=much") == f"error: {wrong}"
    assert "--option 'alpha' must look like key=value" in refused(one, *beta, "--option", "alpha")
    twice = refused(one, *beta, "--option", "alpha=1", "--option", "alpha=2")
    assert twice == "error: --option alpha: is given twice"
    unknown = refused(one, *beta, "--option", "gamma=1")
    assert "'gamma' is not an option of estimator beta_shapley" in unknown


HEAD = "ann,bob,utility\n"
MALFORMED = {
    "ann,bob,score\n0,0,1\n": ": there is no column 'utility'; add what was measured",
    "ann,utility\n0,1\n1,2\n": ": 1 contributor columns found; values need at least two",
    HEAD + "0,0,1\n2,0,1\n": ", line 3: column 'ann' is '2'; only 0 or 1 is allowed",
    HEAD + "0,0,1\n1,,1\n": ", line 3: column 'bob' is ''; only 0 or 1 is allowed",
    HEAD + "0,0,nan\n": ", line 2: utility is 'nan'; a finite number is needed, remove failed rows",
    HEAD + "0,0,-inf\n": ", line 2: utility is '-inf'; a finite number is needed, remove failed "
    "rows",
    HEAD + "0,0,1\n1,0\n": ", line 3: 2 cells for 3 columns; complete or remove the line",
    HEAD + "0,0,1\n1,0,2\n0,1,1\n": ": the full coalition is missing; evaluate it, every value "
    "rests on it",
    HEAD + "1,1,1\n1,0,2\n0,1,1\n": ": the empty coalition is missing; evaluate it, every value "
    "rests on it",
    HEAD + "0,0,1\n1,1,2\n": ": only the empty and the full coalition are evaluated; evaluate "
    "others too",
    HEAD + "0,0,1\n1,0,2\n0,1,1\n1,1,1e308\n": ": utility of utility is up to 1e+308, which cannot "
    "be squared twice; use another unit",
    HEAD: ": has a header but no rows; evaluate some coalitions first",
    "": ": the file is empty; a header and rows are needed",
}


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: MALFORMED[text][2:40])
def test_a_malformed_table_is_one_line_with_its_name(text):
    Path("table.csv").write_text(text, "utf-8")
    assert refused("table.csv", "--out", "found") == f"error: table.csv{MALFORMED[text]}"
    assert sorted(p.name for p in Path().iterdir()) == ["table.csv"]


def test_of_several_properties_the_lacking_one_is_named(both):
    lacking = both.to_frame()
    everybody = lacking[list(NAMES)].all(axis=1) & (lacking["property"] == "quality")
    lacking[~everybody].to_parquet("two.parquet")
    assert refused("two.parquet") == (
        "error: two.parquet, property quality: the full coalition is missing; evaluate it, every "
        "value rests on it"
    )


def test_what_an_estimator_misses_is_said_with_the_table(both):
    rows = both.select("worth").to_frame()
    rows[rows[list(NAMES)].sum(axis=1) != 1].to_csv("lacking.csv", index=False)
    line = refused("lacking.csv", "--estimator", "add_one_in")
    assert line.startswith("error: lacking.csv: add_one_in needs the coalition of each single")
    line = refused("lacking.csv", "--estimator", "exact")
    assert line.startswith("error: lacking.csv: exact needs all 16 coalitions and 4 are missing")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--estimator", "exakt"], "values.estimator: 'exakt' is not an estimator"),
        (["--property", "speed"], "property: 'speed' is not in the table; it holds worth"),
        (["--confidence", "95"], "confidence: 95.0 is not between 0 and 1"),
        (["--confidence", "0.9999999999999999"], "confidence: 0.9999999999999999 is 1 but for"),
        (
            ["--estimator", "beta_shapley", "--option", "beta=1e308"],
            "values.options: beta 1e+308 must be a number above 0, at most 1000000",
        ),
        (["--resamples", "1"], "resamples: 1 is too few"),
        (["--out", "."], "--out .: you are in this folder; name one that can be replaced"),
        (["--out", "one.csv"], "--out one.csv: is no folder to write (Not a directory)"),
    ],
)
def test_a_bad_argument_is_one_line(one, arguments, line):
    result = CliRunner().invoke(main, ["estimate", one, *arguments])
    assert result.exit_code == 2
    assert result.output.startswith(f"error: {line}")
    assert result.output.count("\n") == 1
    assert Path(one).is_file()


def test_an_earlier_estimate_is_replaced_as_a_whole(one):
    assert call(one, "--out", "found", "--interactions").exit_code == 0
    again = call("found/coalitions.csv", "--out", "found")
    assert again.exit_code == 0, again.output
    assert {p.name for p in Path("found").iterdir()} == ALWAYS
    assert sorted(p.name for p in Path().iterdir()) == ["found", "one.csv"]


def test_an_empty_folder_is_written_to(one):
    Path("deep/found").mkdir(parents=True)
    assert call(one, "--out", "deep/found").exit_code == 0
    assert {p.name for p in Path("deep/found").iterdir()} == ALWAYS


@pytest.mark.parametrize("name", ["notes.txt", "coalitions.csv", "values.json"])
def test_a_folder_with_anything_else_in_it_is_left_alone(one, name):
    Path("found").mkdir()
    Path("found", name).write_text("{}")
    assert f"--out found: holds '{name}'" in refused(one, "--out", "found")
    assert Path("found", name).read_text() == "{}"
    assert sorted(p.name for p in Path().iterdir()) == ["found", "one.csv"]


@pytest.mark.parametrize("existing", [False, True])
def test_nothing_half_written_stays_behind(one, existing, monkeypatch):
    if existing:
        assert call(one, "--out", "found").exit_code == 0
        before = {p.name: p.read_bytes() for p in Path("found").iterdir()}

    def full_disk(figures, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "save_stacked", full_disk)
    line = refused(one, "--out", "found", "--estimator", "kernelshap")
    assert line == "error: --out found: cannot be written (No space left on device)"
    left = sorted(p.name for p in Path().iterdir())
    assert left == (["found", "one.csv"] if existing else ["one.csv"])
    if existing:
        assert {p.name: p.read_bytes() for p in Path("found").iterdir()} == before


def test_where_folders_cannot_be_exchanged_in_one_step_it_works_too(one, monkeypatch):
    monkeypatch.setattr(publication, "_exchange", lambda *_: False)
    for _ in range(2):
        assert call(one, "--out", "found").exit_code == 0
    assert sorted(p.name for p in Path().iterdir()) == ["found", "one.csv"]


def test_of_many_contributors_the_two_ends_are_shown():
    n = 50
    rows = design(n, 2 * n + 2, seed=0)
    utilities = rows @ np.linspace(2, 1, n)
    names = [f"person {i:02}" for i in range(n)]
    UtilityTable.from_arrays(rows, utilities, names).to_csv("many.csv")
    text = call("many.csv", "--out", "found").output
    assert "… 10 in the middle" in text
    assert "person 00" in text
    assert "person 49" in text
    assert "person 25" not in text
    assert len(pd.read_csv("found/values.csv")) == n


def test_names_cannot_control_the_terminal():
    names = ("\x1b[2Jann", "[bold]bob[/bold]", "c\x07")
    enumerated(names, (1, 2, 3)).select("worth").to_csv("odd.csv")
    text = call("odd.csv").output
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]bob[/bold]" in text
    assert shown("\ud800x") == "\ufffdx"


@pytest.fixture
def store(tmp_path):
    """URI of an empty store, MLflow's own as long as the test takes."""
    before, uri = dict(os.environ), copy_store(tmp_path)
    with using(uri):
        yield uri
    os.environ.clear()  # MLflow keeps its state there
    os.environ.update(before)


@pytest.fixture
def client(store):
    return mlflow.MlflowClient(store)


def test_a_run_is_read_by_its_id(both, client, store):
    run_id = client.create_run("0").info.run_id
    both.to_csv("coalitions.csv")
    client.log_artifact(run_id, "coalitions.csv")
    client.log_artifact(run_id, "coalitions.csv", "deep")
    Path("coalitions.csv").unlink()
    before = set(Path().iterdir())
    for source in (run_id, f"runs:/{run_id}", f"runs:/{run_id}/deep/coalitions.csv"):
        table = read_table(source, tracking_uri=store)
        assert table.contributors == both.contributors
        assert table.properties == both.properties
        assert table.utilities.tobytes() == both.utilities.tobytes()
    mlflow.set_tracking_uri("sqlite:///nowhere.db")
    result = call(run_id, "--tracking-uri", store, "--property", "worth")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{run_id}: 4 contributors, 36 rows")
    assert set(Path().iterdir()) == before


def test_a_run_without_a_table_is_one_line(client, store):
    run_id = client.create_run("0").info.run_id
    child = client.create_run("0", tags={"mlflow.parentRunId": run_id}).info.run_id
    assert refused(run_id) == (
        f"error: run {run_id}: has no artifact coalitions.csv; a study's run has it once its "
        "report is written"
    )
    assert refused(child) == (
        f"error: run {child}: has no artifact coalitions.csv; it is part of run {run_id}, try that "
        "one"
    )
    absent = "0" * 32
    assert refused(f"runs:/{absent}") == (
        f"error: run {absent}: is not in tracking store {store}; give another --tracking-uri"
    )
    assert refused(absent, "--tracking-uri", "sqlite:////dev/null/x.db").startswith(
        "error: tracking store sqlite:////dev/null/x.db: "
    )


def test_a_malformed_table_of_a_run_is_named_by_the_run(client):
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, HEAD + "0,0,1\n1,1,nan\n", "coalitions.csv")
    assert refused(run_id) == (
        f"error: run {run_id}, coalitions.csv, line 3: utility is 'nan'; a finite number is "
        "needed, remove failed rows"
    )


def test_frames_are_estimated_from_python(both):
    found = run_estimate(both.select("worth").to_frame(), EstimateSettings(resamples=20))
    expected = estimate(both, property="worth", resamples=20)
    assert found.values["worth"].ci_low.tobytes() == expected.ci_low.tobytes()
    lacking = both.select("worth").to_frame().iloc[1:-2]
    with pytest.raises(InputError, match=r"^frame: the empty coalition is missing"):
        run_estimate(lacking, EstimateSettings(resamples=20))


def test_a_file_is_estimated_without_torch_and_mlflow(one):
    code = (
        "import sys; from credit_plugin.cli import main; main(standalone_mode=False); "
        "print(sorted({'torch', 'mlflow'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "estimate", one, "--out", "found"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.endswith("\n[]\n"), done.stderr
    assert done.stderr == ""  # no warning of a font or a number either
