import shutil

import numpy as np
import pytest
from PIL import Image

from credit_plugin.config import DataSettings
from credit_plugin.contributors import load_contributors
from credit_plugin.errors import InputError


def load(root, image_size=16, **settings):
    return load_contributors(
        DataSettings(source="imagefolder", path=root, image_size=image_size, **settings)
    )


def test_one_folder_per_contributor(gallery):
    loaded = load(gallery.root)
    assert loaded.contributors == ("ann", "bob", "cleo")
    assert loaded.images.shape == (9, 16, 16, 3)
    assert loaded.contributor.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert loaded.labels is None
    assert loaded.captions is None
    assert loaded.name == "gallery"


def test_both_layouts_give_the_same_dataset(gallery):
    by_folder = load(gallery.root).digest()
    gallery.write_rows(gallery.rows()[::-1])
    assert load(gallery.root).digest() == by_folder


def test_the_folders_place_and_dates_do_not_matter(gallery, tmp_path):
    before = load(gallery.root).digest()
    shutil.copytree(gallery.root, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert load(tmp_path / "elsewhere").digest() == before


def test_pictures_deep_inside_belong_to_the_top_folder(gallery):
    gallery.save("ann/2020/may/x.png", gallery.picture(90))
    assert load(gallery.root).counts.tolist() == [4, 3, 3]


def test_captions_come_from_the_column_that_is_named(gallery):
    rows = [[*row, f"title {i}"] for i, row in enumerate(gallery.rows())]
    gallery.write_rows(rows, ("file_name", "contributor", "title"))
    assert load(gallery.root).captions is None
    titled = load(gallery.root, options={"captions": "title"})
    assert titled.captions == tuple(f"title {i}" for i in range(9))


def test_captions_and_labels(gallery):
    texts = [["a, b", "10"], ['"q"', "2"], ["", "10"]] * 3
    rows = [[*row, *text] for row, text in zip(gallery.rows(), texts, strict=True)]
    gallery.write_rows(rows, ("file_name", "contributor", "text", "label"))
    loaded = load(gallery.root)
    assert loaded.captions == ("a, b", '"q"', "") * 3
    assert loaded.labels.tolist() == [1, 0, 1] * 3  # 2 before 10: in numerical order
    texts = iter(["cat", "ant", "cat"] * 3)
    gallery.write_rows(
        [[*row, next(texts)] for row in gallery.rows()], ("file_name", "contributor", "label")
    )
    assert load(gallery.root).labels.tolist() == [1, 0, 1] * 3


def test_other_columns_are_ignored(gallery):
    rows = [[*row, "1999"] for row in gallery.rows()]
    gallery.write_rows(rows, ("file_name", "contributor", "year"))
    assert load(gallery.root).n_images == 9


def test_one_name_in_two_unicode_forms_is_one_contributor(gallery):
    rows = [
        [file, "Zoe\u0308" if file.endswith("0.png") else "Zo\u00eb"] for file, _ in gallery.rows()
    ]
    rows[0][1] = rows[1][1] = "ann"
    gallery.write_rows(rows)
    assert load(gallery.root).contributors == ("Zoë", "ann")


def test_the_centre_is_cut_out(gallery):
    # 30 x 10: the middle third is white, the rest is black
    picture = Image.new("RGB", (30, 10))
    picture.paste("white", (10, 0, 20, 10))
    for owner in gallery.owners:
        shutil.rmtree(gallery.root / owner)
        gallery.save(f"{owner}/0.png", picture)
    centre = load(gallery.root, 10, min_images=1).images
    assert centre.min() == 255
    squeezed = load(gallery.root, 10, min_images=1, options={"crop": "none"}).images
    assert squeezed[0, :, 0].max() < 30
    assert squeezed[0, :, 5].min() > 225


def test_an_image_of_the_right_size_is_not_touched(gallery):
    for owner in gallery.owners:
        gallery.save(f"{owner}/9.png", gallery.picture(5, 16, 16))
    loaded = load(gallery.root)
    np.testing.assert_array_equal(loaded.images[3], np.asarray(gallery.picture(5, 16, 16)))


def test_grayscale(gallery):
    loaded = load(gallery.root, options={"grayscale": True})
    assert loaded.images.shape == (9, 16, 16, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"greyscale": True},
            "data.options.greyscale: source imagefolder has no such option; it "
            "knows grayscale, crop",
        ),
        ({"crop": "left"}, "data.options.crop: input should be 'center' or 'none', got 'left'"),
        ({"grayscale": "maybe"}, "data.options.grayscale: input should be a valid boolean"),
    ],
)
def test_wrong_options_are_named(gallery, options, message):
    with pytest.raises(InputError) as refused:
        load(gallery.root, options=options)
    assert message in str(refused.value)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(InputError, match=r"data\.path is missing"):
        load(None)
    with pytest.raises(InputError, match=r"data\.path: .* does not exist"):
        load(tmp_path / "gone")


def test_a_refusal_names_the_first_error_and_where_to_find_the_rest(gallery):
    for number in (0, 2):
        (gallery.root / f"bob/{number}.png").write_text("x")
    with pytest.raises(InputError) as refused:
        load(gallery.root)
    message = str(refused.value)
    assert message.startswith("data.path: bob/0.png: is not a picture that can be read")
    assert message.endswith(f"(run `credit data check {gallery.root}` for the rest)")
