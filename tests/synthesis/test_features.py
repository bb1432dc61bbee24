from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leukreg import files
from leukreg.data.cache_folder import clear, entries
from leukreg.errors import DataError
from leukreg.progress import SILENT
from leukreg.synthesis import features
from leukreg.synthesis.extractors import OpenExtractor
from leukreg.synthesis.features import FeatureCache, image_digests
from tests.synthesis.pictures import grid, pictures


def features_of(
    images: NDArray[np.uint8], extractor: OpenExtractor | None = None
) -> NDArray[np.float32]:
    return FeatureCache(extractor or grid(), 32).features(images, image_digests(images))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def test_what_is_known_is_not_computed_again() -> None:
    images, extractor = pictures(20), grid()
    first = features_of(images, extractor)
    assert extractor.module.seen == 20
    assert np.allclose(first, extractor.features(images), atol=1e-5)
    seen = extractor.module.seen
    more = np.concatenate([images[::-3], pictures(2, seed=9), images[:1]])
    again = features_of(more, extractor)
    assert extractor.module.seen == seen + 2
    assert np.array_equal(again[:7], first[::-3])
    assert np.array_equal(again[-1], first[0])


def test_doubles_go_into_a_pack_once(cache: Path) -> None:
    images = pictures(4)[[0, 0, 1, 1, 2]]
    found = features_of(images)
    [pack] = cache.glob("*/pack-*")
    assert len(np.load(pack / "features.npy")) == 3
    assert np.array_equal(features_of(images), found, grid())


def test_another_digest_or_pixel_is_another_place() -> None:
    images, other = pictures(6), grid("fedcba9876543210")
    features_of(images)
    features_of(images, other)
    assert other.module.seen == 6
    changed = images.copy()
    changed[2, 5, 5, 1] ^= 1
    extractor = grid()
    features_of(changed, extractor)
    assert extractor.module.seen == 1


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"junk"])
def test_a_damaged_pack_is_made_again(cache: Path, damage: bytes) -> None:
    images = pictures(5)
    first = features_of(images)
    [pack] = cache.glob("*/pack-*")
    (pack / "features.npy").write_bytes(damage)
    assert np.array_equal(features_of(images), first, grid())
    extractor = grid()
    features_of(images, extractor)
    assert extractor.module.seen == 0


def test_a_flipped_bit_is_seen_and_said(cache: Path) -> None:
    images = pictures(30)
    store = FeatureCache(grid(), 32)
    first = store.features(images, image_digests(images))
    floor = store.floor(image_digests(images), first, 0)
    for name in ("features.npy", "digests.npy", "floor.json"):
        [path] = cache.glob(f"*/*/{name}")
        data = bytearray(path.read_bytes())
        data[-9] ^= 1
        path.write_bytes(data)
        said = Said()
        assert np.array_equal(store.features(images, image_digests(images), said), first)
        assert store.floor(image_digests(images), first, 0) == floor
        assert path.read_bytes() != data
        assert ["features were damaged" in line for line in said.lines] == [True] * (
            name != "floor.json"
        )


class Said:
    """Remembers what was said; satisfies Progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def task(self, title: str, total: int | None = None) -> Any:
        return SILENT.task(title, total)

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_clearing_meanwhile_does_no_harm(cache: Path) -> None:
    images, extractor = pictures(5), grid()
    store = FeatureCache(extractor, 32)
    compute = extractor.module.forward

    def cleared(pixels: Any) -> Any:
        clear()
        return compute(pixels)

    extractor.module.forward = cleared
    assert store.features(images, image_digests(images)).shape == (5, extractor.dimensions)
    assert list(cache.glob("*/pack-*"))


def test_a_full_disk_is_said_and_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureCache(grid(), 32)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device; make room"):
        store.features(pictures(3), image_digests(pictures(3)))
    assert list(cache.glob("*/*")) == []


def test_what_a_killed_process_left_is_removed_after_a_day(cache: Path) -> None:
    features_of(pictures(3))
    [folder] = cache.glob("grid-*")
    for name, hours in (("tmp-old", 30), ("tmp-new", 1)):
        (folder / name).mkdir()
        then = time.time() - 3600 * hours
        os.utime(folder / name, (then, then))
    features_of(pictures(3))
    assert {path.name for path in folder.glob("tmp-*")} == {"tmp-new"}


def test_a_floor_is_kept_by_content_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    images, store = pictures(30), FeatureCache(grid(), 32)
    digests, known = image_digests(images), features_of(images)
    found = store.floor(digests, known, 0)
    calls: list[Any] = []
    monkeypatch.setattr(features, "floor", lambda *args: calls.append(args) or found)
    assert store.floor(digests, known, 0) == found
    assert calls == []
    store.floor(digests, known, 1)
    store.floor(digests[:29], known[:29], 0)
    assert len(calls) == 2


def test_the_cache_command_lists_and_clears_it() -> None:
    features_of(pictures(3), grid())
    assert [(e.area, e.name) for e in entries()] == [("features", "grid-0123456789abcdef-32px")]
    assert len(clear("grid")) == 1
    assert entries() == ()
