"""Features and floors of real images, kept in the cache by content.

A pack is a folder with the digests of some images and their features; it is written under another
name and then moved into place, so a killed writer leaves nothing that is read.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from leukreg.data.cache_folder import cache_area, not_writable, sweep
from leukreg.data.pixel_cache import temporary_folder
from leukreg.errors import DataError, RunError, WriteError
from leukreg.files import is_listed, read_file, write_file
from leukreg.progress import SILENT, Progress
from leukreg.synthesis.figures import VERSION, Figures, floor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.synthesis.extractors import OpenExtractor

BYTES = 16
"""Length of an image's digest."""


def image_digests(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Digest of each image (BLAKE2b of its pixels), shape ``(n, 16)``."""
    images = (np.ascontiguousarray(image).data for image in pixels)
    made = b"".join(hashlib.blake2b(image, digest_size=BYTES).digest() for image in images)
    return np.frombuffer(made, np.uint8).reshape(-1, BYTES)


class FeatureCache:
    """What is known of images of one size by one extractor.

    Raises:
        DataError: The cache cannot be written.
    """

    def __init__(self, extractor: OpenExtractor, size: int) -> None:
        self.extractor = extractor
        name = f"{extractor.name}-{extractor.digest[:16]}-{size}px"
        self.folder = cache_area("features") / name
        try:
            self.folder.mkdir(exist_ok=True)
            sweep(self.folder)
        except OSError as error:
            raise DataError(not_writable(self.folder, error)) from error

    def features(
        self,
        pixels: NDArray[np.uint8],
        digests: NDArray[np.uint8],
        progress: Progress = SILENT,
    ) -> NDArray[np.float32]:
        """Features of these images; only those that are not in the cache are computed.

        Args:
            pixels: Shape ``(n, size, size, 3)``, RGB.
            digests: Of these, from :func:`image_digests`.
        """
        out = np.empty((len(pixels), self.extractor.dimensions), np.float32)
        missing = self._fill(out, digests, progress)
        if len(missing):
            out[missing] = self.extractor.features(pixels[missing], progress)
            _, first = np.unique(_keys(digests[missing]), return_index=True)
            new = missing[np.sort(first)]
            self._keep({"digests.npy": digests[new], "features.npy": out[new]}, digests[new])
        return out

    def floor(
        self, digests: NDArray[np.uint8], features: NDArray[np.float32], seed: int
    ) -> Figures:
        """The floor of images (see :func:`leukreg.synthesis.figures.floor`)."""
        name = f"floor-{VERSION}-{seed}-{_digest(digests)}"
        try:
            return Figures(**json.loads(_read(self.folder / name / "floor.json")))
        except (RunError, ValueError, TypeError):  # absent, or damaged: made again below
            found = floor(features, seed)
        self._write(name, {"floor.json": json.dumps(asdict(found)).encode()})
        return found

    def _fill(
        self, out: NDArray[np.float32], digests: NDArray[np.uint8], progress: Progress
    ) -> NDArray[np.int64]:
        """Copy what packs hold into ``out``; the rows that are in none come back."""
        wanted: NDArray[np.int64] = np.arange(len(out))
        for path in sorted(self.folder.glob("pack-*")):
            if not len(wanted):
                break
            pack = _open_pack(path, out.shape[1])
            if pack is None:
                if path.is_dir():  # and not cleared meanwhile
                    shutil.rmtree(path, ignore_errors=True)
                    progress.say(f"{path}: features were damaged, and are computed again")
                continue
            known, features = pack
            order = np.argsort(known)
            keys = _keys(digests[wanted])
            place = np.searchsorted(known, keys, sorter=order).clip(max=len(known) - 1)
            rows = order[place]
            there = known[rows] == keys
            out[wanted[there]] = features[rows[there]]
            wanted = wanted[~there]
        return wanted

    def _keep(self, arrays: dict[str, NDArray[np.generic]], digests: NDArray[np.uint8]) -> None:
        files = {}
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array)
            files[name] = data.getvalue()
        self._write(f"pack-{_digest(digests)}", files)

    def _write(self, name: str, files: dict[str, bytes]) -> None:
        """A folder with these files, whole or not at all."""
        final = self.folder / name
        temporary: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            sweep(self.folder)
            temporary = temporary_folder(self.folder)
            for file, data in files.items():
                write_file(temporary / file, data, listed=True)
            shutil.rmtree(final, ignore_errors=True)  # a damaged one of this name
            temporary.rename(final)
        except (OSError, WriteError) as error:
            # Or another process has written the same, or cleared the cache at this very moment.
            if temporary is None or (temporary.is_dir() and not final.is_dir()):
                reason = error if isinstance(error, OSError) else error.__cause__
                raise DataError(not_writable(self.folder, cast("OSError", reason))) from error
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)


def _open_pack(
    path: Path, dimensions: int
) -> tuple[NDArray[np.bytes_], NDArray[np.float32]] | None:
    """Digests and features of a pack, or None when it is damaged or was cleared meanwhile."""
    try:
        names = ("digests.npy", "features.npy")
        digests, features = (np.load(io.BytesIO(_read(path / name))) for name in names)
    except (RunError, OSError, ValueError, EOFError):
        return None
    sound = digests.shape == (len(features), BYTES) and features.shape[1:] == (dimensions,)
    return (_keys(digests), features) if sound and len(digests) else None


def _read(path: Path) -> bytes:
    """The bytes of a file as they were written.

    Raises:
        RunError: It is gone, or not as it was written.
    """
    data = read_file(path)
    if not is_listed(path):
        raise RunError(f"{path} has no checksum")
    return data


def _keys(digests: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Digests as single values that compare and sort, shape ``(n,)``."""
    return np.ascontiguousarray(digests).view(f"S{BYTES}").ravel()


def _digest(digests: NDArray[np.uint8]) -> str:
    return hashlib.blake2b(digests.tobytes(), digest_size=BYTES).hexdigest()
