"""A recipe file to a checked ``Recipe``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import Problems
from leukreg.recipe.check import check
from leukreg.recipe.document import parse_document, read_document
from leukreg.recipe.extend import with_parents
from leukreg.recipe.mark import Document
from leukreg.recipe.override import with_overrides
from leukreg.recipe.resolved import without_none

if TYPE_CHECKING:
    from leukreg.recipe.model import Recipe
    from leukreg.registry import Registry


def load(path: Path, overrides: Sequence[str] = (), registry: Registry | None = None) -> Recipe:
    """Read and check a recipe file, with the files it extends and the overrides of ``--set``.

    Raises:
        Problems: Everything that is wrong with it, each with file and line; nothing was run.
    """
    return _recipe(read_document(path), path, overrides, registry)


def parse(
    content: str | bytes,
    path: Path = Path("recipe.toml"),
    overrides: Sequence[str] = (),
    registry: Registry | None = None,
) -> Recipe:
    """As :func:`load`, of a text; ``path`` names it in messages and is where ``extends`` starts.

    Raises:
        Problems: As :func:`load`.
    """
    return _recipe(parse_document(content, str(path)), path, overrides, registry)


def rebuild(
    resolved: Mapping[str, Any], path: Path | None = None, registry: Registry | None = None
) -> Recipe:
    """The recipe again from its ``resolved`` plain data, as a run folder keeps it.

    Raises:
        Problems: A plugin it names is gone or has other options now.
    """
    file = str(path) if path else "the kept recipe"
    document = Document(without_none(resolved))
    recipe = check(document, file, "recipe", registry or _installed(), complete=True)
    return replace(recipe, path=path)


def _recipe(
    document: Document, path: Path, overrides: Sequence[str], registry: Registry | None
) -> Recipe:
    merged, wrong = with_overrides(with_parents(document, path), overrides)
    name = path.stem if path.stem.isprintable() else "recipe"
    try:
        recipe = check(merged, str(path), name, registry or _installed())
    except Problems as error:
        raise Problems([*wrong, *error.problems]) from None
    if wrong:
        raise Problems(wrong)
    return replace(recipe, path=path)


def _installed() -> Registry:
    from leukreg.registry import installed

    return installed()
