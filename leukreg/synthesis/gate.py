"""The gate: which synthetic rows a classifier may see, and what is said of the others.

Synthetic images are held against real ones per class and over all. The figures are kept as plain
tables; what their keys mean stands in ``plugins/leukreg_plugins/audits/fidelity.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.errors import GateError
from leukreg.progress import Progress
from leukreg.seeds import derive
from leukreg.synthesis.downstream import DownstreamScore, downstream_scores
from leukreg.synthesis.extractor import OpenExtractor, open_extractor, shrunk
from leukreg.synthesis.fidelity import LEAST_FAKE, LEAST_REAL
from leukreg.synthesis.generator import ClassImages
from leukreg.synthesis.real_images import FEWEST, Held, RealImages
from leukreg.synthesis.request import Request
from leukreg.types import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.recipe.model import GateSpec
    from leukreg.synthesis.image_folder import FiguresTable, SyntheticRows

    Pixels = NDArray[np.uint8]


DONE = {
    "leave-out": "left out",
    "stop": "the run stops",
    "keep": "kept all the same",
}
"""What becomes of images that fail."""
MOST_BYTES = 128 * 2**20
"""Pixels that are held at their full size at once."""
SMALL = 64
"""Pixels a side of what is kept of each training image; copies are looked for at 16."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The rows that enter training, and the figures with what became of each class."""

    rows: tuple[Sample, ...]
    figures: tuple[FiguresTable, ...]


def admit(made: SyntheticRows, request: Request, progress: Progress, closing: str = "") -> Admitted:
    """Let in what passes; leave out, stop or keep what does not, as the recipe says.

    Every table of the figures gets ``entered``: how many of its images enter training.

    Args:
        closing: Last line of what is said where it stops: where the images are.

    Raises:
        GateError: Something fails, and the recipe says to stop.
    """
    gate = request.spec.gate
    if gate is None:
        return Admitted(made.rows, ())
    bad = [table for table in made.figures if not table["passed"]]
    for table in made.figures:
        progress.say(_sentence(table, request, gate))
    if bad and gate.fails == "stop":
        closing = closing or (
            f"nothing was trained on them. They are in {request.home}, with all figures."
        )
        raise GateError(_stopped(bad, request, closing))
    out = set() if gate.fails == "keep" else _left_out(made.figures)
    rows = tuple(row for row in made.rows if row.label not in out)
    return Admitted(rows, tuple(_entered(table, rows) for table in made.figures))


def _left_out(figures: tuple[FiguresTable, ...]) -> set[str]:
    """Classes that fail by themselves, and all of a whole that fails."""
    out: set[str] = set()
    for table in figures:
        if not table["passed"]:
            out.update([table["class"]] if "class" in table else table["classes"])
    return out


def _entered(table: FiguresTable, rows: tuple[Sample, ...]) -> FiguresTable:
    labels = [table["class"]] if "class" in table else table["classes"]
    return {**table, "entered": sum(row.label in labels for row in rows)}


def _sentence(table: FiguresTable, request: Request, gate: GateSpec) -> str:
    head = f"{request.where}, {named(table)}: {table['fake']:,} images by {table['generator']}"
    if table["passed"]:
        return f"{head} pass the gate: {in_words(table)} ({basis(table)})"
    return f"! {head} FAIL the gate, {DONE[gate.fails]}: {'; '.join(table['why'])} ({basis(table)})"


def _stopped(bad: list[FiguresTable], request: Request, closing: str) -> str:
    lines = [f"  {named(table)}: {'; '.join(table['why'])}" for table in bad]
    return "\n".join(
        [
            f'synthetic images failed their gate, {request.where} (synthesis.gate.fails = "stop"):',
            *lines,
            closing,
        ]
    )


def basis(table: FiguresTable) -> str:
    """What the figures rest on: extractor with digest, image size, images of either side."""
    counts = f"{table['real']:,} real, {table['fake']:,} made"
    return f"{table['extractor']}, {table['size']} px, {counts}"


