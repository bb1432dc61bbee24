"""No command cuts a figure of its tables, however narrow the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from leukreg.cli.main import main
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.report import console, table_layout
from leukreg.section import Table
from tests.terminal import plain, pretend
from tests.trained import COLOURS, write_cells

Checked = Callable[[Callable[[], object]], int]
Capture = pytest.CaptureFixture[str]
EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def figures(text: str) -> Counter[str]:
    """Words that are nothing but a figure and its marks."""
    return Counter(word for word in text.split() if re.fullmatch(r"\W*\d[\d\W]*", word))


@pytest.fixture(params=[40, 60, 80, 120, None])
def checked(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> Checked:
    """Does something, and finds every figure of every table that it prints in its output."""
    shown: list[Table] = []

    def recorded(table: Table, *options: Any) -> list[table_layout.Block]:
        shown.append(table)
        return table_layout.blocks(table, *options)

    monkeypatch.setattr(console, "blocks", recorded)
    monkeypatch.setenv("COLUMNS", "80")
    if request.param is not None:
        pretend(monkeypatch, request.param)

    def call(job: Callable[[], object]) -> int:
        shown.clear()
        job()
        text = figures(plain(capsys.readouterr().out))
        for table in shown:
            inside = figures(" ".join(cell for row in table.rows for cell in row))
            assert inside <= text, f"lost: {inside - text}"
        return len(shown)

    return call


def command(*words: object) -> Callable[[], int]:
    return lambda: main([str(word) for word in words])


def test_looking_at_images(tmp_path: Path, checked: Checked) -> None:
    root = write_cells(tmp_path / "a rather long name of a folder", tuple(COLOURS), 7, seed=2)
    (root / "benign" / "broken.png").write_text("1,212")
    Image.open(root / "benign" / "00.png").save(root / "early" / f"{'copy-' * 20}.png")
    assert checked(command("data", root)) == 3


def test_a_run_with_everything(binary_run: Path, tmp_path: Path, checked: Checked) -> None:
    root = binary_run.parent
    images = write_cells(tmp_path / "new", ("benign",), 2, seed=4)
    assert checked(command("show", binary_run)) > 4
    assert checked(command("runs", "--root", root)) == 1
    assert checked(command("compare", binary_run, binary_run, EXPERIMENTS / "v4.toml")) > 2
    assert checked(command("predict", binary_run, images)) == 1
    assert checked(command("cache")) == 1


def test_a_run_of_sixteen_classes(
    tmp_path: Path, make_result: Callable[..., RunRecord], checked: Checked
) -> None:
    classes = tuple(f"[Malignant] kind of cell number {place}" for place in range(16))
    result = make_result(classes=classes, counts=(40,) * 16, bootstrap=20)
    many = tuple(tuple(5627 + i * j for j in range(16)) for i in range(16))
    result = replace(result, confusion=many)
    assert checked(lambda: console.show(result, Console(), installed())) > 3


def test_what_a_recipe_would_do(checked: Checked) -> None:
    assert checked(command("check", EXPERIMENTS / "v4.toml", "--no-plan")) > 1
    assert checked(command("plugins")) == 1
