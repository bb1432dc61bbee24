"""What is to be made, from which seed and files, and where it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.data.walk import SKIPPED, walk
from leukreg.errors import DataError
from leukreg.registry.plugin_call import breach, call
from leukreg.seeds import derive
from leukreg.text import did_you_mean
from leukreg.types import Fold, ImageSpec, Samples

if TYPE_CHECKING:
    from leukreg.recipe.model import Recipe, SynthesisSpec
    from leukreg.registry.plugin_call import Choice
    from leukreg.synthesis.real_images import RealImages


@dataclass(frozen=True, kw_only=True)
class Request:
    """One generator, fitted on one set of rows, and what it is to make."""

    spec: SynthesisSpec
    image: ImageSpec
    seed: int
    folder: Path
    fold: int | None
    """None: before any split."""

    @classmethod
    def of(cls, recipe: Recipe, fold: Fold | None, folder: Path = Path()) -> Request:
        """What a recipe with ``[synthesis]`` asks for."""
        assert recipe.synthesis is not None
        return cls(
            spec=recipe.synthesis,
            image=recipe.read_image,
            seed=recipe.seed,
            folder=folder.absolute(),
            fold=None if fold is None else fold.index,
        )

    @property
    def name(self) -> str:
        """What the images are kept under."""
        return "before-split" if self.fold is None else f"fold-{self.fold}"

    @property
    def home(self) -> Path:
        return self.folder / self.name

    @property
    def where(self) -> str:
        """The fold in words, counted from 1."""
        return "before the split" if self.fold is None else f"fold {self.fold + 1}"

    @property
    def fit_seed(self) -> int:
        """Seed of the fit: the recipe's, or one of its own that repeats can share."""
        seed = self.seed if self.spec.seed is None else self.spec.seed
        return derive(seed, "synthesis", self.name, "fit")

    def draw_seed(self, label: str, attempt: int) -> int:
        """Seed of a class's images; ``attempt`` counts the draws that replace copies."""
        more = (attempt,) if attempt else ()
        return derive(self.seed, "synthesis", self.name, "sample", label, *more)

    def digest(self, reference: RealImages, extractor: str) -> str:
        """Digest of everything that the images and their judgement depend on.

        Args:
            reference: What the generator is fitted on, and what the gate looks at besides.
            extractor: Name and digest of the gate's extractor; empty without a gate.

        Raises:
            DataError: A file that the generator reads cannot be looked at.
            PluginError: The generator cannot say which files it reads.
        """

        def known(samples: Samples) -> list[tuple[str, str, str]]:
            return [(row.id, row.label, reference.digests[row.id]) for row in samples.rows]

        spec, seen = self.spec, reference.fitted.samples
        wanted: list[Any] = [
            spec.generator.name,
            spec.generator.owner,
            dict(spec.generator.options),
            stamps_of(spec.generator),
            {label: spec.count(label) for label in spec.classes},
            list(spec.classes),
            spec.seed,
            self.image.size,
            self.seed,
            self.name,
            seen.classes,
            known(seen),
        ]
        if spec.gate is not None:
            gate = {key: value for key, value in asdict(spec.gate).items() if key != "fails"}
            wanted += [gate, extractor, known(reference.unseen.samples)]
        text = json.dumps(wanted, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def refuse_unknown(spec: SynthesisSpec, samples: Samples) -> None:
    """Only classes of the task can be made.

    Raises:
        DataError: Some are not, all of them named.
    """
    known = samples.classes
    unknown = [label for label in spec.classes if label not in known]
    if unknown:
        lines = (f"there is no class {label!r}; {did_you_mean(label, known)}" for label in unknown)
        raise DataError("\n".join(lines))


def stamps_of(choice: Choice) -> list[tuple[str, int, int]]:
    """Path, size and time of change of every file that the generator reads.

    Raises:
        DataError: A file cannot be looked at.
        PluginFault: The method ``files`` failed, or names what is no path.
    """
    try:
        facts = [(path, path.stat()) for path in files_of(choice)]
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror or error}") from error
    return [(str(path), each.st_size, each.st_mtime_ns) for path, each in facts]


def files_of(choice: Choice) -> list[Path]:
    """Every file that the generator's method ``files`` names; folders are walked, links followed.

    Raises:
        DataError: A folder cannot be listed.
        PluginFault: The method failed, or names what is no path.
    """
    listed = getattr(choice.plugin, "files", None)
    if not callable(listed):  # there is none, or it is an option of that name
        return []

    def files() -> list[Path]:
        return list(listed())

    paths = call(choice, files)
    strange = [path for path in paths if not isinstance(path, Path)]
    if strange:
        what = f"files gives {type(strange[0]).__name__}, not pathlib.Path"
        raise breach(choice, f" broke its contract: {what}")
    found: dict[Path, None] = {}
    for path in paths:
        found |= dict.fromkeys(_walked(path) if path.is_dir() else [path])
    return [path for path in found if path.is_file()]


def _walked(folder: Path) -> Iterator[Path]:
    """The files below a folder that a listing may take, images or not; links are followed.

    Raises:
        DataError: A folder in it cannot be listed.
    """
    found = walk(folder)
    for path, reason in found.broken:
        if path.is_dir():
            raise DataError(f"{path}: {reason}")
    others = (one.path for one in found.passed if one.what not in SKIPPED)
    yield from sorted([*found.images, *others])
