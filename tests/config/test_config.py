"""Study files: what is accepted, and the one line that says what is not."""

import re
from pathlib import Path

import pytest
import yaml

from credit_plugin.config import Study, dump_study, fingerprint, load_study, preset_names
from credit_plugin.errors import InputError


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_loads_and_says_what_it_needs(preset):
    study = load_study(preset)
    assert study.name == preset
    assert study.description
    assert study.needs


def test_a_preset_may_start_from_another_one():
    paper, fast = load_study("cifar20-ddpm"), load_study("cifar20-ddpm-fast")
    assert fast.data == paper.data
    assert fast.diffusion.network == paper.diffusion.network
    assert fast.sampling.steps < paper.sampling.steps
    assert fast.name != paper.name


@pytest.mark.parametrize(
    ("preset", "task", "steps", "ratio", "headline"),
    [
        ("cifar20-ddpm", "ddpm", (20000, 10000, 1000), 0.3, "inception_score"),
        ("celebahq-ldm", "latent", (20000, 20000, 500), 0.5, "diversity"),
        ("artbench-sd-lora", "text_to_image_lora", (15625, 1580, 200), 0.5, "aesthetic"),
    ],
)
def test_presets_of_the_paper_have_its_settings(preset, task, steps, ratio, headline):
    study = load_study(preset)
    assert study.diffusion.task == task
    assert tuple(run.steps for run in study.trainings) == steps
    assert study.pruning.ratio == ratio
    assert study.sampling.steps == 100
    assert study.properties.headline == headline
    assert study.values.estimator == "kernelshap_paper"


def test_the_default_is_the_demo():
    assert load_study() == load_study("designers")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.steps=3", "training: unknown setting"),
        ("pruning.ratoi=0.3", "pruning.ratoi: unknown setting; did you mean ratio?"),
        ("game.finetuning.step=3", "game.finetuning.step: unknown setting; did you mean steps?"),
        ("pruning.ratio=1.5", "pruning.ratio: input should be less than 1, got 1.5"),
        ("values.confidence=1", "values.confidence: input should be less than 0.99"),
        ("values.confidence=0.9999999999999999", "values.confidence: input should be less than"),
        ("values.confidence=nan", "values.confidence: input should be"),
        ("pruning.ratio=0", "pruning.ratio: input should be greater than 0, got 0"),
        ("pruning.ratio=half", "pruning.ratio: input should be a valid number"),
        ("game.finetuning.steps=0", "game.finetuning.steps: input should be greater than or equal"),
        (
            "diffusion.training.steps=many",
            "diffusion.training.steps: input should be a valid integer",
        ),
        ("game.budget=3", "game.budget: input should be greater than or equal to 4"),
        ("game.finetuning.warmup_steps=100000", "warmup_steps = 100000 is longer than the run"),
        ("properties.headline=beauty", "headline 'beauty' is not among names"),
        ("properties.names=[diversity, diversity]", "names"),
        ("compensation.pool=10.001", "EUR has at most 2 decimals"),
        ("compensation={pool: 10.5, currency: JPY}", "JPY has at most 0 decimals"),
        ("compensation.pool=1e999999", "compensation.pool: input should be less than"),
        ("compensation.pool=-1", "compensation.pool: input should be greater than 0"),
        ("compensation.currency=euro", "compensation.currency"),
        ("game.baseline=.nan", "a baseline number must be finite"),
        ("name=../escape", "name: string should match pattern"),
        ("diffusion.noise.prediction_type=epsilon diffusion.noise.zero_terminal_snr=true", ""),
        ("nonsense", "override 'nonsense' must look like section.field=value"),
        ("properties.classifier.width=5", "classifier.width: input should be a multiple of 2"),
        ("a.b=[1", "a.b: the value '[1' is not YAML"),
    ],
)
def test_bad_settings_get_one_clear_line_that_names_the_field(override, message):
    with pytest.raises(InputError) as caught:
        load_study("designers", overrides=override.split(" d"))
    lines = str(caught.value).splitlines()
    assert any(message in line for line in lines)
    assert all(len(line) < 250 for line in lines)


