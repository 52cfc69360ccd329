"""Observers of any network, and what looks through them: real classes, small and untrained."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import (
    BlipConfig,
    BlipForQuestionAnswering,
    Dinov2Config,
    Dinov2Model,
    ViTImageProcessor,
)

from credit_plugin.config import ClassifierSettings, PropertySettings, fingerprint, load_study
from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.errors import InputError
from credit_plugin.fidelity.attribution import get_attribution
from credit_plugin.fidelity.scoring import scores_identity
from credit_plugin.folders import RESULTS_VERSION, StudyFolders
from credit_plugin.properties.aesthetic import rate, read_head
from credit_plugin.properties.registry import get_property
from credit_plugin.properties.suite import (
    check_suite,
    load_suite,
    observers_of,
    prepare_suite,
    suite_effort,
    suite_identity,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
DATASET = ContributorDataset("some", IMAGES, np.arange(40) % 2, ("a", "b"))
PROMPTS = ("a cat", "a dog")
TINY = "tiny-clip-for-properties"
CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


class Pooled(nn.Module):
    def forward(self, pixels):
        return pixels.mean((2, 3))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    torch.jit.script(Pooled()).save(place / "pooled.pt")
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
        "initializer_range": 0.5,
    }
    text = {
        "vocab_size": 32,
        "hidden_size": 16,
        "encoder_hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 16,
        "bos_token_id": 1,
        "sep_token_id": 2,
        "eos_token_id": 2,
    }
    blip = BlipForQuestionAnswering(
        BlipConfig(vision_config=vision, text_config=text, initializer_range=0.5)
    )
    dino = Dinov2Model(
        Dinov2Config(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=16,
            patch_size=8,
            mlp_ratio=1,
        )
    )
    for name, model in (("blip", blip), ("dino", dino)):
        model.save_pretrained(place / name)
        ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(place / name)
    (place / f"{TINY}.json").write_text(json.dumps(CLIP))
    open_clip.add_model_config(place / f"{TINY}.json")
    weights = open_clip.create_model(TINY).state_dict()
    save_file({key: w.contiguous() for key, w in weights.items()}, place / "clip.safetensors")
    torch.save(nn.Linear(16, 1).state_dict(), place / "linear.pth")
    layers = nn.Sequential(nn.Linear(16, 4), nn.Dropout(0.2), nn.Linear(4, 1))
    torch.save({f"layers.{k}": w for k, w in layers.state_dict().items()}, place / "mlp.pth")
    return place


def suite(place, tmp_path, **settings):
    chosen = PropertySettings(reference_images=30, clusters=4, **settings)
    prompts = PROMPTS if "clip_score" in chosen.names else ()
    check_suite(chosen, prompts=bool(prompts))
    facts = prepare_suite(chosen, DATASET, 0, tmp_path / "reference", prompts=prompts)
    return load_suite(chosen, tmp_path / "reference"), facts


def clip_settings(place):
    return {"open_clip": {"model": TINY, "path": str(place / "clip.safetensors")}}


def test_a_torchscript_file_gives_features_in_the_range_it_takes(place, tmp_path):
    for scale, expected in (
        ("0..255", IMAGES.mean((1, 2))),
        ("0..1", IMAGES.mean((1, 2)) / 255),
        ("-1..1", IMAGES.mean((1, 2)) / 127.5 - 1),
    ):
        options = {"torchscript": {"path": str(place / "pooled.pt"), "scale": scale}}
        found, facts = suite(
            place,
            tmp_path,
            observer="torchscript",
            observers=options,
            names=("diversity", "precision"),
            headline="diversity",
        )
        assert facts == {}
        np.testing.assert_allclose(found.observer.describe(IMAGES).features, expected, rtol=1e-4)
        assert found.measure(IMAGES[:30])["precision"] == 1


def test_images_are_resized_and_features_normalised_on_demand(place):
    from credit_plugin.properties.observers.torchscript import (
        TorchScriptNetwork,
        TorchScriptOptions,
    )

    options = TorchScriptOptions(path=place / "pooled.pt", size=24, normalise=True)
    features = TorchScriptNetwork(options, "cpu").features(IMAGES[:, :, :, :1])
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(features, 3**-0.5, rtol=1e-4)


def torchscript(path, **options):
    return PropertySettings(
        observer="torchscript",
        observers={"torchscript": {"path": str(path), **options}},
        names=("diversity",),
        headline="diversity",
    )


def test_the_content_of_a_network_identifies_measurements_and_its_place_does_not(place, tmp_path):
    one, copy = torchscript(place / "pooled.pt"), torchscript(tmp_path / "copy.pt")
    shutil.copy(place / "pooled.pt", tmp_path / "copy.pt")
    assert (one.identity(), suite_identity(one)) == (copy.identity(), suite_identity(copy))
    torch.jit.script(nn.Flatten()).save(tmp_path / "copy.pt")
    assert suite_identity(one) != suite_identity(copy)
    folders = [
        StudyFolders(tmp_path, load_study("digits"), "", observed=suite_identity(s))
        for s in (one, copy)
    ]
    assert folders[0].reference != folders[1].reference
    assert folders[0].table != folders[1].table
    assert suite_identity(PropertySettings()) == ""


@pytest.mark.parametrize(
    ("names", "same"), [(("clip_score", "colourfulness"), False), (("colourfulness",), True)]
)
def test_references_of_other_prompts_lie_elsewhere_if_a_property_reads_them(tmp_path, names, same):
    def reference(prompt):
        study = load_study("digits")
        told = study.diffusion.model_copy(update={"condition": "prompt", "prompt": prompt})
        measured = PropertySettings(names=names, headline="colourfulness" if same else names[0])
        changed = study.model_copy(update={"diffusion": told, "properties": measured})
        return StudyFolders(tmp_path, changed, "").reference

    assert (reference("a digit") == reference("a digit by {contributor}")) == same
    plain = PropertySettings(names=("colourfulness",), headline="colourfulness")
    if same:  # a place that studies have had before prompts were looked at
        known = {**plain.identity(), "observed": ""}
        assert (
            reference("a digit").name == f"reference-{fingerprint(RESULTS_VERSION, '', 0, known)}"
        )


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"observers": {"inception": {"batch_size": 8}}}, True),  # nothing looks through it
        ({"options": {"kid": {"subsets": 8}}}, True),  # nor is this measured
        (
            {"options": {"kid": {"observer": "inception"}}, "observers": {"inception": {"a": 1}}},
            True,
        ),
        ({"options": {"diversity": {"observer": "inception"}}}, False),
    ],
)
def test_options_that_nothing_uses_leave_results_where_they_are(tmp_path, settings, same):
    def places(**settings):
        study = load_study("digits")
        measured = PropertySettings(names=("diversity",), headline="diversity", **settings)
        changed = study.model_copy(update={"properties": measured})
        folders = StudyFolders(tmp_path, changed, "")
        return (
            folders.reference,
            folders.table,
            scores_identity(changed, get_attribution("image_count")),
        )

    pairs = zip(places(**settings), places(), strict=True)
    assert [one == other for one, other in pairs] == [same] * 3


def test_what_else_measures_is_identified_too(place, tmp_path, monkeypatch):
    through = {"observers": clip_settings(place), "names": ("aesthetic",), "headline": "aesthetic"}
    heads = [
        suite_identity(PropertySettings(options={"aesthetic": {"path": place / name}}, **through))
        for name in ("linear.pth", "mlp.pth")
    ]
    assert heads[0] != heads[1]
    models = [
        PropertySettings(
            observer="transformers",
            observers={"transformers": {"source": str(place / name)}},
            names=("diversity",),
            headline="diversity",
        )
        for name in ("blip", "dino")
    ]
    assert suite_identity(models[0]) != suite_identity(models[1])
    name = "python:our_properties:darkness"
    codes = []
    for factor in (1, 2):
        write_module(
            tmp_path, monkeypatch, f"def darkness(images):\n    return {factor} * images.mean()\n"
        )
        codes.append(suite_identity(PropertySettings(names=(name,), headline=name)))
    assert codes[0] != codes[1]


def test_another_network_is_refused_before_it_is_loaded(place, tmp_path, monkeypatch):
    path = tmp_path / "network.pt"
    shutil.copy(place / "pooled.pt", path)
    prepare_suite(torchscript(path), DATASET, 0, tmp_path / "reference")
    path.rename(tmp_path / "moved.pt")
    load_suite(torchscript(tmp_path / "moved.pt"), tmp_path / "reference")
    torch.jit.script(nn.Flatten()).save(path)
    with monkeypatch.context() as patch:
        patch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was loaded"))
        with pytest.raises(InputError, match="were made with another network"):
            load_suite(torchscript(path), tmp_path / "reference")
        with pytest.raises(InputError, match="and is not loaded"):
            check_suite(torchscript(path, sha256="0" * 64))


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
@pytest.mark.parametrize(
    ("name", "model", "part"),
    [("blip", "BlipForQuestionAnswering", "vision_model"), ("dino", "AutoModel", "")],
)
def test_models_of_transformers_embed_images(place, tmp_path, name, model, part, pooling):
    options = {"source": str(place / name), "model": model, "part": part, "pooling": pooling}
    found, _ = suite(
        place,
        tmp_path,
        observer="transformers",
        observers={"transformers": options},
        names=("diversity", "pairwise_distance"),
        headline="diversity",
    )
    assert found.observer.describe(IMAGES).features.shape == (40, 16)
    measured = found.measure(IMAGES)
    assert 0 <= measured["diversity"] <= 2
    assert 0 <= measured["pairwise_distance"] <= 2
    assert found.measure(np.repeat(IMAGES[:1], 5, 0))["pairwise_distance"] == pytest.approx(
        0, abs=1e-5
    )


def test_clip_scores_agreement_with_prompts(place, tmp_path):
    found, _ = suite(
        place,
        tmp_path,
        observers=clip_settings(place),
        names=("clip_score",),
        headline="clip_score",
    )
    condition = np.arange(40) % 2
    model, transform = open_clip.create_model_from_pretrained(
        TINY, pretrained=str(place / "clip.safetensors")
    )
    from PIL import Image

    with torch.inference_mode():
        pixels = torch.stack([transform(Image.fromarray(image)) for image in IMAGES])
        images = nn.functional.normalize(model.eval().encode_image(pixels))
        texts = nn.functional.normalize(
            model.encode_text(open_clip.get_tokenizer(TINY)(list(PROMPTS)))
        )
        expected = 100 * (images * texts[condition]).sum(1).clamp(min=0).mean()
    assert found.measure(IMAGES, condition)["clip_score"] == pytest.approx(
        float(expected), rel=1e-4
    )


@pytest.mark.parametrize("head", ["linear.pth", "mlp.pth"])
@pytest.mark.parametrize("statistic", ["percentile", "mean"])
def test_the_aesthetic_score_is_a_statistic_of_the_head(place, tmp_path, head, statistic):
    options = {"path": str(place / head), "statistic": statistic, "percentile": 75}
    found, _ = suite(
        place,
        tmp_path,
        observers=clip_settings(place),
        options={"aesthetic": options},
        names=("aesthetic",),
        headline="aesthetic",
    )
    features = torch.from_numpy(found.observer.describe(IMAGES).features)
    weights = torch.load(place / head, weights_only=True)
    values = features
    for key in [k for k in weights if k.endswith("weight")]:
        values = values @ weights[key].T + weights[key.replace("weight", "bias")]
    scores = values[:, 0].numpy()
    expected = scores.mean() if statistic == "mean" else np.percentile(scores, 75)
    assert found.measure(IMAGES)["aesthetic"] == pytest.approx(float(expected), rel=1e-4)


def test_layers_of_a_head_are_in_the_order_of_their_numbers(tmp_path):
    layers = {f"layers.{i}": nn.Linear(3, 1 if i == 10 else 3) for i in (0, 2, 10)}
    torch.save(
        {f"{n}.{k}": w for n, layer in layers.items() for k, w in layer.state_dict().items()},
        tmp_path / "head.pth",
    )
    features = torch.randn(5, 3)
    with torch.inference_mode():
        expected = layers["layers.10"](layers["layers.2"](layers["layers.0"](features)))[:, 0]
    found = rate(features.numpy(), read_head(tmp_path / "head.pth"))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4)


def test_properties_look_through_observers_of_their_own(place, tmp_path):
    found, facts = suite(
        place,
        tmp_path,
        observers={
            **clip_settings(place),
            "torchscript": {"path": str(place / "pooled.pt")},
        },
        options={
            "aesthetic": {"path": str(place / "linear.pth")},
            "diversity": {"observer": "torchscript"},
        },
        names=("inception_score", "diversity", "aesthetic", "colourfulness"),
        headline="diversity",
        classifier=ClassifierSettings(steps=5),
    )
    assert list(found.observers) == ["torchscript", "classifier", "open_clip"]
    assert found.observer is found.observers["torchscript"]
    assert set(facts) == {"classifier_accuracy"}
    assert set(found.measure(IMAGES)) == {
        "inception_score",
        "diversity",
        "aesthetic",
        "colourfulness",
    }
    assert suite_effort(found.settings, 40) == (30 + 5 + 30, "steps")
    assert observers_of(PropertySettings()) == ["classifier"]


def write_module(folder, monkeypatch, text):
    (folder / "our_properties.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("our_properties", None)


def test_a_function_of_ones_own_is_a_property(tmp_path, monkeypatch):
    write_module(
        tmp_path,
        monkeypatch,
        "def darkness(images):\n    return 255 - images.mean()\n\n"
        "darkness.direction, darkness.unit = -1, 'grey levels'\n",
    )
    name = "python:our_properties:darkness"
    settings = {"names": (name, "colourfulness"), "headline": name}
    found, _ = suite(None, tmp_path, classifier=ClassifierSettings(steps=2), **settings)
    assert found.measure(IMAGES)[name] == pytest.approx(255 - IMAGES.mean())
    assert (get_property(name).direction, get_property(name).unit) == (-1, "grey levels")


def test_the_folder_that_a_study_is_started_in_is_looked_in(tmp_path, monkeypatch):
    elsewhere = [place for place in sys.path if place not in ("", str(Path.cwd()))]
    monkeypatch.setattr(sys, "path", list(elsewhere))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "properties_of_this_folder.py").write_text("def one(images):\n    return 1.0\n")
    assert get_property("python:properties_of_this_folder:one").function(IMAGES) == 1
    assert sys.path == [*elsewhere, str(tmp_path)]  # once, and workers get it


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", "invalid syntax"),
        ("raise RuntimeError('two\\nlines')\n", "two lines"),
        ("import sys\nsys.exit(3)\n", "3"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_in_one_line(tmp_path, monkeypatch, text, reason):
    write_module(tmp_path, monkeypatch, text)
    for name in ("our_properties", ".our_properties"):
        with pytest.raises(
            InputError, match=r"^properties\.names: .* cannot be imported"
        ) as caught:
            get_property(f"python:{name}:broken")
        assert "\n" not in str(caught.value)
        assert reason in str(caught.value) or name.startswith(".")


def test_measuring_gives_signs_of_life_and_never_runs_backwards(place, tmp_path, monkeypatch):
    monkeypatch.setattr("credit_plugin.signs.BEAT_SECONDS", 0.01)
    write_module(
        tmp_path,
        monkeypatch,
        "import time\n\ndef slow(images):\n    time.sleep(0.2)\n    return 1.0\n",
    )
    found, _ = suite(
        place,
        tmp_path,
        observers={"torchscript": {"path": str(place / "pooled.pt"), "batch_size": 10}},
        options={"diversity": {"observer": "torchscript"}},
        names=("python:our_properties:slow", "diversity"),
        headline="diversity",
        classifier=ClassifierSettings(steps=2),
    )
    told = []
    found.measure(IMAGES, report=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told[:5]] == [10, 20, 30, 40, 80]
    assert told[5:].count((80, 80)) == len(told[5:]) >= 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("python:our_properties", "must look like python:module:function"),
        ("python:our_properties:nothing", "cannot be imported"),
        ("python:no_such_module:f", "cannot be imported"),
        ("python:our_properties:number", "must be a function"),
        ("python:our_properties:undecided", "with direction 1 or -1"),
    ],
)
def test_what_is_no_function_is_named(tmp_path, monkeypatch, name, message):
    write_module(
        tmp_path,
        monkeypatch,
        "number = 3\ndef undecided(images):\n    return 0\nundecided.direction = 0\n",
    )
    with pytest.raises(InputError, match=rf"^properties\.names: {name!r}.*{message}"):
        check_suite(PropertySettings(names=(name,), headline=name))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"observer": "torchscript"}, r"^properties\.observers\.torchscript\.path is missing"),
        (
            {"observer": "torchscript", "observers": {"torchscript": {"path": "nowhere.pt"}}},
            r"^properties\.observers\.torchscript\.path: nowhere\.pt: No such file",
        ),
        (
            {"observer": "torchscript", "observers": {"torchscript": {"paht": "x", "path": "y"}}},
            r"observers\.torchscript\.paht: there is no such option; it knows path, sha256",
        ),
        ({"observer": "transformers"}, r"observers\.transformers\.source is missing"),
        (
            {"observer": "transformers", "observers": {"transformers": {"source": "/nowhere"}}},
            r"^properties\.observers\.transformers\.source: there is no folder /nowhere",
        ),
        ({"observer": "open_clip"}, r"^properties\.observers\.open_clip: give weights, a name"),
        (
            {"observer": "open_clip", "observers": {"open_clip": {"weights": "nowhere"}}},
            r"^properties\.observers\.open_clip\.weights: 'nowhere' is no file, and no name",
        ),
        (
            {"options": {"diversity": {"observer": "magic"}}},
            r"^properties\.observer: 'magic' is not an observer",
        ),
        ({"options": {"diversity": {"depth": 3}}}, r"options\.diversity\.depth: there is no such"),
        ({"options": {"beauty": {}}}, r"'beauty' is not a property"),
        ({"observers": {"magic": {}}}, r"'magic' is not an observer"),
        (
            {"observers": {"classifier": {"width": 8}}},
            r"^properties\.observers\.classifier\.width: there is no such option; it has none$",
        ),
    ],
)
def test_settings_that_do_not_fit_are_named_in_one_line(settings, message):
    chosen = PropertySettings(names=("diversity",), headline="diversity", **settings)
    with pytest.raises(InputError, match=message) as caught:
        check_suite(chosen)
    assert "\n" not in str(caught.value)


def test_what_a_property_needs_is_named(place, tmp_path):
    through = {"observer": "open_clip", "observers": clip_settings(place)}
    with pytest.raises(InputError, match="inception_score needs class probabilities"):
        check_suite(PropertySettings(names=("inception_score",), **through))
    with pytest.raises(InputError, match="clip_score compares images with prompts"):
        check_suite(PropertySettings(names=("clip_score",), headline="clip_score", **through))
    aesthetic = PropertySettings(names=("aesthetic",), headline="aesthetic", **through)
    with pytest.raises(InputError, match=r"options\.aesthetic\.path is missing"):
        prepare_suite(aesthetic, DATASET, 0, tmp_path / "reference")
    for path, message in (
        (place / "clip.safetensors", "is no head of linear layers"),
        (place / f"{TINY}.json", "is no file of tensors"),
        (place / "nowhere.pth", "No such file"),
    ):
        options = {"aesthetic": {"path": str(path)}}
        with pytest.raises(InputError, match=message):
            prepare_suite(
                aesthetic.model_copy(update={"options": options}),
                DATASET,
                0,
                tmp_path / "reference",
            )
    torch.save(nn.Linear(7, 1).state_dict(), tmp_path / "other.pth")
    options = {"aesthetic": {"path": str(tmp_path / "other.pth")}}
    with pytest.raises(InputError, match="is for embeddings of 7 dimensions"):
        prepare_suite(
            aesthetic.model_copy(update={"options": options}), DATASET, 0, tmp_path / "reference"
        )
