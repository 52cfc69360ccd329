"""Several figures in one picture, below each other: one for each property."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

GAP = 70  # pixels between two figures


def save_stacked(figures: Sequence[Figure], path: Path) -> None:
    """Write figures below each other as one PNG, narrower ones with white at their right."""
    panels = [_pixels(figure) for figure in figures]
    height = sum(panel.height for panel in panels) + GAP * (len(panels) - 1)
    whole = Image.new("RGB", (max(panel.width for panel in panels), height), "white")
    top = 0
    for panel in panels:
        whole.paste(panel, (0, top))
        top += panel.height + GAP
    whole.save(path, "PNG")


def _pixels(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
