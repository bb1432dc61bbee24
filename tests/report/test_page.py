"""The page of a run, as a browser, a reader of screens and a malicious name would have it."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from leukreg import registry
from leukreg.progress import SILENT, Progress
from leukreg.record import Environment, RunRecord
from leukreg.registry import installed
from leukreg.report.console import sections
from leukreg.report.page import MOST_ROWS, Page, PageHead, page_of, run_page
from leukreg.report.page_pictures import Album, laid_over, model_maps
from leukreg.section import Picture, Section, Table
from leukreg.testing.examples import example_result
from leukreg.types import Finding, Notice
from tests.factory import build_result
from tests.facts import from_facts
from tests.report.pages import Reader, with_pictures
from tests.strangers import entry_points, install

Make = Callable[..., RunRecord]
Pixels = NDArray[np.uint8]
EVIL = "</svg><script>alert('x')</script>\"'<img src=x onerror=y>&amp; $\\frac{1$ \x00\u202e"
HEAD = PageHead(title="t", lines=(), of="run t", folder="report_files")
FINDINGS = (
    Finding(rule="listed-twice", severity="error", message="512 twice", advice="Walk."),
    Finding(rule="few", severity="note", message="12 patients"),
)
NOTICES = (
    Notice(what="data", wanted="folder", used="demo", why="it is not there", label="not real"),
)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """A binary run with everything that a page shows."""
    made = build_result(
        counts=(120, 60), rendered=True, synthetic=20, threshold=True, folds=2, bootstrap=50,
        findings=FINDINGS, notices=NOTICES,
    )  # fmt: skip
    return with_pictures(made, tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def page(result: RunRecord) -> Page:
    return run_page(result, installed())


@pytest.fixture(scope="module")
def read(page: Page) -> Reader:
    return Reader(page.html)


def small(*parts: Section, folder: Path | None = None) -> Page:
    return page_of(HEAD, parts, Album(folder))


def test_sections_stand_in_the_order_in_which_they_are_asked_for(page: Page) -> None:
    found = re.findall(r'<h2 id="[^"]*">([^<]*)</h2>', page.html)
    wanted = [
        "Verdict", "Findings: 1 error, 1 note", "Data", "Sample images", "All classes together",
        "Each class", "Confusion", "ROC", "Precision and recall", "Reliability",
        "Accuracy and rejection", "Training", "The surest mistakes", "The least certain answers",
        "Synthetic cells beside given ones", "Made with",
    ]  # fmt: skip
    assert [title for title in found if title in wanted] == wanted
    assert found[0] == wanted[0]
    assert found[-1] == wanted[-1]


def test_it_needs_nothing_from_anywhere(page: Page, read: Reader) -> None:
    assert len(page.html.encode()) < 5_000_000
    for tag, attributes in read.tags:
        for name in ("src", "href", "xlink:href", "data", "action", "poster"):
            target = attributes.get(name, "#")
            local = target.startswith(("#", "data:", "report_files/"))
            assert local, f"<{tag} {name}={target[:60]}>"
    assert not re.findall(r"url\((?!#)", page.html)
    assert not read.all("script")
    assert "@import" not in page.html
    [policy] = [meta for meta in read.all("meta") if "http-equiv" in meta]
    assert policy["content"].startswith("default-src 'none'")


def test_every_link_leads_somewhere(page: Page, read: Reader) -> None:
    ids = Counter(attributes["id"] for _, attributes in read.tags if "id" in attributes)
    assert max(ids.values()) == 1
    for attributes in read.all("a"):
        target = attributes["href"]
        if target.startswith("#"):
            assert target[1:] in ids
        else:
            assert target.removeprefix("report_files/") in page.files
    for attributes in read.all("section"):
        assert attributes["aria-labelledby"] in ids


def test_a_screen_reader_finds_its_way(read: Reader) -> None:
    assert read.all("html") == [{"lang": "en"}]
    for landmark in ("header", "nav", "main", "footer", "h1", "title"):
        assert len(read.all(landmark)) == 1, landmark
    assert read.tags[[tag for tag, _ in read.tags].index("body") + 1][1]["href"] == "#content"
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(attributes.get("alt") for attributes in read.all("img"))
    assert all(a["role"] == "img" and a["aria-label"] for a in read.all("svg"))
    assert len(read.all("caption")) == len(read.all("table"))
    assert {attributes.get("scope") for attributes in read.all("th")} == {"col", "row"}
    assert len(read.all("figcaption")) == len(read.all("figure"))
    assert all(a.get("aria-label") for a in read.all("div") if a.get("tabindex") == "0")


def test_the_verdict_and_its_warnings_come_first(read: Reader) -> None:
    words = read.words
    assert words.index("Mind: Not real: data is demo") < words.index("Accuracy is")
    assert "For research, not for diagnosis." in words
    at = "The dot is what the answers reach at the threshold of each fold, chosen on validation"
    assert at in words
    assert "error 512 twice listed-twice: Walk." in words


def test_every_picture_is_marked_with_its_origin(page: Page, read: Reader) -> None:
    frames = re.findall(r'<div class="frame (\w+)">(.*?)</div>', page.html, re.DOTALL)
    assert {kind for kind, _ in frames} == {"rendered", "synthetic"}
    for kind, inside in frames:
        assert f'<span class="origin">{kind}</span>' in inside
        assert "data:image/jpeg;base64," in inside
    assert len(frames) == len(read.all("li")) - len(read.all("h2")) - len(FINDINGS)


def test_figures_and_tables_lie_beside_the_page(page: Page, read: Reader) -> None:
    kinds = Counter(name.rpartition(".")[2] for name in page.files)
    assert kinds["svg"] == len(read.all("svg")) >= 9
    assert kinds["csv"] >= len(read.all("table"))
    for name, data in page.files.items():
        assert re.fullmatch(r"\d\d-[a-z0-9-]+\.(svg|csv)", name)
        assert data.startswith(b"<?xml") if name.endswith(".svg") else b"," in data


def test_the_page_is_the_same_each_time(page: Page, result: RunRecord) -> None:
    assert run_page(result, installed()) == page


def test_names_are_text_whatever_they_are(tmp_path: Path, make_result: Make) -> None:
    names = (EVIL, "$a$b$c", "=cmd|' /C calc'!A0")
    made = make_result(classes=names, counts=(30, 30, 30), bootstrap=20, patients=0)
    recipe = {**made.recipe, "title": EVIL, EVIL: EVIL}
    evil = replace(with_pictures(made, tmp_path / "p"), recipe=recipe, name=EVIL)
    made_page = run_page(evil, installed())
    reader = Reader(made_page.html)
    assert not reader.all("script")
    assert not [a for _, a in reader.tags if any(name.startswith("on") for name in a)]
    assert "could not be" not in reader.words
    assert "</svg><script>alert('x')</script>" in reader.words
    assert "\x00" not in made_page.html
    assert "\u202e" not in made_page.html
    for name, data in made_page.files.items():
        if name.endswith(".csv"):
            cells = [cell for row in csv.reader(io.StringIO(data.decode())) for cell in row]
            assert not [cell for cell in cells if cell.startswith(("=", "@"))]


texts = st.text(max_size=30)


@settings(max_examples=40, deadline=None)
@given(texts.filter(str.strip), texts, st.lists(st.tuples(texts, texts), max_size=3))
def test_any_text_is_shown_as_text(title: str, line: str, rows: list[tuple[str, str]]) -> None:
    plain = Reader(small(Section(title="t", text=("x",), tables=(table([("a", "b")]),))).html)
    made = small(Section(title=title, text=(line,), tables=(table(rows),), caption=line))
    reader = Reader(made.html)
    extra = Counter(tag for tag, _ in reader.tags) - Counter(tag for tag, _ in plain.tags)
    assert set(extra) <= {"tr", "th", "td", "br", "small", "strong"}
    made.html.encode("utf-8")


def table(rows: list[tuple[str, str]]) -> Table:
    return Table(columns=("one", "two"), rows=tuple(rows))


def pictured(result: RunRecord) -> list[Section]:
    """The sections with pictures, without the figures, which take long."""
    parts = sections(result, installed(), page=True)
    return [replace(part, figure=None) for part in parts if part.pictures]


def test_files_that_are_gone_are_said(make_result: Make) -> None:
    made = small(*pictured(make_result(bootstrap=0, counts=(30, 20))))
    assert "the file is not there" in made.html
    assert not Reader(made.html).all("img")


def test_damaged_pictures_are_said(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "folder.png").mkdir()
    paths = ("bad.png", "folder.png", "\x00")
    found = tuple(Picture(id=name, path=str(tmp_path / name)) for name in paths)
    words = Reader(small(Section(title="t", pictures=found)).html).words
    assert "unreadable: truncated" in words
    assert words.count("the file is not there") == 2


def test_pictures_a_run_made_are_found_where_the_run_went(tmp_path: Path) -> None:
    (tmp_path / "synthetic").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "synthetic" / "1.png")
    gone = Picture(id="synthetic/1.png", path="/nowhere/synthetic/1.png", origin="synthetic")
    assert "data:image/jpeg" in small(Section(title="t", pictures=(gone,)), folder=tmp_path).html


def test_a_page_of_many_pictures_stays_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leukreg.report.page_pictures.MOST_BYTES", 4_000)
    rng = np.random.default_rng(0)
    many = []
    for number in range(8):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
        many.append(Picture(id=str(number), path=str(path)))
    made = small(Section(title="t", pictures=tuple(many)))
    assert 1 <= made.html.count("data:image/jpeg") < 8
    assert "left out: the page is full" in made.html


def test_maps_stand_under_the_pictures_they_explain(result: RunRecord) -> None:
    asked: list[int] = []

    def explain(run: RunRecord, rows: Sequence[int], progress: Progress) -> dict[int, Pixels]:
        asked.extend(rows)
        return {rows[0]: np.full((20, 20, 3), 200, np.uint8)}

    parts = pictured(result)
    maps = laid_over(result, parts, explain, SILENT)
    wanted = [picture.row for part in parts for picture in part.pictures]
    assert asked == list(dict.fromkeys(row for row in wanted if row is not None))
    made = page_of(HEAD, parts, Album(maps=maps))
    id_of_first = result.predictions.id[asked[0]]
    assert f'alt="Explanation map of Image {id_of_first}"' in made.html
    assert "Grad-CAM" in Reader(made.html).words
    assert "Grad-CAM" not in Reader(small(*parts).html).words


@pytest.mark.parametrize("elsewhere", [False, True])
def test_rows_are_explained_by_the_models_that_scored_them(
    result: RunRecord, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    asked: list[Any] = []

    def explanation(*given: Any) -> Pixels:
        asked.extend(given)
        return np.linspace(0, 1, 2 * 16, dtype=np.float32).reshape(2, 4, 4)

    def load(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(folder=folder, recipe=SimpleNamespace(preprocessing=()))

    monkeypatch.setattr("leukreg.predict.trained_run.load", load)
    monkeypatch.setattr("leukreg.predict.grad_cam.explanation", explanation)
    facts = {"evaluated_from": {"folder": "other"}} if elsewhere else {}
    gone = replace(
        result.predictions, path=("/nowhere", *result.predictions.path[1:]), decision=None
    )
    maps = model_maps(replace(result, **from_facts(facts), predictions=gone), [0, 3, 5], SILENT)
    assert maps.keys() == {3, 5}
    assert maps[3].shape == (288, 288, 3)
    trained, paths, labels, folds, _ = asked
    assert trained.folder == (Path("other") if elsewhere else result.folder)
    assert paths == [Path(gone.path[3]), Path(gone.path[5])]
    assert labels == [gone.classes[gone.probabilities[row].argmax()] for row in (3, 5)]
    assert folds == (None if elsewhere else [gone.fold[3], gone.fold[5]])


def test_a_long_table_is_cut_and_its_file_is_whole() -> None:
    rows = [(str(number), "x") for number in range(MOST_ROWS + 50)]
    made = small(Section(title="Long", tables=(table(rows),)))
    assert "50 more rows stand in the file." in Reader(made.html).words
    assert len(list(csv.reader(io.StringIO(made.files["01-long.csv"].decode())))) == 251


def test_a_formula_is_text_in_a_file_and_a_number_a_number() -> None:
    cells = [("=1+1", "-0.5"), ("+49 89", "two\nlines"), ("-x", "@y")]
    data = small(Section(title="t", tables=(table(cells),))).files["01-t.csv"].decode()
    assert list(csv.reader(io.StringIO(data)))[1:] == [
        [r"\=1+1", "-0.5"], ["+49 89", "two; lines"], [r"\-x", r"\@y"],
    ]  # fmt: skip


def test_many_classes_and_few_rows_are_no_trouble(make_result: Make) -> None:
    names = tuple(f"a class of cells with a long name, number {n}" for n in range(24))
    made = make_result(classes=names, counts=(6,) * 24, bootstrap=0)
    parts = [s for s in sections(made, installed(), page=True) if s.title != "ROC"]
    many = small(*parts)
    assert "could not be" not in many.html
    assert "12 of 24 classes" in Reader(many.html).words
    [name] = [name for name in many.files if name.endswith("confusion-by-name.csv")]
    rows = list(csv.reader(io.StringIO(many.files[name].decode())))
    assert rows[0][1:] == list(names)
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == [*map(list, made.confusion)]


STRANGER = '''
    from matplotlib.figure import Figure
    from leukreg import Section, hookimpl, plugin

    @plugin("entropy")
    class Entropy:
        """How uncertain the answers are."""

        def build(self, result):
            figure = Figure()
            axes = figure.subplots()
            axes.hist(result.predictions.uncertainty, bins=20)
            axes.set_xlabel("entropy, nats")
            yield Section(title="Entropy of the answers", figure=figure, order=35)

    @plugin("broken-figure")
    class Broken:
        """Fails when it is drawn."""

        def build(self, result):
            yield Section(title="Broken", figure=lambda: 1 / 0)

    @hookimpl
    def leukreg_reports():
        return [Entropy, Broken]
'''


def test_a_strangers_section_stands_on_the_page_with_its_figure(
    strangers: Path, monkeypatch: pytest.MonkeyPatch, make_result: Make
) -> None:
    install(strangers, "leukreg-entropy", STRANGER)
    points = list(entry_points(strangers))
    monkeypatch.setattr(registry.metadata, "entry_points", lambda **_: points)
    made = run_page(make_result(bootstrap=0), installed())
    assert [name for name in made.files if name.endswith("entropy-of-the-answers.svg")]
    assert ">entropy, nats</text>" in made.html
    assert "This figure could not be drawn: ZeroDivisionError" in Reader(made.html).words
    before = STRANGER[: STRANGER.index('    @plugin("broken')]
    assert len(before.strip().splitlines()) < 25


def test_the_console_shows_no_section_of_the_page_alone(result: RunRecord) -> None:
    console = {section.title for section in sections(result, installed())}
    on_page = {section.title for section in sections(result, installed(), page=True)}
    assert console < on_page
    assert "ROC" in on_page - console


def test_pictures_inside_are_small(page: Page) -> None:
    for data in set(re.findall(r"data:image/jpeg;base64,([\w+/=]+)", page.html)):
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert max(image.size) <= 144


@pytest.mark.parametrize("kept", [0, 1, 7])
def test_a_run_that_left_little_behind_has_a_page(kept: int) -> None:
    full = example_result(4 if kept == 7 else 2)
    little = replace(
        full,
        predictions=full.predictions.take(np.arange(kept)),
        epochs=(), phases=(), folds=(), validation=None, scores=(), threshold=None,
        confusion=((0,) * len(full.predictions.classes),) * len(full.predictions.classes),
        findings=(), environment=Environment(), recipe={},
    )  # fmt: skip
    made = run_page(little, installed())
    assert re.findall("could not be [dm][^<]*", made.html) == []
    assert "The audit found nothing." in Reader(made.html).words
