"""What predicts the class beside the cell: patients, folders, colours, formats."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt

from leukreg import Finding, RunRecord, Sample, percent, plugin
from leukreg_plugins.audits.finding import counted, error, is_real, some, warning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@plugin("patient-across-split")
class PatientAcrossSplit:
    """A patient on two sides of a split.

    Cells of one smear share stain, light and disease: a model that knows the patient need not know
    the cell, and the score does not carry over to the next patient.

    Do: keep patients together (`group = "patient"`).

    Reference: Roberts et al., Common pitfalls, Nature Machine Intelligence 2021.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = run.samples.rows
        everyone = {row.patient for row in rows if row.patient is not None}
        for side, say in (("test", error), ("validation", warning)):
            crossing: set[str] = set()
            for fold in run.folds:
                trained = {rows[r].patient for r in fold.learned if is_real(rows[r])}
                held = {rows[r].patient for r in getattr(fold, side)}
                crossing |= {patient for patient in held & trained if patient}
            if crossing:
                of = f"{len(crossing):,} of {counted(len(everyone), 'patient')}"
                both = f"stand in training and in {side}: {some(sorted(crossing))}"
                yield say(self, f"{of} {both}")


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

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = {row.id: row for row in run.samples.rows if is_real(row)}
        lacking = sum(row.patient is None for row in rows.values())
        if lacking > self.share * len(rows):
            of = f"{lacking:,} of {counted(len(rows), 'image')}"
            yield warning(self, f"{of} have no patient id: patients may stand on both sides")


@plugin("patient-of-two-classes")
class PatientOfTwoClasses:
    """A patient with images of several classes, where other patients have one class.

    Where classes are diagnoses, two patients share an id, a label is wrong, or the patient was seen
    twice, before and after. Where they are kinds of cell, most patients have several, and nothing
    is wrong.

    Do: look these patients up; ids that repeat need the hospital's or the folder's name in them.
    """

    share: Annotated[float, Gt(0.5), Lt(1)] = 0.8
    """Part of the patients with several images that must have one class for others to stand out."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        if run.samples.patient_labels:  # they say what a patient is, whatever his cells are
            return
        labels: dict[str, Counter[str]] = defaultdict(Counter)
        for row in {row.id: row for row in run.samples.rows if is_real(row)}.values():
            if row.patient is not None:
                labels[row.patient][row.label] += 1
        several = {patient: own for patient, own in labels.items() if own.total() > 1}
        both = sorted(patient for patient, own in several.items() if len(own) > 1)
        if both and len(both) <= (1 - self.share) * len(several):
            first = ", ".join(f"{n:,} {label}" for label, n in sorted(labels[both[0]].items()))
            yield warning(
                self,
                f"{len(both):,} of {counted(len(several), 'patient')} with several images have "
                f"several classes, the others one: {some(both)} ({both[0]}: {first})",
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

    def build(self, run: RunRecord) -> Iterable[Finding]:
        classes: dict[str, list[Sample]] = defaultdict(list)
        for row in run.samples.rows:
            if is_real(row):
                classes[row.label].append(row)
                whose = run.samples.patient_labels.get(row.patient or "")
                if whose is not None and not run.samples.weak:
                    classes[f"patients called {whose}"].append(row)
        for label, rows in classes.items():
            if len(rows) < self.least:
                continue
            if all(row.patient is not None for row in rows):
                holders, noun = Counter(str(row.patient) for row in rows), "patient"
            else:
                # A class that lies in one folder is the usual layout, not a fault.
                holders, noun = Counter(row.id.rpartition("/")[0] or "." for row in rows), "folder"
                if len(holders) < 2:
                    continue
            name, most = holders.most_common(1)[0]
            if most > self.share * len(rows):
                yield warning(
                    self,
                    f"{noun} {name!r} holds {most:,} of {len(rows):,} images"
                    f" ({percent(most / len(rows))}) of {label}",
                )


PROBES = {
    "colour statistics": (0, 1, 2, 3, 4, 5),
    "the colour of the border": (6, 7, 8),
    "the image size": (9, 10),
    "the file size": (11,),
}
"""Columns of ``RunRecord.statistics``; the file format is added from the names."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe reaches."""

    name: str
    reached: float
    """Balanced accuracy."""
    chance: float
    images: int