def named(table: FiguresTable) -> str:
    """The class of a table, or "all classes together"."""
    return str(table["class"]) if "class" in table else "all classes together"


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """The gate's extractor, its limits, and the real images it may look at."""

    request: Request
    gate: GateSpec
    extractor: OpenExtractor
    reference: RealImages
    training: Pixels
    """All images that the generator was fitted on, small: copies are looked for among them."""
    training_features: NDArray[np.float32]

    def copied_rows(self, pixels: Pixels) -> NDArray[np.int64]:
        """For each image the row among those fitted on that it copies, or -1."""
        from leukreg.synthesis.memorization import find_copies

        rows = np.full(len(pixels), -1, np.int64)
        if len(pixels):
            features = self.extractor.features(pixels)
            found = find_copies(self.training, pixels, self.training_features, features)
            for position in found.copies:
                rows[position] = found.nearest[position]
        return rows

    def judged(
        self, batches: Mapping[str, ClassImages], progress: Progress
    ) -> tuple[FiguresTable, ...]:
        """A table per class; where several pass, also one over these together.

        Over all of them where none passes; a single class needs no second table.
        """
        held = {label: self.reference.held(label) for label in batches}
        made = {label: batch.pixels for label, batch in batches.items()}
        tables = []
        taught = downstream_scores(self.reference, made, self.extractor, self.gate.pupil, progress)
        with progress.task("Judging images", len(batches)) as advance:
            for label, batch in batches.items():
                table = {"class": label} | self._class(label, batch, held[label], taught[label])
                tables.append(self._concluded(table))
                advance(note=label)
        passed = [str(table["class"]) for table in tables if table["passed"]] or [*batches]
        if len(passed) > 1:
            tables.append(self._concluded(self._whole(passed, batches, held, taught)))
        return tuple(tables)

    def _class(
        self, label: str, batch: ClassImages, held: Held, lesson: DownstreamScore | None
    ) -> dict[str, Any]:
        table = self._common(batch.pixels, held.pixels, lesson)
        table |= {"copies": batch.copies, "drawn": batch.of, "held_against": held.rows}
        table["snapshot"] = batch.lineage[0].snapshot if batch.lineage else None
        if table["unjudged"]:
            table["passes_for"] = self._passes_for(label, batch.pixels)
        return table | {"notes": self._notes(label, batch, held)}

    def _whole(
        self,
        labels: Sequence[str],
        batches: Mapping[str, ClassImages],
        held: Mapping[str, Held],
        taught: Mapping[str, DownstreamScore | None],
    ) -> dict[str, Any]:
        """Over several classes, each with as many synthetic images as real ones."""
        real, fake = [], []
        for label in labels:
            n = min(len(held[label].pixels), len(batches[label].pixels))
            real.append(_chosen(held[label].pixels, n, derive(self.request.seed, "real", label)))
            fake.append(_chosen(batches[label].pixels, n, derive(self.request.seed, "made", label)))
        known = [lesson for label in labels if (lesson := taught[label]) is not None]
        lesson = DownstreamScore.together(known)
        table = self._common(np.concatenate(fake), np.concatenate(real), lesson)
        which = sorted({held[label].rows for label in labels} - {""})
        table |= {
            "copies": sum(batches[label].copies for label in labels),
            "drawn": sum(batches[label].of for label in labels),
            "held_against": "; ".join(which),
        }
        return {"classes": list(labels), "notes": []} | table

    def _common(self, fake: Pixels, real: Pixels, lesson: DownstreamScore | None) -> dict[str, Any]:
        from leukreg.synthesis.fidelity import measure

        table: dict[str, Any] = {
            "generator": self.request.spec.generator.name,
            "extractor": str(self.extractor),
            "dimensions": self.extractor.dimensions,
            "size": self.request.image.size,
            "real": len(real),
            "fake": len(fake),
            "unjudged": _too_few(len(real), len(fake)),
        }
        if self.request.fold is not None:
            table["fold"] = self.request.fold
        if not table["unjudged"]:
            table |= measure(real, fake, self.extractor).table()  # as `leukreg fidelity` does
            table["training"] = len(self.training)
        if lesson is not None:
            table["fakes_only"] = lesson.table()
        return table

    def _passes_for(self, label: str, fake: Pixels) -> dict[str, Any] | None:
        """The class whose real images these are like, where there is one."""
        from leukreg.synthesis.fidelity import measure

        nearest: tuple[float, str] | None = None
        if len(fake) < LEAST_FAKE:
            return None
        for other in self.reference.fitted.samples.classes:
            real = self.reference.held(other).pixels
            if other == label or len(real) < LEAST_REAL:
                continue
            ratio = measure(real, fake, self.extractor).ratio("kid")
            if ratio is not None and ratio <= self.gate.kid:
                nearest = min(nearest or (ratio, other), (ratio, other))
        return None if nearest is None else {"class": nearest[1], "kid_ratio": nearest[0]}

    def _notes(self, label: str, batch: ClassImages, held: Held) -> list[str]:
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
                f"{label}: {len(held.pixels)} real images are too few for {self.extractor.name} to"
                " say much: its figures scatter widely"
            )
        if len(batch.pixels) < batch.of:
            gone = batch.of - len(batch.pixels)
            notes.append(f"{label}: {gone} copies could not be replaced and are left out")
        return notes

    def _concluded(self, table: dict[str, Any]) -> FiguresTable:
        why = failed(table, self.gate)
        return table | {"passed": not why, "why": why}


