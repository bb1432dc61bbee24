"""Batches of an epoch: which positions, and what the trained part of the model is fed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leukreg.engine.device import Compute
from leukreg.engine.prefix import Prefix
from leukreg.engine.rows import Rows
from leukreg.registry.plugin_call import Choice, breach, call, takes

Augment = Callable[[Tensor], Tensor]
Feed = Callable[[NDArray[np.int64]], Callable[[int, int], Tensor]]
"""From an epoch's order of positions to a function that gives the inputs of a stretch of it."""


class Batch(NamedTuple):
    """One step's inputs and targets, and the positions they come from."""

    positions: NDArray[np.int64]
    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True, slots=True)
class EpochBatches:
    """The batches of one epoch, made when they are asked for."""

    order: NDArray[np.int64]
    bounds: tuple[tuple[int, int], ...]
    inputs: Callable[[int, int], Tensor]
    targets: Tensor
    compute: Compute

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[Batch]:
        for start, end in self.bounds:
            targets = self.compute.put(self.targets[start:end])
            yield Batch(self.order[start:end], self.inputs(start, end), targets)


def epoch_batches(
    order: NDArray[np.int64], rows: Rows, feed: Feed, size: int, compute: Compute
) -> EpochBatches:
    """Cut an epoch's order into batches of ``size``."""
    targets = rows.targets[torch.from_numpy(order)]
    return EpochBatches(order, bounds(len(order), size), feed(order), targets, compute)


def bounds(n: int, size: int) -> tuple[tuple[int, int], ...]:
    """Start and end of each batch; a last batch of one row joins the one before it.

    Batch norm cannot train on a single row, and its gradient would be mostly noise.
    """
    starts = list(range(0, n, size))
    if len(starts) > 1 and size > 1 and n - starts[-1] == 1:
        starts.pop()
    return tuple(zip(starts, [*starts[1:], n], strict=True))


def pixel_feed(
    rows: Rows, compute: Compute, prefix: Prefix | None = None, augment: Augment | None = None
) -> Feed:
    """Feed images, read and augmented anew every epoch; through ``prefix`` where there is one."""

    def feed(order: NDArray[np.int64]) -> Callable[[int, int], Tensor]:
        def inputs(start: int, end: int) -> Tensor:
            images = compute.put(rows.pixels(order[start:end]))
            if augment is not None:
                images = augment(images.contiguous())
            return images if prefix is None else prefix(images)

        return inputs

    return feed


def sampled_order(choice: Choice, rows: Rows, groups: list[str], seed: int) -> NDArray[np.int64]:
    """The order of one epoch from the sampler, built anew with a generator of its own.

    Raises:
        PluginFault: The sampler fails, yields nothing or yields a position that does not exist.
    """
    generator = torch.Generator().manual_seed(seed)
    targets = rows.targets.tolist()
    make = choice.plugin.build
    more = {"origins": rows.origins()} if takes(make, "origins") else {}
    order = call(choice, lambda: [int(p) for p in make(targets, groups, generator, **more)])
    if not order:
        raise breach(choice, " yields no rows at all")
    if min(order) < 0 or max(order) >= len(rows):
        wrong = min(order) if min(order) < 0 else max(order)
        raise breach(choice, f" yields position {wrong} of {len(rows)} rows")
    return np.array(order, dtype=np.int64)


def checked(augment: Augment, choice: Choice) -> Augment:
    """The augmentation, refused where it changes shape or type.

    Raises:
        PluginFault: (when called) The augmentation fails or breaks its contract.
    """

    def checking(images: Tensor) -> Tensor:
        result = call(choice, lambda: augment(images))
        if not isinstance(result, Tensor) or result.dtype != torch.uint8:
            kind = getattr(result, "dtype", type(result).__name__)
            raise breach(choice, f" gives {kind}; it must give a uint8 tensor")
        if result.shape != images.shape:
            raise breach(
                choice,
                f" turns shape {tuple(images.shape)} into {tuple(result.shape)}; it must keep it",
            )
        return result

    return checking
