"""What the frozen front of a network makes of images, computed once and fed to the rest."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukreg.data.feature_packs import key
from leukreg.engine.batches import Feed, Positions, Rows, on_device, pixel_feed
from leukreg.engine.classifier import Classifier, Link, as_module
from leukreg.engine.device import Compute, reseed
from leukreg.engine.distributed import dealt, gathered, rank, size
from leukreg.engine.fold_job import FoldJob
from leukreg.engine.frozen_prefix import Prefix, View, bits_of, frozen_prefix
from leukreg.engine.mc_dropout import stochastic
from leukreg.engine.unfreeze import chosen, train_mode, unfreeze
from leukreg.files import reserve
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.record import FrozenFeatures

BUDGET = 4 * 2**30
"""Bytes of features that a phase keeps at most; above it they are computed anew every epoch."""
IN_MEMORY = 256 * 2**20
"""Bytes up to which features stay in memory; larger ones are mapped from a file."""
DEFAULT_VIEWS = 4


@dataclass(frozen=True, slots=True)
class Features:
    """Stored features: ``views`` views of every file, view after view."""

    store: Tensor
    file_of: NDArray[np.int64]
    """The number of its file, for each position."""
    views: int
    prefix: Prefix

    @property
    def there(self) -> bool:
        """Whether they lie on a device of their own, not in memory or in a file."""
        return self.store.device.type != "cpu"

    def on_device(self) -> Features:
        """The same on the device, where there is room."""
        compute = self.prefix.compute
        fits = self.store.nbytes <= compute.room()
        return replace(self, store=self.store.to(compute.device)) if fits else self

    def feed(self, seed: int) -> Feed:
        """Feed stored features; each row draws one of its views, by ``seed``."""
        generator = np.random.default_rng(seed)
        files = len(self.store) // self.views

        def feed(positions: Positions) -> Tensor:
            views = generator.integers(self.views, size=len(positions))
            slots = torch.from_numpy(views * files + self.file_of[positions])
            if self.there:
                slots = self.prefix.compute.put(slots)
            chosen = self.store.index_select(0, slots)
            return self.prefix.unpack(self.prefix.compute.put(chosen))

        return feed


def compute_features(
    prefix: Prefix,
    rows: Rows,
    views: Sequence[View | None] = (None,),
    path: Path | None = None,
    progress: Progress = SILENT,
) -> Features:
    """The features of every file, once per view (None: as it is).

    ``path`` is the file that features too large for memory are mapped from; the caller removes it.

    Raises:
        WriteError: There is no room for it.
    """
    first, file_of = rows.files()
    store: Tensor | None = None
    once = prefix.at_once()
    with progress.task("features of the frozen layers", len(first) * len(views)) as advance:
        for number, view in enumerate(views):
            for start in range(0, len(first), once):
                part = prefix.kept(rows.pixels(first[start : start + once]), view, advance)
                if store is None:
                    store = _allocate((len(views) * len(first), *part.shape[1:]), part.dtype, path)
                at = number * len(first) + start
                store[at : at + len(part)] = part
    assert store is not None
    return Features(store, file_of, len(views), prefix)


def _deal_out(prefix: Prefix, rows: Rows, views: Sequence[View | None] = (None,)) -> None:
    """Have several processes put their part of the features into the cache, where all find them."""
    if size() == 1:
        return
    first, _ = rows.files()
    blocks = [(v, at) for v in views for at in range(0, len(first), prefix.chunk)]
    own = replace(prefix, dealt=True)
    for view, at in dealt(blocks):
        own.kept(rows.pixels(first[at : at + prefix.chunk]), view)
    gathered(None)


def _allocate(shape: Sequence[int], dtype: torch.dtype, path: Path | None) -> Tensor:
    """Room for features: in memory where they are few, else mapped from the file ``path``."""
    count = math.prod(shape)
    if path is None or count * dtype.itemsize <= IN_MEMORY:
        return torch.empty(tuple(shape), dtype=dtype)
    path.unlink(missing_ok=True)
    reserve(path, count * dtype.itemsize)
    return torch.from_file(str(path), shared=True, size=count, dtype=dtype).view(*shape)


@dataclass(frozen=True, slots=True)
class Feeds:
    """The part of the model that trains, and what it is fed: images, or features kept of them."""

    tail: nn.Module
    train: Callable[[int], Feed]
    """The feed of an epoch, by its seed."""
    validation: Feed | None
    facts: FrozenFeatures
    begun: int = 0
    """Links of the model in front of that part."""
    front: Prefix | None = None
    """These links, where features are not kept: what is fed goes through them."""


@contextmanager
def setup_feeds(job: FoldJob, phase: PhaseSpec) -> Iterator[Feeds]:
    """The feeds of a phase whose layers are unfrozen already; the fold's own copy of the features
    goes when it ends."""
    compute, recipe = job.compute, job.recipe
    prefix, views, facts = None, 0, FrozenFeatures()
    if phase.mixes:
        facts = FrozenFeatures(why="images are mixed anew in every step")
    else:
        pixels, batch = recipe.image.size, recipe.training.batch_size
        prefix = frozen_prefix(job.chain(phase), pixels, batch, compute)
    if prefix is not None:
        views, bytes_, why = _affordable_views(prefix, job, phase.epochs)
        frozen = tuple(name for name, _ in prefix.links)
        facts = FrozenFeatures(
            frozen=frozen, chunk=prefix.chunk, views=views, bytes=bytes_, why=why
        )
    begun = len(prefix.links) if prefix else 0
    tail: nn.Module = as_module(job.chain(phase)[begun:])
    if compute.compile:
        tail = torch.compile(tail)  # type: ignore[assignment]
    if prefix is None or not views:
        here = on_device(job.train, compute, job.progress)
        train = pixel_feed(job.train, compute, job.augment, here)
        held = None
        if job.validation is not None:
            kept_there = on_device(job.validation, compute, job.progress)
            held = pixel_feed(job.validation, compute, kept=kept_there)
        facts = replace(facts, on_device=here is not None)
        yield Feeds(tail, lambda seed: train, held, facts, begun, prefix)
        return
    prefix = prefix.opened(_part_name(recipe), job.progress)
    paths = [job.folder / f"features-{side}-{rank()}.bin" for side in ("train", "validation")]
    try:
        seen = _views(job, views)
        _deal_out(prefix, job.train, seen)
        kept = compute_features(prefix, job.train, seen, paths[0], job.progress).on_device()
        facts = replace(facts, on_device=kept.there)
        held = None
        if job.validation is not None:
            _deal_out(prefix, job.validation)
            of_held = compute_features(prefix, job.validation, path=paths[1], progress=job.progress)
            held = of_held.feed(0)
        yield Feeds(tail, kept.feed, held, facts, begun)
    finally:
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def untouched_prefix(
    model: Classifier,
    recipe: Recipe,
    images: int,
    compute: Compute,
    progress: Progress,
    links: Sequence[Link] = (),
) -> Prefix | None:
    """The front of a trained model that no phase has trained, with its part of the cache.

    None where there is none, the recipe reuses no features, or those of so many ``images`` are too
    large. Leaves the model as for training.

    Args:
        links: What it is the front of; by default the model up to where MC dropout draws.
    """
    if recipe.training.feature_views == 0:
        return None
    unfreeze(model, {name for phase in recipe.phases for name in chosen(model, phase.unfreeze)})
    train_mode(model)
    if not links:
        links = model.chain()
        if recipe.evaluate.mc_dropout is not None:
            links = [*itertools.takewhile(lambda link: not stochastic(link[1]), links)]
    prefix = frozen_prefix(links, recipe.image.size, recipe.training.batch_size, compute)
    if prefix is None or prefix.like is None or prefix.like.nbytes * images > BUDGET:
        return None
    return prefix.opened(_part_name(recipe), progress)


def _part_name(recipe: Recipe) -> str:
    return f"{recipe.model.backbone.name}-{recipe.image.size}px"


def _views(job: FoldJob, count: int) -> list[View | None]:
    """So many augmented views of every image, whatever the fold, phase or seed."""
    choice, augment, side = job.recipe.augmentation, job.augment, job.recipe.image.size
    if choice is None or augment is None:
        return [None]
    # What an augmentation does is in the key by what becomes of noise: its code may change.
    draw = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (16, 3, side, side), dtype=torch.uint8, generator=draw)
    reseed(0)
    said = repr((choice.name, sorted(choice.options.items()), choice.owner)).encode()
    augmentation = key(said, bits_of(augment(job.compute.put(noise))))
    return [View(number, augment, augmentation) for number in range(count)]


def _affordable_views(prefix: Prefix, job: FoldJob, epochs: int) -> tuple[int, int, str]:
    """Views to keep, the bytes they take, and why so many; 0 computes features every epoch."""
    asked = job.recipe.training.feature_views
    if asked == 0:
        return 0, 0, "feature_views = 0"
    assert prefix.like is not None
    wanted = min(epochs, asked or DEFAULT_VIEWS) if job.augment is not None else 1
    view = prefix.like.nbytes * len(job.train.files()[0])
    fixed = 0 if job.validation is None else prefix.like.nbytes * len(job.validation.files()[0])
    fitting = max(0, (BUDGET - fixed) // view)
    if fitting >= wanted:
        return wanted, wanted * view + fixed, "as asked for" if asked else "by default"
    why = f"{wanted} views take {wanted * view + fixed} bytes, {BUDGET} are allowed"
    views = int(fitting) if asked is None else 0
    return views, views * view + fixed if views else 0, why
