"""What stands in which file of a run folder: the record written, and read back.

A field of the record that is not named here is kept in ``facts.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from leukreg.errors import RunError, UnfinishedError
from leukreg.files import is_listed
from leukreg.record import Digests, RunRecord
from leukreg.runs.codec import (
    checked,
    damaged,
    parse,
    plain,
    read_json,
    read_rows,
    read_with_digest,
    with_digest,
    write_json,
    write_rows,
)
from leukreg.runs.patients import read_patients, write_patients
from leukreg.runs.predictions import read_predictions, write_predictions
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import read_status, refuse_damaged
from leukreg.stress_figures import Stress
from leukreg.types import BrokenImage, EpochLog, Fold, Predictions, Sample, Samples

R = TypeVar("R", bound=RunRecord)

WHOLE = ("recipe", "environment", "notices", "phases", "findings")
"""Fields with a JSON file of their name."""
SCORES = ("scores", "confusion", "threshold", "threshold_from")
"""Fields that stand together in ``scores.json``."""
TABLES = (
    "samples",
    "pixels",
    "statistics",
    "near_duplicates",
    "folds",
    "epochs",
    "predictions",
    "validation",
    "patients",
)
"""Fields that are CSV tables; pixels and statistics are one, ``images.csv``."""
LATER = ("stress",)
"""Fields that are measured after the run has finished, each in a file with its own digest."""
STATE = ("folder", "name", "seconds", "digests")
"""Fields that follow from the folder itself, and those in ``status.json`` and ``digests.json``."""


FoldSide = Literal["train", "validation", "test", "replaced"]
"""The fields of a fold that hold rows."""


@dataclass(frozen=True, slots=True)
class _Classes:
    """``classes.json``: class order, unreadable files, and the labels of patients."""

    classes: tuple[str, ...]
    broken: tuple[BrokenImage, ...]
    patient_classes: tuple[str, ...] = ()
    patient_labels: Mapping[str, str] = field(default_factory=dict)
    weak: bool = False


@dataclass(frozen=True, slots=True)
class FoldRow:
    """A line of ``folds.csv``."""

    fold: int
    role: FoldSide
    row: int


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A line of ``images.csv``: digest of the pixels and statistics of a file."""

    id: str
    digest: str | None
    statistics: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TwinRow:
    """A line of ``twins.csv``."""

    id: str
    twin: str


def write_data(path: Path, record: RunRecord) -> None:
    """What a run knows of its data, and how they were split."""
    samples, pixels, statistics = record.samples, record.pixels, record.statistics
    write_rows(path / "samples.csv", Sample, samples.rows, numbered="row")
    about = _Classes(**{one.name: getattr(samples, one.name) for one in fields(_Classes)})
    write_json(path / "classes.json", about, listed=True)
    ids = dict.fromkeys([*pixels, *statistics])
    images = (ImageRow(one, pixels.get(one), statistics.get(one, ())) for one in ids)
    write_rows(path / "images.csv", ImageRow, images)
    write_rows(path / "twins.csv", TwinRow, (TwinRow(*pair) for pair in record.near_duplicates))
    write_folds(path / "folds.csv", record.folds)


def write_record(path: Path, record: RunRecord) -> None:
    """Everything but the state of the run, each file whole or not at all."""
    hints = get_type_hints(type(record))
    write_data(path, record)
    write_rows(path / "epochs.csv", EpochLog, record.epochs)
    write_predictions(path / "predictions.csv", record.predictions)
    if record.validation is None:
        (path / "validation.csv").unlink(missing_ok=True)
    else:
        write_predictions(path / "validation.csv", record.validation)
    for name in WHOLE:
        write_json(path / f"{name}.json", getattr(record, name), listed=True)
    write_scores(path, record)
    write_patients(path, record.patients)
    facts: dict[str, Any] = {}
    for name in _facts(type(record)):
        value = plain(getattr(record, name))
        facts |= value if is_dataclass(hints[name]) else {name: value}
    known = {key: value for key, value in facts.items() if value is not None}
    write_json(path / "facts.json", known, listed=True)


def write_scores(path: Path, record: RunRecord) -> None:
    """``scores.json``: figures, confusion, threshold; and what was scored, for listings."""
    origin = record.predictions.origin
    scores = {name: plain(getattr(record, name)) for name in SCORES}
    scores["scored"] = {one: origin.count(one) for one in sorted(set(origin))}
    write_json(path / "scores.json", scores, listed=True)


def write_folds(path: Path, folds: tuple[Fold, ...]) -> None:
    write_rows(
        path,
        FoldRow,
        (
            FoldRow(fold.index, side, row)
            for fold in folds
            for side in get_args(FoldSide)
            for row in getattr(fold, side)
        ),
    )


def _facts(shape: type[RunRecord]) -> tuple[str, ...]:
    """The fields without a file of their own.

    Those that are a dataclass of their own share one level of keys, as version 0.1 wrote them.
    """
    own = {*WHOLE, *SCORES, *TABLES, *LATER, *STATE}
    return tuple(field.name for field in fields(shape) if field.name not in own)


def read(path: Path) -> RunRecord:
    """The record of a finished run; needs no model and no torch.

    Raises:
        UnfinishedError: The run has no result.
        RunError: The folder is missing or damaged; the message names the file.
    """
    return read_as(path, RunRecord)


