"""The gate: which synthetic rows a classifier may see, and what is said of the others.

Synthetic images are held against real ones per class and over all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.errors import GateError
from leukreg.gate_figures import FakesOnly, GateFigures, PassesFor
from leukreg.progress import Progress
from leukreg.seeds import derive
from leukreg.synthesis.downstream import downstream_scores, together
from leukreg.synthesis.extractor import OpenExtractor, open_extractor, shrunk
from leukreg.synthesis.fidelity import LEAST_FAKE, LEAST_REAL, Fidelity, measure
from leukreg.synthesis.generator import ClassImages, draw
from leukreg.synthesis.image_folder import SyntheticRows
from leukreg.synthesis.memorization import find_copies
from leukreg.synthesis.real_images import FEWEST, Held, RealImages
from leukreg.synthesis.request import Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.recipe.model import GateSpec, SynthesisSpec
    from leukreg.registry.kinds import ClassGenerator

    Pixels = NDArray[np.uint8]

DONE = {"leave-out": "left out", "stop": "the run stops", "keep": "kept all the same"}
"""What becomes of images that fail."""
ATTEMPTS = 3
"""Draws in place of copies; what is a copy still after these is left out."""
MOST_BYTES = 128 * 2**20
"""Pixels that are held at their full size at once."""
SMALL = 64
"""Pixels a side of what is kept of each training image; copies are looked for at 16."""


def admit(
    made: SyntheticRows, request: Request, progress: Progress, closing: str = ""
) -> SyntheticRows:
    """Let in what passes; leave out, stop or keep what does not, as the recipe says.

    All figures get ``entered``: how many of its images enter training.

    Args:
        closing: Last line of what is said where it stops: where the images are.

    Raises:
        GateError: Something fails, and the recipe says to stop.
    """
    gate = request.spec.gate
    if gate is None:
        return SyntheticRows(made.rows)
    bad = [figures for figures in made.figures if not figures.passed]
    for one in made.figures:
        head = f"{request.where}, {named(one)}: {one.fake:,} images by {one.generator}"
        said = f"{head} pass the gate: {in_words(one)}"
        if not one.passed:
            said = f"! {head} FAIL the gate, {DONE[gate.fails]}: {'; '.join(one.why)}"
        progress.say(f"{said} ({basis(one)})")
    if bad and gate.fails == "stop":
        home = request.home
        closing = closing or f"nothing was trained on them. They are in {home}, with all figures."
        lines = [f"  {named(one)}: {'; '.join(one.why)}" for one in bad]
        head = f"synthetic images failed their gate, {request.where}"
        raise GateError("\n".join([f'{head} (synthesis.gate.fails = "stop"):', *lines, closing]))
    # A whole that fails takes all of its classes with it.
    out = {label for one in bad for label in _labels(one)} if gate.fails != "keep" else set()
    rows = tuple(row for row in made.rows if row.label not in out)
    figures = (
        replace(one, entered=sum(row.label in _labels(one) for row in rows)) for one in made.figures
    )
    return SyntheticRows(rows, tuple(figures))


def gate_extractor(spec: SynthesisSpec | None) -> OpenExtractor | None:
    """The gate's extractor; None without a gate.

    Raises:
        PluginError: There is no such extractor.
        NotAvailable: Its weights are not on this machine.
    """
    gate = None if spec is None else spec.gate
    return None if gate is None else open_extractor(gate.extractor)


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """The gate's extractor, its limits, and the real images it may look at."""

    request: Request
    limits: GateSpec
    extractor: OpenExtractor
    reference: RealImages
    training: Pixels
    """All images that the generator was fitted on, small: copies are looked for among them."""
    training_features: NDArray[np.float32]

    @classmethod
    def open(
        cls, reference: RealImages, request: Request, extractor: OpenExtractor, progress: Progress
    ) -> Gate:
        """Look at the images that the generator was fitted on; the request has a gate."""
        limits, images = request.spec.gate, reference.fitted
        assert limits is not None
        # In parts, since there may be many large ones.
        step = max(1, MOST_BYTES // (3 * request.image.size**2))
        small, features = [], []
        for start in range(0, len(images), step):
            part = images.pixels(range(start, min(start + step, len(images))))
            features.append(extractor.known_features(part, progress))
            small.append(shrunk(part, SMALL))
        training = np.concatenate(small)
        return cls(request, limits, extractor, reference, training, np.concatenate(features))

    def drawn(self, generator: ClassGenerator, label: str) -> ClassImages:
        """The images asked for of a class, single copies replaced by new images.

        Where more are copies than the gate allows, all of them stay: the class fails on them.

        Raises:
            PluginError: The generator failed or broke its contract.
        """
        wanted = self.request.spec.count(label)
        first = draw(generator, label, wanted, self.request)
        rows = self.copied_rows(first.pixels)
        copies = rows >= 0
        first = replace(
            first, copied=first.pixels[copies], copied_rows=tuple(rows[copies].tolist())
        )
        if not copies.any() or copies.mean() > self.limits.copies:
            return first
        found = first.only(~copies)
        for attempt in range(1, ATTEMPTS + 1):
            if lacking := wanted - len(found.pixels):
                more = draw(generator, label, lacking, self.request, attempt)
                found = found.joined(more.only(self.copied_rows(more.pixels) < 0))
        return found

    def copied_rows(self, pixels: Pixels) -> NDArray[np.int64]:
        """For each image the row among those fitted on that it copies, or -1."""
        rows = np.full(len(pixels), -1, np.int64)
        if len(pixels):
            features = self.extractor.features(pixels)
            found = find_copies(self.training, pixels, self.training_features, features)
            for position in found.copies:
                rows[position] = found.nearest[position]
        return rows

    def judged(
        self, batches: Mapping[str, ClassImages], progress: Progress
    ) -> tuple[GateFigures, ...]:
        """Figures per class; where several pass, also over these together.

        Over all of them where none passes; a single class needs no second figures.
        """
        held = {label: self.reference.held(label) for label in batches}
        made = {label: batch.pixels for label, batch in batches.items()}
        worth = downstream_scores(self.reference, made, self.extractor, self.limits.pupil, progress)
        found = []
        with progress.task("Judging images", len(batches)) as advance:
            for label, batch in batches.items():
                found.append(self._class(label, batch, held[label], worth[label]))
                advance(note=label)
        passed = [one.label for one in found if one.passed and one.label is not None]
        labels = passed or [*batches]
        if len(labels) > 1:
            found.append(self._whole(labels, batches, held, worth))
        return tuple(found)

    def _class(
        self, label: str, batch: ClassImages, held: Held, worth: FakesOnly | None
    ) -> GateFigures:
        return self._figures(
            batch.pixels,
            held.pixels,
            label=label,
            drawn=self.request.spec.count(label),
            copies=len(batch.copied_rows),
            held_against=held.rows,
            snapshot=batch.lineage[0].snapshot if batch.lineage else None,
            notes=tuple(f"{label}: {note}" for note in self._notes(label, batch, held)),
            fakes_only=worth,
        )

    def _whole(
        self,
        labels: Sequence[str],
        batches: Mapping[str, ClassImages],
        held: Mapping[str, Held],
        worth: Mapping[str, FakesOnly | None],
    ) -> GateFigures:
        """Over several classes, each with as many synthetic images as real ones."""

        def chosen(pixels: Pixels, n: int, *parts: str) -> Pixels:
            rng = np.random.default_rng(derive(self.request.seed, *parts))
            return pixels[rng.permutation(len(pixels))[:n]]

        real, fake = [], []
        for label in labels:
            n = min(len(held[label].pixels), len(batches[label].pixels))
            real.append(chosen(held[label].pixels, n, "real", label))
            fake.append(chosen(batches[label].pixels, n, "made", label))
        return self._figures(
            np.concatenate(fake),
            np.concatenate(real),
            classes=tuple(labels),
            drawn=sum(map(self.request.spec.count, labels)),
            copies=sum(len(batches[label].copied_rows) for label in labels),
            held_against="; ".join(sorted({held[label].rows for label in labels} - {""})),
            fakes_only=together([one for label in labels if (one := worth[label])]),
        )

    def _figures(
        self, fake: Pixels, real: Pixels, label: str | None = None, **more: Any
    ) -> GateFigures:
        """Distances where there are images enough for them, and the verdict."""
        found: dict[str, Any] = {
            "extractor": str(self.extractor),
            "dimensions": self.extractor.dimensions,
            "size": self.request.image.size,
            "real": len(real),
            "fake": len(fake),
            "unjudged": _too_few(len(real), len(fake)),
        }
        if not found["unjudged"]:
            found |= self._measured(real, fake).table()  # as `leukreg fidelity` does
            found["training"] = len(self.training)
        elif label is not None:
            found["passes_for"] = self._passes_for(label, fake)
        fold, generator = self.request.fold, self.request.spec.generator.name
        one = GateFigures(label=label, fold=fold, generator=generator, **(found | more))
        why = tuple(failed(one, self.limits))
        return replace(one, passed=not why, why=why)

    def _measured(self, real: Pixels, fake: Pixels) -> Fidelity:
        # Copies were looked for when the images were drawn.
        return measure(real, fake, self.extractor, training=real[:0])

    def _passes_for(self, label: str, fake: Pixels) -> PassesFor | None:
        """The class whose real images these are like, where there is one."""
        near: list[tuple[float, str]] = []
        for other in self.reference.fitted.samples.classes if len(fake) >= LEAST_FAKE else ():
            real = self.reference.held(other).pixels
            if other != label and len(real) >= LEAST_REAL:
                ratio = self._measured(real, fake).ratio("kid")
                near += [(ratio, other)] if ratio is not None and ratio <= self.limits.kid else []
        return PassesFor(label=min(near)[1], kid_ratio=min(near)[0]) if near else None

    def _notes(self, label: str, batch: ClassImages, held: Held) -> Iterator[str]:
        if copies := self.reference.copies_of(label):
            are = "1 real image, a copy of another, is" if copies == 1 else ""
            are = are or f"{copies:,} real images, copies of others, are"
            yield f"{are} not looked at: each picture counts once"
        if held.rows in ("training rows", "validation and training rows"):
            lacking = "no" if held.rows == "training rows" else f"fewer than {FEWEST}"
            yield (
                f"{lacking} validation rows; held against training rows too, which the"
                " generator was fitted on: kinder than unseen ones would be"
            )
        if 0 < len(held.pixels) < FEWEST:
            yield (
                f"{len(held.pixels)} real images are too few for {self.extractor.name} to say"
                " much: its figures scatter widely"
            )
        if gone := self.request.spec.count(label) - len(batch.pixels):
            yield f"{gone} copies could not be replaced and are left out"


def _too_few(real: int, fake: int) -> str:
    """Why there are no distances; empty where there are."""
    if real < LEAST_REAL:
        return f"{real or 'no'} real images to hold them against (at least {LEAST_REAL})"
    if fake < LEAST_FAKE:
        return f"{fake} synthetic images are too few to be judged (at least {LEAST_FAKE})"
    return ""


def failed(figures: GateFigures, gate: GateSpec) -> Iterator[str]:
    """Why these figures do not pass; nothing where they do."""
    copies, drawn = figures.copies or 0, figures.drawn or 0
    if copies > gate.copies * drawn:
        share = f"{copies:,} of {drawn:,} ({_percent(copies / drawn)})"
        yield f"{share} copy training images (at most {_p(gate.copies)})"
    ratio, covered = figures.kid_ratio, figures.coverage or 0.0
    if figures.unjudged:
        if gate.unjudged == "fail":
            yield figures.unjudged
        if other := figures.passes_for:
            near = f"KID {times(other.kid_ratio)} the floor of its real images"
            yield f"they pass for {other.label} ({near})"
    elif ratio is None or ratio > gate.kid:
        yield f"KID is {times(ratio)} the floor (at most {gate.kid:g})"
    if covered < gate.coverage and not figures.unjudged:
        yield f"{_percent(covered)} of the real images are covered (at least {_p(gate.coverage)})"
    if (worth := figures.fakes_only) is None:
        return
    if worth.score <= worth.chance:
        chance = f"{worth.score:.3f} where chance is {worth.chance:.3f}"
        yield f"they teach no more than chance ({chance})"
    elif worth.real is not None and worth.score < gate.teaches * worth.real:
        least = f"at least {_p(gate.teaches)} of it"
        yield f"they teach {worth.score:.3f} where real images teach {worth.real:.3f} ({least})"


def in_words(figures: GateFigures) -> str:
    """The figures on one line."""
    parts = []
    if figures.kid_ratio is not None:
        parts.append(f"KID {times(figures.kid_ratio)} the floor")
    if figures.coverage is not None:
        parts.append(f"{_percent(figures.coverage)} of the real images covered")
    parts.append(f"{figures.copies:,} copies among {figures.drawn:,}")
    if worth := figures.fakes_only:
        real = "" if worth.real is None else f" (real images: {worth.real:.2f})"
        whom = "a network " if worth.pupil == "network" else ""
        parts.append(f"teach {whom}{worth.score:.2f}{real}")
    return ", ".join(parts)


def basis(figures: GateFigures) -> str:
    """What the figures rest on: extractor with digest, image size, images of either side."""
    counts = f"{figures.real:,} real, {figures.fake:,} made"
    return f"{figures.extractor}, {figures.size} px, {counts}"


def named(figures: GateFigures) -> str:
    """The class of the figures, or "all classes together"."""
    return "all classes together" if figures.label is None else figures.label


def _labels(figures: GateFigures) -> Sequence[str]:
    return figures.classes if figures.label is None else (figures.label,)


def times(ratio: float | None) -> str:
    """``3.1 times``, ``240 times``; "undefined" where the floor is 0."""
    if ratio is None:
        return "an undefined multiple of"
    return f"{ratio:.1f} times" if ratio < 100 else f"{ratio:,.0f} times"


def _p(share: float) -> str:
    return f"{100 * share:g} %"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
