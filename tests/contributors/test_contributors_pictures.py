import io
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from credit_plugin.contributors import pictures
from credit_plugin.contributors.pictures import PictureError, decode_each, open_picture

RAMP = np.add.outer(np.arange(20) * 5, np.arange(30) * 4).astype(np.uint8)
COLOURS = Image.fromarray(np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=-1))


def written(tmp_path, picture, format_="PNG", **options):
    path = tmp_path / "picture"
    picture.save(path, format_, **options)
    return path


@pytest.mark.parametrize("format_", [*pictures.FORMATS, "MPO"])
def test_every_format_is_read(tmp_path, format_):
    picture, remarks = open_picture(written(tmp_path, COLOURS, format_))
    assert picture.mode == "RGB"
    assert remarks == ()
    difference = np.abs(np.asarray(picture).astype(int) - np.asarray(COLOURS))
    # GIF keeps 256 colours, JPEG and its relatives lose some detail
    assert difference.mean() < 12


def test_documents_are_not_opened(tmp_path):
    path = written(tmp_path, COLOURS, "PDF")
    with pytest.raises(PictureError, match="is not a picture that can be read"):
        open_picture(path)


@pytest.mark.parametrize(
    ("mode", "format_", "remark"),
    [
        ("CMYK", "JPEG", "is CMYK"),
        ("YCbCr", "TIFF", "is YCbCr"),
        ("L", "PNG", None),
        ("1", "PNG", None),
        ("P", "PNG", None),
    ],
)
def test_modes(tmp_path, mode, format_, remark):
    picture, remarks = open_picture(written(tmp_path, COLOURS.convert(mode), format_))
    assert picture.mode == ("L" if mode in "L1" else "RGB")
    assert [r.split(":")[0] for r in remarks] == ([remark] if remark else [])


def test_transparency_becomes_white_and_is_remarked(tmp_path):
    clear = COLOURS.convert("RGBA")
    clear.putpixel((3, 4), (10, 20, 30, 0))
    picture, remarks = open_picture(written(tmp_path, clear))
    assert picture.getpixel((3, 4)) == (255, 255, 255)
    assert remarks == ("is transparent in places: shown on white",)


def test_an_opaque_alpha_channel_is_nothing_to_remark(tmp_path):
    picture, remarks = open_picture(written(tmp_path, COLOURS.convert("RGBA")))
    assert remarks == ()
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(COLOURS))


def test_a_palette_with_transparency(tmp_path):
    palette = COLOURS.quantize(16)
    path = written(tmp_path, palette, transparency=palette.getpixel((0, 0)))
    picture, remarks = open_picture(path)
    assert remarks == ("is transparent in places: shown on white",)
    assert picture.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, format_):
    samples = (RAMP.astype(np.uint16) * 257).astype(np.uint16)
    picture, remarks = open_picture(written(tmp_path, Image.fromarray(samples), format_))
    assert remarks == ("has 16-bit samples: reduced to 8 bits",)
    np.testing.assert_array_equal(np.asarray(picture), RAMP)


@pytest.mark.parametrize(
    "samples",
    [np.full((4, 4), -5, np.int32), np.full((4, 4), 70000, np.int32), np.eye(4, dtype=np.float32)],
)
def test_samples_of_unknown_range_are_refused(tmp_path, samples):
    path = written(tmp_path, Image.fromarray(samples), "TIFF")
    with pytest.raises(PictureError, match="save it as 8-bit grey or RGB"):
        open_picture(path)


def test_only_the_first_frame_of_an_animation_counts(tmp_path):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    path = written(tmp_path, red, "GIF", save_all=True, append_images=[blue])
    picture, remarks = open_picture(path)
    assert picture.getpixel((0, 0)) == (255, 0, 0)
    assert remarks == ("has 2 frames: only the first is used",)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).swapaxes(0, 1)),
        (8, np.rot90),
    ],
)
def test_the_orientation_that_a_camera_noted_is_applied(tmp_path, format_, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain, _ = open_picture(written(tmp_path, COLOURS, format_))
    upright, _ = open_picture(written(tmp_path, COLOURS, format_, exif=exif))
    np.testing.assert_array_equal(np.asarray(upright), turned(np.asarray(plain)))


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM"])
def test_a_truncated_file_is_refused(tmp_path, format_):
    path = written(tmp_path, COLOURS.resize((200, 150)), format_)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    with pytest.raises(PictureError, match=r"cannot be decoded|is not a picture"):
        open_picture(path)


def test_truncation_is_refused_even_where_another_library_allows_it(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    path = written(tmp_path, COLOURS.resize((200, 150)), "JPEG")
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    open_picture(path)  # Pillow alone is content
    (decoded,) = decode_each(tmp_path, [path.name], lambda picture: picture.size)
    assert "truncated" in (decoded.problem or "")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("size", [(10_000, 9_500), (20_000, 10_000)])
def test_a_decompression_bomb_is_refused_without_decoding(tmp_path, size):
    path = written(tmp_path, Image.new("1", size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (decoded,) = decode_each(tmp_path, [path.name], lambda picture: picture.size)
    assert "decompression bomb" in (decoded.problem or "")


def _sources():
    files = []
    for format_ in pictures.FORMATS:
        buffer = io.BytesIO()
        COLOURS.save(buffer, format_)
        files.append(buffer.getvalue())
    return files


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    raw=st.sampled_from(_sources()),
    changes=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=5),
    keep=st.floats(0, 1),
)
def test_whatever_the_bytes_are_there_is_a_picture_or_one_line(tmp_path, raw, changes, keep):
    damaged = bytearray(raw)
    for place, patch in changes:
        damaged[place : place + len(patch)] = patch
    path = tmp_path / "damaged"
    path.write_bytes(damaged[: int(len(damaged) * keep)])
    (decoded,) = decode_each(tmp_path, [path.name], lambda picture: picture.mode)
    if decoded.problem is None:
        assert decoded.result in ("L", "RGB")
    else:
        assert "\n" not in decoded.problem


def test_results_keep_the_order_of_the_files_and_progress_counts(tmp_path):
    files = []
    for number in range(40):
        files.append(f"{number}.png")
        Image.new("L", (number + 1, 200 - 4 * number), number).save(tmp_path / files[-1])
    seen = []
    decoded = decode_each(tmp_path, files, lambda p: p.width, lambda *done: seen.append(done))
    assert [d.result for d in decoded] == list(range(1, 41))
    assert [d.file for d in decoded] == files
    assert seen == [(number, 40) for number in range(1, 41)]


def test_an_interruption_does_not_wait_for_the_remaining_files(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    used = []

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_each(tmp_path, ["a.png"] * 5000, lambda p: used.append(1), stop)
    assert len(used) < 5000
