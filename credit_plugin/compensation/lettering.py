"""Letters in figures: names of any script, on one line, never read as mathematics."""

from collections.abc import Sequence

from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

# Families that hold what the default one lacks, on the systems that have them
_WIDE_FAMILIES = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
)


def writable(names: Sequence[str]) -> tuple[list[str], FontProperties]:
    """Return names that fonts of this machine can write, and these fonts."""
    installed = set(fontManager.get_font_names())
    families = ["DejaVu Sans", *(name for name in _WIDE_FAMILIES if name in installed)]
    fonts = [get_font(findfont(FontProperties(family=family))) for family in families]
    known = set().union(*(font.get_charmap() for font in fonts))
    labels = [
        name if all(ord(letter) in known for letter in name) else f"contributor {place}"
        for place, name in enumerate(names, 1)
    ]
    return labels, FontProperties(family=families, size=9.5)


def literal(text: str) -> str:
    """Return text without mathematics; measuring lines to wrap them ignores ``parse_math``."""
    return text.replace("$", r"\$")


def short_name(name: str, most: int = 30) -> str:
    """Return a name on one line, cut to a number of letters."""
    one_line = " ".join(name.split())
    return one_line if len(one_line) <= most else one_line[: most - 1] + "…"
