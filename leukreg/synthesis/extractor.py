"""Open an extractor by name, run images through it, and keep the features of real images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.data.cache_folder import cache_area
from leukreg.data.feature_packs import FeaturePacks, key, read_digested, write_digested
from leukreg.errors import PluginError, PluginFault
from leukreg.progress import SILENT, Progress
from leukreg.registry.plugin_call import blamed_on
from leukreg.synthesis.distances import VERSION, Figures, floor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    Pixels = NDArray[np.uint8]
    Features = NDArray[np.float32]

BATCH = 64
"""Images that go through an extractor at once."""
POOLED = 256
"""Images that are averaged over areas at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenExtractor:
    """A network that turns images into features, ready to work."""

    name: str
    """The plugin's name, such as "cells"."""
    digest: str
    """Digest of the weights, hexadecimal."""
    dimensions: int
    facts: Mapping[str, str]
    """What the extractor says of itself, its digest included."""
    module: nn.Module

    def __str__(self) -> str:
        return f"{self.name}@{self.digest[:12]}"

    def features(self, pixels: Pixels, progress: Progress = SILENT) -> Features:
        """Features of images, shape ``(n, dimensions)``, on a GPU where there is one.

        Args:
            pixels: Shape ``(n, size, size, 3)``, RGB.

        Raises:
            PluginFault: The extractor failed, or broke its contract.
        """
        out = np.empty((len(pixels), self.dimensions), np.float32)
        with progress.task(f"Features by {self.name}", len(pixels)) as advance:
            for start in range(0, len(pixels), BATCH):
                part = pixels[start : start + BATCH]
                out[start : start + BATCH] = self._run(part)
                advance(len(part))
        return out

    def known_features(self, pixels: Pixels, progress: Progress = SILENT) -> Features:
        """Features of real images, from the cache where they are known."""
        return FeatureCache(self, pixels.shape[1]).features(pixels, progress)

    def _run(self, pixels: Pixels) -> Features:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        doing = f"{self.name!r} failed on images of {pixels.shape[1]} px"
        with blamed_on(f"extractor {doing}", self.module), torch.inference_mode():
            found: Tensor = self.module.to(device)(_as_tensor(pixels).to(device)).cpu()
        if tuple(found.shape) != (len(pixels), self.dimensions):
            raise PluginFault(
                f"extractor {self.name!r} gives shape {tuple(found.shape)} for {len(pixels)} "
                f"images; it must be ({len(pixels)}, {self.dimensions}), since its 'dimensions' is "
                f"{self.dimensions}"
            )
        if not bool(found.isfinite().all()):
            raise PluginFault(f"extractor {self.name!r} gives features that are not finite")
        values: Features = found.numpy()
        return values


def open_extractor(text: str) -> OpenExtractor:
    """The extractor that ``text`` names: ``cells``, ``inception:weights.pth``, ``run:runs/v6-...``.

    What stands after the colon goes to the plugin's option ``path``.

    Raises:
        PluginError: There is no such extractor, or it takes no argument.
        NotAvailable: Its weights are not on this machine.
    """
    from leukreg.registry import installed

    name, colon, argument = text.partition(":")
    cls = installed().get("extractor", name).cls
    fields = {each.name: each for each in dataclasses.fields(cls)}
    if colon:
        if "path" not in fields:
            raise PluginError(f"extractor {name!r} takes nothing after a colon; write {name!r}")
        if not argument:
            raise PluginError(f"extractor '{name}:' lacks a path after the colon")
        return opened(cls(path=argument))
    missing = dataclasses.MISSING
    if any(each.default is each.default_factory is missing for each in fields.values()):
        raise PluginError(f"extractor {name!r} needs a path: write '{name}:PATH'")
    return opened(cls())


def opened(plugin: Any) -> OpenExtractor:
    """An extractor from the plugin's instance.

    Raises:
        PluginFault: It failed, or broke its contract.
        NotAvailable: Its weights are not on this machine.
    """
    name = str(type(plugin).leukreg_name)
    with blamed_on(f"extractor {name!r} failed", plugin):
        getattr(plugin, "ready", lambda: None)()
        module, facts = plugin.build(), dict(plugin.describe())
    dimensions = getattr(module, "dimensions", None)
    if not isinstance(dimensions, int) or dimensions < 1:
        raise PluginFault(f"extractor {name!r} needs 'dimensions', a positive int")
    digest = facts.get("digest")
    if not digest:
        raise PluginFault(f"extractor {name!r} describes no 'digest' of its weights")
    module = module.eval().requires_grad_(False)
    return OpenExtractor(
        name=name, digest=str(digest), dimensions=dimensions, facts=facts, module=module
    )


def averaged(pixels: NDArray[Any], side: int) -> Features:
    """Images ``(n, size, size, 3)`` at ``side`` pixels, averaged over areas; 0 to 255.

    Averaging over areas commutes with every turn and flip, and takes noise away.
    """
    from torch.nn.functional import adaptive_avg_pool2d

    out = np.empty((len(pixels), side, side, 3), np.float32)
    for start in range(0, len(pixels), POOLED):
        images = _as_tensor(pixels[start : start + POOLED]).float()
        small = adaptive_avg_pool2d(images, side).permute(0, 2, 3, 1)
        out[start : start + POOLED] = small.numpy()
    return out


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """Images of at most ``side`` pixels a side; smaller ones as they are."""
    if not len(pixels) or pixels.shape[1] <= side:
        return pixels
    return np.rint(averaged(pixels, side)).astype(np.uint8)


def _as_tensor(pixels: NDArray[Any]) -> Tensor:
    import torch

    # Channels-last memory, which is what image arrays have; it is faster on a CPU, too.
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)


class FeatureCache:
    """What is known of images of one size by one extractor.

    Raises:
        DataError: The cache cannot be written.
    """

    def __init__(self, extractor: OpenExtractor, size: int) -> None:
        self.extractor = extractor
        self.name = f"{extractor.name}-{extractor.digest[:16]}-{size}px"
        self.folder = cache_area("features") / self.name

    def features(self, pixels: Pixels, progress: Progress = SILENT) -> Features:
        """Features of these images; only those that are not in the cache are computed.

        Args:
            pixels: Shape ``(n, size, size, 3)``, RGB.
        """
        shape = (self.extractor.dimensions,)
        packs = FeaturePacks("features", self.name, shape, progress=progress)
        keys, out = _keys(pixels), np.empty((len(pixels), *shape), np.float32)
        missing = packs.find(keys, out)
        if len(missing):
            out[missing] = self.extractor.features(pixels[missing], progress)
            packs.keep([keys[position] for position in missing], out[missing])
        return out

    def floor(self, pixels: Pixels, features: Features, seed: int) -> Figures:
        """The floor of images (see :func:`leukreg.synthesis.distances.floor`)."""
        path = self.folder / f"floor-{VERSION}-{seed}-{key(*_keys(pixels)).hex()}"
        kept = read_digested(path)
        if kept:
            return Figures(**json.loads(kept))
        found = floor(features, seed)
        write_digested(path, json.dumps(asdict(found)).encode())
        return found


def _keys(pixels: Pixels) -> list[bytes]:
    return [key(np.ascontiguousarray(image).data) for image in pixels]
