"""A table of images: CSV or Parquet."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from leukreg import (
    BrokenImage,
    Lineage,
    Origin,
    PassedOver,
    Problem,
    Problems,
    Sample,
    Samples,
    alike,
    as_cell,
    did_you_mean,
    expanded,
    from_cell,
    plugin,
)
from leukreg_plugins.sources.patients import PatientLabels, Told
from leukreg_plugins.sources.text_table import TextTable, at_most, nfc, require_table

Side = Literal["train", "validation", "test"]
SIDES: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""What tables call the sides of a split."""
OPTIONAL = ("patient", "split", "patient_label")
SIGN = ("origin", "generator")
"""Columns that make a table one that knows of synthetic images; either alone may mean anything."""
LINEAGE = ("seed", "fold", "parent", "parent_label", "snapshot", "condition")


@plugin("table")
class TableFile(PatientLabels):
    """A CSV or Parquet table with one image per row: path, label, patient, split.

    A table that has the columns "origin" and "generator", as `leukreg synthesize` writes it, says
    which images are synthetic and where they come from; they stay synthetic for the audit.
    """

    path: str
    """The table, .csv, .tsv or .parquet; relative to the working directory, ~ expanded."""
    images: str | None = None
    """The folder that relative image paths start from; by default the table's own."""
    path_column: str = "path"
    """Column with the image files."""
    label_column: str = "label"
    """Column with the classes; with weak = true, where nothing else tells them, the patients'."""
    patient_column: str | None = None
    """Column with patient ids, empty where unknown; by default "patient" if the table has it."""
    patient_label_column: str | None = None
    """Column with the patient's own label, such as a diagnosis; by default "patient_label" if the
    table has it."""
    split_column: str | None = None
    """Column with train, validation or test; by default "split" if the table has it."""
    classes: dict[str, tuple[str, ...]] | None = None
    """Class name to the labels that make it up; by default every label is a class. Rows with
    labels that are not named are left out."""

    def contradictions(self) -> Iterator[str]:
        """Options that do not go together, in words."""
        if self.patients is not None and self.patient_label_column is not None:
            yield "patients and patient_label_column both tell labels of patients; give one"
        if self.weak and self.classes is not None:
            yield "with weak = true the classes are the patients': patient_classes names them"

    def ready(self) -> None:
        """Raises NotAvailable when a table is not there."""
        require_table(self.path, "data.path")
        if self.patients is not None:
            self.patients.ready()

    def build(self) -> Samples:
        """Read the table; images are looked for, not decoded.

        Raises:
            NotAvailable: The table is not there.
            DataError: It cannot be read as a table.
            Problems: Columns are missing, or rows are wrong: all of them at once.
        """
        self.ready()
        table = TextTable(require_table(self.path, "data.path"))
        told, problems, assumed = self.patients.told() if self.patients else ([], [], ())
        named = self._named(table)
        if lacking := table.lacking({f"{key}_column": name for key, name in named.items()}):
            raise Problems(at_most([*problems, *lacking]))
        base = expanded(self.images).absolute() if self.images else table.path.parent
        rows = _Rows(table, base, self.classes)
        samples, wrong = rows.samples(named)
        problems += wrong
        source = f"from {self.patients.path}" if self.patients else ""
        if column := named.get("patient_label"):
            told, source = rows.told, f"from the column {column!r}"
        if source:
            samples, wrong = self.labelled(samples, told, source, rows.patients)
            problems += wrong
        elif self.patient_classes is not None:
            said = "patient_classes needs labels of patients: patients, or patient_label_column"
            problems.append(Problem(said, str(table.path)))
        if problems:
            raise Problems(at_most(problems))
        return replace(samples, assumed=(*table.assumed, *assumed, *samples.assumed))

    def _named(self, table: TextTable) -> dict[str, str]:
        """The columns that are read, by what they hold."""
        stated = {
            "path": self.path_column,
            "label": self.label_column,
            "patient": self.patient_column,
            "split": self.split_column,
            "patient_label": self.patient_label_column,
        }
        if self.patients is not None:
            del stated["patient_label"]
        named = {
            key: name or key
            for key, name in stated.items()
            if name or key not in OPTIONAL or key in table.columns
        }
        if self.weak:  # cells have no labels of their own
            label = named.pop("label")
            if self.patients is None:
                named.setdefault("patient_label", label)
        return named


