"""Which way a published table lies, and whose figures stand where: of a class, a model, a fold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from leukreg.audit.figures import spelled
from leukreg.audit.table_headings import Kind, is_figure, kind_of

NUMBER = re.compile(r"[-+]?(?:\d+[.,]?\d*|[.,]\d+)")
_ORDINALS = frozenset({"no", "s_no", "sl_no", "sr_no", "nr", "id", "rank", "index", "year"})
"""Headings of columns that are no names, as ``spelled``."""
_QUANTITY = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*(?:[kKMGB]{1,2}|ms|s|px)?")
_GENERIC = frozenset({"value", "values", "score", "result", "results", "figure", "performance"})
"""Labels that say nothing of whose the figures are, as ``spelled``."""


class Unclear(Exception):
    """A table that may be read in several ways; the message says what to add."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Labels of one kind, by row or by column."""

    kind: Kind
    labels: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Upright:
    """A table whose columns are figures."""

    rows: tuple[tuple[str, ...], ...]
    head: int
    """The row that names them."""
    turned: bool
    """Whether they stood in rows."""

    @property
    def figures(self) -> list[int]:
        return [c for c, cell in enumerate(self.rows[self.head]) if is_figure(cell)]

    @property
    def body(self) -> list[tuple[str, ...]]:
        return list(self.rows[self.head + 1 :])

    @property
    def numbers(self) -> int:
        return sum(bool(re.search(r"\d", row[c])) for row in self.body for c in self.figures)


def upright(rows: tuple[tuple[str, ...], ...]) -> Upright | None:
    """The table, turned where its rows are figures; None where neither are."""
    turned = tuple(zip(*rows, strict=True))
    ways = [way for way in (_headed(rows, False), _headed(turned, True)) if way is not None]
    # Of two, the one whose figures are numbers: "Accuracy | 0.94" under "Figure | Value".
    best = max(ways, key=lambda way: (way.numbers, len(way.figures)), default=None)
    return best if best is not None and best.numbers else None


def _headed(rows: tuple[tuple[str, ...], ...], turned: bool) -> Upright | None:
    named = [sum(map(is_figure, row)) for row in rows[:3]]
    if len(rows) < 2 or not any(named):
        return None
    head = named.index(max(named))
    while head + 1 < len(rows) and _is_units(rows[head + 1]):
        joined = tuple(f"{a} {b}".strip() for a, b in zip(rows[head], rows[head + 1], strict=True))
        rows = (*rows[:head], joined, *rows[head + 2 :])
    return Upright(rows, head, turned) if head + 1 < len(rows) else None


def _is_units(row: Sequence[str]) -> bool:
    """Whether a row goes on with the names above it: "(%)", "(MB)"."""
    return any(row) and all(re.fullmatch(r"[(\[].*[)\]]|%|", cell) for cell in row)


def axes_of(table: Upright, left_out: list[str]) -> tuple[list[Axis], list[Axis]]:
    """Whose the figures are, by the labels beside them and above them.

    Args:
        table: Its columns are figures.
        left_out: To which the headings are added that are neither figures nor labels.

    Raises:
        Unclear: Labels may be classes as well as models.
    """
    head, body = table.rows[table.head], table.body
    beside, spoken = [], []
    for c in _label_columns(table):
        labels = {r: row[c] for r, row in enumerate(body)}
        beside.append((head[c], labels))
        spoken.append(c)
    others = [head[c] for c in range(len(head)) if c not in (*spoken, *table.figures) and head[c]]
    left_out += others
    if len(beside) > 1:
        _carried_down(beside, table)
    if section := _sections(body):
        beside.append(("", section))
    above = [("", labels) for labels in _groups(table)]
    has_support = any(spelled(head[c]) == "support" for c in table.figures)
    return _kinds(beside, has_support, table.turned), _kinds(above, False, table.turned)


def _label_columns(table: Upright) -> Iterator[int]:
    head, first = table.rows[table.head], table.figures[0]
    for c, heading in enumerate(head):
        labels = [row[c] for row in table.body if row[c]]
        if c in table.figures or not labels:
            continue
        is_text = not all(_QUANTITY.fullmatch(label) for label in labels)
        is_name = is_text and spelled(heading) not in _ORDINALS
        if kind_of(heading, ()) is not None or (c < first and (is_name or first == 1)):
            yield c


def _carried_down(beside: Sequence[tuple[str, dict[int, str]]], table: Upright) -> None:
    """Labels that stand for the rows below them too, such as a model's over its classes.

    Raises:
        Unclear: The first row with figures has none, as where a label stands in its rows' middle.
    """
    filled = (r for r, row in enumerate(table.body) if any(row[c] for c in table.figures))
    first = next(filled, 0)
    begun: set[int] = set()
    for heading, labels in beside:
        is_class = kind_of(heading, [label for label in labels.values() if label]) == "class"
        if any(labels.values()) and not any(labels[r] for r in range(first + 1)):
            raise Unclear(f"no label stands under {heading!r} in its first row; write one there")
        last = ""
        for r, label in labels.items():
            # A new model without a class: figures of the whole, not of the class above.
            last = labels[r] = label or ("" if is_class and r in begun else last)
            if label and not is_class:
                begun.add(r)


def _sections(body: Sequence[tuple[str, ...]]) -> dict[int, str]:
    """The heading across the table that a row stands under."""
    found, last = {}, ""
    for r, row in enumerate(body):
        if len(set(row)) == 1 and len(row) > 1 and not NUMBER.match(row[0]):
            last = row[0]
        elif last:
            found[r] = last
    return found


def _groups(table: Upright) -> Iterator[dict[int, str]]:
    """The headings above those of the figures, column by column."""
    for row in table.rows[: table.head]:
        labels: dict[int, str] = {}
        last = ""
        for c in table.figures:
            last = row[c] or last
            labels[c] = "" if last == table.rows[table.head][c] else last
        if len(set(labels.values())) > 1:
            yield labels


def _kinds(
    found: Sequence[tuple[str, Mapping[int, str]]], has_support: bool, turned: bool
) -> list[Axis]:
    axes: list[Axis] = []
    unknown: list[Mapping[int, str]] = []
    for heading, labels in found:
        kind = kind_of(heading, [label for label in labels.values() if label])
        if kind is None or kind == "figure":
            unknown.append(labels)
        else:
            axes.append(Axis(kind, labels))
    for labels in unknown:
        names = list(dict.fromkeys(label for label in labels.values() if label))
        if len(names) == 1 and (turned or spelled(names[0]) in _GENERIC):
            continue
        if any(axis.kind == "model" for axis in axes) or len(names) == 1:
            axes.append(Axis("model", labels))
        elif has_support and not any(axis.kind == "class" for axis in axes):
            axes.append(Axis("class", labels))
        elif not any(axis.kind == "class" for axis in axes):
            raise Unclear(
                f"{listed(names)}: classes, models or data sets? Write Class, Model or Data set "
                "as the heading of these labels"
            )
    return axes


def listed(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
