"""A finished run, read back from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from leukreg.errors import RunError, UnfinishedError
from leukreg.files import is_listed
from leukreg.runs import files, tables
from leukreg.runs.epochs import read_epochs
from leukreg.runs.predictions import read_predictions
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import read_status, refuse_damaged
from leukreg.types import (
    BrokenImage,
    Finding,
    Notice,
    PhaseLog,
    Predictions,
    RunResult,
    Samples,
    Score,
)

T = TypeVar("T")


def read(path: Path) -> RunResult:
    """Everything a finished run left behind; needs no model and no torch.

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
    samples, predictions = read_samples(path), read_predictions(path / "predictions.csv")
    scores = _scores(path / "scores.json", len(predictions.classes))
    pixels, statistics = tables.read_images(path / "images.csv")
    _refuse_foreign(path / "predictions.csv", predictions, samples)
    twins = tables.read_twins(path / "twins.csv")

    def with_groups(rows: Predictions) -> Predictions:
        """Folders of before had no group beside each row; what it follows from, they had."""
        if rows.group is not None:
            return rows
        from leukreg.data.groups import grouped

        return grouped(rows, samples.rows, pixels, twins)

    validation = _validation(path / "validation.csv", samples)
    return RunResult(
        folder=path,
        name=path.resolve().name,
        recipe=_mapping(path / "recipe.json"),
        samples=samples,
        folds=_folds(path / "folds.csv", len(samples)),
        epochs=read_epochs(path / "epochs.csv"),
        phases=parse(path / "phases.json", tuple[PhaseLog, ...]),
        notices=parse(path / "notices.json", tuple[Notice, ...]),
        predictions=with_groups(predictions),
        validation=None if validation is None else with_groups(validation),
        findings=parse(path / "findings.json", tuple[Finding, ...]),
        environment=_mapping(path / "environment.json"),
        facts=_facts(path),
        seconds=status.seconds,
        twins=twins,
        pixels=pixels,
        statistics=statistics,
        **scores,
    )


def unfinished(path: Path, state: str, error: str | None) -> str:
    """What to say of a run that has no result."""
    if state == "failed":
        way = f"leukreg run --resume {path} goes on with it once that is mended outside the recipe"
        return f"{path}: this run failed: {error}\n{way}; a changed recipe needs a new run"
    return f"{path}: this run has not finished; leukreg run --resume {path} goes on if it was ended"


def parse(path: Path, shape: type[T]) -> T:
    """Data of a JSON file in the shape of our types.

    Raises:
        RunError: The file is missing, is no JSON, or has another shape.
    """
    return checked(path, files.read_json(path), shape)


def checked(path: Path, data: Any, shape: type[T]) -> T:
    try:
        return TypeAdapter(shape).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise files.damaged(path, f"{place}: {first['msg']}") from error


def read_samples(path: Path) -> Samples:
    """The data of a run, from ``samples.csv`` and ``classes.json``."""
    about = _mapping(path / "classes.json")
    return Samples(
        rows=tables.read_samples(path / "samples.csv"),
        classes=checked(path / "classes.json", about.get("classes"), tuple[str, ...]),
        broken=checked(path / "classes.json", about.get("broken"), tuple[BrokenImage, ...]),
    )


def _mapping(path: Path) -> Mapping[str, Any]:
    data = files.read_json(path)
    if not isinstance(data, dict):
        raise files.damaged(path, "it is no table of keys and values")
    return data


def _scores(path: Path, classes: int) -> dict[str, Any]:
    data = _mapping(path)
    shape = tuple[tuple[int, ...], ...]
    confusion = checked(path, data.get("confusion"), shape)
    if len(confusion) != classes or any(len(line) != classes for line in confusion):
        raise files.damaged(path, f"its confusion matrix is not {classes} by {classes}")
    return {
        "scores": checked(path, data.get("scores"), tuple[Score, ...]),
        "confusion": confusion,
        "threshold": checked(path, data.get("threshold"), float | None),  # type: ignore[arg-type]
        "threshold_from": data.get("threshold_from"),
    }


def _folds(path: Path, rows: int) -> Any:
    folds = tables.read_folds(path)
    for fold in folds:
        named = (*fold.train, *fold.validation, *fold.test, *fold.replaced)
        if any(not 0 <= row < rows for row in named):
            raise files.damaged(path, f"fold {fold.index} has a row that samples.csv lacks")
    return folds


def _validation(path: Path, samples: Samples) -> Predictions | None:
    if not path.exists() and not is_listed(path):
        return None
    predictions = read_predictions(path)
    _refuse_foreign(path, predictions, samples)
    return predictions


def _refuse_foreign(path: Path, predictions: Predictions, samples: Samples) -> None:
    rows = predictions.row
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(samples)):
        raise files.damaged(path, "it has a row that samples.csv lacks")


def _facts(path: Path) -> dict[str, Any]:
    return {**_mapping(path / "facts.json"), "digests": _mapping(path / "digests.json")}
