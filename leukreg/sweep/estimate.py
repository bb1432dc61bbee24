"""What a training is estimated to take: as a known run of its like did, else from one step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import RunError
from leukreg.runs.codec import read_json, read_rows
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import Status, read_status
from leukreg.types import EpochLog

if TYPE_CHECKING:
    from leukreg.engine.unfreeze import PhasePlan
    from leukreg.recipe.model import Recipe

FORWARD = 1 / 3
"""Of the time of a training step, what a pass without gradients takes."""
NEWEST = 100
"""Runs among which one of the same kind is looked for."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of the trainings of a run."""

    seconds: float
    bytes: int
    """Of its models."""
    run: str = ""
    """The known run that it is made from; empty: from a step on noise."""


NONE = Estimate(0.0, 0)


@dataclass(frozen=True, slots=True)
class KnownRun:
    """What a finished run took."""

    name: str
    seconds: float
    """For an image in an epoch, everything from decoding to figures counted in."""
    bytes: float
    """For a fold."""


def known_runs(root: Path) -> dict[str, KnownRun]:
    """The newest finished run below ``root`` of each kind (see :func:`kind_of`)."""
    found: dict[str, KnownRun] = {}
    statuses = sorted(_finished(root), key=lambda one: one[1].started, reverse=True)
    for path, status in statuses[:NEWEST]:
        try:
            recipe = read_json(path / "recipe.json")
            logs = read_rows(path / "epochs.csv", EpochLog)
            kind, epochs = kind_of(recipe), _epochs(recipe)
        except (RunError, KeyError, TypeError):  # of another version, or damaged: no help here
            continue
        rows = {log.fold: log.images for log in reversed(logs)}  # of the first epoch
        models = [one.stat().st_size for one in path.glob("fold-*/model.pt")]
        if kind not in found and rows and models:
            seconds = status.seconds / (sum(rows.values()) * epochs)
            found[kind] = KnownRun(path.name, seconds, sum(models) / len(models))
    return found


def _finished(root: Path) -> Iterator[tuple[Path, Status]]:
    for path in root.glob(f"*/{STATUS}"):
        try:
            status = read_status(path.parent)
        except RunError:
            continue
        if status.state == "finished":
            yield path.parent, status


def kind_of(recipe: Mapping[str, Any]) -> str:
    """What decides how long an image takes, of a resolved recipe: images, network but for its head,
    what happens to images, and which layers are trained."""
    model, evaluate = recipe["model"], recipe["evaluate"]
    parts = [
        *(recipe[key] for key in ("image", "preprocessing", "augmentation", "training")),
        *(model[key] for key in ("backbone", "attention")),
        *(evaluate[key] for key in ("mc_dropout", "tta")),
        recipe["synthesis"],
        recipe["patients"],
        [phase["unfreeze"] for phase in recipe["phase"]],
    ]
    return json.dumps(parts, sort_keys=True, default=str)


def _epochs(recipe: Mapping[str, Any]) -> int:
    return sum(int(phase["epochs"]) for phase in recipe["phase"])


def estimated(
    recipe: Recipe,
    rows: Sequence[int],
    known: Mapping[str, KnownRun],
    phases: Sequence[PhasePlan],
    step: float,
) -> Estimate:
    """What the trainings of a run are to take.

    Args:
        rows: Training rows of each fold.
        known: What runs of before took.
        phases: What each phase would train.
        step: Seconds that a training step on noise took per image.
    """
    like = known.get(kind_of(recipe.resolved))
    if like is not None:
        seconds = sum(rows) * _epochs(recipe.resolved) * like.seconds
        return Estimate(seconds, round(like.bytes * len(rows)), like.name)
    parameters = max((phase.total for phase in phases), default=0)
    seconds = sum(rows) * _passes(recipe, phases) * step
    return Estimate(seconds, 4 * parameters * len(rows))


def _passes(recipe: Recipe, phases: Sequence[PhasePlan]) -> float:
    """Training steps that an image sees, or their like: rough, and on the safe side.

    Frozen layers see each image once in a phase, or once in each kept view of it.
    """
    views = recipe.training.feature_views
    if views is None:
        views = 1 if recipe.augmentation is None else 4
    return sum(
        phase.epochs if phase.unfrozen else FORWARD * (views or phase.epochs) for phase in phases
    )
