"""The frozen front of a network, and its features, alike whatever batch an image comes in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukreg.engine.batches import Augment, Feed, Positions, Rows, pixel_feed
from leukreg.engine.classifier import Classifier, Link, Normaliser, as_module, run
from leukreg.engine.device import Compute, reseed
from leukreg.engine.fold_job import FoldJob
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import PhaseSpec
from leukreg.record import FrozenFeatures
from leukreg.seeds import derive

STATELESS: tuple[type[nn.Module], ...] = (
    Normaliser,
    nn.Identity,
    nn.Flatten,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AvgPool2d,
    nn.MaxPool2d,
    nn.ReLU,
    nn.GELU,
    nn.SiLU,
)
"""Modules that do the same in train and eval mode and have nothing to train."""
BUDGET = 4 * 2**30
"""Bytes of features that are kept at most; above it they are computed anew every epoch."""
IN_MEMORY = 256 * 2**20
"""Bytes up to which features stay in memory; larger ones are mapped from a file."""
DEFAULT_VIEWS = 4


@dataclass(frozen=True, slots=True)
class Prefix:
    """Modules at the front of the model that do not change while a phase lasts.

    They run on chunks of exactly ``chunk`` images, a short one padded: a convolution's last bits
    may depend on the batch size, so with a fixed size an image has the same features in whatever
    batch it comes, and features kept from before are those that would be computed now.
    """

    links: tuple[Link, ...]
    chunk: int
    compute: Compute

    def __call__(self, images: Tensor) -> Tensor:
        """Features of uint8 images ``(n, 3, size, size)``, ready for the rest of the model."""
        return self.unpack(self.packed(images))

    @torch.no_grad()
    def packed(self, images: Tensor) -> Tensor:
        """Features in the layout they are stored in: images first, densely packed."""
        with self.compute.autocast():
            parts = [self._chunk(part) for part in torch.split(images, self.chunk)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _chunk(self, images: Tensor) -> Tensor:
        n = len(images)
        if n < self.chunk:
            images = torch.cat([images, images[-1:].expand(self.chunk - n, -1, -1, -1)])
        features = run(self.links, images)
        if self.compute.channels_last and features.ndim == 4:
            features = features.permute(0, 2, 3, 1)
        return features.contiguous()[:n]

    def unpack(self, packed: Tensor) -> Tensor:
        """Stored features as the rest of the model takes them."""
        if self.compute.channels_last and packed.ndim == 4:
            return packed.permute(0, 3, 1, 2)
        return packed


def frozen_length(chain: Sequence[Link]) -> int:
    """How many links at the front are frozen; 0 where nothing with parameters is among them."""
    length = 0
    for index, (_, module) in enumerate(chain):
        parameters = list(module.parameters())
        training = any(part.training for part in module.modules())
        if parameters and not training and not any(p.requires_grad for p in parameters):
            length = index + 1
        elif parameters or not isinstance(module, STATELESS):
            break
        elif length:
            length = index + 1
    return length


def frozen_prefix(
    model: Classifier, images: Tensor, batch_size: int, compute: Compute
) -> Prefix | None:
    """The frozen front of the model, or None; ``images`` are uint8 ones to try it on.

    Where features turn out to depend on an image's place in the chunk, chunks of one are taken.
    """
    chain = model.chain()
    length = frozen_length(chain)
    if length == 0:
        return None
    prefix = Prefix(tuple(chain[:length]), batch_size, compute)
    images = images[:batch_size]
    straight, alone = prefix.packed(images), prefix.packed(images[-1:])
    turned = prefix.packed(images.flip(0)).flip(0)
    placeless = torch.equal(straight, turned) and torch.equal(straight[-1:], alone)
    return prefix if placeless else replace(prefix, chunk=1)


@dataclass(frozen=True, slots=True)
class Features:
    """Stored features: ``views`` views of every file, view after view."""

    store: Tensor
    file_of: NDArray[np.int64]
    """The number of its file, for each position."""
    views: int
    prefix: Prefix

    def feed(self, seed: int) -> Feed:
        """Feed stored features; each row draws one of its views, by ``seed``."""
        generator = np.random.default_rng(seed)
        files = len(self.store) // self.views

        def feed(positions: Positions) -> Tensor:
            views = generator.integers(self.views, size=len(positions))
            slots = torch.from_numpy(views * files + self.file_of[positions])
            chosen = self.store.index_select(0, slots)
            return self.prefix.unpack(self.prefix.compute.put(chosen))

        return feed


def compute_features(
    prefix: Prefix,
    rows: Rows,
    views: int = 1,
    augment: Augment | None = None,
    seed: int = 0,
    path: Path | None = None,
    progress: Progress = SILENT,
) -> Features:
    """Run every file through the prefix, once per view.

    A view's augmentation is drawn chunk by chunk from ``seed``. ``path`` is the file that
    features too large for memory are mapped from; the caller removes it.
    """
    first, file_of = rows.files()
    store: Tensor | None = None
    with progress.task("features of the frozen layers", len(first) * views) as advance:
        for view in range(views):
            for start in range(0, len(first), prefix.chunk):
                images = prefix.compute.put(rows.pixels(first[start : start + prefix.chunk]))
                if augment is not None:
                    reseed(derive(seed, "view", view, "file", start))
                    images = augment(images.contiguous())
                part = prefix.packed(images).cpu()
                if store is None:
                    store = _allocate((views * len(first), *part.shape[1:]), part.dtype, path)
                at = view * len(first) + start
                store[at : at + len(part)] = part
                advance(len(part))
    assert store is not None
    return Features(store, file_of, views, prefix)


def _allocate(shape: Sequence[int], dtype: torch.dtype, path: Path | None) -> Tensor:
    """Room for features: in memory where they are few, else mapped from the file ``path``."""
    count = math.prod(shape)
    if path is None or count * dtype.itemsize <= IN_MEMORY:
        return torch.empty(tuple(shape), dtype=dtype)
    path.unlink(missing_ok=True)
    return torch.from_file(str(path), shared=True, size=count, dtype=dtype).view(*shape)


@dataclass(frozen=True, slots=True)
class Feeds:
    """The part of the model that trains, and what it is fed: images, or features kept of them."""

    tail: nn.Module
    train: Callable[[int], Feed]
    """The feed of an epoch, by its seed."""
    validation: Feed | None
    facts: FrozenFeatures


@contextmanager
def setup_feeds(job: FoldJob, phase: PhaseSpec) -> Iterator[Feeds]:
    """The feeds of a phase whose layers are unfrozen already; kept features go when it ends."""
    compute, size = job.compute, job.recipe.training.batch_size
    some = compute.put(job.train.pixels(job.train.spread(size)))
    prefix = frozen_prefix(job.model, some, size, compute)
    views, facts = 0, FrozenFeatures()
    if prefix is not None:
        views, bytes_, why = _affordable_views(prefix, job, phase.epochs)
        frozen = tuple(name for name, _ in prefix.links)
        facts = FrozenFeatures(
            frozen=frozen, chunk=prefix.chunk, views=views, bytes=bytes_, why=why
        )
    tail: nn.Module = as_module(job.model.chain()[len(prefix.links) if prefix else 0 :])
    if compute.compile:
        tail = torch.compile(tail)  # type: ignore[assignment]
    if prefix is None or not views:
        train = pixel_feed(job.train, compute, prefix, job.augment)
        held = pixel_feed(job.validation, compute, prefix) if job.validation else None
        yield Feeds(tail, lambda seed: train, held, facts)
        return
    paths = [job.folder / f"features-{side}.bin" for side in ("train", "validation")]
    try:
        seed = job.seed(phase, "features")
        kept = compute_features(prefix, job.train, views, job.augment, seed, paths[0], job.progress)
        held = None
        if job.validation is not None:
            of_held = compute_features(prefix, job.validation, path=paths[1], progress=job.progress)
            held = of_held.feed(0)
        yield Feeds(tail, kept.feed, held, facts)
    finally:
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _affordable_views(prefix: Prefix, job: FoldJob, epochs: int) -> tuple[int, int, str]:
    """Views to keep, the bytes they take, and why so many; 0 computes features every epoch."""
    asked = job.recipe.training.feature_views
    if asked == 0:
        return 0, 0, "feature_views = 0"

    def bytes_of(rows: Rows) -> int:
        one = prefix.packed(prefix.compute.put(rows.pixels(np.zeros(1, dtype=np.int64))))
        return one.numel() * one.element_size() * len(rows.files()[0])

    wanted = min(epochs, asked or DEFAULT_VIEWS) if job.augment is not None else 1
    view = bytes_of(job.train)
    fixed = 0 if job.validation is None else bytes_of(job.validation)
    fitting = max(0, (BUDGET - fixed) // view)
    if fitting >= wanted:
        return wanted, wanted * view + fixed, "as asked for" if asked else "by default"
    why = f"{wanted} views take {wanted * view + fixed} bytes, {BUDGET} are allowed"
    views = int(fitting) if asked is None else 0
    return views, views * view + fixed if views else 0, why
