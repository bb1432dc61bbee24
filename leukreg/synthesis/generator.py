"""A stranger's generator: fitted, asked for images, and held to its contract."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.data.walk import SNAPSHOTS
from leukreg.progress import Progress
from leukreg.registry.kinds import ClassGenerator, Images, SyntheticImages
from leukreg.registry.plugin_call import breach, call, takes
from leukreg.synthesis.request import Request
from leukreg.types import Labels, Lineage, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.registry.plugin_call import Choice
    from leukreg.synthesis.gate import Gate


def listed(choice: Choice, names: tuple[str, ...]) -> Samples:
    """What a generator passes over and assumes in listing what it reads besides training images.

    Nothing where it does not say. ``names`` are the task's classes.

    Raises:
        NotAvailable, DataError: They are not there, or cannot be listed.
        PluginFault: The method ``listed`` failed, or gives something else.
    """
    own = getattr(choice.plugin, "listed", None)
    if not callable(own):  # there is none, or it is an option of that name
        return Samples(rows=(), classes=names)
    found = call(choice, own, Labels(names=names, counts=(0,) * len(names)))
    if not isinstance(found, Samples):
        raise breach(choice, f" broke its contract: listed gives {type(found).__name__}")
    return found


def fit(images: Images, request: Request, progress: Progress) -> ClassGenerator:
    """The recipe's generator, fitted on ``images``: all that it gets to see.

    Raises:
        DataError: A class cannot be made from these rows.
        PluginFault: The generator failed.
    """
    choice = request.spec.generator
    generator = _built(images, request)
    folder = request.home / SNAPSHOTS
    folder.mkdir(parents=True, exist_ok=True)
    # A slow generator may take the progress; the contract does not ask for it.
    more = {"progress": progress} if takes(generator.fit, "progress") else {}
    if more:
        call(choice, generator.fit, images, request.fit_seed, folder, **more)
        return generator
    with progress.task(f"Fitting {choice.name}"):
        call(choice, generator.fit, images, request.fit_seed, folder)
    return generator


def check(images: Images, request: Request, progress: Progress) -> bool:
    """Whether the recipe's generator can be fitted on ``images``, as far as it can tell beforehand.

    Returns:
        Whether it can tell at all: whoever has a check takes long to fit.

    Raises:
        DataError: A class cannot be made from these rows.
        PluginFault: The generator failed.
    """
    generator = _built(images, request)
    own = getattr(generator, "check", None)
    if not callable(own):
        return False
    more = {"progress": progress} if takes(own, "progress") else {}
    call(request.spec.generator, own, images, **more)
    return True


def _built(images: Images, request: Request) -> ClassGenerator:
    choice, samples = request.spec.generator, images.samples
    counts = samples.counts()
    labels = Labels(names=samples.classes, counts=tuple(counts[name] for name in samples.classes))
    build = choice.plugin.build
    # A generator may want to know what it will be asked for, to refuse it before any training.
    asked = {"targets": tuple(request.spec.classes)} if takes(build, "targets") else {}
    generator: ClassGenerator = call(choice, build, request.image, labels, **asked)
    return generator


def draw(
    generator: ClassGenerator, label: str, n: int, seed: int, request: Request
) -> SyntheticImages:
    """``n`` images of a class.

    Raises:
        PluginFault: The generator failed or broke its contract.
    """
    choice = request.spec.generator
    made = call(choice, generator.sample, label, n, seed)
    faults = _faults(made, n, request.image.size)
    if faults:
        raise breach(choice, f" broke its contract for class {label!r}: {'; '.join(faults)}")
    found: SyntheticImages = made
    return found


def _faults(made: Any, n: int, size: int) -> list[str]:
    """What is wrong with what a generator returned; nothing when it kept its contract."""
    import numpy as np

    pixels, lineage = getattr(made, "pixels", None), getattr(made, "lineage", None)
    faults = []
    if not isinstance(pixels, np.ndarray):
        faults.append(f"pixels is {type(pixels).__name__}, not a numpy array")
    else:
        if pixels.dtype != np.uint8:
            faults.append(f"pixels are {pixels.dtype}, not uint8")
        if pixels.shape != (n, size, size, 3):
            faults.append(f"pixels have shape {pixels.shape}, not {(n, size, size, 3)}")
    if not isinstance(lineage, tuple | list) or not all(isinstance(x, Lineage) for x in lineage):
        faults.append("lineage is not a tuple of leukreg.Lineage")
    elif len(lineage) != n:
        faults.append(f"lineage has {len(lineage)} entries, not {n}")
    return faults


ATTEMPTS = 3
"""Draws in place of copies; what is a copy still after these is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassImages:
    """Images of one class."""

    pixels: NDArray[np.uint8]
    """Shape ``(n, size, size, 3)``."""
    lineage: tuple[Lineage, ...]
    of: int
    """Images of the first draw: as many as were asked for."""
    copied: NDArray[np.uint8] | None = None
    """Images of the first draw that copy a training image; None where nobody looked."""
    copied_rows: tuple[int, ...] = ()
    """The training rows they copy."""

    @property
    def copies(self) -> int:
        return len(self.copied_rows)


def drawn(
    generator: ClassGenerator, label: str, request: Request, judge: Gate | None
) -> ClassImages:
    """The images asked for of a class; with a judge, single copies are replaced by new images.

    Where more are copies than the gate allows, all of them stay: the class fails on them.

    Raises:
        PluginError: The generator failed or broke its contract.
    """
    first = _draw(generator, label, request, request.spec.count(label), 0)
    if judge is None:
        return first
    rows = judge.copied_rows(first.pixels)
    copies = rows >= 0
    first = replace(first, copied=first.pixels[copies], copied_rows=tuple(rows[copies].tolist()))
    if not copies.any() or copies.mean() > judge.gate.copies:
        return first
    found = _picked(first, ~copies)
    for attempt in range(1, ATTEMPTS + 1):
        if lacking := first.of - len(found.pixels):
            more = _draw(generator, label, request, lacking, attempt)
            found = _joined(found, _picked(more, judge.copied_rows(more.pixels) < 0))
    return found


def _draw(
    generator: ClassGenerator, label: str, request: Request, n: int, attempt: int
) -> ClassImages:
    made = draw(generator, label, n, request.draw_seed(label, attempt), request)
    lineage = tuple(replace(line, fold=request.fold) for line in made.lineage)
    return ClassImages(made.pixels, lineage, n)


def _picked(batch: ClassImages, chosen: NDArray[np.bool_]) -> ClassImages:
    lineage = tuple(line for line, one in zip(batch.lineage, chosen, strict=True) if one)
    return replace(batch, pixels=batch.pixels[chosen], lineage=lineage)


def _joined(batch: ClassImages, more: ClassImages) -> ClassImages:
    pixels = np.concatenate([batch.pixels, more.pixels])
    return replace(batch, pixels=pixels, lineage=batch.lineage + more.lineage)