def test_all_bad_fields_are_named_at_once():
    with pytest.raises(InputError) as caught:
        load_study(overrides=["pruning.ratio=2", "game.budget=x", "seed=-1"])
    assert {line.split(":")[0] for line in str(caught.value).splitlines()} == {
        "pruning.ratio",
        "game.budget",
        "seed",
    }


def test_zero_terminal_snr_needs_a_prediction_that_exists_there():
    with pytest.raises(InputError, match="needs prediction_type v_prediction or sample"):
        load_study(
            overrides=[
                "diffusion.noise.prediction_type=epsilon",
                "diffusion.noise.zero_terminal_snr=true",
            ]
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("prompt='{nobody}'",), "recipe: prompt '{nobody}' cannot be filled in; it may use"),
        (("prompt='{caption[a]}'",), "recipe: prompt '{caption[a]}' cannot be filled in"),
        (("prompt=' '",), "recipe: prompt is empty"),
        (("network.patch_size=2",), "network.patch_size = 2: a recipe has no patches; use 1"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(changes, message):
    recipe = "diffusion.base.recipe."
    told = [recipe + change for change in ("data.source=digits", *changes)]
    with pytest.raises(InputError) as caught:
        load_study(overrides=told)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("widths", "attention", "head", "refused"),
    [
        ("[16, 64]", "[false, false]", 65, True),  # the middle attends whatever attention says
        ("[16, 64]", "[true, false]", 17, True),
        ("[16, 64]", "[false, true]", 64, False),
        ("[16, 64]", "[true, false]", "null", False),
    ],
)
def test_a_head_of_attention_is_no_wider_than_its_level(widths, attention, head, refused):
    network = "diffusion.network."
    told = [
        f"{network}block_out_channels={widths}",
        f"{network}attention={attention}",
        f"{network}attention_head_dim={head}",
    ]
    if not refused:
        load_study(overrides=told)
        return
    with pytest.raises(InputError, match=rf"attention_head_dim = {head} is more than the width"):
        load_study(overrides=told)


def test_levels_and_widths_must_fit_together():
    with pytest.raises(InputError, match="give one for each level"):
        load_study(overrides=["diffusion.network.attention=[true]"])
    with pytest.raises(InputError, match="does not divide the width 20"):
        load_study(overrides=["diffusion.network.block_out_channels=[20,20]"])


def test_unknown_preset_suggests_the_nearest():
    with pytest.raises(InputError, match="did you mean digits"):
        load_study("digit")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "must hold 'key: value' lines"),
        ("preset: nothing", "preset 'nothing' does not exist"),
        ("pruning: 3", "pruning: input should be a valid dictionary"),
    ],
)
def test_bad_study_files(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        load_study(config=path)


def test_a_missing_study_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"study file .*absent.yaml cannot be read"):
        load_study(config=tmp_path / "absent.yaml")


