"""The positive class of a task of two: the one that thresholds and some losses are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEY = "evaluate.positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Positive:
    """Which of two classes is the positive one, and whether anybody said so."""

    name: str
    other: str
    stated: bool
    """False: it is the second name, a guess."""

    def says(self) -> str:
        """One line for whoever looks at the figures."""
        if self.stated:
            return f"{self.name} (the recipe says so)"
        return (
            f"{self.name}, a guess (the second by name); "
            f"the recipe should say it: {line(self.other, self.name)}"
        )


def line(*names: str) -> str:
    """What to write in a recipe: ``evaluate.positive = "ALL"``, or the other."""
    quoted = [f'"{name}"' for name in names]
    return f"{KEY} = {quoted[0]}" + "".join(f" or {KEY} = {name}" for name in quoted[1:])


def positive_of(classes: Sequence[str], named: str | None) -> Positive | None:
    """The positive class; None unless there are two classes."""
    if len(classes) != 2:
        return None
    stated = named in classes
    name = str(named) if stated else classes[1]
    other = classes[1] if name == classes[0] else classes[0]
    return Positive(name=name, other=other, stated=stated)


def positive_in(recipe: Mapping[str, Any], classes: Sequence[str]) -> Positive | None:
    """The same from a recipe as plain data, as a run keeps it."""
    evaluate = recipe.get("evaluate")
    named = evaluate.get("positive") if isinstance(evaluate, Mapping) else None
    return positive_of(classes, named)
