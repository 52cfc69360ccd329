"""Images of another size: averaging when they shrink, bicubic when they grow."""

import numpy as np
from PIL import Image


def resize_images(images: np.ndarray, size: int) -> np.ndarray:
    """Return images at another size; at their own size they are returned unchanged.

    Shrinking averages the pixels that each new pixel covers (a box filter), which keeps the mean
    colour; growing interpolates (bicubic).

    Args:
        images: uint8 [N, H, H, C], C in {1, 3}.
        size: New height and width in pixels, at least 1.

    Returns:
        uint8 [N, size, size, C].
    """
    old = images.shape[1]
    if size == old:
        return images
    filter_ = Image.Resampling.BOX if size < old else Image.Resampling.BICUBIC
    resized = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    for index, image in enumerate(images):
        # PIL knows a grey image only without its channel axis
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        new = np.asarray(picture.resize((size, size), filter_))
        resized[index] = new.reshape(size, size, -1)
    return resized
