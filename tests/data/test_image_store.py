"""Images as they are opened: right, each once, broken ones told; files, and boxes of fields."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukreg.data import image_store as images_module
from leukreg.data.groups import groups_of
from leukreg.data.image_store import ImageStore, open_images, subset
from leukreg.data.pixel_cache import Pack
from leukreg.errors import DataError, Problems
from leukreg.types import Box, ImageSpec, Sample, Samples
from tests.data.conftest import SPEC, Write, decoded, picture


def test_pixels_are_the_files(write: Write) -> None:
    samples = write(["a", "b", "a"])
    images = open_images(samples, ImageSpec(size=96))
    found = images.pixels([2, 0, 2])
    assert found.shape == (3, 96, 96, 3)
    assert found.dtype == np.uint8
    for got, row in zip(found, [2, 0, 2], strict=True):
        assert np.array_equal(got, np.asarray(Image.open(samples.rows[row].path)))
    found[:] = 0  # a copy, so nobody spoils the cache
    assert images.pixels([2]).any()
    assert images.pixels([]).shape == (0, 96, 96, 3)
    assert len(images) == 3


def test_statistics_and_digests(write: Write, tmp_path: Path) -> None:
    samples = write(["a", "b"])
    path = Path(samples.rows[0].path)
    frame = np.full((64, 48, 3), (10, 20, 30), np.uint8)
    frame[8:-8, 8:-8] = (110, 20, 230)
    Image.fromarray(frame).save(path)
    same = tmp_path / "same.bmp"
    Image.fromarray(frame).save(same)
    copy = Sample(id="b/same.bmp", path=str(same), label="b")
    images = open_images(samples.extended((copy,)), SPEC)
    statistics = images.statistics["a/0000.png"]
    assert statistics[:6] == pytest.approx((*frame.mean((0, 1)), *frame.std((0, 1))), abs=1e-3)
    assert statistics[6:] == (10, 20, 30, 48, 64, path.stat().st_size)
    assert images.digests["a/0000.png"] == images.digests["b/same.bmp"]
    assert images.digests["a/0000.png"] != images.digests["b/0001.png"]


def test_every_content_is_decoded_and_kept_once(write: Write, cache: Path) -> None:
    samples = write(["a", "a", "b"], seeds=[1, 1, 2])
    doubled = samples.extended(samples.rows)
    assert decoded(doubled) == 2
    assert decoded(doubled) == 0
    images = open_images(doubled, SPEC)
    assert len(images) == 6
    assert len(set(images.places)) == 2
    assert sum(path.stat().st_size for path in cache.rglob("pixels.u8")) == 2 * 32 * 32 * 3
    assert decoded(samples, ImageSpec(size=16)) == 2


def test_a_file_changed_behind_its_size_and_time_is_seen(write: Write) -> None:
    samples = write(["a", "b"])
    path = Path(samples.rows[0].path)
    Image.new("RGB", (96, 96), (1, 2, 3)).save(path, "BMP")
    before, stat = open_images(samples, SPEC), path.stat()
    Image.new("RGB", (96, 96), (4, 5, 6)).save(path, "BMP")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert path.stat().st_size == stat.st_size
    after = open_images(samples, SPEC)
    assert (before.pixels([0]) == (1, 2, 3)).all()
    assert (after.pixels([0]) == (4, 5, 6)).all()
    assert before.digests["a/0000.png"] != after.digests["a/0000.png"]


def test_a_file_that_changes_while_it_is_read_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = write(["a", "b"])
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"more")
    with pytest.raises(Problems, match="changed while it was being read"):
        open_images(samples, SPEC)


def broken_samples(write: Write, tmp_path: Path) -> Samples:
    samples = write(["a", "a", "b"])
    bad = {"empty.jpg": b"", "text.jpg": b"Hello", "half.png": b"\x89PNG\r\n\x1a\n\0\0"}
    rows = [Sample(id="b/gone.jpg", path=str(tmp_path / "gone.jpg"), label="b")]
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
        rows.insert(0, Sample(id=f"b/{name}", path=str(tmp_path / name), label="b"))
    return Samples(rows=(*rows, *samples.rows), classes=samples.classes)


def test_broken_files_are_listed_all_at_once(write: Write, tmp_path: Path) -> None:
    samples = broken_samples(write, tmp_path)
    with pytest.raises(Problems) as caught:
        open_images(samples, SPEC)
    assert len(caught.value.problems) == 4
    text = str(caught.value)
    for part in ("empty.jpg  empty file", "a text that begins", "half.png", "does not exist"):
        assert part in text
    assert 'set data.broken = "skip"' in text


def test_broken_files_are_skipped_and_recorded(write: Write, tmp_path: Path) -> None:
    samples = broken_samples(write, tmp_path)
    images = open_images(samples, SPEC, broken="skip")
    assert [row.id for row in images.samples.rows] == ["a/0000.png", "a/0001.png", "b/0002.png"]
    assert [Path(bad.path).name for bad in images.samples.broken] == [
        "empty.jpg",
        "gone.jpg",
        "half.png",
        "text.jpg",
    ]
    assert np.array_equal(
        images.pixels([0, 1, 2]), open_images(write("aab"), SPEC).pixels(range(3))
    )


def test_with_nothing_readable_skipping_is_no_way_out(write: Write, tmp_path: Path) -> None:
    samples = broken_samples(write, tmp_path)
    bad = Samples(rows=samples.rows[:4], classes=samples.classes)
    with pytest.raises(Problems, match="none is readable"):
        open_images(bad, SPEC, broken="skip")
    with pytest.raises(DataError, match="no images to open"):
        open_images(Samples(rows=(), classes=("a",)), SPEC)


def test_more_samples_can_be_added(write: Write, tmp_path: Path) -> None:
    images = open_images(write("ab"), SPEC)
    path = tmp_path / "made.png"
    picture(77).save(path)
    made = Sample(id="synthetic/b/0001.png", path=str(path), label="b", origin="synthetic")
    more = images.extended((made,))
    assert len(more) == 3
    assert len(images) == 2
    assert more.samples.rows[:2] == images.samples.rows
    assert np.array_equal(more.pixels([0, 1]), images.pixels([0, 1]))
    assert more.statistics.keys() == more.digests.keys() == {row.id for row in more.samples.rows}
    path.write_bytes(b"")
    with pytest.raises(Problems, match="empty file"):
        images.extended((made,))


def test_a_subset_shows_its_rows_only(write: Write) -> None:
    images = open_images(write("abab"), SPEC)
    part = subset(images, [3, 0])
    assert len(part) == 2
    assert [row.id for row in part.samples.rows] == ["b/0003.png", "a/0000.png"]
    assert np.array_equal(part.pixels([1, 0]), images.pixels([0, 3]))
    with pytest.raises(IndexError):
        part.pixels([2])


def test_a_store_travels_to_other_processes(write: Write) -> None:
    images = open_images(write("ab"), SPEC)
    images.pixels([0])
    copy: ImageStore = pickle.loads(pickle.dumps(images))
    assert np.array_equal(copy.pixels([0, 1]), images.pixels([0, 1]))


def test_mapped_pages_are_given_back(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    released = []
    release = Pack.release

    def counted(pack: Pack) -> None:
        released.append(pack)
        release(pack)

    monkeypatch.setattr("leukreg.data.image_store.MAPPED_BYTES", 10 * 32 * 32 * 3)
    monkeypatch.setattr(Pack, "release", counted)
    images = open_images(write("ab"), SPEC)
    before = images.pixels([0, 1])
    for _ in range(20):
        assert np.array_equal(images.pixels([0, 1]), before)
    assert len(released) == 3


def field(tmp_path: Path, *boxes: Box, patient: str | None = None) -> Samples:
    """Cells of one field of 96 x 64 pixels."""
    path = tmp_path / "field.png"
    picture(7, (96, 64)).save(path)
    rows = (
        Sample(id=f"field.png#{i}", path=str(path), label="a", patient=patient, box=box)
        for i, box in enumerate(boxes)
    )
    return Samples(rows=tuple(rows), classes=("a",))


def test_a_box_of_a_field_is_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = field(tmp_path, (0, 0, 32, 32), (40, 20, 72, 52))
    whole = np.asarray(picture(7, (96, 64)))
    images = open_images(samples, SPEC)
    assert np.array_equal(images.pixels([0])[0], whole[:32, :32])
    assert np.array_equal(images.pixels([1])[0], whole[20:52, 40:72])
    assert len({*images.digests.values()}) == 2
    assert [images.facts[f"field.png#{i}"].width for i in (0, 1)] == [32, 32]
    # Nothing is decoded again, and other boxes of the same file are other images.
    monkeypatch.setattr(images_module, "cached_images", None)
    assert np.array_equal(open_images(samples, SPEC).pixels([1, 0]), images.pixels([1, 0]))
    monkeypatch.undo()
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "the-cache"))
    other = open_images(field(tmp_path, (1, 0, 33, 32)), SPEC)
    assert np.array_equal(other.pixels([0])[0], whole[:32, 1:33])


def test_a_field_is_decoded_once_for_all_its_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leukreg.data import decode as module

    calls = []
    original = module.decode
    monkeypatch.setattr(module, "decode", lambda data: calls.append(1) or original(data))
    open_images(field(tmp_path, *((i, 0, i + 30, 30) for i in range(20))), SPEC)
    assert len(calls) == 1


def test_over_the_border_the_outermost_pixels_are_repeated(tmp_path: Path) -> None:
    whole = np.asarray(picture(7, (96, 64)))
    (corner, far) = open_images(field(tmp_path, (-8, -4, 24, 28), (80, 48, 112, 80)), SPEC).pixels(
        [0, 1]
    )
    assert np.array_equal(corner[4:, 8:], whole[:28, :24])
    assert (corner[:5, :9] == whole[0, 0]).all()
    assert np.array_equal(far[:16, :16], whole[48:, 80:])
    assert (far[15:, 15:] == whole[-1, -1]).all()


def test_a_box_outside_the_picture_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    samples = field(tmp_path, (0, 0, 32, 32), (96, 0, 120, 24))
    said = r"field.png  the box \(96, 0, 120, 24\) lies outside the picture, which is 96x64"
    with pytest.raises(Problems, match=said):
        open_images(samples, SPEC)
    kept = open_images(samples, SPEC, "skip").samples
    assert [row.id for row in kept.rows] == ["field.png#0"]
    (tmp_path / "field.png").write_bytes(b"")
    with pytest.raises(Problems) as caught:
        open_images(samples, SPEC)
    assert len(caught.value.problems) == 1  # one file, however many cells


def test_cells_of_a_field_stay_together_unless_the_patient_is_known(tmp_path: Path) -> None:
    boxes: tuple[Box, ...] = ((0, 0, 32, 32), (40, 20, 72, 52))
    alone = Sample(id="x", path="/x.png", label="a")
    rows = field(tmp_path, *boxes).rows
    assert groups_of([*rows, alone], {}, ()).tolist() == [0, 0, 1]
    known = [replace(row, patient=str(i)) for i, row in enumerate(rows)]
    assert groups_of(known, {}, ()).tolist() == [0, 1]


def test_fields_of_the_same_bytes_are_one(tmp_path: Path) -> None:
    first = field(tmp_path, (0, 0, 32, 32)).rows[0]
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(first.path).read_bytes())
    second = replace(first, id="copy.png#0", path=str(copy), box=(40, 20, 72, 52))
    samples = open_images(Samples(rows=(first, second), classes=("a",)), SPEC).samples
    assert [row.id for row in samples.rows] == ["field.png#0", "copy.png#0"]
    assert groups_of(samples.rows, {}, ()).tolist() == [0, 0]
    assert samples.assumed == (
        "1 field is a copy of others, byte by byte, and counts as one with them, such as that of "
        "copy.png#0",
    )
