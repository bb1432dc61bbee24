"""Figures as SVG: the same on every run, safe inside a page, readable in light and dark."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.figure import Figure

from leukreg.report import plot
from leukreg.report.plot import STYLE, draw, style

NASTY = "</svg><script>alert(1)</script> \x00\x1b & \"q\" 'p' -- ]]>"


def figure(label: str = "cells") -> Figure:
    with style():
        made = Figure()
        axes = made.subplots()
        axes.plot([0, 1, 2], [1, 0, 2], label=label, marker="o")
        axes.fill_between([0, 1], [0, 0], [1, 1], color=STYLE.colours[1], hatch="//")
        axes.set_title(label)
        axes.set_xticks([0, 1], [label, "b"])
        axes.legend()
    return made


def test_the_same_figure_gives_the_same_text() -> None:
    with style():
        one, two = draw(figure(), "a", "x"), draw(figure(), "a", "x")
    assert one == two
    assert not re.search(r"\d{4}-\d\d-\d\d", one.svg)


def test_a_file_is_well_formed_and_stands_on_white() -> None:
    with style():
        drawn = draw(figure(NASTY), "a", "x")
    root = ElementTree.fromstring(drawn.svg.encode())
    first = next(iter(root))
    assert first.tag.endswith("rect")
    assert first.attrib["fill"] == "#ffffff"
    assert STYLE.ink in drawn.svg
    assert "<script" not in drawn.svg


def test_ids_of_two_figures_on_a_page_differ_and_every_reference_is_met() -> None:
    with style():
        texts = [draw(figure(), prefix, "x").inline for prefix in ("f1", "f2")]
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in texts]
    assert ids[0].isdisjoint(ids[1])
    for own, text in zip(ids, texts, strict=True):
        used = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
        assert used
        assert used <= own


def test_a_part_of_a_page_has_no_head_and_follows_the_theme() -> None:
    with style():
        drawn = draw(figure(), "a", 'what "it" shows <b>')
    assert drawn.inline.startswith("<svg ")
    assert drawn.themed
    for gone in ("<?xml", "<!DOCTYPE", "<metadata", "<style", STYLE.ink, STYLE.colours[0], 'pt"'):
        assert gone not in drawn.inline
    assert "currentColor" in drawn.inline
    assert "var(--c0)" in drawn.inline
    assert 'aria-label="what &quot;it&quot; shows &lt;b&gt;"' in drawn.inline
    assert ">cells</text>" in drawn.inline


def test_colours_that_mean_something_stay_on_white() -> None:
    with style():
        made = Figure()
        made.subplots().imshow([[0, 1], [2, 3]])
        assert not draw(made, "a", "x").themed


def test_a_huge_drawing_is_given_as_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "LARGEST", 500)
    with style():
        drawn = draw(figure(), "a", "many <points>")
    assert drawn.inline.startswith('<img alt="many &lt;points&gt;" src="data:image/png;base64,')
    assert drawn.svg.startswith("<?xml")
    assert not drawn.themed


def test_what_is_no_figure_is_refused() -> None:
    with pytest.raises(TypeError, match="a matplotlib figure, not int"):
        draw(3, "a", "x")


def test_a_users_own_settings_neither_show_nor_are_lost() -> None:
    with matplotlib.rc_context({"font.size": 31.0, "figure.facecolor": "red"}):
        with style():
            assert matplotlib.rcParams["font.size"] == 10.5
        assert matplotlib.rcParams["font.size"] == 31.0
        assert matplotlib.rcParams["figure.facecolor"] == "red"


def test_glyphs_that_the_measuring_font_lacks_are_no_matter() -> None:
    with style():
        assert "白血病" in draw(figure("白血病"), "a", "x").inline


def test_what_matplotlib_remarks_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are errors here; a log record would stand on the console."""
    import logging

    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    figure.subplots().set_title("白血病 ☃ 𝔸", fontfamily=["no such font"])
    monkeypatch.setattr(plot, "LARGEST", 10)
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger("matplotlib").addHandler(handler)
    try:
        assert "data:image/png" in plot.draw(figure, "f", "a").inline
    finally:
        logging.getLogger("matplotlib").removeHandler(handler)
    assert records == []
