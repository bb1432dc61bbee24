"""A probe that looks at no cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from leukreg import Evidence, Finding, Sample, percent, plugin
from leukreg_plugins.audits.told import found
from leukreg_plugins.audits.views import is_real, rows_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PROBES = {
    "colour statistics": (0, 1, 2, 3, 4, 5),
    "the colour of the border": (6, 7, 8),
    "the image size": (9, 10),
    "the file size": (11,),
}
"""Columns of ``Evidence.statistics``; the file format is added from the names."""


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
    neighbours in folds that keep patients, copies and near copies together.

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

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for probe in self.probes(evidence):
            if probe.reached >= probe.chance + self.skill * (1 - probe.chance):
                plural = probe.name.endswith("statistics")
                yield found(
                    self,
                    "warning",
                    f"{probe.name} alone predict{'' if plural else 's'} the class: balanced"
                    f" accuracy {percent(probe.reached)} where chance is {percent(probe.chance)}"
                    f" ({probe.images:,} images)",
                )

    def probes(self, evidence: Evidence) -> Iterator[Probe]:
        """What each probe reaches, shortcut or not; nothing where classes are too few."""
        import numpy as np

        from leukreg import groups_of

        rows = self._rows(evidence)
        labels = sorted({row.label for row in rows})
        if len(labels) < 2:
            return
        y = np.array([labels.index(row.label) for row in rows])
        listed = rows_of(evidence)  # all of them: a picture that is not probed may tie two that are
        group = groups_of(listed, evidence.pixels, evidence.twins).tolist()
        of = dict(zip((row.id for row in listed), group, strict=True))
        folds = self._folds(np.array([of[row.id] for row in rows]))
        table = np.array([evidence.statistics[row.id] for row in rows], dtype=float)
        for name, x in self._probes(rows, table).items():
            reached = self._reached(x, y, folds, len(labels))
            if reached is not None:
                yield Probe(name, reached, 1 / len(labels), len(rows))

    def _rows(self, evidence: Evidence) -> list[Sample]:
        unique = {
            row.id: row
            for row in rows_of(evidence)
            if is_real(row) and len(evidence.statistics.get(row.id, ())) >= 12
        }
        counts = Counter(row.label for row in unique.values())
        rows = [row for row in unique.values() if counts[row.label] >= self.least]
        rows.sort(key=lambda row: (row.label, row.id))
        step = max(1, -(-len(rows) // self.most))
        return rows[::step]

    def _folds(self, group: NDArray[np.int64]) -> NDArray[np.int64]:
        """Five folds; rows of one group, of a patient or a picture, are in the same."""
        import numpy as np

        _, numbers = np.unique(group, return_inverse=True)
        return (np.random.default_rng(0).permutation(numbers.max() + 1) % 5)[numbers]

    def _probes(
        self, rows: list[Sample], table: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        import numpy as np

        probes = {name: table[:, list(columns)] for name, columns in PROBES.items()}
        suffixes = [row.id.rsplit(".", 1)[-1].lower() for row in rows]
        formats = sorted(set(suffixes))
        probes["the file format"] = np.array([[s == f for f in formats] for s in suffixes], float)
        return probes

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
                hit[held] = self._vote(x[held], x[kept], y[kept], k) == y[held]
        if any(len(set(folds[y == c].tolist())) < 2 for c in range(k)):
            return None
        return float(np.mean([hit[y == c].mean() for c in range(k)]))

    def _vote(
        self, held: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.int64], k: int
    ) -> NDArray[np.int64]:
        import numpy as np

        distance = (held**2).sum(1)[:, None] - 2 * held @ x.T + (x**2).sum(1)[None]
        near = np.argpartition(distance, self.neighbours - 1, axis=1)[:, : self.neighbours]
        votes = np.eye(k)[y[near]].sum(axis=1)
        return np.asarray(votes.argmax(axis=1))
