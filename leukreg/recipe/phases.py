"""``[[phase]]``: the phases of training, in their order."""

from __future__ import annotations

from typing import Any

from leukreg.recipe.choice import Reader
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import KeyPath
from leukreg.recipe.model import PhaseSpec
from leukreg.recipe.sections import optional, required, rest_of, table_at

_PLUGINS = ("optimizer", "schedule")


def read_phases(value: Any, reader: Reader) -> tuple[PhaseSpec | None, ...]:
    """One entry per ``[[phase]]``; None where it has mistakes."""
    if not isinstance(value, list) or not value:
        message = "must be one or more [[phase]] tables"
        found = "" if value == [] else f", not {show(value)}"
        reader.mistakes.add(("phase",), message + found, on_value=False)
        return ()
    phases = tuple(_read_phase(item, ("phase", n), reader) for n, item in enumerate(value))
    _check_names([item.get("name") if isinstance(item, dict) else None for item in value], reader)
    return phases


def _read_phase(value: Any, path: KeyPath, reader: Reader) -> PhaseSpec | None:
    table = table_at(value, path, reader)
    if table is None:
        return None
    optimizer = required("optimizer", table, path, "optimizer", reader)
    schedule = optional("schedule", table, path, "schedule", reader)
    core = {key: item for key, item in table.items() if key not in _PLUGINS}
    rest = rest_of(PhaseSpec, core, path, reader, _PLUGINS)
    if rest is not None:
        _check_unfreeze(rest["unfreeze"], path, reader)
    if optimizer is None or rest is None:
        return None
    return PhaseSpec(optimizer=optimizer, schedule=schedule, **rest)


def _check_unfreeze(unfreeze: int | float | str, path: KeyPath, reader: Reader) -> None:
    """An integer counts stages, a float is a share: their ranges differ."""
    wrong = ""
    if isinstance(unfreeze, int) and unfreeze < 0:
        wrong = "a number of stages is at least 0"
    if isinstance(unfreeze, float) and not 0 <= unfreeze <= 1:
        wrong = "a share of the layers is between 0 and 1; a number of stages has no point"
    if wrong:
        reader.mistakes.add((*path, "unfreeze"), f"must not be {show(unfreeze)}: {wrong}")


def _check_names(names: list[Any], reader: Reader) -> None:
    for number, name in enumerate(names):
        if not isinstance(name, str):
            continue
        path: KeyPath = ("phase", number, "name")
        check_name(name, path, reader)
        if name in names[:number]:
            first = names.index(name)
            message = f"{show(name)} is already the name of phase.{first}; each needs its own"
            reader.mistakes.add(path, message)


def check_name(name: str, path: KeyPath, reader: Reader) -> None:
    """Names become parts of file names: no separators, nothing invisible."""
    visible = name.isprintable() and name.strip() == name and len(name) <= 100
    if not name or not visible or name.startswith(".") or set(name) & set('/\\:*?"<>|'):
        message = f"{show(name)} is no name for files: use letters, digits, spaces, - and _"
        reader.mistakes.add(path, message)
