"""Where a run stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from leukreg.errors import RunError
from leukreg.runs.files import damaged, read_json, write_json

FILE = "status.json"
State = Literal["running", "finished", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``status.json``."""

    state: State
    recipe: str
    """The recipe's name."""
    started: str
    """Local time with offset, ISO 8601."""
    ended: str | None = None
    seconds: float = 0.0
    """Working time so far, resumed stretches added up."""
    error: str | None = None
    process: int | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    """Lines of every table of a finished run: one that was cut off later is noticed."""


def count_lines(folder: Path) -> dict[str, int]:
    """Lines of every CSV table in a run folder."""
    return {path.name: path.read_bytes().count(b"\n") for path in sorted(folder.glob("*.csv"))}


def refuse_cut_off(folder: Path, status: Status) -> None:
    """Compare tables with what was noted when the run finished.

    Raises:
        RunError: A table is missing or has another number of lines, naming it.
    """
    found = count_lines(folder)
    for name, lines in status.lines.items():
        if name not in found:
            raise RunError(f"{folder / name}: is missing; the run folder is incomplete")
        if found[name] != lines:
            raise damaged(folder / name, f"has {found[name]} lines, not {lines}")


def now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def begun(recipe: str) -> Status:
    return Status(state="running", recipe=recipe, started=now(), process=os.getpid())


def write_status(folder: Path, status: Status) -> None:
    write_json(folder / FILE, asdict(status))


def read_status(folder: Path) -> Status:
    """Read ``status.json``.

    Raises:
        RunError: The file is missing or damaged.
    """
    path = folder / FILE
    data = read_json(path)
    known = {each.name for each in fields(Status)}
    if not isinstance(data, dict) or data.get("state") not in get_args(State):
        raise damaged(path, "says no known state")
    if not isinstance(data.get("started"), str) or not isinstance(data.get("recipe"), str):
        raise damaged(path, "says neither recipe nor start")
    if not isinstance(data.get("lines", {}), dict):
        raise damaged(path, "lines is no table")
    return Status(**{name: value for name, value in data.items() if name in known})