class _Rows:
    """The rows of a table as samples; every wrong one is a problem of its own."""

    def __init__(
        self, table: TextTable, base: Path, classes: Mapping[str, Sequence[str]] | None
    ) -> None:
        self.table = table
        self.base = base
        """Where relative image paths start."""
        self.classes = classes
        self.to_class = {nfc(label): name for name, own in (classes or {}).items() for label in own}
        self.told: list[Told] = []
        """What the rows say of patients."""
        self.patients: set[str] = set()
        """Patients of all rows, wrong ones too."""

    def samples(self, named: Mapping[str, str]) -> tuple[Samples, list[Problem]]:
        """The samples, their cells by the columns of these names, and which rows are wrong."""
        cells = self._cells(named)
        rows: list[Sample] = []
        first: dict[str, tuple[int, Sample]] = {}
        left: dict[str, list[str]] = {}
        problems: list[Problem] = []
        missing: list[Problem] = []
        where = self.table.where
        for index, cell in enumerate(cells):
            if not any(cell.values()):
                continue  # an empty line
            if patient := cell.get("patient"):
                self.patients.add(patient)
                if label := cell.get("patient_label"):
                    self.told.append(Told(patient, label, where(index)))
            if faults := [*_faults(cell), *_lineage_faults(cell)]:
                problems += [Problem(fault, where(index)) for fault in faults]
                continue
            if self.classes is not None and cell["label"] not in self.to_class:
                left.setdefault(cell["label"], []).append(cell["path"])
                continue
            path = _locate(self.base, cell["path"])
            if path is None:
                there = self.base / cell["path"]
                what = f"{there} is no file" if there.exists() else f"there is no file {there}"
                missing.append(Problem(what, where(index)))
                continue
            row = self._sample(cell, path)
            before, known = first.setdefault(row.id, (index, row))
            if known != row:
                said = f"contradicts {self.table.where(before)} on {row.id!r}"
                problems.append(Problem(said, where(index)))
            rows.append(row)
        problems += self._unknown({cell.get("label", "") for cell in cells})
        if problems or not rows:  # a table without one file of its own lies in the wrong place
            problems, missing = problems + missing, []
        samples = Samples(
            rows=tuple(rows),
            classes=tuple(self.classes or sorted({row.label for row in rows})),
            broken=tuple(BrokenImage(path=str(one.where), reason=one.message) for one in missing),
            passed=tuple(_passed(*item, self.to_class) for item in sorted(left.items())),
        )
        return samples, problems

    def _cells(self, named: Mapping[str, str]) -> list[dict[str, str]]:
        """Row by row what stands in these columns, and in those of origin and lineage."""
        free = [name for name in self.table.columns if name not in named.values()]
        made = all(name in free for name in SIGN)
        more = {name: name for name in (*SIGN, *LINEAGE) if made and name in free}
        # What other people write with a backslash is a path.
        return self.table.rows({**named, **more}, _own_text if more else str)

    def _sample(self, cell: Mapping[str, str], path: Path) -> Sample:
        below = path.as_posix().removeprefix(f"{self.base.as_posix().rstrip('/')}/")
        split = cell.get("split", "")
        label = cell.get("label", "")
        return Sample(
            id=nfc(below.lstrip("/").replace("\\", "/")),
            path=str(path),
            label=self.to_class.get(label, label),
            patient=cell.get("patient") or None,
            split=SIDES[split.lower()] if split else None,
            **_origin(cell),
        )

    def _unknown(self, labels: set[str]) -> Iterator[Problem]:
        for label in (label for own in (self.classes or {}).values() for label in own):
            if nfc(label) not in labels:
                hint = did_you_mean(label, sorted(labels))
                said = f"no row has the label {label!r} of classes; {hint}"
                yield Problem(said, str(self.table.path))


def _passed(label: str, paths: Sequence[str], named: Iterable[str]) -> PassedOver:
    """Rows of a label that no class names; one that is written nearly as another may be meant."""
    near = next((name for name in named if alike((name, label))), None)
    return PassedOver(
        what=f"label {label!r}",
        files=len(paths),
        example=min(paths),
        reason="no class names this label" + (f", only {near!r}" if near else ""),
        images=True,
    )


def _faults(cell: Mapping[str, str]) -> Iterator[str]:
    yield from (f"the {key} is empty" for key in ("path", "label") if not cell.get(key, key))
    if cell.get("patient_label") and not cell.get("patient"):
        yield "it has the label of a patient, and no patient"
    side = cell.get("split", "")
    if side and side.lower() not in SIDES:
        yield f"split {side!r} is none of {', '.join(get_args(Side))}"


def _locate(base: Path, text: str) -> Path | None:
    """The image file, whichever Unicode form and separator the disk has its name in."""
    forms = (str, lambda name: unicodedata.normalize("NFD", name), lambda n: n.replace("\\", "/"))
    for form in forms:  # nearly always the first
        path = base / expanded(form(text))
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # too long, or a null byte
            continue
    return None


def _own_text(cell: str) -> str:
    """The text of a cell of a table that leukreg made; one that it would not write stays."""
    try:
        text = from_cell(cell)
    except ValueError:
        return cell
    return text if as_cell(text) == cell else cell


def _lineage_faults(cell: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a row's origin and lineage."""
    origin = cell.get("origin", "")
    if origin and origin not in get_args(Origin):
        yield f"origin {origin!r} is none of {', '.join(get_args(Origin))}"
    if (origin == "synthetic") != bool(cell.get("generator")):
        yield "a synthetic image names its generator, and no other image does"
        return
    if origin != "synthetic":
        return
    for key in ("seed", "fold"):
        if (text := cell.get(key, "")) and not text.lstrip("-").isdecimal():
            yield f"the {key} {text!r} is no whole number"
    if not isinstance(_condition(cell), dict):
        yield f"the condition {cell['condition']!r} is no table in JSON"


def _origin(cell: Mapping[str, str]) -> dict[str, Any]:
    """Origin and lineage of a sample, as its fields; empty for one that says nothing."""
    origin = cell.get("origin", "")
    if origin != "synthetic":
        return {"origin": origin} if origin else {}
    lineage = Lineage(
        generator=cell["generator"],
        seed=int(cell.get("seed") or 0),
        fold=int(cell["fold"]) if cell.get("fold") else None,
        parent=cell.get("parent") or None,
        parent_label=cell.get("parent_label") or None,
        snapshot=cell.get("snapshot") or None,
        condition={str(key): str(value) for key, value in _condition(cell).items()},
    )
    return {"origin": origin, "lineage": lineage}


def _condition(cell: Mapping[str, str]) -> Any:
    try:
        return json.loads(cell.get("condition") or "{}")
    except ValueError:
        return None