def gate_extractor(gate: GateSpec | None) -> OpenExtractor | None:
    """The gate's extractor; None without a gate.

    Raises:
        PluginError: There is no such extractor.
        NotAvailable: Its weights are not on this machine.
    """
    return None if gate is None else open_extractor(gate.extractor)


def open_gate(
    reference: RealImages, request: Request, extractor: OpenExtractor, progress: Progress
) -> Gate:
    """The judge of a request; the request has a gate."""
    gate, images = request.spec.gate, reference.fitted
    assert gate is not None
    # In parts, since there may be many large ones.
    step = max(1, MOST_BYTES // (3 * request.image.size**2))
    small, features = [], []
    for start in range(0, len(images), step):
        part = images.pixels(range(start, min(start + step, len(images))))
        features.append(extractor.known_features(part, progress))
        small.append(shrunk(part, SMALL))
    training = np.concatenate(small)
    return Gate(request, gate, extractor, reference, training, np.concatenate(features))


def _too_few(real: int, fake: int) -> str:
    """Why there are no distances; empty where there are."""
    if real < LEAST_REAL:
        return f"{real or 'no'} real images to hold them against (at least {LEAST_REAL})"
    if fake < LEAST_FAKE:
        return f"{fake} synthetic images are too few to be judged (at least {LEAST_FAKE})"
    return ""


def _chosen(pixels: Pixels, n: int, seed: int) -> Pixels:
    return pixels[np.random.default_rng(seed).permutation(len(pixels))[:n]]


def failed(figures: FiguresTable, gate: GateSpec) -> list[str]:
    """Why these figures do not pass; empty where they do."""
    return [
        *_fails_on_copies(figures, gate),
        *_fails_on_distance(figures, gate),
        *_fails_on_worth(figures, gate),
    ]


def _fails_on_copies(figures: FiguresTable, gate: GateSpec) -> Iterator[str]:
    copies, drawn = figures["copies"], figures["drawn"]
    if copies > gate.copies * drawn:
        share = percent(copies / drawn)
        yield f"{copies:,} of {drawn:,} ({share}) copy training images (at most {_p(gate.copies)})"


def _fails_on_distance(figures: FiguresTable, gate: GateSpec) -> Iterator[str]:
    if figures["unjudged"]:
        if gate.unjudged == "fail":
            yield str(figures["unjudged"])
        if other := figures.get("passes_for"):
            label, ratio = other["class"], times(other["kid_ratio"])
            yield f"they pass for {label} (KID {ratio} the floor of its real images)"
        return
    ratio, coverage = figures["kid_ratio"], figures["coverage"]
    if ratio is None or ratio > gate.kid:
        yield f"KID is {times(ratio)} the floor (at most {gate.kid:g})"
    if coverage < gate.coverage:
        yield f"{percent(coverage)} of the real images are covered (at least {_p(gate.coverage)})"


def _fails_on_worth(figures: FiguresTable, gate: GateSpec) -> Iterator[str]:
    taught: Mapping[str, Any] | None = figures.get("fakes_only")
    if taught is None:
        return
    score, chance, real = taught["score"], taught["chance"], taught.get("real")
    if score <= chance:
        yield f"they teach no more than chance ({score:.3f} where chance is {chance:.3f})"
    elif real is not None and score < gate.teaches * real:
        yield (
            f"they teach {score:.3f} where real images teach {real:.3f}"
            f" (at least {_p(gate.teaches)} of it)"
        )


def in_words(figures: FiguresTable) -> str:
    """The figures on one line."""
    parts = []
    if (ratio := figures.get("kid_ratio")) is not None:
        parts.append(f"KID {times(ratio)} the floor")
    if (coverage := figures.get("coverage")) is not None:
        parts.append(f"{percent(coverage)} of the real images covered")
    parts.append(f"{figures['copies']:,} copies among {figures['drawn']:,}")
    if taught := figures.get("fakes_only"):
        real = "" if taught.get("real") is None else f" (real images: {taught['real']:.2f})"
        whom = "a network " if taught.get("pupil") == "network" else ""
        parts.append(f"teach {whom}{taught['score']:.2f}{real}")
    return ", ".join(parts)


def times(ratio: float | None) -> str:
    """``3.1 times``, ``240 times``; "undefined" where the floor is 0."""
    if ratio is None:
        return "an undefined multiple of"
    return f"{ratio:.1f} times" if ratio < 100 else f"{ratio:,.0f} times"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _p(share: float) -> str:
    return f"{100 * share:g} %"
