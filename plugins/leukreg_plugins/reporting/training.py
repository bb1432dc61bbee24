"""What was trained, on what, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leukreg import Environment, RunRecord, Table
from leukreg_plugins.reporting.words import counted, duration, listed, table

FEW = 6
"""Rows of the table above which folds are put together."""


def lines(result: RunRecord) -> Iterator[str]:
    """Model, data, time, versions, one line each."""
    model = _model(result.recipe)
    if model:
        yield model
    yield _data(result)
    images, seconds = sum(e.images for e in result.epochs), sum(e.seconds for e in result.epochs)
    time = f"{duration(result.seconds)} in all"
    if seconds > 0:
        time += f", {duration(seconds)} of it in {counted(len(result.epochs), 'epoch')}"
        time += f" ({images / seconds:,.0f} images a second)"
    yield time + "."
    yield _machine(result.environment)
    assumed = table(result.recipe, "assumed")
    if assumed:
        keys = ", ".join(assumed)
        yield f"Assumed, not stated by the source ({len(assumed)}): {keys}."


def _model(recipe: Mapping[str, Any]) -> str:
    model = table(recipe, "model")
    parts = []
    for key in ("backbone", "attention", "head"):
        part = table(model, key)
        if part.get("use"):
            weights = f" ({part['weights']} weights)" if part.get("weights") else ""
            parts.append(f"{part['use']}{weights}")
    if not parts:
        return ""
    size = table(recipe, "image").get("size")
    text = " + ".join(parts) + (f", {size} px" if size else "")
    loss = table(recipe, "loss").get("use")
    text += f", {loss} loss" if loss else ""
    return text + (f", seed {recipe['seed']}" if "seed" in recipe else "") + "."


def _data(result: RunRecord) -> str:
    broken = len(result.samples.broken)
    text = f"{counted(len(result.samples), 'image')} listed"
    text += f", {broken:,} unreadable and left out" if broken else ""
    sides = []
    for fold in result.folds[:1]:
        sides = [
            f"{len(rows):,} {name}"
            for name, rows in (
                ("training", fold.train),
                ("validation", fold.validation),
                ("test", fold.test),
            )
            if rows
        ]
    where = f"; fold 1 of {len(result.folds)}: " if len(result.folds) > 1 else "; "
    return text + (where + listed(sides) if sides else "") + "."


def _machine(environment: Environment) -> str:
    libraries = environment.libraries
    named = [f"{n} {libraries[n]}" for n in ("leukreg", "torch", "timm") if libraries.get(n)]
    if environment.python:
        named.append(f"Python {environment.python}")
    if environment.git is not None:
        changed = ", with changes" if environment.git.dirty else ""
        named.append(f"git {environment.git.commit[:10]}{changed}")
    return (", ".join(named) or "Versions not recorded") + "."


def phases(result: RunRecord) -> Table:
    """A row per phase: what was trained, for how long, where it was best, why it ended."""
    folds = len({log.fold for log in result.phases})
    if len(result.phases) > FEW and folds > 1:
        return _together(result)
    rows = []
    for log in result.phases:
        rows.append(
            (
                *([str(log.fold + 1)] if folds > 1 else []),
                log.phase,
                f"{log.trainable:,}",
                str(log.epochs),
                str(log.best_epoch),
                _loss(result, log.fold, log.phase, log.best_epoch),
                log.stopped,
            )
        )
    fold = ("fold",) if folds > 1 else ()
    columns = (*fold, "phase", "parameters", "epochs", "best", "its loss", "ended")
    return Table(columns=columns, rows=tuple(rows))


def _together(result: RunRecord) -> Table:
    rows = []
    for phase in dict.fromkeys(log.phase for log in result.phases):
        logs = [log for log in result.phases if log.phase == phase]
        reasons = dict.fromkeys(log.stopped for log in logs)
        rows.append(
            (
                phase,
                _range([log.trainable for log in logs]),
                _range([log.epochs for log in logs]),
                _range([log.best_epoch for log in logs]),
                "; ".join(reasons),
            )
        )
    caption = f"Over {len({log.fold for log in result.phases})} folds."
    columns = ("phase", "parameters", "epochs", "best", "ended")
    return Table(columns=columns, rows=tuple(rows), caption=caption)


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _loss(result: RunRecord, fold: int, phase: str, epoch: int) -> str:
    for log in result.epochs:
        if (log.fold, log.phase, log.epoch) == (fold, phase, epoch):
            known = log.validation_loss is not None
            return f"{log.validation_loss if known else log.train_loss:.4f}"
    return ""