def read_as(path: Path, shape: type[R]) -> R:
    """The same with the fields of another record than ours, one that knows more.

    Raises:
        UnfinishedError: The run has no result.
        RunError: The folder is missing or damaged; the message names the file.
    """
    if not (path / STATUS).is_file():
        raise RunError(f"{path}: is no run folder (it has no {STATUS})")
    status = read_status(path)
    if status.state != "finished":
        raise UnfinishedError(unfinished(path, status.state, status.error))
    refuse_damaged(path, status)
    hints = get_type_hints(shape)
    samples = read_samples(path)
    predictions = _read_rows_of(path / "predictions.csv", samples)
    images = read_rows(path / "images.csv", ImageRow)
    validation = path / "validation.csv"
    values = {name: parse(path / f"{name}.json", hints[name]) for name in WHOLE}
    record = shape(
        folder=path,
        name=path.resolve().name,
        seconds=status.seconds,
        digests=parse(path / "digests.json", Digests),
        samples=samples,
        pixels={one.id: one.digest for one in images if one.digest is not None},
        statistics={one.id: one.statistics for one in images if one.statistics},
        near_duplicates=tuple((one.id, one.twin) for one in read_rows(path / "twins.csv", TwinRow)),
        folds=read_folds(path / "folds.csv", len(samples)),
        epochs=read_rows(path / "epochs.csv", EpochLog),
        patients=read_patients(path),
        predictions=predictions,
        validation=_read_rows_of(validation, samples)
        if validation.exists() or is_listed(validation)
        else None,
        **values,
        **_read_scores(path / "scores.json", hints, len(predictions.classes)),
        **facts_of(path / "facts.json", _read_table(path / "facts.json"), shape),
    )
    return _with_groups(_with_stress(record))


def read_facts(path: Path) -> RunRecord:
    """The recipe of a run and what has no file of its own, the least that tells it from others."""
    file = path / "facts.json"
    facts = facts_of(file, _read_table(file), RunRecord)
    recipe = _read_table(path / "recipe.json")
    return RunRecord(folder=path, name=path.name, recipe=recipe, **facts)


STRESS = "stress.json"


def write_stress(folder: Path, stress: Stress) -> None:
    """Keep what was measured on changed images in the folder of a finished run."""
    write_json(folder / STRESS, with_digest(plain(stress)))


def _with_stress(record: R) -> R:
    """The record with what stands in ``stress.json``, and the findings of it."""
    path = record.folder / STRESS
    if not path.is_file():
        return record
    data, whole = read_with_digest(path)
    if not whole:
        raise RunError(
            f"{path} is damaged: it is not as leukreg wrote it; delete it, and leukreg stress "
            "measures again"
        )
    found = checked(path, data, Stress)
    return replace(record, stress=found, findings=(*record.findings, *found.findings))


def unfinished(path: Path, state: str, error: str | None) -> str:
    """What to say of a run that has no result."""
    if state == "failed":
        way = f"leukreg run --resume {path} goes on with it once that is mended outside the recipe"
        return f"{path}: this run failed: {error}\n{way}; a changed recipe needs a new run"
    if state == "stopped":
        return f"{path}: this run was {error}; it is a trial of a search that went on with others"
    return f"{path}: this run has not finished; leukreg run --resume {path} goes on if it was ended"


def read_samples(path: Path) -> Samples:
    """The data of a run, from ``samples.csv`` and ``classes.json``."""
    about = parse(path / "classes.json", _Classes)
    rows = read_rows(path / "samples.csv", Sample, numbered="row")
    found = Samples(rows=rows, **{one.name: getattr(about, one.name) for one in fields(about)})
    for fault in found.patient_faults():
        raise damaged(path / "classes.json", fault)
    return found


def read_folds(path: Path, rows: int) -> tuple[Fold, ...]:
    """The folds of a run with so many rows."""
    sides: dict[int, dict[str, list[int]]] = {}
    for line in read_rows(path, FoldRow):
        if not 0 <= line.row < rows:
            raise damaged(path, f"fold {line.fold} has a row that samples.csv lacks")
        fold = sides.setdefault(line.fold, {side: [] for side in get_args(FoldSide)})
        fold[line.role].append(line.row)
    return tuple(
        Fold(index=index, **{side: tuple(those) for side, those in fold.items()})
        for index, fold in sides.items()
    )


def _read_rows_of(path: Path, samples: Samples) -> Predictions:
    predictions = read_predictions(path)
    rows = predictions.row
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(samples)):
        raise damaged(path, "it has a row that samples.csv lacks")
    return predictions


def _read_table(path: Path) -> dict[str, Any]:
    data = read_json(path)
    if not isinstance(data, dict):
        raise damaged(path, "it is no table of keys and values")
    return data


def _read_scores(path: Path, hints: Mapping[str, Any], classes: int) -> dict[str, Any]:
    data = _read_table(path)
    found = {name: checked(path, data.get(name), hints[name]) for name in SCORES}
    confusion = found["confusion"]
    if len(confusion) != classes or any(len(line) != classes for line in confusion):
        raise damaged(path, f"its confusion matrix is not {classes} by {classes}")
    return found


def facts_of(path: Path, data: Mapping[str, Any], shape: type[RunRecord]) -> dict[str, Any]:
    """The fields of a record that stand in ``facts.json``, from its plain data."""
    hints, found = get_type_hints(shape), {}
    for name in _facts(shape):
        if is_dataclass(hints[name]):
            found[name] = checked(path, data, hints[name])
        elif name in data:
            found[name] = checked(path, data[name], hints[name])
    return found


def _with_groups(record: R) -> R:
    """Folders of before had no group beside each row; what it follows from, they had."""
    if record.predictions.group is not None:
        return record
    from leukreg.data.groups import grouped

    def found(rows: Predictions) -> Predictions:
        return grouped(rows, record.samples.rows, record.pixels, record.near_duplicates)

    validation = record.validation
    return replace(
        record,
        predictions=found(record.predictions),
        validation=None if validation is None else found(validation),
    )
