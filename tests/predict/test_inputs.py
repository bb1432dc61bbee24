"""Images come in many forms, and each is read as training read its files."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from leukreg.data.decode import CachedImage, cached_images
from leukreg.errors import DataError, Problems
from leukreg.predict.inputs import Read, ahead, find_images, given_images

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def read(image: object, size: int = 16) -> Read:
    [one] = given_images(image)  # type: ignore[arg-type]
    found = one.read(size)
    assert isinstance(found, Read)
    return found


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
        lambda shape: arrays.arrays(np.uint8, (*shape, 3))
    )
)
def test_an_array_a_pillow_image_and_a_file_of_it_are_one_picture(pixels: Pixels) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    (file,) = cached_images(buffer.getvalue(), [None], 16)
    assert isinstance(file, CachedImage)
    for image in (pixels, Image.fromarray(pixels)):
        found = read(image)
        assert found.pixels == file.pixels
        assert found.thumb == file.thumb
        assert found.digest == file.facts.pixels


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_pillow_images_of_any_mode_are_read_as_their_files(mode: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (20, 30)).astype(np.uint16))
    else:
        image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).convert(mode)
    path = tmp_path / "a.tiff"
    image.save(path)
    assert read(image).pixels == read(path).pixels


def test_one_image_and_many_are_told_apart(tmp_path: Path) -> None:
    one = np.zeros((5, 6, 3), np.uint8)
    assert [g.name for g in given_images(one)] == ["#0"]
    assert len(given_images(np.stack([one] * 3))) == 3
    assert [g.name for g in given_images(["a.png", Path("b.png")])] == ["a.png", "b.png"]
    assert [g.name for g in given_images(np.array(["a.png", "b.png"]))] == ["a.png", "b.png"]
    assert given_images([]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 5, 5, 3), np.float32),
        np.zeros((2, 5, 5, 1), np.uint8),
        np.zeros((5, 5), np.uint8),
        [np.zeros((5, 5, 4), np.uint8)],
        [np.zeros((0, 5, 3), np.uint8)],
        [3],
    ],
)
def test_what_is_no_image_is_refused(wrong: object) -> None:
    with pytest.raises(DataError, match="uint8"):
        given_images(wrong)  # type: ignore[arg-type]


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    reasons = [
        one.read(8)
        for one in given_images(
            [tmp_path / "text.png", tmp_path / "empty.png", tmp_path / "no.png", tmp_path]
        )
    ]
    assert ["hello" in str(reasons[0]), "empty" in str(reasons[1])] == [True, True]
    assert reasons[2:] == ["the file does not exist", "is a folder"]


def test_results_keep_their_order_and_few_wait() -> None:
    made = []
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            made.append(item)
        return item

    with ThreadPoolExecutor(3) as pool:
        results = ahead(work, range(500), pool, depth=20)
        assert next(results) == 0
        assert len(made) <= 24
        assert list(results) == list(range(1, 500))


def test_folders_are_walked_and_every_mistake_is_told(tmp_path: Path) -> None:
    (tmp_path / "[a]" / "deep").mkdir(parents=True)
    for name in ("[a]/1.png", "[a]/deep/2.JPG", "[a]/notes.txt", "3.png"):
        (tmp_path / name).touch()
    found = find_images([tmp_path / "3.png", tmp_path / "[a]", tmp_path])
    assert [path.name for path in found.files] == ["3.png", "1.png", "2.JPG"]
    (tmp_path / "none").mkdir()
    with pytest.raises(Problems) as error:
        find_images([tmp_path / "4.png", tmp_path / "none"])
    assert "4.png  does not exist; did you mean" in str(error.value)
    assert "none  holds no image files" in str(error.value)
