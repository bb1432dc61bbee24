"""``leukreg published`` and the page of the field, as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leukreg.cli.main import main

PAPER = """\
[source]
title = "Cells of {name}"
address = "https://example.org/{name}"
quoted = "table 2"
kind = "paper"
year = {year}
patients = 12
answer = "{answer}"

[[reported]]
model = "A"
dataset = "all-idb1"
split = "{split}"
classes = ["Benign", "ALL"]
test_counts = {{ Benign = 20, ALL = 20 }}
accuracy = "{accuracy}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "field"
    root.mkdir()
    good = PAPER.format(name="good", year=2020, split="patient", accuracy="0.90", answer="")
    odd = PAPER.format(name="odd", year=2021, split="image", accuracy="0.91", answer="A misprint.")
    (root / "good.toml").write_text(good, encoding="utf-8")
    (root / "odd.toml").write_text(odd, encoding="utf-8")
    assert main(["published", str(root), "--update"]) == 0
    return root


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[Any]:
    capsys.readouterr()
    assert main(["published", str(folder), *options, "--json"]) == 0
    found: list[Any] = json.loads(capsys.readouterr().out)
    return found


def test_results_are_listed_with_their_verdicts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["published", str(folder)]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()[2:4]]
    assert [row[0] for row in rows] == ["good", "odd"]
    assert rows[0][2:] == ["2020", "all-idb1", "accuracy", "0.90", "40", "patient", "consistent"]
    assert rows[1][-1] == "impossible"
    assert "2 tables of figures from 2 sources." in out


@pytest.mark.parametrize(
    ("option", "value", "names"),
    [
        ("--verdict", "Impossible", ["odd"]),
        ("--split", "patient", ["good"]),
        ("--year", "2021", ["odd"]),
        ("--data-set", "all-idb1", ["good", "odd"]),
    ],
)
def test_they_are_filtered(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, names: list[str]
) -> None:
    assert [row["name"] for row in listed(folder, capsys, option, value)] == names


def test_a_filter_that_fits_nothing_names_what_is_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["published", str(folder), "--split", "patients"]) == 2
    assert "did you mean 'patient'?" in capsys.readouterr().err


def test_json_has_source_figures_and_verdict(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (one,) = listed(folder, capsys, "--year", "2020")
    assert one["source"]["address"] == "https://example.org/good"
    (row,) = one["results"]
    assert row["reported"]["accuracy"] == "0.90"
    assert row["verdict"]["says"] == "consistent"
    assert row["baseline"] == 0.5
    assert row["interval"] == pytest.approx([0.769, 0.960], abs=1e-3)  # Wilson, 36 of 40


def test_verdicts_are_renewed_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    before = (folder / "odd.toml").read_bytes()
    assert main(["published", str(folder), "--update"]) == 0
    assert "0 files of 2 changed." in capsys.readouterr().out
    (folder / "odd.toml").write_bytes(before.replace(b'says = "impossible"', b'says = "fine"'))
    assert main(["published", str(folder), "--update"]) == 0
    assert "1 file of 2 changed." in capsys.readouterr().out
    assert (folder / "odd.toml").read_bytes() == before


def test_the_page_of_the_field(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert main(["report", str(folder)]) == 0
    html = (folder.parent / "published.html").read_text(encoding="utf-8")
    for shown in ("76.9 to 96.0 %", "50.0 %", "https://example.org/odd", "odd: A misprint."):
        assert shown in html
    assert main(["report", str(folder)]) == 0  # an earlier page of the same is replaced
