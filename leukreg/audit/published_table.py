"""A published result: the ``[reported]`` table, checked."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leukreg.audit.printed_figure import Printed, printed
from leukreg.errors import Problem, Problems
from leukreg.recipe.mistakes import dotted

if TYPE_CHECKING:
    from leukreg.recipe.mistakes import Document, Mark
    from leukreg.recipe.model import Recipe


RATES = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
    "auc",
    "balanced_accuracy",
    "brier",
    "threshold",
    "validation_accuracy",
    "baseline_claimed",
)
"""Figures of the whole that lie between 0 and 1."""
LOSSES = ("best_validation_loss", "final_validation_loss")
COUNTS = ("images", "test_images", "best_epoch", "stopped_epoch", "folds")
TALLIES = ("class_counts", "train_counts", "validation_counts", "test_counts", "synthetic_counts")
"""Tables of images per class."""
CLASS_RATES = ("precision", "recall", "f1", "specificity", "auc")
TEXTS = ("title", "source", "note", "url", "positive")
KEYS = (*RATES, *LOSSES, *COUNTS, *TALLIES, *TEXTS, "classes", "confusion", "per_class")
LARGEST = 10_000_000

Tally = tuple[tuple[str, int], ...]
KeyPath = tuple[str | int, ...]
Place = Callable[[KeyPath], tuple[str | None, str | None]]
"""From a key below ``reported`` to its ``file:line`` and the text to show, where they are known."""


def nowhere(path: KeyPath) -> tuple[str | None, str | None]:
    """The place of a table that stands in no file."""
    return None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """Published figures, each with the digits it was printed with. Hashable, plain, checked."""

    classes: tuple[str, ...] = ()
    positive: str | None = None
    """The class that precision, recall, F1 and specificity of the whole belong to (two classes)."""
    figures: tuple[tuple[str, Printed], ...] = ()
    per_class: tuple[tuple[str, str, Printed], ...] = ()
    """Class, figure, value."""
    supports: Tally = ()
    """Test images per class, where per-class tables state them."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """``confusion[true][predicted]`` in the order of ``classes``."""
    counts: tuple[tuple[str, int], ...] = ()
    """``images``, ``test_images``, ``best_epoch`` ..."""
    tallies: tuple[tuple[str, Tally], ...] = ()

    def figure(self, name: str) -> Printed | None:
        """A figure of the whole."""
        return dict(self.figures).get(name)

    def of(self, label: str) -> dict[str, Printed]:
        """The figures of one class; those of the whole count for the positive one of two."""
        own = {name: value for owner, name, value in self.per_class if owner == label}
        if label == self.positive and len(self.classes) == 2:
            whole = {n: v for n, v in self.figures if n in ("precision", "recall", "f1")}
            whole |= {n: v for n, v in self.figures if n == "specificity"}
            own = whole | own
        return own

    def count(self, name: str) -> int | None:
        return dict(self.counts).get(name)

    def tally(self, name: str) -> dict[str, int]:
        """Images per class of one of ``TALLIES``; empty where the source does not say."""
        return dict(dict(self.tallies).get(name, ()))

    def test_supports(self) -> dict[str, int]:
        """Test images per class, as far as they are stated: matrix rows, supports, test counts."""
        if self.confusion is not None:
            return {c: sum(row) for c, row in zip(self.classes, self.confusion, strict=True)}
        return self.tally("test_counts") | dict(self.supports)

    def test_total(self) -> int | None:
        """Number of test images, or None where it does not follow from what is stated."""
        supports = self.test_supports()
        if self.classes and set(supports) >= set(self.classes):
            return sum(supports.values())
        return self.count("test_images")


def read_reported(table: Mapping[str, Any], place: Place = nowhere) -> Reported:
    """Check a ``[reported]`` table.

    Raises:
        Problems: All mistakes at once: unknown keys, figures outside their range, negative counts,
            a matrix that is not square or does not match ``classes``.
    """
    reader = _Reader(place)
    reported = reader.read(table)
    if reader.problems:
        raise Problems(reader.problems, "nothing was checked.")
    return reported


class _Reader:
    """Collects the problems of one table while it is read."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.problems: list[Problem] = []

    def problem(self, path: KeyPath | str, message: str) -> None:
        path = (path,) if isinstance(path, str) else path
        where, excerpt = self.place(path)
        text = f"reported.{'.'.join(map(str, path))}: {message}"
        self.problems.append(Problem(text, where, excerpt))

    def read(self, table: Mapping[str, Any]) -> Reported:
        self._unknown(table)
        per_class, supports = self._per_class(table.get("per_class", {}))
        tallies = tuple((k, self._tally(k, table[k])) for k in TALLIES if k in table)
        confusion = self._confusion(table.get("confusion"))
        names = [c for c, _, _ in per_class] + [c for c, _ in supports]
        classes = self._classes(table, names, tallies, confusion)
        figures = [(k, self._rate(k, table[k])) for k in RATES if k in table]
        figures += [(k, self._loss(k, table[k])) for k in LOSSES if k in table]
        counts = [(k, self._count(k, table[k])) for k in COUNTS if k in table]
        return Reported(
            classes=classes,
            positive=self._positive(table, classes),
            figures=tuple((k, v) for k, v in figures if v is not None),
            per_class=tuple(per_class),
            supports=supports,
            confusion=confusion,
            counts=tuple((k, v) for k, v in counts if v is not None),
            tallies=tallies,
        )

    def _unknown(self, table: Mapping[str, Any]) -> None:
        for key in table:
            if key not in KEYS:
                close = difflib.get_close_matches(str(key), KEYS, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(KEYS)}"
                self.problem(str(key), f"no such figure; {hint}")
        for key in TEXTS:
            if key in table and not isinstance(table[key], str):
                self.problem(key, "must be text")

    def _rate(self, key: KeyPath | str, raw: Any) -> Printed | None:
        value = self._printed(key, raw)
        if value is None or value.value is None or 0 <= value.value <= 1:
            return value
        hint = f'; for per cent write "{value.text} %"' if 1 < value.value <= 100 else ""
        self.problem(key, f"{value.text} must lie between 0 and 1{hint}")
        return None

    def _loss(self, key: KeyPath | str, raw: Any) -> Printed | None:
        value = self._printed(key, raw)
        if value is not None and value.value is not None and value.value < 0:
            self.problem(key, f"{value.text} must not be negative")
            return None
        return value

    def _printed(self, key: KeyPath | str, raw: Any) -> Printed | None:
        try:
            return printed(raw)
        except ValueError as error:
            self.problem(key, str(error))
            return None

    def _count(self, key: KeyPath | str, raw: Any) -> int | None:
        if isinstance(raw, bool) or not isinstance(raw, int):
            self.problem(key, "must be a whole number")
        elif not 0 <= raw <= LARGEST:
            self.problem(key, f"must lie between 0 and {LARGEST:,}")
        else:
            return raw
        return None

    def _tally(self, key: str, raw: Any) -> Tally:
        if not isinstance(raw, Mapping):
            self.problem(key, "must be a table of class names and counts")
            return ()
        counts = [(str(c), self._count((key, str(c)), n)) for c, n in raw.items()]
        return tuple((c, n) for c, n in counts if n is not None)

    def _per_class(self, raw: Any) -> tuple[list[tuple[str, str, Printed]], Tally]:
        figures: list[tuple[str, str, Printed]] = []
        supports: list[tuple[str, int]] = []
        if not isinstance(raw, Mapping):
            self.problem("per_class", "must be a table of class names and their figures")
            return [], ()
        for label, row in raw.items():
            if not isinstance(row, Mapping):
                self.problem(("per_class", str(label)), "must be a table such as { recall = 0.9 }")
                continue
            for name, value in row.items():
                key = ("per_class", str(label), str(name))
                if name == "support":
                    count = self._count(key, value)
                    supports += [(str(label), count)] if count is not None else []
                elif name in CLASS_RATES:
                    rate = self._rate(key, value)
                    figures += [(str(label), name, rate)] if rate is not None else []
                else:
                    known = ", ".join((*CLASS_RATES, "support"))
                    self.problem(key, f"no such figure; known are {known}")
        return figures, tuple(supports)

    def _confusion(self, raw: Any) -> tuple[tuple[int, ...], ...] | None:
        if raw is None:
            return None
        rows = raw if isinstance(raw, Sequence) and not isinstance(raw, str) else None
        if not rows or not all(isinstance(row, Sequence) and len(row) == len(rows) for row in rows):
            self.problem("confusion", "must be a square matrix: one row per true class")
            return None
        cells = [[self._count(("confusion", i, j), v) for j, v in enumerate(row)]
                 for i, row in enumerate(rows)]  # fmt: skip
        if any(cell is None for row in cells for cell in row):
            return None
        return tuple(tuple(cell or 0 for cell in row) for row in cells)

    def _classes(
        self,
        table: Mapping[str, Any],
        named: list[str],
        tallies: tuple[tuple[str, Tally], ...],
        confusion: tuple[tuple[int, ...], ...] | None,
    ) -> tuple[str, ...]:
        counted = [c for key, tally in tallies if key != "synthetic_counts" for c, _ in tally]
        found = tuple(dict.fromkeys([*named, *counted]))
        raw = table.get("classes")
        if raw is not None:
            if not isinstance(raw, list | tuple) or not all(isinstance(c, str) for c in raw):
                self.problem("classes", "must be a list of class names")
                return found
            if len(set(raw)) != len(raw):
                self.problem("classes", "names a class twice")
            found, others = tuple(dict.fromkeys(raw)), [c for c in found if c not in raw]
            if others:
                self.problem("classes", f"lacks {', '.join(map(repr, others))}, which has figures")
        if confusion is not None and len(found) != len(confusion):
            hint = "name its classes in their order" if not found else f"there are {len(found)}"
            self.problem("confusion", f"has {len(confusion)} rows; {hint} (reported.classes)")
        return found

    def _positive(self, table: Mapping[str, Any], classes: tuple[str, ...]) -> str | None:
        positive = table.get("positive")
        if isinstance(positive, str) and classes and positive not in classes:
            self.problem("positive", f"{positive!r} is none of the classes {', '.join(classes)}")
        if isinstance(positive, str):
            return positive
        return classes[1] if len(classes) == 2 else None


