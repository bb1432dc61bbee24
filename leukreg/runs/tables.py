"""Samples, folds, epochs and what is known of the pictures, as CSV tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from leukreg.runs.codec import cell, damaged, number, read_table, sure, text, write_table
from leukreg.types import EpochLog, Fold, Lineage, Origin, Role, Sample

SAMPLES = (
    "row",
    "id",
    "path",
    "label",
    "patient",
    "split",
    "origin",
    "generator",
    "seed",
    "fold",
    "parent",
    "parent_label",
    "snapshot",
    "condition",
)
FOLDS = ("fold", "role", "row")
IMAGES = ("id", "digest", "statistics")
_ROLES: tuple[str, ...] = get_args(Role)
_SIDES = (*_ROLES, "replaced")
"""The fields of a fold that hold rows."""
_ORIGINS: tuple[str, ...] = get_args(Origin)
TWINS = ("id", "twin")


def write_samples(path: Path, rows: tuple[Sample, ...]) -> None:
    write_table(path, SAMPLES, (_sample_cells(i, sample) for i, sample in enumerate(rows)))


def _sample_cells(row: int, sample: Sample) -> list[str]:
    head = [sample.id, sample.path, sample.label, sample.patient, sample.split, sample.origin]
    lineage = sample.lineage
    cells = [str(row), *map(cell, head)]
    if lineage is None:
        return [*cells, *[""] * 7]
    fold = "" if lineage.fold is None else str(lineage.fold)
    condition = json.dumps(dict(lineage.condition)) if lineage.condition else ""
    origin = [cell(lineage.parent), cell(lineage.parent_label), cell(lineage.snapshot)]
    return [*cells, cell(lineage.generator), str(lineage.seed), fold, *origin, condition]


def read_samples(path: Path) -> tuple[Sample, ...]:
    _, lines = read_table(path, SAMPLES)
    rows = []
    for place, line in enumerate(lines):
        try:
            rows.append(_sample(place, line))
        except (ValueError, RecursionError) as error:
            raise damaged(path, f"line {place + 2}: {error}") from error
    return tuple(rows)


def _sample(place: int, line: list[str]) -> Sample:
    if int(line[0]) != place:
        raise ValueError(f"row {line[0]} stands where row {place} should")
    split = text(line[5])
    if split is not None and split not in _ROLES:
        raise ValueError(f"no side of a split: {split!r}")
    return Sample(
        id=sure(line[1]),
        path=sure(line[2]),
        label=sure(line[3]),
        patient=text(line[4]),
        split=cast("Role | None", split),
        origin=origin(line[6]),
        lineage=None if line[7] == "" else _lineage(line[7:]),
    )


def _lineage(cells: list[str]) -> Lineage:
    generator, seed, fold, parent, parent_label, snapshot, condition = cells
    return Lineage(
        generator=sure(generator),
        seed=int(seed),
        fold=int(fold) if fold else None,
        parent=text(parent),
        parent_label=text(parent_label),
        snapshot=text(snapshot),
        condition=json.loads(condition) if condition else {},
    )


def origin(value: str) -> Origin:
    if value not in _ORIGINS:
        raise ValueError(f"no origin of an image: {value!r}")
    return cast("Origin", value)


def write_folds(path: Path, folds: tuple[Fold, ...]) -> None:
    write_table(
        path,
        FOLDS,
        (
            (str(fold.index), role, str(row))
            for fold in folds
            for role in _SIDES
            for row in getattr(fold, role)
        ),
    )


def read_folds(path: Path) -> tuple[Fold, ...]:
    _, lines = read_table(path, FOLDS)
    sides: dict[tuple[str, str], list[int]] = {}
    try:
        for fold, role, row in lines:
            side = sides.get((fold, role))
            if side is None:
                side = sides[_fold_number(fold), role] = []
            side.append(int(row))
    except ValueError as error:
        raise damaged(path, str(error)) from error
    unknown = {role for _, role in sides} - set(_SIDES)
    if unknown:
        raise damaged(path, f"no side of a split: {', '.join(sorted(unknown))}")
    return tuple(
        Fold(index=int(fold), **{role: tuple(sides.get((fold, role), ())) for role in _SIDES})
        for fold in dict.fromkeys(fold for fold, _ in sides)
    )


def _fold_number(text: str) -> str:
    if text != str(int(text)):
        raise ValueError(f"no fold: {text!r}")
    return text


def write_images(
    path: Path, pixels: Mapping[str, str], statistics: Mapping[str, tuple[float, ...]]
) -> None:
    """Digest of the pixels and statistics (see ``Evidence``) by file id."""
    ids = dict.fromkeys([*pixels, *statistics])
    rows = (
        (cell(name), cell(pixels.get(name)), " ".join(map(number, statistics.get(name, ()))))
        for name in ids
    )
    write_table(path, IMAGES, rows)


def read_images(path: Path) -> tuple[dict[str, str], dict[str, tuple[float, ...]]]:
    _, lines = read_table(path, IMAGES)
    pixels: dict[str, str] = {}
    statistics: dict[str, tuple[float, ...]] = {}
    for place, (name, digest, figures) in enumerate(lines, start=2):
        try:
            if digest:
                pixels[sure(name)] = sure(digest)
            if figures:
                statistics[sure(name)] = tuple(map(float, figures.split()))
        except ValueError as error:
            raise damaged(path, f"line {place}: {error}") from error
    return pixels, statistics


def write_twins(path: Path, twins: tuple[tuple[str, str], ...]) -> None:
    write_table(path, TWINS, ((cell(first), cell(second)) for first, second in twins))


def read_twins(path: Path) -> tuple[tuple[str, str], ...]:
    _, lines = read_table(path, TWINS)
    try:
        return tuple((sure(first), sure(second)) for first, second in lines)
    except ValueError as error:
        raise damaged(path, str(error)) from error


EPOCHS = (
    "fold",
    "phase",
    "epoch",
    "lr",
    "train_loss",
    "validation_loss",
    "validation_accuracy",
    "seconds",
    "images",
)


def write_epochs(path: Path, epochs: tuple[EpochLog, ...]) -> None:
    write_table(path, EPOCHS, map(_epoch_cells, epochs))


def _epoch_cells(log: EpochLog) -> list[str]:
    return [
        str(log.fold),
        cell(log.phase),
        str(log.epoch),
        " ".join(map(number, log.lr)),
        number(log.train_loss),
        number(log.validation_loss),
        number(log.validation_accuracy),
        number(log.seconds),
        str(log.images),
    ]


def read_epochs(path: Path) -> tuple[EpochLog, ...]:
    _, lines = read_table(path, EPOCHS)
    logs = []
    for place, line in enumerate(lines, start=2):
        try:
            logs.append(_epoch(line))
        except ValueError as error:
            raise damaged(path, f"line {place}: {error}") from error
    return tuple(logs)


def _epoch(line: list[str]) -> EpochLog:
    fold, phase, epoch, lr, train, loss, accuracy, seconds, images = line
    optional: Any = [float(value) if value else None for value in (loss, accuracy)]
    return EpochLog(
        fold=int(fold),
        phase=sure(phase),
        epoch=int(epoch),
        lr=tuple(map(float, lr.split())),
        train_loss=float(train),
        validation_loss=optional[0],
        validation_accuracy=optional[1],
        seconds=float(seconds),
        images=int(images),
    )
