"""Patients and folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from leukreg import Evidence, Finding, percent, plugin
from leukreg_plugins.audits.told import found, plural, some
from leukreg_plugins.audits.views import by_label, folder_of, is_real, rows_of


@plugin("patient-across-split")
class PatientAcrossSplit:
    """A patient on two sides of a split.

    Cells of one smear share stain, light and disease: a model that knows the patient need not know
    the cell, and the score does not carry over to the next patient.

    Do: keep patients together (`group = "patient"`).

    Reference: Roberts et al., Common pitfalls, Nature Machine Intelligence 2021.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        rows = rows_of(evidence)
        everyone = {row.patient for row in rows if row.patient is not None}
        crossing: dict[str, set[str]] = {"test": set(), "validation": set()}
        for fold in evidence.folds:
            trained = {rows[r].patient for r in fold.learned if is_real(rows[r])} - {None}
            crossing["test"] |= {p for r in fold.test if (p := rows[r].patient) in trained and p}
            held = {p for r in fold.validation if (p := rows[r].patient) in trained and p}
            crossing["validation"] |= held
        for side, patients in crossing.items():
            if patients:
                severity = "error" if side == "test" else "warning"
                yield found(
                    self,
                    severity,  # type: ignore[arg-type]
                    f"{len(patients):,} of {plural(len(everyone), 'patient')} stand in training and"
                    f" in {side}: {some(sorted(patients))}",
                )


@plugin("patients-unknown")
class PatientsUnknown:
    """Images whose patient is not known.

    Then nobody can say whether one patient's cells stand on both sides of the split, and intervals
    count cells as if each were a patient. The public leukemia sets come without patient ids.

    Do: say where the ids stand (`patient`, `patient_level`), or claim nothing of new patients.

    Reference: Roberts et al., Common pitfalls, Nature Machine Intelligence 2021.
    """

    share: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Part of the images that may lack an id."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        rows = {row.id: row for row in rows_of(evidence) if is_real(row)}
        lacking = sum(row.patient is None for row in rows.values())
        if lacking > self.share * len(rows):
            of = f"{lacking:,} of {plural(len(rows), 'image')}"
            yield found(
                self, "warning", f"{of} have no patient id: patients may stand on both sides"
            )


@plugin("concentrated-class")
class ConcentratedClass:
    """One patient or folder holds most of a class.

    Then the class is that patient, or that folder's scanner: neither a split nor a score can tell
    them apart. It is also what happens when patient ids fall back to a folder's name.

    Do: add patients, or say that the class stands for one.

    Reference: Zech et al., Confounding in radiographs, PLOS Medicine 2018.
    """

    share: Annotated[float, Gt(0), Le(1)] = 0.5
    """Part of a class that one patient or folder may hold."""
    least: Annotated[int, Ge(1)] = 10
    """Smaller classes are not looked at."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for label, rows in by_label(r for r in rows_of(evidence) if is_real(r)).items():
            if len(rows) < self.least:
                continue
            if all(row.patient is not None for row in rows):
                holders, noun = Counter(str(row.patient) for row in rows), "patient"
            else:
                # A class that lies in one folder is the usual layout, not a fault.
                holders, noun = Counter(folder_of(row) for row in rows), "folder"
                if len(holders) < 2:
                    continue
            name, most = holders.most_common(1)[0]
            if most > self.share * len(rows):
                yield found(
                    self,
                    "warning",
                    f"{noun} {name!r} holds {most:,} of {len(rows):,} images"
                    f" ({percent(most / len(rows))}) of {label}",
                )
