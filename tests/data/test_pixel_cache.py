"""The pixel cache: shared, never stale, and proof against kills, damage and company."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leukreg.data import image_store as images_module
from leukreg.data.cache_folder import clear
from leukreg.data.image_store import open_images
from leukreg.errors import DataError
from leukreg.types import ImageSpec, Samples
from tests.data.conftest import SPEC, Steps, Write, decoded, packs


def test_a_kill_while_writing_costs_one_pack(
    write: Write, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = write("a" * 40)
    monkeypatch.setattr(images_module, "PACK_BYTES", 1)  # 16 pictures a pack
    calls = 0
    from leukreg.data.decode import cached_images as decode

    def dying(*given: Any) -> object:
        nonlocal calls
        calls += 1
        if calls == 20:
            raise KeyboardInterrupt
        return decode(*given)

    monkeypatch.setattr(images_module, "cached_images", dying)
    with pytest.raises(KeyboardInterrupt):
        open_images(samples, SPEC)
    monkeypatch.setattr(images_module, "cached_images", decode)
    assert len(packs(cache)) == 1
    assert decoded(samples) == 24
    assert open_images(samples, SPEC).pixels(range(40)).shape[0] == 40


OPEN = """
import os, pathlib, pickle, sys, time
from leukreg.data.image_store import open_images
from leukreg.data import image_store, pixel_cache
from leukreg.types import ImageSpec
{before}
samples = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
opened = open_images(samples, ImageSpec(size=32))
assert opened.pixels(range(len(opened))).any()
"""
# As by kill -9, when all but the name is written.
KILLED = "pixel_cache._settle = lambda *_: os._exit(9)"
MANY_PACKS = "image_store.PACK_BYTES = 1"


def start(samples: Samples, folder: Path, before: str) -> subprocess.Popen[bytes]:
    table = folder / "samples.pickle"
    table.write_bytes(pickle.dumps(samples))
    return subprocess.Popen([sys.executable, "-c", OPEN.format(before=before), str(table)])


def test_a_killed_process_leaves_nothing_that_is_read(
    write: Write, cache: Path, tmp_path: Path
) -> None:
    samples = write("aab")
    assert start(samples, tmp_path, KILLED).wait() == 9
    [leftover] = cache.glob("pixels/*/tmp-*")
    assert packs(cache) == []
    assert decoded(samples) == 3
    assert not leftover.exists()


def test_what_another_machine_left_in_a_shared_cache_goes_a_day_later(
    write: Write, cache: Path, tmp_path: Path
) -> None:
    samples = write("aab")
    assert start(samples, tmp_path, KILLED).wait() == 9
    [ours] = cache.glob("pixels/*/tmp-*")
    leftover = ours.rename(ours.with_name(f"tmp-x-elsewhere.{ours.suffix[1:]}"))
    open_images(samples, SPEC)
    assert leftover.exists()  # its process may be at work
    for path in (*leftover.iterdir(), leftover):
        os.utime(path, (0, 0))
    open_images(samples, SPEC)
    assert not leftover.exists()


def test_two_processes_at_once(write: Write, cache: Path, tmp_path: Path) -> None:
    samples = write("ab" * 30)
    processes = [start(samples, tmp_path, MANY_PACKS) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert decoded(samples) == 0
    assert list(cache.glob("pixels/*/tmp-*")) == []
    assert sum(path.stat().st_size for path in cache.rglob("pixels.u8")) == 60 * 32 * 32 * 3


@pytest.mark.parametrize("damage", ["pixels.u8", "thumbs.u8", "index.json"])
@pytest.mark.parametrize("how", ["shortened", "removed", "flipped"])
def test_a_damaged_pack_is_made_again(write: Write, cache: Path, damage: str, how: str) -> None:
    samples = write("ab")
    before = open_images(samples, SPEC)
    pixels, thumbs, facts = before.pixels([0, 1]), before.thumbs([0, 1]), before.facts
    [pack] = packs(cache)
    data = bytearray((pack / damage).read_bytes())
    (pack / damage).unlink()  # a new file: the old one stays open
    if how == "flipped":
        data[len(data) // 2] ^= 1
        (pack / damage).write_bytes(data)
    elif how == "shortened":
        (pack / damage).write_bytes(data[:-1])
    steps = Steps()
    images = open_images(samples, SPEC, progress=steps)
    assert steps.done["Decoding images"] == 2
    assert "1 damaged pack of decoded pixels" in steps.said[0]
    assert np.array_equal(images.pixels([0, 1]), pixels)
    assert np.array_equal(images.thumbs([0, 1]), thumbs)
    assert images.facts == facts
    assert decoded(samples) == 0


def test_other_packs_are_not_read_to_open_one(write: Write, cache: Path) -> None:
    open_images(write("ab"), SPEC)
    [pack] = packs(cache)
    (pack / "pixels.u8").write_bytes(bytes(2 * 32 * 32 * 3))
    assert decoded(write("ab", seeds=[8, 9])) == 2
    assert pack.exists()


def test_clearing_does_not_disturb_what_is_open(write: Write, cache: Path) -> None:
    samples = write("ab")
    open_images(samples, SPEC)
    images = open_images(samples, SPEC)  # from the cache
    shutil.rmtree(cache)
    assert images.pixels([0, 1]).any()
    assert images.thumbs([0, 1]).any()
    elsewhere = pickle.dumps(images)
    with pytest.raises(DataError, match="left the cache while it was in use"):
        pickle.loads(elsewhere).pixels([0])


def test_clearing_does_not_disturb_what_is_being_decoded(
    write: Write, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = write("a" * 40)
    monkeypatch.setattr(images_module, "PACK_BYTES", 1)  # 16 pictures a pack
    whole = open_images(samples, ImageSpec(size=16)).pixels(range(40))
    from leukreg.data.decode import cached_images as decode

    def cleared(*given: Any) -> object:
        clear()
        return decode(*given)

    monkeypatch.setattr(images_module, "cached_images", cleared)
    images = open_images(samples, ImageSpec(size=16))
    assert np.array_equal(images.pixels(range(40)), whole)
    assert images.thumbs(range(40)).any()


def test_a_cache_that_cannot_be_written_is_told(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("x")
    monkeypatch.setenv("LEUKREG_CACHE", str(blocked))
    with pytest.raises(DataError, match=r"a-file.*cannot be written.*LEUKREG_CACHE"):
        open_images(write("ab"), SPEC)
