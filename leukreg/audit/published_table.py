"""A published result: the ``[reported]`` table, checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from leukreg.audit.figures import (
    AVERAGED,
    LABELLED,
    OF_CLASSES,
    RATES,
    class_figure_named,
    figure_named,
    least,
)
from leukreg.audit.matrix_shares import MatrixShares, shares_in
from leukreg.audit.printed_figure import Printed, printed
from leukreg.errors import Problem, Problems
from leukreg.text import did_you_mean

LOSSES = ("best_validation_loss", "final_validation_loss")
COUNTS = ("images", "test_images", "best_epoch", "stopped_epoch", "folds", "runs")
TALLIES = ("class_counts", "train_counts", "validation_counts", "test_counts", "synthetic_counts")
"""Tables of images per class."""
NOT_OF_ONE = ("accuracy", "balanced_accuracy", "g_mean", "mcc", "kappa", "auc", "average_precision")
"""Figures of the whole that are no figures of its positive class."""
TEXTS = ("title", "source", "note", "url", "positive", "model", "dataset", "split")
KEYS = (*RATES, *LOSSES, *COUNTS, *TALLIES, *TEXTS, "classes", "confusion", "per_class", "report",
        "fold_sizes")  # fmt: skip
NO_RATES = frozenset(KEYS) - frozenset(RATES)
LARGEST = 10_000_000

SURELY_PER_CENT = 10
"""From here on a figure without a sign is in per cent; between 1 and this it may be mistyped."""
NO_SHARES = frozenset({"threshold", "brier"})
IN_ONE_UNIT = frozenset(AVERAGED) - {"auc"} | {"accuracy", "balanced_accuracy", "error_rate"}
"""Figures that a table prints in one unit; AUC, MCC and kappa stay fractions beside per cents."""

T = TypeVar("T")
Tally = tuple[tuple[str, int], ...]
KeyPath = tuple[str | int, ...]
Place = Callable[[KeyPath], tuple[str | None, str | None]]
"""From a key below ``reported`` to its ``file:line`` and the text to show, where they are known."""


def nowhere(path: KeyPath) -> tuple[str | None, str | None]:
    """The place of a table that stands in no file."""
    return None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """Published figures of one model, each with the digits it was printed with. Hashable, plain,
    checked."""

    name: str = ""
    """Whose they are: the model, or "table 2" of several without one; else empty."""
    dataset: str = ""
    """The data set, by its name in the register of data sets where it stands there."""
    split: str = ""
    """What the split kept together, as stated: "patient", "image", "unknown" ..."""
    classes: tuple[str, ...] = ()
    positive: str | None = None
    """The class that precision, recall, F1 and specificity of the whole belong to (two classes)."""
    figures: tuple[tuple[str, Printed], ...] = ()
    restated: tuple[tuple[str, Printed], ...] = ()
    """Figures of the whole as they are stated once more, such as in the text beside the table."""
    per_class: tuple[tuple[str, str, Printed], ...] = ()
    """Class, figure, value."""
    supports: Tally = ()
    """Test images per class, where per-class tables state them."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """``confusion[true][predicted]`` in the order of ``classes``."""
    shares: MatrixShares | None = None
    """The matrix where it holds shares; its diagonal is among the figures of the classes then."""
    counts: tuple[tuple[str, int], ...] = ()
    """``images``, ``test_images``, ``best_epoch`` ..."""
    tallies: tuple[tuple[str, Tally], ...] = ()
    fold_sizes: tuple[Tally, ...] = ()
    """Images of each fold, per class; under "" where only their number is stated."""
    assumed: tuple[str, ...] = ()
    """How figures were read where the table does not say it, a sentence each."""

    @property
    def who(self) -> str:
        """How messages about these figures begin."""
        return f"reported ({self.name})" if self.name else "reported"

    def figure(self, name: str) -> Printed | None:
        """A figure of the whole."""
        return dict(self.figures).get(name)

    def known(self, name: str) -> Printed | None:
        """A figure of the whole, unless it is printed as undefined."""
        value = self.figure(name)
        return None if value is None or value.undefined else value

    def of(self, label: str) -> dict[str, Printed]:
        """The figures of one class; those of the whole count for the positive one of two."""
        own = {name: value for owner, name, value in self.per_class if owner == label}
        if label == self.positive and len(self.classes) == 2:
            own = {n: v for n, v in self.figures if n in OF_CLASSES and n not in NOT_OF_ONE} | own
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

    @staticmethod
    def read(table: Mapping[str, Any], place: Place = nowhere) -> Reported:
        """Check a ``[reported]`` table.

        Raises:
            Problems: All mistakes at once: unknown keys, figures outside their range, negative
                counts, a matrix that is not square or does not match ``classes``.
        """
        (reported,) = Reported.read_all(table, place)
        return reported

    @staticmethod
    def read_all(stated: object, place: Place = nowhere) -> tuple[Reported, ...]:
        """Check a ``[reported]`` table, or the list of several ``[[reported]]``.

        Raises:
            Problems: The mistakes of all of them at once; or it is no such table.
        """
        several = stated if isinstance(stated, list | tuple) else []
        readers = [_Reader(one, place, at) for at, one in enumerate(several)]
        if isinstance(stated, Mapping):
            readers = [_Reader(stated, place)]
        if not readers or not all(isinstance(reader.table, Mapping) for reader in readers):
            problem = Problem("reported: must be a table of figures, or several", *place(()))
            raise Problems([problem], "nothing was checked.")
        tables = tuple(reader.read() for reader in readers)
        if len(tables) > 1:
            named = enumerate(tables, 1)
            tables = tuple(one if one.name else replace(one, name=f"table {n}") for n, one in named)
        if problems := [problem for reader in readers for problem in reader.problems]:
            raise Problems(problems, "nothing was checked.")
        return tables


class _Reader:
    """Collects the mistakes of one table while it is read; after one, values may be anything."""

    def __init__(self, table: Mapping[str, Any], place: Place, number: int | None = None) -> None:
        self.place = place
        self.at: KeyPath = () if number is None else (number,)
        self.problems: list[Problem] = []
        self.table = table
        self.per_cent: list[str] = []
        self.fractions: list[KeyPath] = []

    def pasted(self) -> Mapping[str, Any]:
        """The table with what its ``report`` says."""
        from leukreg.audit.audit_table import pasted

        try:
            return pasted(self.table).tables[0]
        except Problems as error:
            for problem in error.problems:
                self.mistake(problem.message, "report")
            return {}

    def mistake(self, message: str, *path: str | int) -> None:
        full = (*self.at, *path)
        text = f"reported.{'.'.join(map(str, full))}: {message}"
        self.problems.append(Problem(text, *self.place(full)))

    def take(self, read: Callable[[object], T], raw: object, *path: str | int) -> T | None:
        try:
            return read(raw)
        except ValueError as error:
            self.mistake(str(error), *path)
            return None

    def taken(self, read: Callable[[object], T], keys: Sequence[str]) -> Iterator[tuple[str, T]]:
        """Those of the keys that are there."""
        for key in keys:
            if key in self.table and (value := self.take(read, self.table[key], key)) is not None:
                yield key, value

    def read(self) -> Reported:
        if "report" in self.table:
            self.table = self.pasted()
        for key in self.table:
            if key not in KEYS and figure_named(str(key)) is None:
                known = ", ".join(key for key in KEYS if key not in LABELLED)
                hint = did_you_mean(str(key), KEYS, f"known are {known}")
                self.mistake(f"no such figure; {hint}", str(key))
        texts = dict(self.taken(_text, TEXTS))
        per_class, supports = self.per_class()
        tallies = tuple((key, self.tally(key)) for key in TALLIES if key in self.table)
        matrix = self.confusion()
        confusion, shares = (None, matrix) if isinstance(matrix, MatrixShares) else (matrix, None)
        folds = tuple(self.fold_sizes())
        in_folds = dict.fromkeys(c for fold in folds for c, _ in fold if c)
        counted = [c for key, tally in tallies if key != "synthetic_counts" for c, _ in tally]
        named = [c for c, _, _ in per_class] + [c for c, _ in supports]
        classes = self.classes(dict.fromkeys([*named, *counted, *in_folds]))
        rows = shares.cells if shares else confusion
        if rows is not None and len(classes) != len(rows):
            hint = "name its classes in their order" if not classes else f"there are {len(classes)}"
            self.mistake(f"has {len(rows)} rows; {hint} (reported.classes)", "confusion")
        rates = list(self.rates())
        return Reported(
            name=texts.get("model", ""),
            dataset=texts.get("dataset", ""),
            split=texts.get("split", ""),
            classes=classes,
            positive=self.positive(classes),
            figures=(*reversed(dict(reversed(rates)).items()), *self.taken(_loss, LOSSES)),
            restated=tuple(one for n, one in enumerate(rates) if one[0] in dict(rates[:n])),
            per_class=(*(shares.diagonal(classes, per_class) if shares else ()), *per_class),
            supports=supports,
            confusion=confusion,
            shares=shares,
            counts=tuple(self.taken(_count, COUNTS)),
            tallies=tallies,
            fold_sizes=folds,
            assumed=tuple(self.units()),
        )

    def rate(self, name: str, raw: object, *path: str | int) -> Printed | None:
        """A figure; above ``SURELY_PER_CENT`` it is in per cent without its sign."""
        value = self.take(_rate_of(name), raw, *path)
        if value is not None and value.value is not None and "%" not in str(raw):
            if "%" in value.text:
                self.per_cent.append(f"{' '.join(map(str, path))} {raw}")
            elif name in IN_ONE_UNIT and value.value > 0:
                self.fractions.append(path)
        return value

    def units(self) -> Iterator[str]:
        """What was taken for per cent; a mistake where other figures of the table are not."""
        if self.per_cent:
            listed = ", ".join(self.per_cent[:3]) + (" ..." if self.per_cent[3:] else "")
            yield f"figures above {SURELY_PER_CENT} without a sign are in per cent: {listed}"
            for path in self.fractions:
                self.mistake(
                    "per cent as others of its table, or a fraction? Write the % signs", *path
                )

    def rates(self) -> Iterator[tuple[str, Printed]]:
        """Figures of the whole under their own names; a list is one figure stated several times."""
        named: dict[str, str] = {}
        for key, raw in self.table.items():
            name = None if key in NO_RATES else figure_named(str(key))
            if name is None:
                continue
            if name in named:
                self.mistake(f"means {name}, as {named[name]!r} does", str(key))
            named[name] = str(key)
            for stated in raw if isinstance(raw, list | tuple) and raw else [raw]:
                if (rate := self.rate(name, stated, str(key))) is not None:
                    yield name, rate

    def per_class(self) -> tuple[tuple[tuple[str, str, Printed], ...], Tally]:
        figures: list[tuple[str, str, Printed]] = []
        supports: list[tuple[str, int]] = []
        table = self.table.get("per_class", {})
        if not isinstance(table, Mapping):
            self.mistake("must be a table of class names and their figures", "per_class")
            table = {}
        for label, row in table.items():
            if not isinstance(row, Mapping):
                self.mistake("must be a table such as { recall = 0.9 }", "per_class", str(label))
                row = {}
            for name, raw in row.items():
                path = ("per_class", str(label), str(name))
                meant = class_figure_named(str(name))
                if name == "support":
                    supports.append((str(label), self.take(_count, raw, *path) or 0))
                elif meant is None:
                    known = ", ".join((*OF_CLASSES, "support"))
                    self.mistake(f"no such figure; known are {known}", *path)
                elif (str(label), meant) in {(owner, one) for owner, one, _ in figures}:
                    self.mistake(f"means {meant}, which stands there already", *path)
                elif (rate := self.rate(meant, raw, *path)) is not None:
                    figures.append((str(label), meant, rate))
        return tuple(figures), tuple(supports)

    def tally(self, key: str) -> Tally:
        table = self.table[key]
        if not isinstance(table, Mapping):
            self.mistake("must be a table of class names and counts", key)
            return ()
        return tuple((str(c), self.take(_count, n, key, str(c)) or 0) for c, n in table.items())

    def fold_sizes(self) -> Iterator[Tally]:
        listed = self.table.get("fold_sizes", [])
        if not isinstance(listed, list | tuple):
            listed = []
            self.mistake("must be a list: images of each fold, or a table per class", "fold_sizes")
        if listed and self.table.get("folds", len(listed)) != len(listed):
            self.mistake(f"there are {len(listed)}, not {self.table['folds']}", "fold_sizes")
        for at, fold in enumerate(listed):
            named = fold.items() if isinstance(fold, Mapping) else [("", fold)]
            yield tuple((str(c), self.take(_count, n, "fold_sizes", at) or 0) for c, n in named)

    def confusion(self) -> tuple[tuple[int, ...], ...] | MatrixShares | None:
        rows = self.table.get("confusion")
        if rows is None:
            return None
        listed = rows if isinstance(rows, list | tuple) else []
        square = all(isinstance(row, list | tuple) and len(row) == len(listed) for row in listed)
        if not listed or not square:
            self.mistake("must be a square matrix: one row per true class", "confusion")
            return None
        counts, names = self.table.get("test_counts"), self.table.get("classes")
        tested = counts if isinstance(counts, Mapping) and isinstance(names, list) else {}
        shares = shares_in(listed, [tested.get(c) for c in names or ()] if tested else [None])
        if shares is not None:
            return shares
        return tuple(
            tuple(self.take(_count, n, "confusion", i, j) or 0 for j, n in enumerate(row))
            for i, row in enumerate(listed)
        )

    def classes(self, found: Collection[str]) -> tuple[str, ...]:
        raw = self.table.get("classes")
        if raw is None:
            return tuple(found)
        if not isinstance(raw, list | tuple) or not all(isinstance(c, str) for c in raw):
            self.mistake("must be a list of class names", "classes")
            return tuple(found)
        if len(set(raw)) != len(raw):
            self.mistake("names a class twice", "classes")
        others = [c for c in found if c not in raw]
        if others:
            self.mistake(f"lacks {', '.join(map(repr, others))}, which has figures", "classes")
        return tuple(dict.fromkeys(raw))

    def positive(self, classes: tuple[str, ...]) -> str | None:
        positive = self.table.get("positive")
        if not isinstance(positive, str):
            return classes[1] if len(classes) == 2 else None
        if classes and positive not in classes:
            message = f"{positive!r} is none of the classes {', '.join(classes)}"
            self.mistake(message, "positive")
        return positive


def _rate_of(name: str) -> Callable[[object], Printed]:
    def rate(raw: object) -> Printed:
        value, low = printed(raw), least(name)
        if value.value is not None and SURELY_PER_CENT <= value.value <= 100:
            value = value if name in NO_SHARES else value.hundredth()
        if value.value is not None and not low <= value.value <= 1:
            per_cent = 1 < value.value <= 100
            hint = f'; for per cent write "{value.text} %"' if per_cent else ""
            raise ValueError(f"{value.text} must lie between {low} and 1{hint}")
        return value

    return rate


def _loss(raw: object) -> Printed:
    value = printed(raw)
    if value.value is not None and value.value < 0:
        raise ValueError(f"{value.text} must not be negative")
    return value


def _count(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError("must be a whole number")
    if not 0 <= raw <= LARGEST:
        raise ValueError(f"must lie between 0 and {LARGEST:,}")
    return raw


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError("must be text")
    return raw
