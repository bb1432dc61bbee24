"""Images as they are handed over (paths, arrays, Pillow images), read as training read them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leukreg.data.decode import decode, guarded, pixel_digest, read_picture, squash, thumbnail
from leukreg.data.image_store import threads
from leukreg.data.raster import Unreadable, upright
from leukreg.data.walk import HIDDEN, Passed, instead, summed, walk
from leukreg.errors import DataError, Problem, Problems
from leukreg.paths import expanded, read_regular
from leukreg.text import nearest
from leukreg.types import Box, PassedOver

OneImage: TypeAlias = str | Path | Image.Image | NDArray[np.uint8]
"""A file, a Pillow image, or RGB pixels of shape ``(h, w, 3)``."""
ImagesLike: TypeAlias = OneImage | Iterable[OneImage]
"""One image or several; an array of shape ``(n, h, w, 3)`` is several."""
T = TypeVar("T")
R = TypeVar("R")
AHEAD = 3
"""Batches that are decoded while one is looked at."""
CHUNK = 8
"""Items that a worker is given at a time: handing over costs as much as reading a small image."""


@dataclass(frozen=True, slots=True)
class Read:
    """An image as the models see it, and what tells whether it is a copy."""

    pixels: bytes
    """``size * size * 3`` bytes, RGB, squashed as training squashes."""
    digest: str = ""
    """Digest of the pixels at native size; "" where it was not asked for."""
    thumb: bytes = b""
    """``THUMB * THUMB`` bytes, grey; empty where it was not asked for."""
    notes: tuple[str, ...] = ()
    """What was chosen in reading it (see :class:`leukreg.data.raster.Decoded`)."""
    peak: int = 0
    """As ``Decoded`` has it."""


class Readable(Protocol):
    """Something that gives an image, or the reason why it cannot."""

    @property
    def name(self) -> str: ...

    def read(self, size: int, marks: bool = True) -> Read | str:
        """The image at ``size`` pixels a side; ``marks``: with digest and thumbnail."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One image as it was handed over."""

    name: str
    """Its path, or ``#0``, ``#1`` and so on for what lies in memory."""
    image: Path | Image.Image

    def read(self, size: int, marks: bool = True) -> Read | str:
        """The image at ``size`` pixels a side, or the reason why it cannot be had."""
        try:
            if isinstance(self.image, Path):
                decoded = decode(read_regular(self.image))
            else:
                decoded = upright(self.image)
            image = decoded.image
            return Read(
                squash(image, size).tobytes(),
                digest=pixel_digest(image) if marks else "",
                thumb=thumbnail(image) if marks else b"",
                notes=decoded.notes,
                peak=decoded.peak,
            )
        except FileNotFoundError:
            return "the file does not exist"
        except IsADirectoryError:
            return "is a folder"
        except OSError as error:
            return f"cannot be opened: {error.strerror or error}"
        except (Unreadable, ValueError) as error:  # a path with a null byte is a ValueError
            return str(error)


def given_images(images: ImagesLike) -> list[Given]:
    """The images one by one.

    Raises:
        DataError: An array is not uint8 RGB, or something is no image at all.
    """
    if isinstance(images, str | Path | Image.Image):
        return [_given(0, images)]
    if isinstance(images, np.ndarray) and images.dtype.kind not in "OU":
        stack = images[None] if images.ndim == 3 else images
        if stack.ndim != 4 or stack.shape[-1] != 3 or stack.dtype != np.uint8:
            raise DataError(_wrong_array(images))
        return [_given(index, pixels) for index, pixels in enumerate(stack)]
    return [_given(index, image) for index, image in enumerate(images)]


def image_of(path: Path, box: Box | None) -> Path | Image.Image:
    """A file, or what a box of it shows, as it can be handed over.

    Raises:
        Unreadable: The box cannot be had.
    """
    return path if box is None else read_picture(path, box).image


def _given(index: int, image: object) -> Given:
    if isinstance(image, str | Path):  # numpy's strings are strings
        return Given(str(image), Path(image))
    if isinstance(image, Image.Image):
        return Given(str(getattr(image, "filename", "") or f"#{index}"), image)
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8 or not image.size:
            raise DataError(f"image {index}: {_wrong_array(image)}")
        return Given(f"#{index}", Image.fromarray(np.ascontiguousarray(image)))
    raise DataError(
        f"image {index} is a {type(image).__name__}; give paths, Pillow images or uint8 arrays"
    )


