"""Labels of patients beside those of cells: options that several sources share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from leukreg import PassedOver, Problem, Sample, Samples, did_you_mean
from leukreg_plugins.sources.text_table import TextTable, nfc, require_table


@dataclass(frozen=True, slots=True)
class Told:
    """What somewhere is said of a patient."""

    patient: str
    label: str
    where: str
    """``file:line``, or the path of an image."""


@dataclass(frozen=True, kw_only=True)
class PatientTable:
    """A table with a row for each patient: the table ``patients``."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    path: str
    """The table, .csv, .tsv or .parquet; relative to the working directory, ~ expanded."""
    patient_column: str = "patient"
    """Column with the ids of patients, written as the images have them."""
    label_column: str = "label"
    """Column with the labels of patients, such as a diagnosis."""

    def ready(self) -> None:
        """Raises NotAvailable when the table is not there."""
        require_table(self.path, "data.patients.path")

    def told(self) -> tuple[list[Told], list[Problem], tuple[str, ...]]:
        """What it tells, what is wrong with it, and how it was read."""
        table = TextTable(require_table(self.path, "data.patients.path"))
        columns = {"patient": self.patient_column, "label": self.label_column}
        problems = table.lacking({f"patients.{key}_column": columns[key] for key in columns})
        found = []
        for index, row in enumerate([] if problems else table.rows(columns)):
            where = table.where(index)
            if all(row.values()):
                found.append(Told(row["patient"], row["label"], where))
            elif any(row.values()):
                lacks = next(columns[key] for key in columns if not row[key])
                problems.append(Problem(f"the column {lacks!r} is empty", where))
        return found, problems, table.assumed


@dataclass(frozen=True, kw_only=True)
class PatientLabels:
    """What is known of patients themselves: options."""

    patients: PatientTable | None = None
    """A table of its own with the label of each patient, such as a diagnosis, joined on the
    patient's id."""
    patient_classes: dict[str, tuple[str, ...]] | None = None
    """Name of a patients' class to the labels that make it up, where these are read from a table or
    a path; by default every label is one. Patients with other labels are left out."""
    weak: bool = False
    """Only patients have labels, not their cells: every cell takes its patient's."""

    def __post_init__(self) -> None:
        if faults := [*self.contradictions()]:
            raise ValueError("; ".join(faults))

    def contradictions(self) -> Iterator[str]:
        """Options that do not go together, in words."""
        yield from ()

    def labelled(
        self, samples: Samples, told: Sequence[Told], source: str, known: Collection[str] = ()
    ) -> tuple[Samples, list[Problem]]:
        """The samples with the labels of their patients, and what is wrong with these.

        Args:
            samples: Listed, with patients; with ``weak`` their own labels are nobody's.
            told: What is said of patients.
            source: Where it is said, in words.
            known: Patients whose images were looked at and are not among the samples.
        """
        if not told:
            return samples, [Problem(f"no patient has a label ({source})")]
        stated = self.patient_classes or {}
        to_class = {nfc(label): name for name, own in stated.items() for label in own}
        meant = [replace(one, label=to_class.get(one.label, one.label)) for one in told]
        labels = {one.patient: one.label for one in reversed(meant)}
        out = {one.patient for one in told if stated and one.label not in to_class}
        rows = [row for row in samples.rows if row.patient not in out]
        problems = [*_contradicting(meant), *_unnamed(to_class, told)]
        if self.patients is not None:
            problems += _strange(told, {row.patient for row in samples.rows} | {*known})
        problems += _unlabelled(rows, labels, source, self.weak)
        here = {row.patient for row in rows}
        labels = {one.patient: labels[one.patient] for one in told if one.patient in here}
        classes = tuple(stated or sorted(set(labels.values())))
        how = f"labels of {len(labels):,} patient{'s' * (len(labels) != 1)}: {source}"
        if self.weak:
            rows = [replace(row, label=labels.get(row.patient or "", "")) for row in rows]
            how += "; cells have no labels of their own and take their patient's"
        made = replace(
            samples,
            rows=tuple(rows),
            classes=classes if self.weak else samples.classes,
            patient_labels=labels,
            patient_classes=classes,
            weak=self.weak,
            passed=samples.passed + _passed(told, samples.rows, out),
            assumed=(*samples.assumed, how),
        )
        return made, problems


def _contradicting(told: Iterable[Told]) -> Iterator[Problem]:
    """Patients with two labels, each once."""
    first: dict[str, Told] = {}
    wrong = set()
    for one in told:
        before = first.setdefault(one.patient, one)
        if before.label != one.label and one.patient not in wrong:
            wrong.add(one.patient)
            yield Problem(
                f"patient {one.patient!r} is {one.label!r} here and {before.label!r} in "
                f"{before.where}; a patient has one label, and two patients need two ids",
                one.where,
            )


def _unnamed(stated: Iterable[str], told: Iterable[Told]) -> Iterator[Problem]:
    """Labels of ``patient_classes`` that no patient has."""
    there = {one.label for one in told}
    for label in stated:
        if label not in there:
            said = f"no patient has the label {label!r} of patient_classes{_near(label, there)}"
            yield Problem(said)


HINTED = 10
"""Patients for whom an id like theirs is looked for: in thousands it takes minutes."""


def _strange(told: Iterable[Told], listed: Collection[str | None]) -> Iterator[Problem]:
    """Patients that are told of and have no image."""
    known = [patient for patient in listed if patient is not None]
    strange = [one for one in told if one.patient not in listed]
    for number, one in enumerate(strange):
        near = _near(one.patient, known) if number < HINTED else ""
        said = f"there is no image of patient {one.patient!r}{near}"
        yield Problem(f"{said}; write the id as the images have it, or leave it out", one.where)


def _unlabelled(
    rows: Sequence[Sample], labels: Mapping[str, str], source: str, weak: bool
) -> Iterator[Problem]:
    """Patients of whom nothing is told, and cells of nobody where only patients have labels."""
    real = [row for row in rows if row.origin != "synthetic"]
    lacking = Counter(row.patient for row in real if row.patient is not None)
    first = {row.patient: row.id for row in reversed(real)}
    for patient, n in lacking.items():
        if patient not in labels:
            images = f"{n:,} image{'s' * (n != 1)}, such as {first[patient]!r}"
            yield Problem(f"patient {patient!r} ({images}) has no label ({source})")
    nobody = [row.id for row in real if row.patient is None]
    if weak and nobody:
        yield Problem(
            f"of {len(nobody):,} of {len(real):,} images the patient is unknown, such as "
            f"{nobody[0]!r}, and with weak = true only patients have labels"
        )


def _passed(
    told: Iterable[Told], rows: Iterable[Sample], out: Collection[str]
) -> tuple[PassedOver, ...]:
    """The images of patients whose label no class names."""
    of = {one.patient: one.label for one in told if one.patient in out}
    ids: dict[str, list[str]] = {}
    for row in rows:
        if row.patient in of:
            ids.setdefault(of[row.patient], []).append(row.id)
    reason = "patient_classes does not name this label"
    return tuple(
        PassedOver(
            what=f"patients called {label!r}",
            files=len(own),
            example=min(own),
            reason=reason,
            images=True,
        )
        for label, own in sorted(ids.items())
    )


def _near(word: str, known: Collection[str]) -> str:
    hint = did_you_mean(word, known, "")
    return hint and f"; {hint}"
