"""A merged document to a ``Recipe``: everything is checked, every mistake is kept, then shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt

from leukreg.recipe import contradictions
from leukreg.recipe.choice import Reader
from leukreg.recipe.evaluation import read_audit, read_evaluate
from leukreg.recipe.mark import Document, KeyPath, dotted
from leukreg.recipe.mistakes import Mistakes, suggestion
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.recipe.options import read_options
from leukreg.recipe.phases import check_name, read_phases
from leukreg.recipe.resolved import has, leaves, resolve
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
from leukreg.recipe.words import show
from leukreg.registry import Registry

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
