"""Open an extractor by name, run images through it, and keep the features of real images.

A pack is a folder with the digests of some images and their features; it is written under another
name and then moved into place, so a killed writer leaves nothing that is read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from leukreg.data.cache_folder import cache_part, not_writable, sweep, temporary_folder
from leukreg.errors import DataError, LeukregError, PluginError, PluginFault, RunError, WriteError
from leukreg.files import is_listed, read_file, write_file
from leukreg.progress import SILENT, Progress
from leukreg.registry.kinds import Images
from leukreg.registry.plugin_call import failed, is_outer
from leukreg.synthesis.distances import VERSION, Figures, floor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from leukreg.registry import Registry

    Pixels = NDArray[np.uint8]
    Features = NDArray[np.float32]


BATCH = 64
"""Images that go through an extractor at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenExtractor:
    """A network that turns images into features, ready to work."""

    name: str
    """The plugin's name, such as "cells"."""
    digest: str
    """Digest of the weights, hexadecimal."""
    dimensions: int
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the extractor says of itself, its digest included."""
    module: nn.Module

    def __str__(self) -> str:
        return f"{self.name}@{self.digest[:12]}"

    def features(
        self, pixels: NDArray[np.uint8], progress: Progress = SILENT
    ) -> NDArray[np.float32]:
        """Features of images, shape ``(n, dimensions)``, on a GPU where there is one.

        Args:
            pixels: Shape ``(n, size, size, 3)``, RGB.

        Raises:
            PluginFault: The extractor failed, or broke its contract.
        """
        import numpy as np

        out = np.empty((len(pixels), self.dimensions), np.float32)
        with progress.task(f"Features by {self.name}", len(pixels)) as advance:
            for start in range(0, len(pixels), BATCH):
                part = pixels[start : start + BATCH]
                out[start : start + BATCH] = self._run(part)
                advance(len(part))
        return out

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        import numpy as np
        import torch

        device = _device()
        # Channels-last memory, which is what image arrays have; it is faster on a CPU, too.
        images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
        try:
            with torch.inference_mode():
                found = self.module.to(device)(images.to(device)).cpu()
        except LeukregError:
            raise
        except Exception as error:  # a stranger's network may raise anything
            if is_outer(error):
                raise
            who = f"extractor {self.name!r} failed on images of {pixels.shape[1]} px"
            raise PluginFault(failed(who, self.module, error)) from error
        self._check(found, len(pixels))
        values: NDArray[np.float32] = found.numpy()
        return values

    def _check(self, found: Tensor, n: int) -> None:
        if tuple(found.shape) != (n, self.dimensions):
            raise PluginFault(
                f"extractor {self.name!r} gives shape {tuple(found.shape)} for {n} images; it must "
                f"be ({n}, {self.dimensions}), since its 'dimensions' is {self.dimensions}"
            )
        if not bool(found.isfinite().all()):
            raise PluginFault(f"extractor {self.name!r} gives features that are not finite")


def open_extractor(text: str, registry: Registry | None = None) -> OpenExtractor:
    """The extractor that ``text`` names: ``cells``, ``inception:weights.pth``, ``run:runs/v6-...``.

    What stands after the colon goes to the plugin's option ``path``.

    Raises:
        PluginError: There is no such extractor, or it takes no argument.
        NotAvailable: Its weights are not on this machine.
    """
    name, colon, argument = text.partition(":")
    if registry is None:
        from leukreg.registry import installed

        registry = installed()
    cls = registry.get("extractor", name).cls
    return opened(_with_options(cls, name, argument if colon else None))


def opened(plugin: Any) -> OpenExtractor:
    """An extractor from the plugin's instance.

    Raises:
        PluginFault: It failed, or broke its contract.
        NotAvailable: Its weights are not on this machine.
    """
    name = str(type(plugin).leukreg_name)
    try:
        getattr(plugin, "ready", lambda: None)()
        module, facts = plugin.build(), dict(plugin.describe())
    except LeukregError:
        raise
    except Exception as error:  # a stranger's plugin may raise anything
        if is_outer(error):
            raise
        raise PluginFault(failed(f"extractor {name!r} failed", plugin, error)) from error
    dimensions = getattr(module, "dimensions", None)
    if not isinstance(dimensions, int) or dimensions < 1:
        raise PluginFault(f"extractor {name!r} needs 'dimensions', a positive int")
    if not facts.get("digest"):
        raise PluginFault(f"extractor {name!r} describes no 'digest' of its weights")
    module = module.eval().requires_grad_(False)
    return OpenExtractor(
        name=name, digest=str(facts["digest"]), dimensions=dimensions, facts=facts, module=module
    )


def _with_options(cls: Any, name: str, argument: str | None) -> Any:
    fields = {each.name: each for each in dataclasses.fields(cls)}
    if argument is not None:
        if "path" not in fields:
            raise PluginError(f"extractor {name!r} takes nothing after a colon; write {name!r}")
        if not argument:
            raise PluginError(f"extractor '{name}:' lacks a path after the colon")
        return cls(path=argument)
    missing = dataclasses.MISSING
    if any(each.default is each.default_factory is missing for each in fields.values()):
        raise PluginError(f"extractor {name!r} needs a path: write '{name}:PATH'")
    return cls()


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


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
        self.folder = cache_part("features", name)

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
        """The floor of images (see :func:`leukreg.synthesis.distances.floor`)."""
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


MOST_BYTES = 128 * 2**20
"""Pixels that are held at their full size at once."""
SMALL = 64
"""Pixels a side of what is kept of each image; copies are looked for at 16."""


def known_features(eye: OpenExtractor, pixels: Pixels, progress: Progress = SILENT) -> Features:
    """Features of real images ``(n, size, size, 3)``, from the cache where they are known."""

    cache = FeatureCache(eye, pixels.shape[1])
    return cache.features(pixels, image_digests(pixels), progress)


def all_of(
    images: Images, size: int, eye: OpenExtractor, progress: Progress = SILENT
) -> tuple[Pixels, Features]:
    """All images, shrunk, and their features; read in parts, since they may be large."""
    step = max(1, MOST_BYTES // (3 * size**2))
    small, features = [], []
    for start in range(0, len(images), step):
        part = images.pixels(range(start, min(start + step, len(images))))
        features.append(known_features(eye, part, progress))
        small.append(shrunk(part))
    return np.concatenate(small), np.concatenate(features)


def shrunk(pixels: Pixels) -> Pixels:
    """Images of at most :data:`SMALL` pixels a side, averaged over areas."""
    import torch

    if pixels.shape[1] <= SMALL:
        return pixels
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    made = torch.nn.functional.adaptive_avg_pool2d(images, SMALL).round().byte()
    return np.ascontiguousarray(made.permute(0, 2, 3, 1).numpy())
