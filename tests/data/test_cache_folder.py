"""The cache can be listed and cleared, and nothing that is not leukreg's own is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.data.cache_folder import cache_area, cache_root, clear, entries
from leukreg.data.image_store import open_images
from leukreg.types import ImageSpec
from tests.data.conftest import Write


def test_entries_and_clearing(write: Write, cache: Path) -> None:
    assert cache_root() == cache
    assert entries() == clear() == ()
    samples = write("abc")
    open_images(samples, ImageSpec(size=32))
    open_images(samples, ImageSpec(size=16))
    big, small = entries()
    assert (big.area, big.name[:5], small.name[:5]) == ("pixels", "32px-", "16px-")
    assert big.bytes > 3 * 32 * 32 * 3
    assert big.files == 3
    assert clear("64px") == ()
    assert clear("16px") == (small,)
    assert entries() == (big,)
    assert clear() == (big,)
    assert entries() == ()
    open_images(samples, ImageSpec(size=32))
    assert len(entries()) == 1


def test_what_took_hours_is_deleted_only_where_that_is_asked_for(cache: Path) -> None:
    for area, costly in (("pixels", False), ("generators", True)):
        (cache_area(area, costly) / "one").mkdir()
    cheap = [entry.area for entry in entries() if not entry.costly]
    assert cheap == [entry.area for entry in clear()] == ["pixels"]
    assert [entry.area for entry in entries()] == ["generators"]
    assert not clear("")
    assert clear("o")
    (cache_area("generators", costly=True) / "two").mkdir()
    assert not clear()
    assert clear(costly=True)
    assert not entries()


def test_an_area_may_turn_out_to_be_costly(cache: Path) -> None:
    (cache_area("generators") / "one").mkdir()
    assert not entries()[0].costly
    cache_area("generators", costly=True)
    assert entries()[0].costly
    cache_area("generators")
    assert entries()[0].costly


def test_only_tagged_folders_are_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path))
    (tmp_path / "thesis" / "chapter").mkdir(parents=True)
    (tmp_path / "thesis" / "chapter" / "one.txt").write_text("years of work")
    (cache_area("pixels") / "16px").mkdir()
    assert [entry.name for entry in clear()] == ["16px"]
    assert (tmp_path / "thesis" / "chapter" / "one.txt").read_text() == "years of work"
    assert (tmp_path / "pixels" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f59")
