"""How a phase is fed: images, or the kept features of its frozen front."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from leukreg.engine.batches import Augment, Feed, pixel_feed
from leukreg.engine.classifier import Classifier, as_module
from leukreg.engine.device import Compute
from leukreg.engine.features import BUDGET, bytes_per_view, compute_features
from leukreg.engine.prefix import Prefix, frozen_prefix
from leukreg.engine.rows import Rows
from leukreg.progress import Progress
from leukreg.recipe.model import PhaseSpec, TrainingSpec

DEFAULT_VIEWS = 4


@dataclass(frozen=True, slots=True)
class Feeds:
    """The part of the model that trains, and what it is fed."""

    tail: nn.Module
    train: Callable[[int], Feed]
    """The feed of an epoch, by its seed."""
    validation: Feed | None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Material:
    """The rows of a fold and what is done to their images."""

    train: Rows
    validation: Rows | None
    augment: Augment | None
    compute: Compute
    folder: Path
    seed: int = 0
    """Of the augmented views whose features are kept."""


@contextmanager
def setup_feeds(
    model: Classifier,
    material: Material,
    training: TrainingSpec,
    phase: PhaseSpec,
    progress: Progress,
) -> Iterator[Feeds]:
    """The feeds of a phase whose layers are unfrozen already; kept features go when it ends."""
    compute, rows = material.compute, material.train
    some = np.linspace(0, len(rows) - 1, min(len(rows), training.batch_size)).astype(np.int64)
    prefix = frozen_prefix(model, compute.put(rows.pixels(some)), training.batch_size, compute)
    chain = model.chain()
    tail: nn.Module = as_module(chain[len(prefix.links) if prefix else 0 :])
    if compute.compile:
        tail = torch.compile(tail)  # type: ignore[assignment]
    if prefix is None:
        yield _from_pixels(tail, material, None, {"frozen": [], "views": 0})
        return
    facts: dict[str, Any] = {"frozen": [name for name, _ in prefix.links], "chunk": prefix.chunk}
    views, size, why = _affordable_views(prefix, material, training.feature_views, phase.epochs)
    facts |= {"views": views, "bytes": size, "why": why}
    if views == 0:
        yield _from_pixels(tail, material, prefix, facts)
        return
    paths = [material.folder / f"features-{side}.bin" for side in ("train", "validation")]
    try:
        yield _from_features(tail, material, prefix, views, paths, facts, progress)
    finally:
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _from_pixels(
    tail: nn.Module, material: Material, prefix: Prefix | None, facts: dict[str, Any]
) -> Feeds:
    compute = material.compute
    train = pixel_feed(material.train, compute, prefix, material.augment)
    held = material.validation
    validation = None if held is None else pixel_feed(held, compute, prefix)
    return Feeds(tail, lambda seed: train, validation, facts)


def _from_features(
    tail: nn.Module,
    material: Material,
    prefix: Prefix,
    views: int,
    paths: list[Path],
    facts: dict[str, Any],
    progress: Progress,
) -> Feeds:
    train = compute_features(
        prefix, material.train, views, material.augment, material.seed, paths[0], progress
    )
    validation = None
    if material.validation is not None:
        held = compute_features(prefix, material.validation, path=paths[1], progress=progress)
        validation = held.feed(0)
    return Feeds(tail, train.feed, validation, facts)


def _affordable_views(
    prefix: Prefix, material: Material, asked: int | None, epochs: int
) -> tuple[int, int, str]:
    """Views to keep, the bytes they take, and why so many; 0 computes features every epoch."""
    if asked == 0:
        return 0, 0, "feature_views = 0"
    varied = material.augment is not None
    wanted = min(epochs, asked or DEFAULT_VIEWS) if varied else 1
    view = bytes_per_view(prefix, material.train)
    fixed = 0 if material.validation is None else bytes_per_view(prefix, material.validation)
    fitting = max(0, (BUDGET - fixed) // view)
    if fitting >= wanted:
        return wanted, wanted * view + fixed, "as asked for" if asked else "by default"
    why = f"{wanted} views take {wanted * view + fixed} bytes, {BUDGET} are allowed"
    views = int(fitting) if asked is None else 0
    return views, views * view + fixed if views else 0, why
