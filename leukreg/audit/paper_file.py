"""The file of a published table: a paper's, or a recipe that states figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leukreg.audit.published_table import KEYS, KeyPath, Place, Reported
from leukreg.errors import Problem, Problems

if TYPE_CHECKING:
    from leukreg.recipe.mistakes import Document, Mark
    from leukreg.recipe.model import Recipe


RECIPE_KEYS = frozenset(
    {"data", "model", "loss", "phase", "augmentation", "sampler", "training"}
    | {"synthesis", "evaluate", "extends"}
)
"""A file with one of these is a recipe."""
BESIDE = frozenset({"reported", "schema", "name", "title", "assumed", "source", "verdict"})
"""Keys that may stand beside a paper's ``[reported]`` table."""


def is_paper(text: str) -> bool:
    """Whether a text is TOML with published figures, whatever is wrong with it."""
    import tomllib

    if re.search(r"^\s*\[\[?reported\b", text, re.MULTILINE):
        return True
    try:
        return bool(tomllib.loads(text).keys() & set(KEYS))
    except (ValueError, RecursionError):
        return False


def paper_of(document: Document, file: str) -> tuple[Mapping[str, Any], ...] | None:
    """The tables of figures that a TOML file holds, checked; None where it is a recipe.

    The figures stand under ``[reported]`` (``[[reported]]`` for several models or data sets), or as
    the file's own keys.

    Raises:
        Problems: It holds neither figures nor a recipe, or keys of other kinds beside figures, or
            they cannot be read.
    """
    tree: Mapping[str, Any] = document.tree
    if RECIPE_KEYS & tree.keys():
        return None
    place = _placed(document.marks, ("reported",) if "reported" in tree else ())
    if "reported" in tree:
        stated: Any = tree["reported"]
        outside = _placed(document.marks, ())
        message = "{}: belongs to no paper; figures stand under [reported]"
        others = [Problem(message.format(k), *outside((k,))) for k in tree if k not in BESIDE]
        if others:
            raise Problems(others, "nothing was checked.")
    elif tree.keys() & set(KEYS):
        stated = {key: value for key, value in tree.items() if key != "schema"}
    else:
        message = "holds neither published figures (a table [reported]) nor a recipe"
        raise Problems([Problem(message, file)], "nothing was checked.")
    Reported.read_all(stated, place)
    return tuple(stated) if isinstance(stated, list) else (stated,)


def reported_of(recipe: Recipe) -> tuple[Reported, ...]:
    """The published figures that a recipe states.

    Raises:
        Problems: They cannot be read, each mistake with its place.
    """
    from leukreg.recipe.mistakes import dotted

    if not recipe.reported:
        return ()
    where = ("reported",)
    return Reported.read_all(recipe.reported, lambda path: recipe.place(dotted((*where, *path))))


def _placed(marks: Mapping[KeyPath, Mark], prefix: KeyPath) -> Place:
    """Places by the marks of a document; a key without one has that of the table it stands in."""

    def place(path: KeyPath) -> tuple[str | None, str | None]:
        full = (*prefix, *path)
        while full and full not in marks:
            full = full[:-1]
        mark = marks.get(full)
        return (None, None) if mark is None else (mark.where, mark.excerpt(on_value=True))

    return place
