"""Source huggingface: columns of a dataset become contributors, labels and captions."""

import io

import datasets
import numpy as np
import pytest
from PIL import Image

from credit_plugin.config import DataSettings
from credit_plugin.contributors import load_contributors
from credit_plugin.contributors.pictures import PictureError
from credit_plugin.contributors.sources.huggingface import _stored
from credit_plugin.errors import InputError

COLUMNS = {"image": "img", "contributor": "artist", "labels": "label", "captions": "title"}
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


def rows(**changes):
    columns = {
        "img": [Image.fromarray(image) for image in PIXELS],
        "label": [2, 0, 1, 2, 0, 1],
        "artist": ["bob", "ann", "bob", "cleo", "ann", "bob"],
        "title": [f"number {i}" for i in range(6)],
        **changes,
    }
    kinds = {
        "img": datasets.Image(),
        "label": datasets.ClassLabel(names=["cat", "dog", "elk"]),
        "artist": datasets.Value("string"),
        "title": datasets.Value("string"),
    }
    return datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))


@pytest.fixture(params=["parquet", "saved", "splits"])
def folder(request, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    place = tmp_path / "animals"
    datasets.disable_progress_bars()
    if request.param == "parquet":
        (place / "data").mkdir(parents=True)
        rows().to_parquet(place / "data" / "train-00000-of-00001.parquet")
    elif request.param == "saved":
        rows().save_to_disk(place)
    else:
        datasets.DatasetDict({"train": rows()}).save_to_disk(place)
    return place


def load(folder, image_size=8, **options):
    options = {**COLUMNS, **options}
    return load_contributors(
        DataSettings(
            source="huggingface",
            path=folder,
            image_size=image_size,
            min_images=1,
            options={k: v for k, v in options.items() if v is not None},
        )
    )


def test_columns_become_a_dataset(folder):
    loaded = load(folder)
    assert loaded.contributors == ("ann", "bob", "cleo")
    assert loaded.contributor.tolist() == [1, 0, 1, 2, 0, 1]
    assert loaded.labels.tolist() == [2, 0, 1, 2, 0, 1]
    assert loaded.captions == tuple(f"number {i}" for i in range(6))
    assert (loaded.images == PIXELS).all()
    assert load(folder, image_size=16, grayscale=True).images.shape == (6, 16, 16, 1)


def test_classes_are_kept_by_name_in_the_order_asked_for(folder):
    by_class = load(folder, contributor="label", keep={"label": ["elk", "cat"]})
    assert by_class.contributors == ("elk", "cat")
    assert by_class.contributor.tolist() == [0, 1, 0, 1]
    assert (by_class.images == PIXELS[[0, 1, 3, 4]]).all()


def test_classes_are_in_the_order_of_the_dataset(tmp_path):
    renamed = datasets.ClassLabel(names=["zebra", "ant", "moose"])
    rows().cast_column("label", renamed).save_to_disk(tmp_path / "animals")
    assert load(tmp_path / "animals", contributor="label").contributors == ("zebra", "ant", "moose")


def test_each_contributor_gives_its_first_images(folder):
    loaded = load(folder, each=1, captions=None)
    assert loaded.counts.tolist() == [1, 1, 1]
    assert (loaded.images == PIXELS[[0, 1, 3]]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "photo"}, r"^data\.options\.image: there is no column 'photo'; there is img"),
        ({"contributor": "who"}, r"^data\.options\.contributor: there is no column 'who'"),
        ({"image": "title"}, r"^data\.options\.image: column 'title' holds no pictures"),
        (
            {"keep": {"label": ["cow"]}},
            r"^data\.options\.keep\.label: 'label' has no value 'cow'; it has cat, dog, elk$",
        ),
        ({"keep": {"title": ["number 0"], "artist": ["ann"]}}, "no image is left"),
        ({"contributor": "img"}, "must hold text, whole numbers or classes alone"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(folder, options, message):
    with pytest.raises(InputError, match=message) as caught:
        load(folder, **options)
    assert "\n" not in str(caught.value)


def test_a_split_that_is_not_there_is_named(tmp_path):
    datasets.DatasetDict({"train": rows()}).save_to_disk(tmp_path / "animals")
    with pytest.raises(InputError, match=r"data\.options\.split: .* no split 'test'"):
        load(tmp_path / "animals", split="test")


def test_a_picture_that_cannot_be_decoded_is_named_by_its_row(tmp_path):
    broken = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(broken, "PNG")
    pictures = [{"bytes": broken.getvalue(), "path": None}] * 5
    pictures.append({"bytes": broken.getvalue()[:60], "path": None})
    rows(img=pictures).save_to_disk(tmp_path / "animals")
    with pytest.raises(InputError, match=r"^data\.path: picture of row 5 "):
        load(tmp_path / "animals")


def test_pictures_outside_of_the_folder_are_not_read(tmp_path):
    (tmp_path / "animals").mkdir()
    for name in ("private.png", "animals/1.png"):
        Image.fromarray(PIXELS[0]).save(tmp_path / name)
    (tmp_path / "animals" / "link.png").symlink_to(tmp_path / "private.png")
    inside = {"bytes": None, "path": str(tmp_path / "animals" / "1.png")}
    assert _stored(inside, tmp_path / "animals") == (tmp_path / "animals" / "1.png").resolve()
    for outside in ("private.png", "animals/../private.png", "animals/link.png", "nowhere.png"):
        with pytest.raises(PictureError, match="lies outside"):
            _stored({"bytes": None, "path": str(tmp_path / outside)}, tmp_path / "animals")
    with pytest.raises(PictureError, match="is missing"):
        _stored(None, tmp_path)


def test_a_dataset_that_is_nowhere_is_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"^data\.path: "):
        load(tmp_path / "nowhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"^data\.path: .* path of a copy$") as caught:
        load("nobody/nothing")
    assert "\n" not in str(caught.value)
