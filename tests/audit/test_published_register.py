"""The register of published results: what stands in it, and that the audit still says it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from leukreg.audit.published_register import (
    KeptVerdict,
    PublishedResult,
    audited,
    is_register,
    read_published,
    read_register,
    renewed,
)
from leukreg.errors import LeukregError, Problems
from leukreg.registry import installed

REGISTER = Path(__file__).parents[2] / "experiments" / "published"
RESULTS = {result.name: result for result in read_register(REGISTER)}
PAPER = """\
[source]
title = "Cells"
address = "https://example.org/table-2"
quoted = "table 2"
kind = "paper"

[[reported]]
model = "A"
classes = ["Benign", "ALL"]
test_counts = { Benign = 20, ALL = 20 }
accuracy = "0.90"

[[reported]]
model = "B"
classes = ["Benign", "ALL"]
test_counts = { Benign = 20, ALL = 20 }
accuracy = "0.91"
"""


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    path = tmp_path / "cells.toml"
    path.write_text(PAPER, encoding="utf-8")
    return path


def test_it_holds_forty_sources_with_an_address_each() -> None:
    assert len(RESULTS) >= 40
    for result in RESULTS.values():
        assert re.fullmatch(r"https?://\S+", result.source.address)
        assert result.source.quoted
        assert result.source.year is None or 1990 < result.source.year <= 2026
        assert all(reported.split for reported in result.reported), result.name


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_the_audit_says_what_the_register_keeps(result: PublishedResult) -> None:
    assert result.verdicts == audited(result, installed()), "leukreg published --update renews it"


def test_verdicts_are_kept_last_and_read_back(paper: Path) -> None:
    result = read_published(paper)
    assert [verdict for _, verdict in result.rows()] == [None, None]
    first, second = audited(result, installed())
    assert (first.model, first.says) == ("A", "consistent")
    assert (second.model, second.says) == ("B", "impossible")
    assert second.findings
    text = renewed(PAPER, (first, second))
    assert text.startswith(PAPER)
    paper.write_text(text, encoding="utf-8")
    again = read_published(paper)
    assert again.verdicts == (first, second)
    assert renewed(text, again.verdicts) == text
    assert renewed(text, [replace(first, says="x"), second]) == text.replace(
        'says = "consistent"', 'says = "x"'
    )


def test_odd_text_survives(paper: Path) -> None:
    odd = KeptVerdict(model='A "b" \\ ±', says="x\x7f\ty", rests_on=("é",))
    paper.write_text(renewed(PAPER, (odd, odd)), encoding="utf-8")
    assert read_published(paper).verdicts == (odd, odd)


def test_mistakes_of_all_files_are_told_at_once(paper: Path) -> None:
    paper.write_text(PAPER.replace('kind = "paper"', 'kind = "blog"\nyaer = 2020'))
    (paper.parent / "other.toml").write_text("accuracy = 0.9\n")
    (paper.parent / "third.toml").write_text(PAPER + "[[verdict]]\nmodel = 'A'\n")
    with pytest.raises(Problems) as told:
        read_register(paper.parent)
    text = str(told.value)
    assert "cells.toml:6" in text
    assert "no such key; did you mean 'year'?" in text
    assert "source.kind: must be one of paper, preprint, card" in text
    assert "needs a table [source]" in text
    assert "leukreg published --update renews it" in text


def test_missing_and_wrong_values_are_named(paper: Path) -> None:
    paper.write_text(PAPER.replace('title = "Cells"', "patients = true"))
    with pytest.raises(Problems, match=r"source.title: is missing") as told:
        read_published(paper)
    assert "source.patients: must be a whole number" in str(told.value)


def test_a_folder_is_a_register_where_a_file_has_a_source(paper: Path, tmp_path: Path) -> None:
    assert is_register(tmp_path)
    paper.write_text("[reported]\naccuracy = 0.9\n")
    assert not is_register(tmp_path)
    assert not is_register(paper)
    with pytest.raises(LeukregError, match="holds no files of published figures"):
        read_register(tmp_path / "nothing")
