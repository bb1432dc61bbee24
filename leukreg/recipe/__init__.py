"""Recipes: TOML to a checked :class:`Recipe`, every mistake at once, with file and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from leukreg.errors import Problems
from leukreg.recipe import contradictions
from leukreg.recipe.contradictions import check_task as check_task
from leukreg.recipe.document import parse_document, read_document
from leukreg.recipe.extends import with_overrides, with_parents
from leukreg.recipe.fallbacks import take_fallbacks as take_fallbacks
from leukreg.recipe.mistakes import Document, Mistakes, dotted, suggestion
from leukreg.recipe.model import Recipe as Recipe
from leukreg.recipe.reader import WRONG, Keys, Reader
from leukreg.recipe.schema import fields_of, has, leaves, without_none
from leukreg.registry import Registry, installed


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
    recipe = checked(document, file, "recipe", registry, complete=True)
    return replace(recipe, path=path)


def _recipe(
    document: Document, path: Path, overrides: Sequence[str], registry: Registry | None
) -> Recipe:
    merged, wrong = with_overrides(with_parents(document, path), overrides)
    name = path.stem if path.stem.isprintable() else "recipe"
    try:
        recipe = checked(merged, str(path), name, registry)
    except Problems as error:
        raise Problems([*wrong, *error.problems]) from None
    if wrong:
        raise Problems(wrong)
    return replace(recipe, path=path)


def checked(
    document: Document, file: str, name: str, registry: Registry | None, complete: bool = False
) -> Recipe:
    """The recipe that the document says; ``name`` is its name where it says none.

    ``complete``: every default is written out, so a key that stands there was not chosen.

    Raises:
        Problems: All mistakes, each with its place.
    """
    mistakes = Mistakes(document.marks, file)
    tree = document.tree
    needed = {field.key for field in fields_of(Recipe) if field.required}
    if "reported" in tree and not needed & tree.keys():
        mistakes.add((), "`leukreg audit` reads a file that has published figures and no more")
    keys = Keys(of="a recipe", beside=("extends", "replaces"))
    parts = Reader(registry or installed(), mistakes).parts(Recipe, tree, (), keys)
    contradictions.check_tables(parts, tree, {} if complete else tree, mistakes)
    if any(one.path[:1] != ("assumed",) for one in mistakes.found):
        mistakes.stop()
    if parts.get("assumed") is WRONG:
        parts["assumed"] = tree["assumed"] if isinstance(tree["assumed"], dict) else {}
    marks = {dotted(path): mark for path, mark in document.marks.items()}
    recipe = Recipe(**{"name": name} | parts, given=_given(tree), where=marks)
    recipe = replace(recipe, assumed=_known_reasons(recipe, file, mistakes))
    mistakes.stop()
    return recipe


def _known_reasons(recipe: Recipe, file: str, mistakes: Mistakes) -> dict[str, str]:
    """Reasons for keys this recipe has; inherited ones for what it dropped are dropped too."""
    tree = {key: value for key, value in recipe.resolved.items() if key != "assumed"}
    kept = {key: reason for key, reason in recipe.assumed.items() if has(tree, key)}
    for key in recipe.assumed:
        if key not in kept and mistakes.mark(("assumed", key)).file == file:
            hint = suggestion(key, [dotted(leaf) for leaf, _ in leaves(tree)])
            hint = hint if hint.startswith("did you") else ""
            message = "is about a key that this recipe does not have"
            mistakes.add(("assumed", key), message, hint, on_value=False)
    return kept


def _given(tree: Mapping[str, Any]) -> frozenset[str]:
    stated = {key: value for key, value in tree.items() if key != "assumed"}
    given = {dotted(path) for path, _ in leaves(stated)}
    return frozenset(given | {f"{key}.use" for key in given})
