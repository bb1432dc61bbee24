"""What stands in a run folder, file by file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from leukreg.runs import files, tables
from leukreg.runs.digests import data_digest
from leukreg.runs.epochs import write_epochs
from leukreg.types import EpochLog, Finding, Fold, Notice, PhaseLog, Predictions, Samples, Score

if TYPE_CHECKING:
    from leukreg.evaluate.scored import Scored


class DataImages(Protocol):
    """What a run folder keeps of the opened images (see ``leukreg.data.images``)."""

    @property
    def samples(self) -> Samples: ...

    @property
    def digests(self) -> Mapping[str, str]: ...

    @property
    def statistics(self) -> Mapping[str, tuple[float, ...]]: ...

    def twins(self) -> tuple[tuple[str, str], ...]: ...


Confusion = tuple[tuple[int, ...], ...]


class Contents:
    """The files of one run folder, each written whole or not at all."""

    path: Path

    def file(self, name: str) -> Path:
        return self.path / name

    def has(self, name: str) -> bool:
        return self.file(name).is_file()

    def write_json(self, name: str, data: Any) -> None:
        files.write_json(self.file(name), data, listed=True)

    def read_json(self, name: str) -> Any:
        return files.read_json(self.file(name))

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
        self.write_images(images.digests, images.statistics, images.twins())
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
