"""A published table in any form: what was understood of it, and what the audit says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leukreg.audit.figures import RATES
from leukreg.audit.matrix_reading import read_matrix
from leukreg.audit.printed_figure import printed
from leukreg.audit.table_axes import Unclear
from leukreg.audit.table_forms import grids_of
from leukreg.audit.table_reading import TableReading, read_figures
from leukreg.errors import Problem, Problems
from leukreg.text import middle_cut

if TYPE_CHECKING:
    from leukreg.audit.verdict import TableVerdict
    from leukreg.types import Finding

NOTHING = (
    "holds no table of figures: its rows or columns must have names such as accuracy, precision, "
    "recall or F1, or be the classes of a confusion matrix"
)


@dataclass(frozen=True, slots=True)
class Understood:
    """The figures of a text, as they stand in ``[reported]``, and how they were read."""

    tables: tuple[Mapping[str, Any], ...]
    assumed: tuple[str, ...] = ()
    """What was taken for granted or left out, a sentence each."""

    def toml(self) -> str:
        """A file that the audit reads, for a person to correct."""
        head = "[reported]" if len(self.tables) == 1 else "[[reported]]"
        said = "".join(f"# {middle_cut(line, 300)}\n" for line in self.assumed)
        return said + "\n".join("\n".join([head, *_lines(table)]) + "\n" for table in self.tables)


def understand(text: str, suffix: str = "", name: str = "the text") -> Understood:
    """Read the tables of a text in any form: HTML, Markdown, LaTeX, CSV, plain text.

    Args:
        text: The page, document or paste.
        suffix: Of the file it comes from, such as ".tex"; the text itself may tell as well.
        name: How the text is called in messages.

    Raises:
        Problems: It holds no table of figures, or only such as can be read in several ways.
    """
    readings: list[tuple[str, TableReading]] = []
    unclear: list[str] = []
    grids = grids_of(text, suffix)
    for number, grid in enumerate(grids, 1):
        which = f"table {number}: " if len(grids) > 1 else ""
        try:
            if reading := read_matrix(grid) or (read_figures(grid) if grid.labelled else None):
                readings.append((which, reading))
                _note(reading, grid.caption)
        except Unclear as error:
            unclear.append(f"{which}{error}")
    if not readings:
        problems = [Problem(message, name) for message in unclear or [NOTHING]]
        raise Problems(problems, "nothing was checked.")
    joined = _joined([reading for _, reading in readings])
    assumed = [f"{which}{line}" for which, reading in readings for line in reading.assumed]
    passed = [f"passed over: {message}" for message in unclear]
    return Understood(
        tuple(joined.tables), tuple(dict.fromkeys([*assumed, *joined.assumed, *passed]))
    )


def _note(reading: TableReading, caption: str) -> None:
    if caption:
        for table in reading.tables:
            table["note"] = caption[:200]


def _joined(readings: Sequence[TableReading]) -> TableReading:
    """Two tables of one test as one: a report and the matrix whose rows sum to its supports, or a
    table and lines such as "Accuracy: 0.9412" where it prints the same accuracy."""
    tables = [table for reading in readings for table in reading.tables]
    for first, second in (tables, tables[::-1]) if len(tables) == 2 else ():
        if _is_matrix_of(first, second):
            classes = {"classes": list(second["per_class"]), "confusion": first["confusion"]}
            said = "the matrix and the report are of one test: its rows sum to the supports"
            return TableReading([{**second, **classes}], [said])
        if _agree(first, second):
            said = "the figures outside the table are of its test: what stands in both agrees"
            of_whole = {key: text for key, text in first.items() if key != "note"}
            return TableReading([{**second, **of_whole}], [said])
    return TableReading(tables, [])


def _agree(lines: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """Whether figures of the whole stand in both, at least as exactly in the first."""
    of_whole = lines.keys() - {"note"}
    both = [
        (printed(lines[key]), printed(table[key])) for key in of_whole & set(RATES) & set(table)
    ]
    plain = of_whole <= set(RATES) and ("per_class" in table or "confusion" in table)
    return plain and bool(both) and all(b.holds(a.value) and a.half <= b.half for a, b in both)


def _is_matrix_of(matrix: Mapping[str, Any], report: Mapping[str, Any]) -> bool:
    rows, per_class = matrix.get("confusion"), report.get("per_class")
    if not rows or not per_class or "confusion" in report or len(rows) != len(per_class):
        return False
    if not all(isinstance(cell, int) for row in rows for cell in row):
        return False
    names = [str(name) for name in matrix["classes"]]
    numbered = names == [f"class {i}" for i in range(len(names))]
    supports = [figures.get("support") for figures in per_class.values()]
    return (numbered or names == list(per_class)) and [sum(row) for row in rows] == supports


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    from leukreg.recipe.reference import toml

    for key, value in table.items():
        if key != "per_class":
            yield f"{_key(key)} = {toml(value)}"
    if "per_class" in table:
        yield "[reported.per_class]"
        for label, figures in table["per_class"].items():
            pairs = ", ".join(f"{_key(name)} = {toml(value)}" for name, value in figures.items())
            yield f"{_key(label)} = {{ {pairs} }}"


def _key(text: str) -> str:
    from leukreg.recipe.reference import toml

    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else toml(text)


def pasted(table: Mapping[str, Any]) -> Understood:
    """A table of ``[reported]`` with what its ``report``, a pasted text, says; its other keys win.

    Raises:
        Problems: The text holds no figures, or those of several tables.
    """
    if "report" not in table:
        return Understood((table,))
    if not isinstance(table["report"], str):
        raise Problems([Problem("must be text, as it was pasted")], "nothing was checked.")
    understood = understand(table["report"], name="")
    if len(understood.tables) > 1:
        message = "holds several tables; give each a [[reported]] of its own"
        raise Problems([Problem(message)], "nothing was checked.")
    others = {key: value for key, value in table.items() if key != "report"}
    return Understood(({**understood.tables[0], **others},), understood.assumed)


@dataclass(frozen=True, slots=True)
class AuditedTable:
    """What arithmetic says of published figures, and how they were read."""

    understood: Understood
    verdicts: tuple[TableVerdict, ...]
    """One for each table that was understood."""
    findings: tuple[Finding, ...]
    """What the rules say of all of them together."""


def audit_table(table: str | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> AuditedTable:
    """Audit published figures by arithmetic.

    Args:
        table: A text that holds them in any form (see :func:`understand`), or a mapping as it
            stands under ``[reported]`` (figures best as strings, as printed), or several.

    Raises:
        Problems: There are no figures, they may be read in several ways, or they are none.
    """
    from leukreg.audit.examination import examine
    from leukreg.audit.published_table import Reported
    from leukreg.audit.rules import audit
    from leukreg.record import RunRecord
    from leukreg.registry import installed

    understood = understand(table) if isinstance(table, str) else with_pasted(table)
    reported = Reported.read_all(understood.tables)
    record = RunRecord(recipe={"reported": understood.tables})
    verdicts = tuple(examine(one).verdict for one in reported)
    return AuditedTable(understood, verdicts, audit(record, None, installed()))


def with_pasted(tables: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Understood:
    """Tables of ``[reported]`` with what is pasted in them.

    Raises:
        Problems: As :func:`pasted`.
    """
    found = [pasted(one) for one in ([tables] if isinstance(tables, Mapping) else tables)]
    said = tuple(line for one in found for line in one.assumed)
    return Understood(tuple(table for one in found for table in one.tables), said)