@plugin("shortcut")
class Shortcut:
    """Colour statistics, borders, image size or file format alone predict the class.

    A model that can take the shortcut will, and its score then says nothing of the cells. In the
    public leukemia set, six numbers of mean colour reach 97 %. The probe is a vote of the nearest
    neighbours in folds that keep patients, copies and near duplicates together.

    Do: compare the model with the probe's figure; normalise stain, crop borders, convert all
    files alike, or test on another centre.

    Reference: Geirhos et al., Shortcut learning in deep neural networks, 2020.
    """

    skill: Annotated[float, Gt(0), Lt(1)] = 0.7
    """Balanced accuracy that is reported, as a share of the way from chance to perfect."""
    neighbours: Annotated[int, Ge(1)] = 5
    """Neighbours that vote."""
    least: Annotated[int, Ge(5)] = 10
    """Images a class needs to be probed."""
    most: Annotated[int, Ge(50)] = 1500
    """Images used, evenly from all classes' lists."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for probe in self.probes(run):
            if probe.reached >= probe.chance + self.skill * (1 - probe.chance):
                plural = probe.name.endswith("statistics")
                yield warning(
                    self,
                    f"{probe.name} alone predict{'' if plural else 's'} the class: balanced"
                    f" accuracy {percent(probe.reached)} where chance is {percent(probe.chance)}"
                    f" ({probe.images:,} images)",
                )

    def probes(self, run: RunRecord) -> Iterator[Probe]:
        """What each probe reaches, shortcut or not; nothing where classes are too few."""
        import numpy as np

        from leukreg import groups_of

        rows = self._rows(run)
        labels = sorted({row.label for row in rows})
        if len(labels) < 2:
            return
        y = np.array([labels.index(row.label) for row in rows])
        listed = run.samples.rows  # all of them: a picture that is not probed may tie two that are
        group = groups_of(listed, run.pixels, run.near_duplicates).tolist()
        of = dict(zip((row.id for row in listed), group, strict=True))
        # Five folds; rows of one group, of a patient or a picture, are in the same.
        _, numbers = np.unique([of[row.id] for row in rows], return_inverse=True)
        folds = (np.random.default_rng(0).permutation(numbers.max() + 1) % 5)[numbers]
        table = np.array([run.statistics[row.id] for row in rows], dtype=float)
        probes = {name: table[:, list(columns)] for name, columns in PROBES.items()}
        suffixes = [row.path.rsplit(".", 1)[-1].lower() for row in rows]
        formats = sorted(set(suffixes))
        probes["the file format"] = np.array([[s == f for f in formats] for s in suffixes], float)
        for name, x in probes.items():
            reached = self._reached(x, y, folds, len(labels))
            if reached is not None:
                yield Probe(name, reached, 1 / len(labels), len(rows))

    def _rows(self, run: RunRecord) -> list[Sample]:
        unique = {
            row.id: row
            for row in run.samples.rows
            if is_real(row) and len(run.statistics.get(row.id, ())) >= 12
        }
        counts = Counter(row.label for row in unique.values())
        rows = [row for row in unique.values() if counts[row.label] >= self.least]
        rows.sort(key=lambda row: (row.label, row.id))
        step = max(1, -(-len(rows) // self.most))
        return rows[::step]

    def _reached(
        self, x: NDArray[np.float64], y: NDArray[np.int64], folds: NDArray[np.int64], k: int
    ) -> float | None:
        """Balanced accuracy over the held-out folds; None where a class is in one fold only."""
        import numpy as np

        spread = x.std(axis=0)
        x = x[:, spread > 1e-9] / spread[spread > 1e-9]
        if x.shape[1] == 0:
            return None
        hit = np.zeros(len(y), dtype=bool)
        shuffle = np.random.default_rng(1).permutation(len(y))  # ties must favour no class
        for fold in range(5):
            held = np.flatnonzero(folds == fold)
            kept = shuffle[folds[shuffle] != fold]
            if len(held) and len(kept) > self.neighbours:
                near = self._nearest(x[held], x[kept])
                hit[held] = np.eye(k)[y[kept][near]].sum(axis=1).argmax(axis=1) == y[held]
        if any(len(set(folds[y == c].tolist())) < 2 for c in range(k)):
            return None
        return float(np.mean([hit[y == c].mean() for c in range(k)]))

    def _nearest(self, held: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.int64]:
        import numpy as np

        distance = (held**2).sum(1)[:, None] - 2 * held @ x.T + (x**2).sum(1)[None]
        return np.argpartition(distance, self.neighbours - 1, axis=1)[:, : self.neighbours]
