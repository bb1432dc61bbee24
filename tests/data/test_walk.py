"""One walk for all commands: every file is an image, passed over or broken, and once."""

from __future__ import annotations

import io
import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leukreg.cli.fidelity import real_side
from leukreg.data.decode import decode
from leukreg.data.listing import count_folder, list_folder, list_images
from leukreg.data.walk import HIDDEN, STRAY, image_endings, is_image, other_files, summed, walk
from leukreg.errors import DataError, Problems
from leukreg.predict.inputs import find_images
from leukreg.synthesis.request import _walked as stamped

NAMES = ["a", "b", "[x] y", "@eaDir", "__MACOSX", ".hid", "__pycache__", "Deep er"]
FILES = ["1.png", "2.JPG", "3.jp2", "4.tga", "5", "6.JPG_", "7.svs", "8.txt", "9.dcm",
         "Thumbs.db", ".DS_Store", "._1.png", "x.heic", "y.zip"]  # fmt: skip


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    return buffer.getvalue()


CONTENT = {"5": jpeg(), "6.JPG_": jpeg()}
PATHS = st.tuples(
    st.lists(st.sampled_from(NAMES), max_size=3), st.sampled_from(FILES)
).map(lambda path: "/".join((*path[0], path[1])))  # fmt: skip


def put(root: Path, name: str, data: bytes = b"x") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@settings(max_examples=60, deadline=None)
@given(st.sets(PATHS, min_size=1, max_size=25))
def test_every_file_is_listed_or_passed_over_once_and_commands_agree(paths: set[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path in paths:
            put(root, path, CONTENT.get(path.rsplit("/")[-1], b"x"))
        walked = walk(root)
        assert not walked.broken
        seen = [*walked.images, *(one.path for one in walked.passed)]
        assert sorted(str(path.relative_to(root)) for path in seen) == sorted(paths)
        images = sorted(path.relative_to(root).as_posix() for path in walked.images)
        _agree(root, images, len(paths))


def _agree(root: Path, images: list[str], files: int) -> None:
    """The table of classes, the flat list, fidelity's side and predict's paths."""
    assert sorted(row.id for row in list_images(root).rows) == images
    try:
        listed = list_folder(root)
    except DataError:  # no folder
        assert not any("/" in name for name in images)
    else:
        assert [row.id for row in listed.rows] == [name for name in images if "/" in name]
        assert len(listed) + sum(one.files for one in listed.passed) == files
        assert count_folder(root) == listed.counts()
    try:
        found = [path.relative_to(root).as_posix() for path in find_images([root]).files]
    except Problems:
        found = []
    assert found == images
    assert [path for path in stamped(root) if is_image(path)] == [root / name for name in images]
    beside = [name for name in images if "/" not in name]
    if not images or 0 < len(beside) < len(images):
        with pytest.raises(DataError, match=r"beside the class folders|holds no images"):
            real_side(str(root), root, 0, "train")
    else:
        side = real_side(str(root), root, 0, "train")
        assert sorted(row.id for row in side.samples.rows) == images
        assert side.one_class == bool(beside)


@pytest.mark.parametrize("kind", ["jp2", "avif", "tga", "pgm", "qoi", "dib", "pcx", "png", "webp"])
def test_what_is_decoded_is_listed(tmp_path: Path, kind: str) -> None:
    image = Image.new("L" if kind == "pgm" else "RGB", (8, 8), "white")
    path = tmp_path / f"x.{kind.upper()}"
    image.save(path)
    assert walk(tmp_path).images == [path]
    assert decode(path.read_bytes()).image.size == (8, 8)


def test_an_ending_that_says_nothing_is_looked_into(tmp_path: Path) -> None:
    images = {put(tmp_path, name, jpeg()) for name in ("none", "a.JPG_", "b.jpg~", "c.1")}
    put(tmp_path, "note", b"BM is no bitmap, II* no TIFF")
    put(tmp_path, "empty", b"")
    assert set(walk(tmp_path).images) == images
    [note] = summed(walk(tmp_path).passed, tmp_path)
    assert (note.what, note.files, note.example) == ("no ending", 2, "empty")


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png")
    for name in ("a/x.svs", "a/y.dcm", "a/raw.NEF", "a/z.psd", "a/all.zip", "stray.png"):
        put(tmp_path, name)
    put(tmp_path, "a/IM0001", bytes(128) + b"DICM")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "a" / "s"))
    passed = {one.what: one for one in list_folder(tmp_path).passed}
    assert all(passed[what].images for what in (".svs", ".dcm", ".nef", ".psd", ".zip", STRAY))
    assert "whole-slide" in passed[".svs"].reason
    assert "DICOM" in passed["no ending"].reason
    assert passed["no regular file"].files == 2
    assert passed[STRAY].example == "stray.png"


def test_a_link_to_itself_and_links_to_hidden_and_known_folders(tmp_path: Path) -> None:
    put(tmp_path, "a/.store/1.png")
    put(tmp_path, "a/z/2.png")
    (tmp_path / "a/self.png").symlink_to(tmp_path / "a/self.png")
    (tmp_path / "a/shown").symlink_to(tmp_path / "a/.store", target_is_directory=True)
    (tmp_path / "a/again").symlink_to(tmp_path / "a/z", target_is_directory=True)
    found = list_folder(tmp_path)
    assert [row.id for row in found.rows] == ["a/shown/1.png", "a/z/2.png"]
    assert [one.reason for one in found.broken] == ["a link to a file that is not there"]
    assert [(one.what, one.files) for one in found.passed] == [(HIDDEN, 1)]


def test_a_folder_that_cannot_be_listed_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a/1.png")
    put(tmp_path, "a/locked/2.png")
    real = os.scandir

    def scandir(path: Path) -> object:
        if path == tmp_path / "a/locked":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    [broken] = list_folder(tmp_path).broken
    assert broken.path.endswith("a/locked")
    assert "Permission denied" in broken.reason
    with pytest.raises(Problems, match="cannot be listed: Permission denied"):
        find_images([tmp_path])
    with pytest.raises(DataError, match=r"a/locked: .*cannot be listed"):
        other_files(tmp_path)


def test_leukregs_own_sheet_is_no_class_and_no_image(tmp_path: Path) -> None:
    for name in ("b/1.png", "contact-sheet.png", "generator/step.png", "table.csv"):
        put(tmp_path, name)
    found = list_folder(tmp_path)
    assert found.classes == ("b",)
    assert [row.id for row in found.rows] == ["b/1.png"]
    assert {one.what: one.files for one in found.passed} == {"leukreg's own": 2, ".csv": 1}


def test_the_formats_of_old_are_among_those_that_are_read() -> None:
    assert {".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tiff"} <= image_endings()
    assert not {".pdf", ".eps", ".h5", ".svg", ".txt", ".ico"} & image_endings()
