"""Read a report as its readers do: a browser, a Markdown viewer, a spreadsheet."""

import csv
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

from markdown_it import MarkdownIt

MINUS = "\u2212"
_VOID = {"meta", "img", "br", "line", "circle", "rect"}


class Page(HTMLParser):
    """An HTML page, as its elements, attributes, texts and tables.

    ``structure`` names every element with its attributes, without what stands in them: two pages
    with the same one differ in texts only.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.structure: list[tuple[str, ...]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tables: list[list[list[str]]] = []
        self.style = ""
        self.words: list[str] = []
        self.names: list[str] = []  # what stands in <bdi>
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == [], "some elements are not closed"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.structure.append((tag, *(name for name, _ in attributes)))
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "bdi":
            self.names.append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        self.structure.append((f"/{tag}",))
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
            return
        self.words.append(data)
        if self._open[-1:] == ["bdi"]:
            self.names[-1] += data
        if "td" in self._open or "th" in self._open:
            self.tables[-1][-1][-1] += data

    def handle_comment(self, data: str) -> None:
        self.structure.append(("comment",))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values_of(self, name: str) -> list[str]:
        """Return the values of an attribute wherever it stands."""
        return [value for _, attribute, value in self.attributes if attribute == name]


class Sheet:
    """A Markdown text, as the constructs it is made of and its tables."""

    def __init__(self, source: str) -> None:
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(source)
        self.structure: list[str] = []
        self.tables: list[list[list[str]]] = []
        texts: list[str] = []
        for before, token in zip([None, *tokens], tokens, strict=False):
            inner = [t.type for t in token.children or ()]
            self.structure += [token.type, *inner]
            if token.type == "table_open":
                self.tables.append([])
            elif token.type == "tr_open":
                self.tables[-1].append([])
            elif token.type == "inline":
                texts.append("".join(t.content for t in token.children))
                if before.type in ("td_open", "th_open"):
                    self.tables[-1][-1].append(texts[-1])
        self.text = " ".join(" ".join(texts).split())

    def live(self) -> set[str]:
        """Return the constructs that lead elsewhere or are not text."""
        return {t for t in self.structure if t.startswith(("link", "image", "html"))}


def read_cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def name_in(cell: str) -> str:
    """Return the exact name by the documented rule: one leading apostrophe is removed."""
    return cell.removeprefix("'")


def amount_in(text: str) -> Decimal:
    """Return an amount that was written for people."""
    return Decimal(text.replace(MINUS, "-").replace(",", ""))
