"""What tests of the page share: results whose pictures are there, and a reader of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

from leukreg.record import RunRecord

VOID = frozenset({"meta", "link", "img", "br", "rect", "path", "use"})


def with_pictures(result: RunRecord, folder: Path) -> RunRecord:
    """The result with its samples' files really there, all of one small picture."""
    folder.mkdir(exist_ok=True)
    picture = folder / "cell.png"
    Image.new("RGB", (40, 30), (180, 120, 190)).save(picture)
    rows = tuple(replace(row, path=str(picture)) for row in result.samples.rows)
    paths = (str(picture),) * len(result.predictions)
    return replace(
        result,
        samples=replace(result.samples, rows=rows),
        predictions=replace(result.predictions, path=paths),
    )


class Reader(HTMLParser):
    """Reads a page as a browser would: tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())
