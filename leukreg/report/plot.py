"""How figures look: colours that colour-blind people tell apart, and few lines.

Ink, faint ink and lines of a grid are colours that nothing else has: on the page they follow the
reader's light or dark.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from leukreg.progress import quiet
from leukreg.report.table_layout import shortened
from leukreg.text import visible


@dataclass(frozen=True, slots=True)
class FigureStyle:
    """What figures are drawn with; what a report leaves open is set so already."""

    ink: str = "#1b1f24"
    """Text. It, faint and lines follow the reader's light or dark on the page."""
    faint: str = "#57606a"
    """What matters less."""
    lines: str = "#d0d7de"
    """A grid."""
    colours: tuple[str, ...] = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
    """Okabe and Ito's (2008) without yellow, which is lost on white."""
    dashes: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
    """A line is told by its dashes too, not by colour alone."""
    width: float = 4.7
    """Inches a figure may be wide, so that its text can be read on a phone."""

    def names(self, names: Sequence[str], longest: int = 28) -> list[str]:
        """As matplotlib is to draw them: no formula, no control characters, none too long, no two
        alike."""
        plain = [visible(name).replace("\n", "\\n") for name in names]
        short = shortened(plain, longest)
        return [short[name].replace("$", r"\$") for name in plain]


STYLE = FigureStyle()


@contextmanager
def style() -> Iterator[None]:
    """Figures made within look like leukreg's, whatever a user's matplotlib is set to."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for name, value in _settings().items():
            matplotlib.rcParams[name] = value  # type: ignore[index]
        yield


def _settings() -> dict[str, Any]:
    from cycler import cycler

    return {
        "figure.figsize": (STYLE.width, 3.4),
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "savefig.bbox": "tight",
        "savefig.pad_inches": 0.05,
        "font.size": 10.5,
        "axes.titlesize": 10.5,
        "axes.titlelocation": "left",
        "text.color": STYLE.ink,
        "axes.labelcolor": STYLE.ink,
        "axes.titlecolor": STYLE.ink,
        "axes.edgecolor": STYLE.faint,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=STYLE.colours) + cycler(linestyle=STYLE.dashes),
        "grid.color": STYLE.lines,
        "grid.linewidth": 0.6,
        "xtick.color": STYLE.faint,
        "ytick.color": STYLE.faint,
        "xtick.labelcolor": STYLE.ink,
        "ytick.labelcolor": STYLE.ink,
        "hatch.color": STYLE.ink,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "svg.fonttype": "none",
        "svg.hashsalt": "leukreg",
    }


REMARKS = "matplotlib"
"""The logger of its remarks: a glyph that its font lacks, a layout that is tight."""
LARGEST = 700_000
"""Characters of a drawing that the page takes as it is; above, it gets its pixels."""
_TAG = re.compile(r"<[^>]*>")
_SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"')
_LONG = re.compile(r"(\d\.\d\d)\d+")
_FONT = re.compile(r"font: ([^;\"']*px)[^;\"]*")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LEADING = re.compile(r"^.*?(?=<svg\b)|<metadata>.*?</metadata>|<style[^>]*>.*?</style>", re.DOTALL)
_THEMED = {
    STYLE.ink: "currentColor",
    "#000000": "currentColor",
    STYLE.faint: "var(--faint)",
    STYLE.lines: "var(--lines)",
    "#ffffff": "var(--paper)",
} | {colour: f"var(--c{place})" for place, colour in enumerate(STYLE.colours)}
_COLOUR = re.compile("|".join(_THEMED))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure as text."""

    svg: str
    """A file of its own, on white."""
    inline: str
    """The same for a page: unique ids, colours that follow the theme, no head."""
    width: float
    """Points."""
    themed: bool
    """False: its colours mean something on white only, so that it needs a white ground."""


def draw(figure: Any, prefix: str, alt: str) -> Drawn:
    """Draw a figure; the same figure gives the same text.

    Args:
        figure: A ``matplotlib.figure.Figure``.
        prefix: Begins every id, so that ids of several figures on a page differ.
        alt: What it shows, for those who cannot see it.

    Raises:
        TypeError: It is no figure.
    """
    from matplotlib.collections import QuadMesh

    if not callable(getattr(figure, "savefig", None)):
        raise TypeError(f"a section's figure is a matplotlib figure, not {type(figure).__name__}")
    text = _saved(figure)
    size = _SIZE.search(text)
    width = float(size[1]) if size else 0.0
    themed = not any(
        axes.images or any(isinstance(one, QuadMesh) for one in axes.collections)
        for axes in getattr(figure, "axes", ())
    )
    if len(text) > LARGEST:
        return Drawn(_on_white(text), _as_pixels(figure, alt), width, themed=False)
    return Drawn(_on_white(text), _for_page(text, prefix, alt, themed), width, themed)


def close(figure: Any) -> None:
    """Let go of a figure that was made with pyplot, which keeps all it makes."""
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and hasattr(figure, "savefig"):
        pyplot.close(figure)


def _saved(figure: Any) -> str:
    buffer = io.BytesIO()
    with quiet(REMARKS):
        # No date and no version: a page that is made again is the same to the byte.
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = visible(_NO_XML.sub("\ufffd", buffer.getvalue().decode("utf-8", "replace")))
    # Two decimals of a point are finer than any screen; the fonts of this machine are not the
    # reader's.
    return _TAG.sub(lambda tag: _LONG.sub(r"\1", _FONT.sub(r"font: \1 sans-serif", tag[0])), text)


def _on_white(text: str) -> str:
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return re.sub(r"(<svg\b[^>]*>)", rf"\1\n {ground}", text, count=1)


def _for_page(text: str, prefix: str, alt: str, themed: bool) -> str:
    # Ids that two figures of one page share would let the second use the first one's clips.
    def mended(tag: re.Match[str]) -> str:
        own = re.sub(r'\bid="', f'id="{prefix}-', tag[0])
        own = re.sub(r'href="#', f'href="#{prefix}-', own)
        own = re.sub(r"url\(#", f"url(#{prefix}-", own)
        return _COLOUR.sub(lambda colour: _THEMED[colour[0]], own) if themed else own

    body = _TAG.sub(mended, _LEADING.sub("", text))
    head = f'<svg role="img" aria-label="{_quoted(alt)}" focusable="false"'
    return _SIZE.sub("", body, count=1).replace("<svg", head, 1)


def _as_pixels(figure: Any, alt: str) -> str:
    buffer = io.BytesIO()
    with quiet(REMARKS):
        figure.savefig(buffer, format="png", dpi=130, facecolor="white")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{_quoted(alt)}" src="data:image/png;base64,{data}">'


def _quoted(text: str) -> str:
    from html import escape

    return escape(_NO_XML.sub("\ufffd", visible(text)), quote=True)
