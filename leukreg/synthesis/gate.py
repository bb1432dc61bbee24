"""The gate: which synthetic rows a classifier may see, and what is said of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leukreg.errors import GateError
from leukreg.progress import Progress
from leukreg.synthesis.limits import in_words
from leukreg.types import Sample

if TYPE_CHECKING:
    from leukreg.recipe.model import GateSpec
    from leukreg.synthesis.keep import Figures, Made
    from leukreg.synthesis.request import Request


DONE = {
    "leave-out": "left out",
    "stop": "the run stops",
    "keep": "kept all the same",
}
"""What becomes of images that fail."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The rows that enter training, and the figures with what became of each class."""

    rows: tuple[Sample, ...]
    figures: tuple[Figures, ...]


def admit(made: Made, request: Request, progress: Progress, closing: str = "") -> Admitted:
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


def _left_out(figures: tuple[Figures, ...]) -> set[str]:
    """Classes that fail by themselves, and all of a whole that fails."""
    out: set[str] = set()
    for table in figures:
        if not table["passed"]:
            out.update([table["class"]] if "class" in table else table["classes"])
    return out


def _entered(table: Figures, rows: tuple[Sample, ...]) -> Figures:
    labels = [table["class"]] if "class" in table else table["classes"]
    return {**table, "entered": sum(row.label in labels for row in rows)}


def _sentence(table: Figures, request: Request, gate: GateSpec) -> str:
    head = f"{request.where}, {named(table)}: {table['fake']:,} images by {table['generator']}"
    if table["passed"]:
        return f"{head} pass the gate: {in_words(table)} ({basis(table)})"
    return f"! {head} FAIL the gate, {DONE[gate.fails]}: {'; '.join(table['why'])} ({basis(table)})"


def _stopped(bad: list[Figures], request: Request, closing: str) -> str:
    lines = [f"  {named(table)}: {'; '.join(table['why'])}" for table in bad]
    return "\n".join(
        [
            f'synthetic images failed their gate, {request.where} (synthesis.gate.fails = "stop"):',
            *lines,
            closing,
        ]
    )


def basis(table: Figures) -> str:
    """What the figures rest on: extractor with digest, image size, images of either side."""
    counts = f"{table['real']:,} real, {table['fake']:,} made"
    return f"{table['extractor']}, {table['size']} px, {counts}"


def named(table: Figures) -> str:
    """The class of a table, or "all classes together"."""
    return str(table["class"]) if "class" in table else "all classes together"
