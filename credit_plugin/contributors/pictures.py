"""Decoding pictures that strangers made: everything that can go wrong becomes one line.

Every file is decoded completely, since a truncated picture has a sound header. Only common still
formats are opened (no document or vector formats, whose readers start other programs), with
Pillow's limit on the number of pixels enforced strictly. The result is always 8-bit grey or RGB:

======================  ==========================================================
stored as               becomes
======================  ==========================================================
grey, RGB, palette      itself
transparent in places   shown on white, with a remark
CMYK, YCbCr, HSV        RGB without its colour profile, with a remark
16-bit grey             divided by 257, with a remark
several frames          the first, with a remark
float, LAB, others      refused: their range or meaning is not fixed
======================  ==========================================================

The orientation that a camera noted is applied.
"""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
Progress = Callable[[int, int], None]
T = TypeVar("T")

# Pillow's readers raise all of these on bytes that are not what they claim to be
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 0x0112  # tag number in the EXIF standard
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GREY, _COLOUR = ("1", "L"), ("P", "RGB", "YCbCr", "CMYK", "HSV")
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_REMARK = {
    "CMYK": "is CMYK: converted to RGB without its colour profile",
    "YCbCr": "is YCbCr: converted to RGB",
    "HSV": "is HSV: converted to RGB",
}


class PictureError(ValueError):
    """A picture cannot be used; the message says why and how to mend it."""


@dataclass(frozen=True)
class Decoded(Generic[T]):
    """What came of one file: a result with remarks, or the reason why there is none."""

    file: str
    result: T | None
    remarks: tuple[str, ...] = ()
    problem: str | None = None


def open_picture(source: Path | bytes) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode one file completely.

    Args:
        source: A regular file, or its content.

    Returns:
        The upright picture in mode ``L`` or ``RGB``, and remarks on what had to be converted.

    Raises:
        PictureError: If the file is not a picture that can be used.
    """
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size == 0:
            raise PictureError("the file is empty; export the picture again")
        opened = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(opened, formats=FORMATS) as image:
            _refuse_bomb(image)
            remarks = _frames(image)
            image.load()
            converted, more = _convert(image)
            upright, last = _turn_upright(image, converted)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(
            f"is not a picture that can be read ({', '.join(FORMATS)}); export it again"
        ) from None
    except Image.DecompressionBombError:
        raise PictureError(_too_large("it")) from None
    except _DECODER_ERRORS as reason:
        text = " ".join(str(reason).split()) or type(reason).__name__
        raise PictureError(f"cannot be decoded ({text}); export the picture again") from None
    return upright, (*remarks, *more, *last)


def decode_each(
    root: Path,
    files: Sequence[str],
    use: Callable[[Image.Image], T],
    progress: Progress | None = None,
) -> list[Decoded[T]]:
    """Decode files in parallel threads and return what ``use`` makes of each, in their order.

    A picture is dropped as soon as it is used: at most one for each thread is in memory.

    Args:
        root: Folder that ``files`` are relative to.
        files: Files to decode.
        use: Called in a thread with a picture in mode ``L`` or ``RGB``.
        progress: Called with (done, total) after each file.
    """

    def decode(file: str) -> Decoded[T]:
        try:
            picture, remarks = open_picture(root / file)
        except PictureError as problem:
            return Decoded(file, None, problem=str(problem))
        return Decoded(file, use(picture), remarks)

    Image.init()  # registering formats is not safe in several threads
    # Pillow decodes outside Python's lock, so threads are enough
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    everything: list[Decoded[T]] = []
    try:
        with strict_decoding():
            for decoded in pool.map(decode, files):
                everything.append(decoded)
                if progress is not None:
                    progress(len(everything), len(files))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest
    return everything


@contextmanager
def strict_decoding() -> Iterator[None]:
    """Make Pillow refuse truncated files and be silent about large ones, which we refuse.

    Both settings are global to the process: enter this in one thread, around the others.
    """
    lenient = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def _refuse_bomb(image: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise PictureError(_too_large(f"{image.width} x {image.height}"))


def _too_large(size: str) -> str:
    return (
        f"{size} has more than {Image.MAX_IMAGE_PIXELS} pixels (a decompression bomb?); make it "
        "smaller"
    )


def _frames(image: Image.Image) -> tuple[str, ...]:
    frames = getattr(image, "n_frames", 1)
    # the further frames of MPO are a camera's previews
    if frames > 1 and image.format != "MPO":
        return (f"has {frames} frames: only the first is used",)
    return ()


def _convert(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    if image.mode in _SIXTEEN_BIT:
        return _reduce(image), ("has 16-bit samples: reduced to 8 bits",)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    if image.mode in _GREY:
        return image.convert("L"), ()
    if image.mode in _COLOUR:
        remark = _REMARK.get(image.mode)
        return image.convert("RGB"), (remark,) if remark else ()
    raise PictureError(f"has the mode {image.mode}; save it as 8-bit grey or RGB")


def _reduce(image: Image.Image) -> Image.Image:
    # Pillow's own conversion to 8 bits clips instead of scaling
    samples = np.asarray(image).astype(np.int64)
    if samples.min() < 0 or samples.max() > 65535:
        raise PictureError("has 32-bit samples of unknown range; save it as 8-bit grey or RGB")
    return Image.fromarray(np.rint(samples / 257).astype(np.uint8))


def _on_white(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    lowest, _ = image.getchannel("A").getextrema()
    if lowest == 255:
        return image.convert("RGB"), ()
    canvas = Image.new("RGBA", image.size, "white")
    canvas.alpha_composite(image)
    return canvas.convert("RGB"), ("is transparent in places: shown on white",)


def _turn_upright(
    image: Image.Image, converted: Image.Image
) -> tuple[Image.Image, tuple[str, ...]]:
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except _DECODER_ERRORS:
        return converted, ("has damaged EXIF data: its orientation is not known",)
    return (converted if turn is None else converted.transpose(turn)), ()
