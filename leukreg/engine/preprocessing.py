"""What every image goes through before anything else: fitted once a fold, then always the same."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from leukreg.data.image_store import subset
from leukreg.files import write_file
from leukreg.progress import SILENT, Progress
from leukreg.record import FittedPreprocessing
from leukreg.registry.kinds import Images
from leukreg.registry.plugin_call import Choice, blamed, breach, call
from leukreg.types import Fold, ImageSpec, Samples

FITTED_ON = 1000
"""Training images that are looked at in fitting, at most; evenly spread over all."""
PAIRS = 6
"""Pictures before and after that a run folder keeps."""
AT_ONCE = 64
"""Images that are read at once."""


class PreprocessingChain(nn.Module):
    """The preprocessings of a recipe, one after the other, with what they have learned.

    Its buffers stand in the model's state dict, and so in its file, its checkpoints and exports.
    """

    def __init__(
        self,
        choices: Sequence[Choice] = (),
        steps: Sequence[nn.Module] = (),
        sizes: Sequence[ImageSpec] = (),
    ) -> None:
        """``sizes`` are the images as they are read, then as each step gives them."""
        super().__init__()
        self.choices = tuple(choices)
        self.steps = nn.ModuleList(steps)
        self.sizes = tuple(sizes)
        self.fitted_on = (0,) * len(choices)
        """Images that each step learned from."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PreprocessingChain:
        return self  # stays on the CPU, wherever the network goes: the same to the last bit

    def __len__(self) -> int:
        return len(self.choices)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 images ``(b, h, w, 3)``, all at once: for an exported graph."""
        for step in self.steps:
            images = step(images)
        return images

    def change(self, pixels: NDArray[np.uint8], upto: int | None = None) -> NDArray[np.uint8]:
        """Images ``(b, h, w, 3)`` after all steps, or the first ``upto``.

        Raises:
            PluginFault: A step fails or breaks its contract.
        """
        for place in range(len(self) if upto is None else upto):
            pixels = self._after(place, pixels)
        return pixels

    @torch.no_grad()
    def _after(self, place: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """One by one: the last bits of a sum may depend on how many images are summed at once."""
        choice, step, size = self.choices[place], self.steps[place], self.sizes[place + 1].size
        out = np.empty((len(pixels), size, size, 3), np.uint8)
        for target, image in zip(out, _tensor(pixels), strict=True):
            with blamed(choice, f"fails on an image of shape {tuple(image.shape)}"):
                changed = step(image[None])
            if not isinstance(changed, Tensor) or changed.dtype != torch.uint8:
                kind = getattr(changed, "dtype", type(changed).__name__)
                raise breach(choice, f" gives {kind}; it must give a uint8 tensor")
            if tuple(changed.shape) != (1, size, size, 3):
                shapes = f"{tuple(changed.shape)}; it must give (1, {size}, {size}, 3)"
                raise breach(choice, f" gives shape {shapes}")
            target[...] = changed[0].numpy()
        return out

    def fit(self, images: Images, rows: Sequence[int], most: int = FITTED_ON) -> None:
        """Fit each step on these rows, or ``most`` of them, as the steps before it leave them.

        Synthetic rows teach it nothing, unless there are no others.

        Raises:
            PluginFault: A step fails.
        """
        samples = images.samples.rows
        real = [row for row in rows if samples[row].origin != "synthetic"] or list(rows)
        spread = np.linspace(0, len(real) - 1, min(len(real), most)).astype(np.int64)
        chosen = [real[place] for place in spread]
        looked = []
        for place, (choice, step) in enumerate(zip(self.choices, self.steps, strict=True)):
            fit: Any = getattr(step, "fit", None)
            if fit is not None:
                call(choice, fit, subset(PreprocessedImages(images, self, place), chosen))
            looked.append(0 if fit is None else len(chosen))
        self.fitted_on = tuple(looked)

    @torch.no_grad()
    def unfit(self, pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which images ``(b, h, w, 3)`` each step hands on as they are, shape ``(steps, b)``."""
        found = np.zeros((len(self), len(pixels)), np.bool_)
        for place, (choice, step) in enumerate(zip(self.choices, self.steps, strict=True)):
            ask: Any = getattr(step, "unfit", None)
            if ask is not None:
                found[place] = call(choice, ask, _tensor(pixels)).numpy()
            if any(hasattr(later, "unfit") for later in list(self.steps)[place + 1 :]):
                pixels = self._after(place, pixels)
        return found

    def unfit_notes(self, pixels: NDArray[np.uint8]) -> list[tuple[str, ...]]:
        """For each image ``(b, h, w, 3)`` a line for each step that leaves it as it is."""
        said = [f"preprocessing {one.name!r} left them as they are" for one in self.choices]
        each = self.unfit(pixels).T.tolist()
        return [tuple(itertools.compress(said, image)) for image in each]


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"]))


@dataclass(frozen=True, slots=True)
class PreprocessedImages:
    """Images as the model sees them; satisfies :class:`leukreg.registry.kinds.Images`."""

    raw: Images
    chain: PreprocessingChain
    upto: int | None = None

    @property
    def samples(self) -> Samples:
        return self.raw.samples

    def __len__(self) -> int:
        return len(self.raw)

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Images of these rows, shape ``(len(rows), size, size, 3)``, RGB."""
        return self.chain.change(self.raw.pixels(rows), self.upto)


def preprocessed(images: Images, chain: PreprocessingChain) -> Images:
    """These images as the model sees them."""
    return PreprocessedImages(images, chain) if len(chain) else images


def fitted(
    chain: PreprocessingChain, images: Images, fold: Fold, progress: Progress = SILENT
) -> tuple[FittedPreprocessing, ...]:
    """What each step was fitted on, and how many of the fold's images it cannot work on."""
    rows = sorted({*fold.train, *fold.validation, *fold.test})
    counts = np.zeros(len(chain), np.int64)
    if any(hasattr(step, "unfit") for step in chain.steps):
        with progress.task(f"fold {fold.index + 1}, preprocessing", len(rows)) as advance:
            for start in range(0, len(rows), AT_ONCE):
                part = rows[start : start + AT_ONCE]
                counts += chain.unfit(images.pixels(part)).sum(axis=1)
                advance(len(part))
    return tuple(
        FittedPreprocessing(use=choice.name, fitted_on=n, images=len(rows), unfit=int(unfit))
        for choice, n, unfit in zip(chain.choices, chain.fitted_on, counts, strict=True)
    )


def keep_pairs(chain: PreprocessingChain, images: Images, fold: Fold, folder: Path) -> None:
    """Write some training images as they are read and as the model sees them, for the report.

    ``before-1.png``, ``after-1.png`` and so on; of as many classes as there are.
    """
    samples = images.samples.rows
    of_class: dict[str, list[int]] = {}
    for row in fold.train:
        of_class.setdefault(samples[row].label, []).append(row)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*of_class.values()))
    rows = list(itertools.islice((row for row in turns if row is not None), PAIRS))
    before = images.pixels(rows)
    for name, pixels in (("before", before), ("after", chain.change(before))):
        for number, one in enumerate(pixels, 1):
            buffer = io.BytesIO()
            Image.fromarray(one).save(buffer, "PNG")
            write_file(folder / f"{name}-{number}.png", buffer.getvalue(), listed=True)
