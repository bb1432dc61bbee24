"""What stands in a run folder, file by file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from leukreg.errors import RunError, UnfinishedError
from leukreg.files import is_listed
from leukreg.runs import codec, tables
from leukreg.runs.environment import data_digest
from leukreg.runs.predictions import read_predictions
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import read_status, refuse_damaged
from leukreg.runs.tables import read_epochs, write_epochs
from leukreg.types import (
    BrokenImage,
    EpochLog,
    Finding,
    Fold,
    Notice,
    PhaseLog,
    Predictions,
    RunResult,
    Samples,
    Score,
)

if TYPE_CHECKING:
    from leukreg.evaluate.scoring import Scored


class DataImages(Protocol):
    """What a run folder keeps of the opened images (see ``leukreg.data.image_store``)."""

    @property
    def samples(self) -> Samples: ...

    @property
    def digests(self) -> Mapping[str, str]: ...

    @property
    def statistics(self) -> Mapping[str, tuple[float, ...]]: ...

    @property
    def near_duplicates(self) -> tuple[tuple[str, str], ...]: ...


Confusion = tuple[tuple[int, ...], ...]


class Contents:
    """The files of one run folder, each written whole or not at all."""

    path: Path

    def file(self, name: str) -> Path:
        return self.path / name

    def has(self, name: str) -> bool:
        return self.file(name).is_file()

    def write_json(self, name: str, data: Any) -> None:
        codec.write_json(self.file(name), data, listed=True)

    def read_json(self, name: str) -> Any:
        return codec.read_json(self.file(name))

    def write_samples(self, samples: Samples) -> None:
        """``samples.csv``, and ``classes.json`` with class order and unreadable files."""
        tables.write_samples(self.file("samples.csv"), samples.rows)
        broken = [asdict(image) for image in samples.broken]
        self.write_json("classes.json", {"classes": samples.classes, "broken": broken})

    def write_folds(self, folds: tuple[Fold, ...]) -> None:
        tables.write_folds(self.file("folds.csv"), folds)

    def write_epochs(self, epochs: tuple[EpochLog, ...]) -> None:
        write_epochs(self.file("epochs.csv"), epochs)

    def write_phases(self, phases: tuple[PhaseLog, ...]) -> None:
        self.write_json("phases.json", [asdict(phase) for phase in phases])

    def write_notices(self, notices: tuple[Notice, ...]) -> None:
        self.write_json("notices.json", [asdict(notice) for notice in notices])

    def write_findings(self, findings: tuple[Finding, ...]) -> None:
        self.write_json("findings.json", [asdict(finding) for finding in findings])

    def write_digests(self, digests: Mapping[str, Any]) -> None:
        """``digests.json``: ``data`` (see :func:`leukreg.runs.data_digest`), ``weights``, ...

        What it holds already under other names stays.
        """
        before = self.read_json("digests.json") if self.has("digests.json") else {}
        self.write_json("digests.json", {**before, **digests})

    def write_images(
        self,
        pixels: Mapping[str, str],
        statistics: Mapping[str, tuple[float, ...]],
        twins: tuple[tuple[str, str], ...],
    ) -> None:
        """``images.csv`` and ``twins.csv``: what an audit needs to know of the pictures."""
        tables.write_images(self.file("images.csv"), pixels, statistics)
        tables.write_twins(self.file("twins.csv"), twins)

    def keep_data(self, images: DataImages, folds: tuple[Fold, ...]) -> None:
        """Everything the data say of themselves, and how they were split."""
        self.write_samples(images.samples)
        self.write_folds(folds)
        self.write_images(images.digests, images.statistics, images.near_duplicates)
        self.write_digests({"data": data_digest(images.samples, images.digests)})

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        self.write_json("facts.json", facts)

    def write_predictions(self, predictions: Predictions, name: str = "predictions.csv") -> None:
        from leukreg.runs.predictions import write_predictions

        write_predictions(self.file(name), predictions)

    def write_validation(self, predictions: Predictions | None) -> None:
        """``validation.csv``; none where there are no validation rows."""
        if predictions is None:
            self.file("validation.csv").unlink(missing_ok=True)
        else:
            self.write_predictions(predictions, "validation.csv")

    def write_scored(self, scored: Scored) -> None:
        """``predictions.csv`` with decisions, and ``scores.json``."""
        self.write_predictions(scored.predictions)
        self.write_scores(
            scored.scores,
            scored.confusion,
            scored.threshold,
            scored.threshold_from,
            scored.predictions,
        )

    def write_scores(
        self,
        scores: tuple[Score, ...],
        confusion: Confusion,
        threshold: float | None,
        threshold_from: str | None,
        predictions: Predictions,
    ) -> None:
        """``scores.json``: figures, confusion, threshold; and what was scored, for listings."""
        origins = {o: predictions.origin.count(o) for o in sorted(set(predictions.origin))}
        self.write_json(
            "scores.json",
            {
                "scores": [asdict(score) for score in scores],
                "confusion": confusion,
                "threshold": threshold,
                "threshold_from": threshold_from,
                "scored": origins,
            },
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
    return checked(path, codec.read_json(path), shape)


def checked(path: Path, data: Any, shape: type[T]) -> T:
    try:
        return TypeAdapter(shape).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise codec.damaged(path, f"{place}: {first['msg']}") from error


def read_samples(path: Path) -> Samples:
    """The data of a run, from ``samples.csv`` and ``classes.json``."""
    about = _mapping(path / "classes.json")
    return Samples(
        rows=tables.read_samples(path / "samples.csv"),
        classes=checked(path / "classes.json", about.get("classes"), tuple[str, ...]),
        broken=checked(path / "classes.json", about.get("broken"), tuple[BrokenImage, ...]),
    )


def _mapping(path: Path) -> Mapping[str, Any]:
    data = codec.read_json(path)
    if not isinstance(data, dict):
        raise codec.damaged(path, "it is no table of keys and values")
    return data


def _scores(path: Path, classes: int) -> dict[str, Any]:
    data = _mapping(path)
    shape = tuple[tuple[int, ...], ...]
    confusion = checked(path, data.get("confusion"), shape)
    if len(confusion) != classes or any(len(line) != classes for line in confusion):
        raise codec.damaged(path, f"its confusion matrix is not {classes} by {classes}")
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
            raise codec.damaged(path, f"fold {fold.index} has a row that samples.csv lacks")
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
        raise codec.damaged(path, "it has a row that samples.csv lacks")


def _facts(path: Path) -> dict[str, Any]:
    return {**_mapping(path / "facts.json"), "digests": _mapping(path / "digests.json")}
