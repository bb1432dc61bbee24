"""What is to be made, from which seed and files, and where it is kept."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.data.walk import SKIPPED, walk
from leukreg.errors import DataError
from leukreg.registry.plugin_call import breach, call
from leukreg.seeds import derive
from leukreg.types import ImageSpec, Samples

if TYPE_CHECKING:
    from leukreg.recipe.model import SynthesisSpec
    from leukreg.registry.plugin_call import Choice


@dataclass(frozen=True, kw_only=True)
class Request:
    """One generator, fitted on one set of rows, and what it is to make."""

    spec: SynthesisSpec
    image: ImageSpec
    seed: int
    folder: Path
    fold: int | None
    """None: before any split."""

    @property
    def name(self) -> str:
        return name_of(self.fold)

    @property
    def home(self) -> Path:
        return self.folder / self.name

    @property
    def where(self) -> str:
        """The fold in words, counted from 1."""
        return "before the split" if self.fold is None else f"fold {self.fold + 1}"

    @property
    def total(self) -> int:
        return sum(self.spec.count(label) for label in self.spec.classes)

    @property
    def fit_seed(self) -> int:
        """Seed of the fit: the recipe's, or one of its own that repeats can share."""
        seed = self.seed if self.spec.seed is None else self.spec.seed
        return derive(seed, "synthesis", self.name, "fit")

    def draw_seed(self, label: str, attempt: int = 0) -> int:
        """Seed of a class's images; ``attempt`` counts the draws that replace copies."""
        more = (attempt,) if attempt else ()
        return derive(self.seed, "synthesis", self.name, "sample", label, *more)


def name_of(fold: int | None) -> str:
    """What the images of a fold, or those before any split, are kept under."""
    return "before-split" if fold is None else f"fold-{fold}"


def refuse_unknown(spec: SynthesisSpec, samples: Samples) -> None:
    """Only classes of the task can be made.

    Raises:
        DataError: Some are not, all of them named.
    """
    unknown = [label for label in spec.classes if label not in samples.classes]
    if not unknown:
        return
    lines = []
    for label in unknown:
        close = difflib.get_close_matches(label, samples.classes, n=1)
        there = ", ".join(samples.classes)
        hint = f"did you mean {close[0]!r}?" if close else f"the data have {there}"
        lines.append(f"there is no class {label!r}; {hint}")
    raise DataError("\n".join(lines))


def digest_of(
    request: Request, seen: Samples, unseen: Samples, digests: Mapping[str, str], eye: str
) -> str:
    """Digest of everything that the images and their judgement depend on.

    Args:
        seen: The rows that the generator is fitted on.
        unseen: The rows that the gate looks at besides.
        digests: Of the pixels, by file id.
        eye: Name and digest of the gate's extractor; empty without a gate.

    Raises:
        DataError: A file that the generator reads cannot be looked at.
        PluginError: The generator cannot say which files it reads.
    """
    spec = request.spec
    wanted = [
        spec.generator.name,
        spec.generator.owner,
        dict(spec.generator.options),
        stamps_of(spec.generator),
        {label: spec.count(label) for label in spec.classes},
        list(spec.classes),
        spec.seed,
        request.image.size,
        request.seed,
        request.name,
        seen.classes,
        [(row.id, row.label, digests[row.id]) for row in seen.rows],
    ]
    if spec.gate is not None:
        gate = {key: value for key, value in asdict(spec.gate).items() if key != "fails"}
        wanted += [gate, eye, [(row.id, row.label, digests[row.id]) for row in unseen.rows]]
    text = json.dumps(wanted, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


Stamp = tuple[str, int, int]
"""Path, size, and time of change."""


def stamps_of(choice: Choice) -> list[Stamp]:
    """A stamp of every file that the generator reads.

    Raises:
        DataError: A file cannot be looked at.
        PluginFault: The method ``files`` failed, or names what is no path.
    """
    try:
        facts = [(path, path.stat()) for path in files_of(choice)]
    except OSError as error:
        raise _unreadable(error) from error
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


def _unreadable(error: OSError) -> DataError:
    return DataError(f"{error.filename} cannot be read: {error.strerror or error}")
