"""``leukreg cache``: what is kept between runs, and what a clearing spares."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.data.cache_folder import cache_area


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    for area, name in (("pixels", "32px-1"), ("generators", "cgan-32px-9-steps-ab")):
        folder = cache_area(area, costly=area == "generators") / name
        folder.mkdir()
        (folder / "file").write_bytes(bytes(200_000))
    return tmp_path / "cache"


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["cache", *words]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_all_of_it_is_listed(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys)
    assert "32px-1" in text
    assert "cgan-32px-9-steps-ab" in text
    assert "0.4 MB in" in text
    assert "generators only with --all" in text


def test_generators_are_kept_and_named(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "clear")
    assert f"0.2 MB deleted from {cache}" in text
    assert "0.2 MB kept, since it took hours to make (cgan-32px-9-steps-ab)" in text
    assert (cache / "generators" / "cgan-32px-9-steps-ab" / "file").exists()
    assert not (cache / "pixels" / "32px-1").exists()


@pytest.mark.parametrize("words", [("--all",), ("cgan-32px",)])
def test_generators_go_where_that_is_asked_for(
    cache: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert "kept" not in said(capsys, "clear", *words)
    assert not [*(cache / "generators").glob("cgan-*")]


def test_a_name_that_is_not_there(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "clear", "64px", code=2)
    assert "there is no entry '64px'; there are 32px-1, cgan-32px-9-steps-ab" in text


def test_an_empty_name_names_nothing(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no entry ''; there are" in said(capsys, "clear", "", code=2)
    assert (cache / "generators" / "cgan-32px-9-steps-ab" / "file").exists()


def test_an_empty_cache(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "clear", "--all")
    assert "is empty" in said(capsys)
