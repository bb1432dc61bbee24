"""A published table in a file of its own: anyone can check a paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leukreg.audit.reported import KEYS, KeyPath, Place, Reported, read_reported
from leukreg.errors import Problem, Problems
from leukreg.recipe.mark import dotted

if TYPE_CHECKING:
    from leukreg.recipe.mark import Document, Mark
    from leukreg.recipe.model import Recipe

RECIPE_KEYS = frozenset(
    {"data", "model", "loss", "phase", "augmentation", "sampler", "training"}
    | {"synthesis", "evaluate", "extends"}
)
"""A file with one of these is a recipe."""
BESIDE = frozenset({"reported", "schema", "name", "title", "assumed"})
"""Keys that may stand beside a paper's ``[reported]`` table."""


@dataclass(frozen=True, slots=True)
class Paper:
    """The figures of a file without a recipe, and where each of them stands."""

    reported: Mapping[str, Any]
    place: Place


def paper_of(document: Document, file: str) -> Paper | None:
    """The paper that a TOML file holds; None where it is a recipe.

    The figures stand under ``[reported]``, or as the file's own keys.

    Raises:
        Problems: It holds neither figures nor a recipe, or figures and keys of other kinds.
    """
    tree = document.tree
    if RECIPE_KEYS & tree.keys():
        return None
    own = "reported" not in tree
    if own and not tree.keys() & set(KEYS):
        message = "holds neither published figures (a table [reported]) nor a recipe"
        raise Problems([Problem(message, file)], "nothing was checked.")
    table = {k: v for k, v in tree.items() if k != "schema"} if own else tree["reported"]
    if not isinstance(table, Mapping):
        message = "reported: must be a table of figures"
        raise Problems([Problem(message, *_shown(document.marks.get(("reported",))))])
    strangers = [] if own else [k for k in tree if k not in BESIDE]
    if strangers:
        problems = [
            Problem(f"{k}: belongs to no paper; figures stand under [reported]",
                    *_shown(document.marks.get((k,))))
            for k in strangers
        ]  # fmt: skip
        raise Problems(problems, "nothing was checked.")
    prefix: KeyPath = () if own else ("reported",)
    return Paper(table, marked(document.marks, prefix))


def reported_of(recipe: Recipe) -> Reported | None:
    """The published figures that a recipe states; None where it states none.

    Raises:
        Problems: They cannot be read, each mistake with its place.
    """
    if not recipe.reported:
        return None
    return read_reported(recipe.reported, lambda path: recipe.place(dotted(("reported", *path))))


def marked(marks: Mapping[KeyPath, Mark], prefix: KeyPath) -> Place:
    """Places by the marks of a document; a key without one has that of the table it stands in."""

    def place(path: KeyPath) -> tuple[str | None, str | None]:
        full = (*prefix, *path)
        while full and full not in marks:
            full = full[:-1]
        return _shown(marks.get(full))

    return place


def _shown(mark: Mark | None) -> tuple[str | None, str | None]:
    return (None, None) if mark is None else (mark.where, mark.excerpt(on_value=True))
