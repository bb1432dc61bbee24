"""What each epoch of training did, as a CSV table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leukreg.runs.cells import cell, number, read_table, sure, write_table
from leukreg.runs.files import damaged
from leukreg.types import EpochLog

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
