"""A whole study of adapters on a small pipeline: base model as v(empty), models for everybody."""

import sys
from pathlib import Path

import mlflow
import pytest
from diffusers import StableDiffusionPipeline
from micro import ledger_lines, micro_study, run_in
from peft import PeftModel

from credit_plugin.errors import InputError
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.tracking.flavors import diffusion

sys.path.insert(0, str(Path(__file__).parents[1] / "diffusion"))
from small_pipelines import write_pipeline

pytestmark = pytest.mark.slow


def lora_study(source, *overrides):
    return micro_study(
        "data={source: designers, image_size: 16}",
        "diffusion.task=text_to_image_lora",
        f"diffusion.base={{source: {source}}}",
        "diffusion.condition=prompt",
        "diffusion.prompt='an avatar by {contributor}'",
        "diffusion.lora.rank=4",
        "game.baseline=base_model",
        "game.budget=20",
        *overrides,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("lora")
    write_pipeline("stable_diffusion", place / "pipeline")
    return place


@pytest.fixture(scope="module")
def result(place):
    return run_in(place, lora_study(place / "pipeline"))


def test_the_empty_coalition_is_the_base_model(result, place):
    bench = Workbench(lora_study(place / "pipeline"), result.folders, "cpu")
    empty = next(e for e in ledger_lines(place / "studies") if "1" not in e["coalition"])
    images = bench.sample(bench.untrained(0), empty["repeat"])
    assert bench.measure(images) == pytest.approx(empty["properties"], rel=1e-4)
    assert "the base model" in (result.report / "report.md").read_text("utf-8")


def test_registered_adapters_are_pruned_and_load_with_peft(result, place, tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow.db'}")
    try:
        sizes = {}
        for kind in ("full", "pruned"):
            loaded = diffusion.load_model(f"models:/{result.models[kind]}")
            assert loaded.sample(3, 1).shape == (3, 16, 16, 3)
            sizes[kind] = sum(p.numel() for p in loaded.model.parameters())
            content = mlflow.artifacts.download_artifacts(
                f"models:/{result.models[kind]}/content", dst_path=str(tmp_path / kind)
            )
            unet = StableDiffusionPipeline.from_pretrained(place / "pipeline").unet
            PeftModel.from_pretrained(unet, content)
    finally:
        mlflow.set_tracking_uri(None)
    assert 0.45 < sizes["pruned"] / sizes["full"] <= 0.5


def test_a_baseline_that_does_not_fit_the_task_is_refused(place, tmp_path):
    with pytest.raises(InputError, match=r"^game\.baseline = untrained: .*; use base_model or"):
        run_in(tmp_path, lora_study(place / "pipeline", "game.baseline=untrained"))
    with pytest.raises(InputError, match=r"^game\.baseline = base_model: .*; use untrained or"):
        run_in(tmp_path, micro_study("game.baseline=base_model"))
