"""Rows of the data, and the batches of an epoch that are made of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leukreg.engine.device import Compute
from leukreg.engine.distributed import dealt, share
from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.registry.kinds import Images
from leukreg.registry.plugin_call import Choice, breach, call, taken
from leukreg.types import Labels

AT_ONCE = 256
"""Images that are put on the device at once."""
Positions = NDArray[np.int64]
Augment = Callable[[Tensor], Tensor]
Part = tuple[Positions, Tensor]
"""The positions of a batch, and its targets."""
Feed = Callable[[Positions], Tensor]
"""From the positions of a batch to its inputs, asked for in the order of an epoch."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of the data; everything else speaks of positions within them."""

    images: Images
    rows: NDArray[np.int64]
    targets: Tensor
    """Class indices, int64."""

    def __len__(self) -> int:
        return len(self.rows)

    def spread(self, n: int) -> Positions:
        """``n`` positions, or as many as there are, evenly spread over all."""
        return np.linspace(0, len(self) - 1, min(len(self), n)).astype(np.int64)

    def pixels(self, positions: Positions) -> Tensor:
        """uint8 images ``(n, 3, size, size)``, channels-last in memory."""
        pixels = self.images.pixels(self.rows[positions].tolist())
        return torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(0, 3, 1, 2)

    def paths(self, positions: Positions) -> list[str]:
        """The image files at these positions."""
        return [self.images.samples.rows[row].path for row in self.rows[positions].tolist()]

    def groups(self) -> list[str]:
        """Patient ids; where a patient is unknown, fields of several cells, or row ids."""
        rows = self.rows.tolist()
        samples = [self.images.samples.rows[row] for row in rows]
        return [
            one.patient or one.field or f"row {row}" for row, one in zip(rows, samples, strict=True)
        ]

    def origins(self) -> list[str]:
        """Where each row comes from: "real" or "synthetic"."""
        return [self.images.samples.rows[row].origin for row in self.rows.tolist()]

    def files(self) -> tuple[Positions, NDArray[np.int64]]:
        """One position per file, and for each position the number of its file.

        Several rows of one file share its features.
        """
        ids = [self.images.samples.rows[row].id for row in self.rows.tolist()]
        slots = {name: slot for slot, name in enumerate(dict.fromkeys(ids))}
        file_of = np.array([slots[name] for name in ids], dtype=np.int64)
        _, first = np.unique(file_of, return_index=True)
        return first.astype(np.int64), file_of


def rows_of(images: Images, rows: Sequence[int], labels: Labels) -> Rows:
    """These rows with their class indices.

    Raises:
        DataError: A row has a label that is not among the task's classes.
    """
    index = {name: i for i, name in enumerate(labels.names)}
    samples = images.samples.rows
    strange = [samples[row] for row in rows if samples[row].label not in index]
    if strange:
        raise DataError(
            f"{strange[0].path}: label {strange[0].label!r} is not a class of this task "
            f"({', '.join(labels.names)}); {len(strange)} such rows"
        )
    targets = torch.tensor([index[samples[row].label] for row in rows], dtype=torch.int64)
    return Rows(images, np.asarray(rows, dtype=np.int64).reshape(-1), targets)


class Batch(NamedTuple):
    """Inputs and targets, and the positions they come from."""

    positions: Positions
    inputs: Tensor
    targets: Tensor
    others: Tensor | None = None
    """Targets of the images that were mixed in; None where none were."""
    share: float = 1.0
    """Of the first ones in a mixed image."""
    whole: Tensor | None = None
    """Targets of the whole batch, where these are one process's part of it."""
    counts: bool = True
    """Whether these are a part of it: another process may have them."""

    def part(self) -> Batch:
        """This process's part of the batch."""
        start, end, counts = share(len(self.targets))
        if end - start == len(self.targets) and counts:
            return self
        return self._replace(
            inputs=self.inputs[start:end],
            targets=self.targets[start:end],
            others=None if self.others is None else self.others[start:end],
            whole=self.targets,
            counts=counts,
        )


