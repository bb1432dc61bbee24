"""Fit a generator on the rows it may see, and let it make each class."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.contracts import ClassGenerator, Images, SyntheticImages
from leukreg.errors import DataError, LeukregError, PluginError
from leukreg.progress import Progress
from leukreg.seeds import derive
from leukreg.synthesis import keep
from leukreg.synthesis.contact import contact_sheet
from leukreg.types import ImageSpec, Labels, Lineage, Sample, Samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leukreg.recipe.model import Choice, SynthesisSpec


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be made, from which seed, and where it is kept."""

    spec: SynthesisSpec
    image: ImageSpec
    seed: int
    folder: Path
    fold: int | None
    """None: before any split."""

    @property
    def name(self) -> str:
        return "before-split" if self.fold is None else f"fold-{self.fold}"

    @property
    def home(self) -> Path:
        return self.folder / self.name

    def seed_for(self, *parts: str) -> int:
        return derive(self.seed, "synthesis", self.name, *parts)


def make(
    images: Images, digests: Mapping[str, str], request: Request, progress: Progress
) -> tuple[Sample, ...]:
    """The synthetic rows, their files written; ``images`` is all the generator gets to see.

    ``digests`` of the pixels, by file id, tell whether a finished folder may be used again.
    """
    _check_classes(request.spec, images.samples)
    digest = _digest(images.samples, digests, request)
    kept = keep.read_complete(request.home, digest)
    if kept is not None:
        return kept
    keep.begin(request.home, digest)
    generator = _fit(images, request, progress)
    rows: list[Sample] = []
    shown = []
    names = keep.folder_names(request.spec.classes)
    with progress.task("Making images", request.spec.per_class * len(names)) as advance:
        for label, name in names.items():
            made = _sample(generator, label, request)
            lineage = tuple(replace(line, fold=request.fold) for line in made.lineage)
            rows += keep.write_images(request.home, name, label, made.pixels, lineage)
            shown.append(
                (label, made.pixels[: keep.SHOWN], _parents(images, lineage[: keep.SHOWN]))
            )
            advance(request.spec.per_class, label)
    keep.write_sheet(request.home, contact_sheet(shown, request.spec.generator.name))
    keep.finish(request.home, digest, rows)
    return tuple(rows)


def _check_classes(spec: SynthesisSpec, samples: Samples) -> None:
    unknown = [label for label in spec.classes if label not in samples.classes]
    if not unknown:
        return
    lines = []
    for label in unknown:
        close = difflib.get_close_matches(label, samples.classes, n=1)
        there = ", ".join(samples.classes)
        hint = f"did you mean {close[0]!r}?" if close else f"the data have {there}"
        lines.append(f"synthesis.classes: there is no class {label!r}; {hint}")
    raise DataError("\n".join(lines))


def _digest(samples: Samples, digests: Mapping[str, str], request: Request) -> str:
    """Digest of everything that the made images depend on, to tell a folder that may be reused."""
    spec = request.spec
    wanted = [
        spec.generator.name,
        spec.generator.owner,
        dict(spec.generator.options),
        spec.classes,
        spec.per_class,
        request.image.size,
        request.seed,
        request.name,
        samples.classes,
        [(row.id, row.label, digests[row.id]) for row in samples.rows],
    ]
    text = json.dumps(wanted, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _fit(images: Images, request: Request, progress: Progress) -> ClassGenerator:
    choice = request.spec.generator
    samples = images.samples
    counts = samples.counts()
    labels = Labels(names=samples.classes, counts=tuple(counts[name] for name in samples.classes))
    generator: ClassGenerator = _call(choice, choice.plugin.build, request.image, labels)
    folder = request.home / keep.SNAPSHOTS
    folder.mkdir(parents=True, exist_ok=True)
    # A slow generator may take the progress; the contract does not ask for it.
    more = {"progress": progress} if _takes_progress(generator.fit) else {}
    if more:
        _call(choice, generator.fit, images, request.seed_for("fit"), folder, **more)
        return generator
    with progress.task(f"Fitting {choice.name}"):
        _call(choice, generator.fit, images, request.seed_for("fit"), folder)
    return generator


def _takes_progress(function: Callable[..., Any]) -> bool:
    try:
        return "progress" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def _call(choice: Choice, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    try:
        return function(*args, **more)
    except LeukregError:
        raise
    except Exception as error:  # a stranger's generator may raise anything
        what = getattr(function, "__name__", "call")
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"{_who(choice)} failed in {what}: {reason}") from error


def _who(choice: Choice) -> str:
    return f"generator {choice.name!r} (from {choice.owner})"


def _sample(generator: ClassGenerator, label: str, request: Request) -> SyntheticImages:
    spec = request.spec
    made = _call(
        spec.generator, generator.sample, label, spec.per_class, request.seed_for("sample", label)
    )
    faults = _faults(made, spec.per_class, request.image.size)
    if faults:
        raise PluginError(
            f"{_who(spec.generator)} broke its contract for class {label!r}: {'; '.join(faults)}"
        )
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


def _parents(images: Images, lineage: tuple[Lineage, ...]) -> NDArray[np.uint8] | None:
    """Pixels of the parents, where every image has one among the rows the generator saw."""
    by_id = {row.id: number for number, row in enumerate(images.samples.rows)}
    numbers = [by_id.get(line.parent or "") for line in lineage]
    known = [number for number in numbers if number is not None]
    return images.pixels(known) if known and len(known) == len(numbers) else None
