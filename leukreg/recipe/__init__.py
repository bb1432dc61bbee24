"""Recipes: TOML to a checked :class:`Recipe`, every mistake at once, with file and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt

from leukreg.errors import Problems
from leukreg.recipe import contradictions
from leukreg.recipe.choice import Reader
from leukreg.recipe.contradictions import check_task as check_task
from leukreg.recipe.document import parse_document, read_document
from leukreg.recipe.evaluation import read_audit, read_evaluate
from leukreg.recipe.extends import with_overrides, with_parents
from leukreg.recipe.fallbacks import take_fallbacks as take_fallbacks
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import Document, KeyPath, Mistakes, dotted, suggestion
from leukreg.recipe.model import PhaseSpec
from leukreg.recipe.model import Recipe as Recipe
from leukreg.recipe.options import read_options
from leukreg.recipe.phases import check_name, read_phases
from leukreg.recipe.resolved import has, leaves, resolve, without_none
from leukreg.recipe.sections import (
    optional,
    read_data,
    read_image,
    read_loss,
    read_model,
    read_synthesis,
    read_training,
    table_at,
)
from leukreg.registry import Registry, installed

NEEDED = ("data", "model", "loss", "phase")
TABLES = (
    *NEEDED,
    "image",
    "augmentation",
    "sampler",
    "training",
    "synthesis",
    "evaluate",
    "audit",
    "reported",
    "assumed",
)


@dataclass(frozen=True, kw_only=True)
class TopLevel:
    """The keys above all tables."""

    schema: Literal[1] = 1
    name: str
    title: str = ""
    seed: Annotated[int, Ge(0), Lt(1 << 63)] = 0


def check(
    document: Document, file: str, name: str, registry: Registry, complete: bool = False
) -> Recipe:
    """The recipe that the document says; ``name`` is its name where it says none.

    ``complete``: every default is written out, so a key that stands there was not chosen.

    Raises:
        Problems: All mistakes, each with its place.
    """
    mistakes = Mistakes(document.marks, file)
    reader = Reader(registry, mistakes)
    tree = document.tree
    top = _top(tree, name, reader)
    missing = [key for key in NEEDED if key not in tree]
    for key in missing:
        mistakes.add((key,), "is missing; every recipe needs it")
    if "reported" in tree and len(missing) == len(NEEDED):
        mistakes.add((), "`leukreg audit` reads a file that has published figures and no more")
    tables = _tables(tree, reader)
    _contradictions(tables, {} if complete else tree, mistakes)
    reported = _reported(tree, reader)
    whole = not mistakes.found
    assumed = _assumed(tree, reader)
    if not whole:
        mistakes.stop()
    recipe = Recipe(**vars(top), **tables, reported=reported, assumed=assumed, given=_given(tree))
    recipe = replace(recipe, where={dotted(p): m for p, m in document.marks.items()})
    recipe = replace(recipe, assumed=_known(assumed, recipe, document, file, mistakes))
    mistakes.stop()
    return replace(recipe, resolved=resolve(recipe))


def _top(tree: Mapping[str, Any], name: str, reader: Reader) -> TopLevel | None:
    scalars = {key: value for key, value in tree.items() if key not in TABLES}
    if "name" in tree and isinstance(tree["name"], str):
        check_name(tree["name"], ("name",), reader)
    return read_options(
        TopLevel,
        {"name": name, **scalars},
        (),
        reader.mistakes,
        "a recipe",
        also=(*TABLES, "extends", "replaces"),
    )


def _tables(tree: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """Every table by its field in ``Recipe``; None (or a None phase) where it has mistakes."""
    dropped = {key for key in ("synthesis", "image", "training") if tree.get(key) is False}
    stated = {key: value for key, value in tree.items() if key not in dropped}
    return {
        "data": read_data(stated["data"], reader) if "data" in stated else None,
        "image": read_image(stated.get("image", {}), reader),
        "model": read_model(stated["model"], reader) if "model" in stated else None,
        "loss": read_loss(stated["loss"], reader) if "loss" in stated else None,
        "augmentation": optional("augmentation", tree, (), "augmentation", reader),
        "sampler": reader.choice("sampler", tree.get("sampler", "shuffle"), ("sampler",)),
        "training": read_training(stated.get("training", {}), reader),
        "phases": read_phases(stated["phase"], reader) if "phase" in stated else (),
        "synthesis": read_synthesis(stated["synthesis"], reader) if "synthesis" in stated else None,
        "evaluate": read_evaluate(_or_empty(tree, "evaluate"), reader),
        "audit": read_audit(_or_empty(tree, "audit"), reader),
    }


def _or_empty(tree: Mapping[str, Any], key: str) -> Any:
    value = tree.get(key, False)
    return {} if value is False else value


def _contradictions(tables: dict[str, Any], tree: Mapping[str, Any], mistakes: Mistakes) -> None:
    data, synthesis, evaluate = tables["data"], tables["synthesis"], tables["evaluate"]
    phases: tuple[PhaseSpec | None, ...] = tables["phases"]
    if data is not None:
        stated = tree.get("data", {})
        stated = stated.get("folds", {}) if isinstance(stated, dict) else {}
        contradictions.check_folds(data.folds, stated, mistakes)
        contradictions.check_phases(phases, data.folds, mistakes)
        classes = data.source.options.get("classes")
        if isinstance(classes, Mapping):  # a source that maps its classes has named them all
            contradictions.check_classes(list(classes), evaluate, synthesis, mistakes)
    if evaluate is not None:
        contradictions.check_evaluate(evaluate, _or_empty(tree, "evaluate"), data, mistakes)
    if synthesis is not None:
        contradictions.check_synthesis(synthesis, mistakes)


def _reported(tree: Mapping[str, Any], reader: Reader) -> Mapping[str, Any] | None:
    value = tree.get("reported", False)
    return None if value is False else table_at(value, ("reported",), reader)


def _assumed(tree: Mapping[str, Any], reader: Reader) -> dict[str, str]:
    value = tree.get("assumed", False)
    table = {} if value is False else table_at(value, ("assumed",), reader)
    reasons: dict[str, str] = {}
    for key, reason in (table or {}).items():
        if isinstance(reason, str) and reason.strip():
            reasons[key] = reason
        else:
            message = f"must be the reason for the value, not {show(reason)}"
            reader.mistakes.add(("assumed", key), message)
    return reasons


def _known(
    assumed: Mapping[str, str], recipe: Recipe, document: Document, file: str, mistakes: Mistakes
) -> dict[str, str]:
    """Reasons for keys this recipe has; inherited ones for what it dropped are dropped too."""
    tree = resolve(recipe)
    kept = {key: reason for key, reason in assumed.items() if has(tree, key)}
    for key in assumed:
        path: KeyPath = ("assumed", key)
        if key in kept or mistakes.mark(path).file != file:
            continue
        keys = [dotted(leaf) for leaf, _ in leaves(tree)]
        hint = suggestion(key, keys) if len(keys) else ""
        hint = hint if hint.startswith("did you") else ""
        mistakes.add(path, "is about a key that this recipe does not have", hint, on_value=False)
    return kept


def _given(tree: Mapping[str, Any]) -> frozenset[str]:
    stated = {key: value for key, value in tree.items() if key != "assumed"}
    given = {dotted(path) for path, _ in leaves(stated)}
    return frozenset(given | {f"{key}.use" for key in given})


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
    recipe = check(document, file, "recipe", registry or installed(), complete=True)
    return replace(recipe, path=path)


def _recipe(
    document: Document, path: Path, overrides: Sequence[str], registry: Registry | None
) -> Recipe:
    merged, wrong = with_overrides(with_parents(document, path), overrides)
    name = path.stem if path.stem.isprintable() else "recipe"
    try:
        recipe = check(merged, str(path), name, registry or installed())
    except Problems as error:
        raise Problems([*wrong, *error.problems]) from None
    if wrong:
        raise Problems(wrong)
    return replace(recipe, path=path)
