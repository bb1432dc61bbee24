"""What a table says of synthetic images: their origin and lineage, as `leukreg synthesize` does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from leukreg import Lineage, Origin, as_cell, from_cell

SIGN = ("origin", "generator")
"""Columns that make a table one that knows of synthetic images; either alone may mean anything."""
LINEAGE = ("seed", "fold", "parent", "parent_label", "snapshot", "condition")


def lineage_columns(there: Sequence[str], taken: Mapping[str, str]) -> dict[str, str]:
    """The columns of origin and lineage, by key; empty where the table does not know of them.

    Args:
        taken: Columns that mean something else already.
    """
    free = [name for name in there if name not in taken.values()]
    if not all(name in free for name in SIGN):
        return {}
    return {name: name for name in (*SIGN, *LINEAGE) if name in free}


def own_text(cell: str) -> str:
    """The text of a cell of a table that leukreg made; one that it would not write stays."""
    try:
        text = from_cell(cell)
    except ValueError:
        return cell
    return text if as_cell(text) == cell else cell


def lineage_faults(cell: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a row's origin and lineage."""
    origin = cell.get("origin", "")
    if origin and origin not in get_args(Origin):
        yield f"origin {origin!r} is none of {', '.join(get_args(Origin))}"
    if (origin == "synthetic") != bool(cell.get("generator")):
        yield "a synthetic image names its generator, and no other image does"
        return
    if origin != "synthetic":
        return
    for key in ("seed", "fold"):
        if (text := cell.get(key, "")) and not text.lstrip("-").isdecimal():
            yield f"the {key} {text!r} is no whole number"
    if not isinstance(_condition(cell), dict):
        yield f"the condition {cell['condition']!r} is no table in JSON"


def origin_of(cell: Mapping[str, str]) -> dict[str, Any]:
    """Origin and lineage of a sample, as its fields; empty for one that says nothing."""
    origin = cell.get("origin", "")
    if origin != "synthetic":
        return {"origin": origin} if origin else {}
    lineage = Lineage(
        generator=cell["generator"],
        seed=int(cell.get("seed") or 0),
        fold=int(cell["fold"]) if cell.get("fold") else None,
        parent=cell.get("parent") or None,
        parent_label=cell.get("parent_label") or None,
        snapshot=cell.get("snapshot") or None,
        condition={str(key): str(value) for key, value in _condition(cell).items()},
    )
    return {"origin": origin, "lineage": lineage}


def _condition(cell: Mapping[str, str]) -> Any:
    try:
        return json.loads(cell.get("condition") or "{}")
    except ValueError:
        return None
