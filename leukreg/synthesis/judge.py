"""Synthetic images held against real ones: the figures of the gate, per class and over all.

Kept as plain tables; what their keys mean stands in
``plugins/leukreg_plugins/audits/fidelity.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.progress import Progress
from leukreg.seeds import derive
from leukreg.synthesis.draws import Drawn
from leukreg.synthesis.enough import LEAST_FAKE, LEAST_REAL
from leukreg.synthesis.extractors import OpenExtractor, open_extractor
from leukreg.synthesis.limits import failed
from leukreg.synthesis.look import all_of
from leukreg.synthesis.reference import FEWEST, Held, Reference
from leukreg.synthesis.request import Request
from leukreg.synthesis.teach import Lesson, lessons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.recipe.model import GateSpec
    from leukreg.synthesis.keep import Figures

    Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """The gate's extractor, its limits, and the real images it may look at."""

    request: Request
    gate: GateSpec
    eye: OpenExtractor
    reference: Reference
    training: Pixels
    """All images that the generator was fitted on, small: copies are looked for among them."""
    training_features: NDArray[np.float32]

    def copied_rows(self, pixels: Pixels) -> NDArray[np.int64]:
        """For each image the row among those fitted on that it copies, or -1."""
        from leukreg.synthesis.neighbours import find_copies

        rows = np.full(len(pixels), -1, np.int64)
        if len(pixels):
            features = self.eye.features(pixels)
            found = find_copies(self.training, pixels, self.training_features, features)
            for position in found.positions:
                rows[position] = found.nearest[position]
        return rows

    def judged(self, batches: Mapping[str, Drawn], progress: Progress) -> tuple[Figures, ...]:
        """A table per class; where several pass, also one over these together.

        Over all of them where none passes; a single class needs no second table.
        """
        held = {label: self.reference.held(label) for label in batches}
        made = {label: batch.pixels for label, batch in batches.items()}
        tables = []
        taught = lessons(self.reference, made, self.eye, self.gate.pupil, progress)
        with progress.task("Judging images", len(batches)) as advance:
            for label, batch in batches.items():
                table = {"class": label} | self._class(label, batch, held[label], taught[label])
                tables.append(self._concluded(table))
                advance(note=label)
        passed = [str(table["class"]) for table in tables if table["passed"]] or [*batches]
        if len(passed) > 1:
            tables.append(self._concluded(self._whole(passed, batches, held, taught)))
        return tuple(tables)

    def _class(self, label: str, batch: Drawn, held: Held, lesson: Lesson | None) -> dict[str, Any]:
        table = self._common(batch.pixels, held.pixels, lesson)
        table |= {"copies": batch.copies, "drawn": batch.of, "held_against": held.rows}
        table["snapshot"] = batch.lineage[0].snapshot if batch.lineage else None
        if table["unjudged"]:
            table["passes_for"] = self._passes_for(label, batch.pixels)
        return table | {"notes": self._notes(label, batch, held)}

    def _whole(
        self,
        labels: Sequence[str],
        batches: Mapping[str, Drawn],
        held: Mapping[str, Held],
        taught: Mapping[str, Lesson | None],
    ) -> dict[str, Any]:
        """Over several classes, each with as many synthetic images as real ones."""
        real, fake = [], []
        for label in labels:
            n = min(len(held[label].pixels), len(batches[label].pixels))
            real.append(_chosen(held[label].pixels, n, derive(self.request.seed, "real", label)))
            fake.append(_chosen(batches[label].pixels, n, derive(self.request.seed, "made", label)))
        known = [lesson for label in labels if (lesson := taught[label]) is not None]
        lesson = Lesson.together(known)
        table = self._common(np.concatenate(fake), np.concatenate(real), lesson)
        which = sorted({held[label].rows for label in labels} - {""})
        table |= {
            "copies": sum(batches[label].copies for label in labels),
            "drawn": sum(batches[label].of for label in labels),
            "held_against": "; ".join(which),
        }
        return {"classes": list(labels), "notes": []} | table

    def _common(self, fake: Pixels, real: Pixels, lesson: Lesson | None) -> dict[str, Any]:
        from leukreg.synthesis.measure import measure

        table: dict[str, Any] = {
            "generator": self.request.spec.generator.name,
            "extractor": str(self.eye),
            "dimensions": self.eye.dimensions,
            "size": self.request.image.size,
            "real": len(real),
            "fake": len(fake),
            "unjudged": _too_few(len(real), len(fake)),
        }
        if self.request.fold is not None:
            table["fold"] = self.request.fold
        if not table["unjudged"]:
            table |= measure(real, fake, self.eye).table()  # as `leukreg fidelity` does
            table["training"] = len(self.training)
        if lesson is not None:
            table["fakes_only"] = lesson.table()
        return table

    def _passes_for(self, label: str, fake: Pixels) -> dict[str, Any] | None:
        """The class whose real images these are like, where there is one."""
        from leukreg.synthesis.measure import measure

        nearest: tuple[float, str] | None = None
        if len(fake) < LEAST_FAKE:
            return None
        for other in self.reference.fitted.samples.classes:
            real = self.reference.held(other).pixels
            if other == label or len(real) < LEAST_REAL:
                continue
            ratio = measure(real, fake, self.eye).kid_ratio
            if ratio is not None and ratio <= self.gate.kid:
                nearest = min(nearest or (ratio, other), (ratio, other))
        return None if nearest is None else {"class": nearest[1], "kid_ratio": nearest[0]}

    def _notes(self, label: str, batch: Drawn, held: Held) -> list[str]:
        notes = []
        if copies := self.reference.copies_of(label):
            are = "1 real image, a copy of another, is" if copies == 1 else ""
            are = are or f"{copies:,} real images, copies of others, are"
            notes.append(f"{label}: {are} not looked at: each picture counts once")
        if held.rows in ("training rows", "validation and training rows"):
            few = len(held.pixels) if held.rows == "training rows" else "fewer than " + str(FEWEST)
            lacking = "no" if held.rows == "training rows" else few
            notes.append(
                f"{label}: {lacking} validation rows; held against training rows too, which the"
                " generator was fitted on: kinder than unseen ones would be"
            )
        if 0 < len(held.pixels) < FEWEST:
            notes.append(
                f"{label}: {len(held.pixels)} real images are too few for {self.eye.name} to say"
                " much: its figures scatter widely"
            )
        if len(batch.pixels) < batch.of:
            gone = batch.of - len(batch.pixels)
            notes.append(f"{label}: {gone} copies could not be replaced and are left out")
        return notes

    def _concluded(self, table: dict[str, Any]) -> Figures:
        why = failed(table, self.gate)
        return table | {"passed": not why, "why": why}


def open_eye(gate: GateSpec | None) -> OpenExtractor | None:
    """The gate's extractor; None without a gate.

    Raises:
        PluginError: There is no such extractor.
        NotAvailable: Its weights are not on this machine.
    """
    return None if gate is None else open_extractor(gate.extractor)


def judge_of(
    reference: Reference, request: Request, eye: OpenExtractor, progress: Progress
) -> Judge:
    """The judge of a request; the request has a gate."""
    gate = request.spec.gate
    assert gate is not None
    training, features = all_of(reference.fitted, request.image.size, eye, progress)
    return Judge(request, gate, eye, reference, training, features)


def _too_few(real: int, fake: int) -> str:
    """Why there are no distances; empty where there are."""
    if real < LEAST_REAL:
        return f"{real or 'no'} real images to hold them against (at least {LEAST_REAL})"
    if fake < LEAST_FAKE:
        return f"{fake} synthetic images are too few to be judged (at least {LEAST_FAKE})"
    return ""


def _chosen(pixels: Pixels, n: int, seed: int) -> Pixels:
    return pixels[np.random.default_rng(seed).permutation(len(pixels))[:n]]