@dataclass(frozen=True, slots=True)
class Mixing:
    """Makes training images of two: mixup (Zhang et al., 2018) or cutmix (Yun et al., 2019).

    Draws from torch's global generator, once for a batch. Images stay bytes, rounded.
    """

    mixup: float | None
    cutmix: float | None

    def __call__(self, batch: Batch) -> Batch:
        """The batch, each image mixed with another, or the same one, of it."""
        alphas = [self.mixup, self.cutmix]
        way = int(torch.randint(2, ())) if None not in alphas else int(self.mixup is None)
        alpha = torch.tensor(float(alphas[way] or 0))
        share = float(torch.distributions.Beta(alpha, alpha).sample())
        order = torch.randperm(len(batch.targets)).to(batch.targets.device)
        images, others = batch.inputs, batch.inputs[order]
        if way == 0:
            mixed = images * share + others * (1 - share)
            return batch._replace(
                inputs=mixed.round().to(images.dtype), others=batch.targets[order], share=share
            )
        rows, columns = self._box(images.shape[-2], images.shape[-1], 1 - share)
        mixed = images.clone()
        mixed[..., rows, columns] = others[..., rows, columns]
        pasted = mixed[0, 0, rows, columns].numel() / mixed[0, 0].numel()
        return batch._replace(inputs=mixed, others=batch.targets[order], share=1 - pasted)

    @staticmethod
    def _box(height: int, width: int, area: float) -> tuple[slice, slice]:
        """A rectangle of about this share of the image, cut off at its border."""
        sides = []
        for length in (height, width):
            half, middle = length * area**0.5 / 2, int(torch.randint(length, ()))
            sides.append(slice(max(0, round(middle - half)), min(length, round(middle + half))))
        return sides[0], sides[1]


@dataclass(frozen=True, slots=True)
class EpochBatches:
    """The batches of one epoch, made when they are asked for."""

    parts: Sequence[Part]
    feed: Feed
    compute: Compute
    mixing: Mixing | None = None
    front: Augment | None = None
    """What the inputs of a batch go through at last."""
    whole: bool = False
    """Deal out whole batches among the processes, not each batch's images."""

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Batch]:
        for positions, targets in dealt(self.parts) if self.whole else self.parts:
            batch = Batch(positions, self.feed(positions), self.compute.put(targets))
            if self.mixing is not None:
                batch = self.mixing(batch)
            if not self.whole:  # all draw alike for all images, then each goes on with its own
                batch = batch.part()
            yield batch if self.front is None else batch._replace(inputs=self.front(batch.inputs))

    def steps(self, accumulate: int) -> Iterator[tuple[Batch, ...]]:
        """The batches of each step: so many, and what is left in the last one."""
        batches = iter(self)
        while step := tuple(itertools.islice(batches, accumulate)):
            yield step


def in_batches(order: Positions, rows: Rows, size: int) -> list[Part]:
    """The rows in this order, so many at once."""
    parts = (order[start:end] for start, end in bounds(len(order), size))
    return [(part, rows.targets[torch.from_numpy(part)]) for part in parts]


def bounds(n: int, size: int) -> tuple[tuple[int, int], ...]:
    """Start and end of each batch; a last batch of one row joins the one before it.

    Batch norm cannot train on a single row, and its gradient would be mostly noise.
    """
    starts = list(range(0, n, size))
    if len(starts) > 1 and size > 1 and n - starts[-1] == 1:
        starts.pop()
    return tuple(zip(starts, [*starts[1:], n], strict=True))


def on_device(rows: Rows, compute: Compute, progress: Progress = SILENT) -> Tensor | None:
    """All images on the device, as bytes ``(n, size, size, 3)``; None where they take too much.

    Nothing is read any more then, and nothing sent, while a network trains on them.
    """
    one, n = rows.pixels(np.zeros(1, np.int64)).permute(0, 2, 3, 1), len(rows)
    if one.nbytes * n > compute.room():
        return None
    kept = torch.empty((n, *one.shape[1:]), dtype=one.dtype, device=compute.device)
    with progress.task("images to the device", n) as advance:
        for start in range(0, n, AT_ONCE):
            positions = np.arange(start, min(start + AT_ONCE, n))
            kept[positions[0] : positions[-1] + 1] = rows.pixels(positions).permute(0, 2, 3, 1)
            advance(len(positions))
    return kept


def pixel_feed(
    rows: Rows, compute: Compute, augment: Augment | None = None, kept: Tensor | None = None
) -> Feed:
    """Feed images, augmented anew every epoch; read anew too, unless they were ``kept``
    (see :func:`on_device`)."""

    def feed(positions: Positions) -> Tensor:
        if kept is None:
            images = compute.put(rows.pixels(positions))
        else:
            images = kept[compute.put(torch.from_numpy(positions))].permute(0, 3, 1, 2)
        return images if augment is None else augment(images.contiguous())

    return feed


def sampled_order(choice: Choice, rows: Rows, seed: int) -> Positions:
    """The order of one epoch from the sampler, built anew with a generator of its own.

    Raises:
        PluginFault: The sampler fails, yields nothing or yields a position that does not exist.
    """
    generator = torch.Generator().manual_seed(seed)
    targets, groups, make = rows.targets.tolist(), rows.groups(), choice.plugin.build
    more = taken(make, origins=rows.origins())
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
            shapes = f"{tuple(images.shape)} into {tuple(result.shape)}"
            raise breach(choice, f" turns shape {shapes}; it must keep it")
        return result

    return checking