def test_file_over_preset_and_set_over_file(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("preset: digits\nseed: 4\ngame: {budget: 20}\n")
    study = load_study(config=path, overrides=["game.budget=24"])
    assert (study.name, study.seed, study.game.budget) == ("digits", 4, 24)


def test_a_dumped_study_loads_as_itself(tmp_path):
    study = load_study("digits", overrides=["game.baseline=1.5", "compensation.pool=12.30"])
    path = tmp_path / "study.yaml"
    path.write_text(dump_study(study))
    assert load_study(config=path) == study


def test_every_setting_has_a_help_text():
    def walk(model, where):
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and hasattr(inner, "model_fields"):
                walk(inner, f"{where}.{name}")
            else:
                assert field.description, f"{where}.{name}"

    walk(Study, "study")


def test_fingerprints_follow_content():
    study = load_study("digits")
    same = load_study("digits")
    other = load_study("digits", overrides=["pruning.ratio=0.4"])
    assert fingerprint(study.pruning, 1) == fingerprint(same.pruning, 1)
    assert fingerprint(study.pruning, 1) != fingerprint(other.pruning, 1)


@pytest.mark.parametrize("typed", ["0.5", "[0.5]"])
def test_a_list_may_be_typed_as_one_entry(typed):
    assert load_study("digits", overrides=[f"fidelity.alphas={typed}"]).fidelity.alphas == (0.5,)


def test_a_list_may_be_typed_with_commas():
    study = load_study(
        "digits", overrides=["fidelity.alphas=0.25,0.5", "fidelity.methods=trak, d_trak"]
    )
    assert study.fidelity.alphas == (0.25, 0.5)
    assert study.fidelity.methods == ("trak", "d_trak")
    with pytest.raises(InputError, match=r"fidelity\.alphas"):
        load_study("digits", overrides=["fidelity.alphas=many"])


def test_a_policy_file_is_the_whole_policy_and_overrides_change_it(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: '7'\npool: 500\nreserve: 0.1\n", "utf-8")
    study = load_study("digits", overrides=[f"compensation.policy={policy}"])
    assert (study.compensation.version, study.compensation.reserve) == ("7", 0.1)
    assert study.compensation.duplicates == "merge"  # and not what the preset says
    changed = load_study(
        "digits", overrides=[f"compensation.policy={policy}", "compensation.pool=20.50"]
    )
    assert str(changed.compensation.pool) == "20.50"
    assert changed.compensation.reserve == 0.1


def test_a_study_file_may_name_its_policy_and_is_stored_with_it(tmp_path):
    (tmp_path / "policy.yaml").write_text("{floor: 3.00, cap: 900}", "utf-8")
    (tmp_path / "study.yaml").write_text(
        f"preset: digits\ncompensation: {{policy: {tmp_path / 'policy.yaml'}, cap: 800}}\n", "utf-8"
    )
    study = load_study(config=tmp_path / "study.yaml")
    assert (str(study.compensation.floor), str(study.compensation.cap)) == ("3.00", "800.00")
    (tmp_path / "again.yaml").write_text(dump_study(study), "utf-8")
    assert load_study(config=tmp_path / "again.yaml") == study


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("compensation.policy=3", "compensation.policy: must be the path of a policy file"),
        ("compensation.policy=/nowhere.yaml", "policy file /nowhere.yaml cannot be read"),
        ("compensation.weights={kid: 1}", "compensation.weights: 'kid' is not measured"),
        ("compensation.directions={kid: higher}", "compensation.directions: 'kid' is not"),
        ("compensation.weights={diversity: -1}", "compensation.weights.diversity: input should"),
        ("compensation.weights={diversity: 0}", "compensation: weights: all are 0"),
        ("compensation.owners={A: [x], B: [x]}", "compensation.owners: 'x' is there twice"),
        ("compensation.holds={x: ' '}", "compensation.holds: 'x' has no reason"),
        ("compensation={floor: 5, cap: 4}", "compensation: cap = 4.00 is below the guaranteed"),
        ("compensation.floor=20000", "compensation: floor = 20000.00 for one owner is above"),
        ("compensation.floor=0.001", "compensation.floor: must be a finite amount"),
        ("compensation.brought_forward={x: 0.001}", "compensation.brought_forward: must be"),
        ("compensation.reserve=1", "compensation.reserve: input should be less than 1"),
        ("compensation.registered={x: soon}", "compensation.registered.x: input should be"),
        (
            "compensation={withdrawn: {x: a}, exclusions: {x: b}}",
            "compensation: withdrawn: 'x' is among the exclusions too",
        ),
    ],
)
def test_a_policy_that_cannot_be_kept_gets_one_line(override, message):
    with pytest.raises(InputError) as caught:
        load_study("digits", overrides=[override])
    assert str(caught.value).startswith(message), str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_policy_of_the_readme_is_one(tmp_path):
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"```yaml\n(# policy\.yaml\n.*?)```", readme, re.DOTALL)
    (tmp_path / "policy.yaml").write_text(shown, "utf-8")
    policy = load_study(overrides=[f"compensation.policy={tmp_path / 'policy.yaml'}"]).compensation
    assert policy.owners == {"Atelier One": ("one", "one-sketches", "scans/0007.png")}
    assert set(yaml.safe_load(shown)) == policy.model_fields_set
