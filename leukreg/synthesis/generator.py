"""A stranger's generator: fitted, asked for images, and held to its contract."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.data.walk import SNAPSHOTS
from leukreg.progress import SILENT, Progress
from leukreg.registry.kinds import ClassGenerator, Images
from leukreg.registry.plugin_call import breach, call, taken
from leukreg.synthesis.request import Request
from leukreg.types import Labels, Lineage, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.recipe.model import SynthesisSpec


def listed(spec: SynthesisSpec | None, names: tuple[str, ...]) -> Samples:
    """What a generator passes over and assumes in listing what it reads besides training images.

    Nothing where it does not say, or is none. ``names`` are the task's classes.

    Raises:
        NotAvailable, DataError: They are not there, or cannot be listed.
        PluginFault: The method ``listed`` failed, or gives something else.
    """
    own = getattr(spec.generator.plugin, "listed", None) if spec else None
    if spec is None or not callable(own):  # there is none, or it is an option of that name
        return Samples(rows=(), classes=names)
    choice = spec.generator
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
    more = taken(generator.fit, progress=progress)
    # Whoever takes the progress tells of it himself.
    with (SILENT if more else progress).task(f"Fitting {choice.name}"):
        call(choice, generator.fit, images, request.fit_seed, folder, **more)
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
    call(request.spec.generator, own, images, **taken(own, progress=progress))
    return True


def _built(images: Images, request: Request) -> ClassGenerator:
    choice, samples = request.spec.generator, images.samples
    counts = samples.counts()
    labels = Labels(names=samples.classes, counts=tuple(counts[name] for name in samples.classes))
    build = choice.plugin.build
    # A generator may want to know what it will be asked for, to refuse it before any training.
    asked = taken(build, targets=tuple(request.spec.classes))
    generator: ClassGenerator = call(choice, build, request.image, labels, **asked)
    return generator


@dataclass(frozen=True, slots=True, eq=False)
class ClassImages:
    """Images of one class."""

    pixels: NDArray[np.uint8]
    """Shape ``(n, size, size, 3)``."""
    lineage: tuple[Lineage, ...]
    copied: NDArray[np.uint8] | None = None
    """Images of the first draw that copy a training image; None where nobody looked."""
    copied_rows: tuple[int, ...] = ()
    """The training rows they copy."""

    def only(self, chosen: NDArray[np.bool_]) -> ClassImages:
        lineage = tuple(line for line, one in zip(self.lineage, chosen, strict=True) if one)
        return replace(self, pixels=self.pixels[chosen], lineage=lineage)

    def joined(self, more: ClassImages) -> ClassImages:
        pixels = np.concatenate([self.pixels, more.pixels])
        return replace(self, pixels=pixels, lineage=self.lineage + more.lineage)


def draw(
    generator: ClassGenerator, label: str, n: int, request: Request, attempt: int = 0
) -> ClassImages:
    """``n`` images of a class; ``attempt`` counts the draws that replace copies.

    Raises:
        PluginFault: The generator failed or broke its contract.
    """
    choice = request.spec.generator
    made = call(choice, generator.sample, label, n, request.draw_seed(label, attempt))
    faults = _faults(made, n, request.image.size)
    if faults:
        raise breach(choice, f" broke its contract for class {label!r}: {'; '.join(faults)}")
    lineage = tuple(replace(line, fold=request.fold) for line in made.lineage)
    return ClassImages(made.pixels, lineage)


def _faults(made: Any, n: int, size: int) -> list[str]:
    """What is wrong with what a generator returned; nothing when it kept its contract."""
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