def _wrong_array(array: NDArray[np.generic]) -> str:
    return (
        f"an array of {array.dtype} and shape {array.shape} is no image; "
        "give uint8 RGB of shape (n, h, w, 3), 0 to 255"
    )


@dataclass(frozen=True, slots=True, eq=False)
class ReadBatch:
    """Some readable images, by their places among all that were handed over."""

    rows: NDArray[np.int64]
    read: Sequence[Read]

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """Shape ``(b, size, size, 3)``, RGB."""
        data = bytearray().join(one.pixels for one in self.read)
        return np.frombuffer(data, np.uint8).reshape(-1, size, size, 3)


def read_batches(
    given: Sequence[Readable], size: int, count: int, unreadable: list[str | None], marks: bool
) -> Iterator[ReadBatch]:
    """Full batches of readable images, the next ones decoded meanwhile.

    Args:
        given: The images.
        size: Pixels a side.
        count: Images of a batch.
        unreadable: Gets the reason of each image that cannot be read.
        marks: With digests and thumbnails, by which copies are told.
    """
    rows: list[int] = []
    found: list[Read] = []
    with ThreadPoolExecutor(threads()) as pool, guarded():
        results = ahead(lambda one: one.read(size, marks), given, pool, AHEAD * count)
        for row, result in enumerate(results):
            if isinstance(result, str):
                unreadable[row] = result
                continue
            rows.append(row)
            found.append(result)
            if len(rows) == count:
                yield ReadBatch(np.array(rows), found)
                rows, found = [], []
        if rows:
            yield ReadBatch(np.array(rows), found)


def ahead(
    function: Callable[[T], R], items: Sequence[T], pool: Executor, depth: int
) -> Iterator[R]:
    """Results in the order of the items, about ``depth`` of them made before they are taken."""

    def work(start: int) -> list[R]:
        return [function(item) for item in items[start : start + CHUNK]]

    waiting: deque[Future[list[R]]] = deque()
    for start in range(0, len(items), CHUNK):
        waiting.append(pool.submit(work, start))
        if len(waiting) * CHUNK >= depth:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


@dataclass(frozen=True, slots=True)
class Found:
    """What the paths come to."""

    files: tuple[Path, ...]
    passed: tuple[PassedOver, ...] = ()
    """What lies in the folders and is not taken for an image."""

    def said(self) -> tuple[str, ...]:
        """A line for each kind of file that was passed over, a system's own left out."""
        return tuple(f"passed over: {one}" for one in self.passed if one.what != HIDDEN)


def find_images(paths: Sequence[Path]) -> Found:
    """Files as they are named, folders walked; each file once, in the order of the paths.

    Raises:
        Problems: A path does not exist, or a folder cannot be listed or holds no image; all of
            them.
    """
    found: dict[Path, None] = {}
    passed: dict[Path, Passed] = {}
    problems: list[Problem] = []
    for path in map(expanded, paths):
        if path.is_dir():
            walked = walk(path)
            # A link to nothing is told of where it is read, as every unreadable file is.
            loose = [link for link, _ in walked.broken if not link.is_dir()]
            wrong = [Problem(why, str(one)) for one, why in walked.broken if one.is_dir()]
            files = sorted([*walked.images, *loose])
            found |= dict.fromkeys(files)
            passed |= {one.path: one for one in walked.passed}
            if not files and not wrong:
                there = instead(summed(walked.passed, path))
                wrong = [Problem(f"holds no image files{there}", str(path))]
            problems += wrong
        elif path.exists():
            found[path] = None
        else:
            names = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
            meant = nearest(path.name, names)
            hint = f"; did you mean {path.parent / meant}?" if meant else ""
            problems.append(Problem(f"does not exist{hint}", str(path)))
    if problems:
        raise Problems(problems, closing="nothing was predicted.")
    kept = (one for path, one in passed.items() if path not in found)
    return Found(tuple(found), summed(kept))