RECIPE_KEYS = frozenset(
    {"data", "model", "loss", "phase", "augmentation", "sampler", "training"}
    | {"synthesis", "evaluate", "extends"}
)
"""A file with one of these is a recipe."""
BESIDE = frozenset({"reported", "schema", "name", "title", "assumed"})
"""Keys that may stand beside a paper's ``[reported]`` table."""


@dataclass(frozen=True, slots=True)
class Paper:
    """The figures of a file without a recipe, and where each of them stands."""

    reported: Mapping[str, Any]
    place: Place


def paper_of(document: Document, file: str) -> Paper | None:
    """The paper that a TOML file holds; None where it is a recipe.

    The figures stand under ``[reported]``, or as the file's own keys.

    Raises:
        Problems: It holds neither figures nor a recipe, or figures and keys of other kinds.
    """
    tree = document.tree
    if RECIPE_KEYS & tree.keys():
        return None
    own = "reported" not in tree
    if own and not tree.keys() & set(KEYS):
        message = "holds neither published figures (a table [reported]) nor a recipe"
        raise Problems([Problem(message, file)], "nothing was checked.")
    table = {k: v for k, v in tree.items() if k != "schema"} if own else tree["reported"]
    if not isinstance(table, Mapping):
        message = "reported: must be a table of figures"
        raise Problems([Problem(message, *_shown(document.marks.get(("reported",))))])
    strangers = [] if own else [k for k in tree if k not in BESIDE]
    if strangers:
        problems = [
            Problem(f"{k}: belongs to no paper; figures stand under [reported]",
                    *_shown(document.marks.get((k,))))
            for k in strangers
        ]  # fmt: skip
        raise Problems(problems, "nothing was checked.")
    prefix: KeyPath = () if own else ("reported",)
    return Paper(table, marked(document.marks, prefix))


def reported_of(recipe: Recipe) -> Reported | None:
    """The published figures that a recipe states; None where it states none.

    Raises:
        Problems: They cannot be read, each mistake with its place.
    """
    if not recipe.reported:
        return None
    return read_reported(recipe.reported, lambda path: recipe.place(dotted(("reported", *path))))


def marked(marks: Mapping[KeyPath, Mark], prefix: KeyPath) -> Place:
    """Places by the marks of a document; a key without one has that of the table it stands in."""

    def place(path: KeyPath) -> tuple[str | None, str | None]:
        full = (*prefix, *path)
        while full and full not in marks:
            full = full[:-1]
        return _shown(marks.get(full))

    return place


def _shown(mark: Mark | None) -> tuple[str | None, str | None]:
    return (None, None) if mark is None else (mark.where, mark.excerpt(on_value=True))
