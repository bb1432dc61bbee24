"""What is known of patients as files: of a fold while it runs, and of the run."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from leukreg.files import is_listed
from leukreg.patient_results import (
    AggregatorTraining,
    DecidingCell,
    FoldPatients,
    PatientResults,
)
from leukreg.runs.codec import checked, damaged, parse, plain, read_json, write_json
from leukreg.runs.predictions import read_predictions, write_predictions
from leukreg.types import Predictions

ROWS, HELD, REST = "patients.csv", "patients-validation.csv", "patients.json"
"""The scored patients, the validation patients, and everything else."""
TABLES = ("predictions", "validation")


@dataclass(frozen=True, slots=True)
class _FoldRest:
    cells: tuple[DecidingCell, ...]
    training: AggregatorTraining


def write_fold_patients(place: Path, found: FoldPatients) -> None:
    """Into the fold's folder; what is written last says that all is there."""
    _write_tables(place, found.scored, found.validation)
    write_json(place / REST, _FoldRest(found.cells, found.training), listed=True)


def read_fold_patients(place: Path) -> FoldPatients | None:
    """What :func:`write_fold_patients` wrote; None where it has not come that far.

    Raises:
        RunError: A file is damaged.
    """
    if not (place / REST).is_file():
        return None
    rest = parse(place / REST, _FoldRest)
    scored, validation = _read_tables(place)
    return FoldPatients(
        scored=scored, validation=validation, cells=rest.cells, training=rest.training
    )


def write_patients(path: Path, found: PatientResults | None) -> None:
    """Into the run folder; nothing of patients stays there where nothing is known of them."""
    if found is None:
        for name in (ROWS, HELD, REST):
            (path / name).unlink(missing_ok=True)
        return
    _write_tables(path, found.predictions, found.validation)
    rest = {name: plain(getattr(found, name)) for name in _rest()}
    write_json(path / REST, rest, listed=True)


def read_patients(path: Path) -> PatientResults | None:
    """What :func:`write_patients` wrote; None where the run has no answers about patients.

    Raises:
        RunError: A file is missing or damaged.
    """
    if not (path / REST).exists() and not is_listed(path / REST):
        return None
    data, hints = read_json(path / REST), get_type_hints(PatientResults)
    if not isinstance(data, dict):
        raise damaged(path / REST, "it is no table of keys and values")
    rest: dict[str, Any] = {
        name: checked(path / REST, data.get(name), hints[name]) for name in _rest()
    }
    predictions, validation = _read_tables(path)
    return PatientResults(predictions=predictions, validation=validation, **rest)


def _rest() -> list[str]:
    return [field.name for field in fields(PatientResults) if field.name not in TABLES]


def _write_tables(path: Path, scored: Predictions, validation: Predictions | None) -> None:
    write_predictions(path / ROWS, scored)
    if validation is None:
        (path / HELD).unlink(missing_ok=True)
    else:
        write_predictions(path / HELD, validation)


def _read_tables(path: Path) -> tuple[Predictions, Predictions | None]:
    held = path / HELD
    there = held.exists() or is_listed(held)
    return read_predictions(path / ROWS), read_predictions(held) if there else None
