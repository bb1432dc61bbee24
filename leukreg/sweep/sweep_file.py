"""``SWEEP.toml``: recipes, what is varied in them, and seeds; read and checked whole.

Each variation is a recipe with some keys set as ``--set`` sets them, so that whatever a recipe may
say can be varied, and a mistake reads as it does there. Of a search the variations that stand here
are the corners of its space, by which it is checked before it begins.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from leukreg.errors import Problem, Problems
from leukreg.recipe.document import read_document
from leukreg.recipe.extends import split
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import Document, KeyPath, Mistakes, dotted, undotted
from leukreg.recipe.model import FileName
from leukreg.recipe.reader import WRONG, Keys, Reader
from leukreg.recipe.reference import toml
from leukreg.recipe.schema import Called, Plugin, fields_of
from leukreg.registry import installed
from leukreg.registry.plugin_call import Choice
from leukreg.sweep.pruning import Pruner
from leukreg.sweep.search_space import Axis, Range, shown, spread

MOST_CORNERS = 1024
"""Corners of a search's space that are checked; of more, as many spread over them."""
MOST_SEEDS = 10_000


@dataclass(frozen=True, kw_only=True)
class CaseSpec:
    """``[[case]]``: keys that are set together, under a name."""

    name: FileName
    """Names the case in tables and reports."""
    keys: Annotated[Mapping[str, Any], Called("set")] = field(default_factory=dict)
    """Keys of the recipe and their values; none for the recipe as it is."""


@dataclass(frozen=True, kw_only=True)
class SearchSpec:
    """``[search]``: trials of points in the space that the axes span, proposed by Optuna (TPE)."""

    trials: Annotated[int, Ge(1)]
    """How many."""
    hours: Annotated[float, Gt(0)] | None = None
    """No trial begins after these, stretches before a kill counted in. What it comes to depends on
    the machine then."""
    seed: Annotated[int, Ge(0)] = 0
    """Of the proposals."""
    prune: Pruner = "median"
    """What stops a trial whose validation accuracy, epoch by epoch, falls behind that of earlier
    trials in the same fold: Optuna's "median" (after five trials) or successive "halving"."""
    at_once: Annotated[int, Ge(1)] = 1
    """Trials that are proposed together, each without the others' figures, so that more workers
    have something to do; the number is the search's, not the machine's, for the same proposals
    anywhere."""


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """A sweep file, as its reader needs it."""

    recipe: str | tuple[str, ...]
    """The recipe that is varied, or several, beside the sweep file."""
    seeds: str | tuple[Annotated[int, Ge(0)], ...] | None = None
    """``"1:5"``, both ends included, or a list; by default each recipe's own."""
    vary: Mapping[str, Any] = field(default_factory=dict)
    """Axes: a key of the recipe and the list of its values; every value of one goes with every
    value of the others. Of a search also ranges, ``{ low = 1e-4, high = 1e-2, log = true }``, of
    integers where both ends are."""
    search: SearchSpec | None = None
    """In place of every point: some, proposed by what came of those before."""
    cases: Annotated[tuple[CaseSpec, ...], Called("case")] = ()
    """Variations that differ in several keys at once; each goes with every choice on the axes."""
    executor: Annotated[Choice, Plugin("executor", default="processes")]
    """Who trains the folds."""
    threads: Annotated[int, Ge(1)] = 1
    """CPU threads of a training whose recipe says nothing of them: the last bits depend on their
    number, so it is the sweep's, not the executor's."""
    figure: str | None = None
    """The figure that variations are compared by; by default the first that ``leukreg runs``
    shows."""
    choose: Literal["validation", "test"] = "validation"
    """The rows by whose figures a variation is chosen. "test" is what the audit calls an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """A recipe with one choice on every axis."""

    name: str
    path: Path
    """The recipe's file."""
    overrides: tuple[str, ...]
    """``KEY=VALUE`` each, as ``--set`` takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSweep:
    """What a sweep file, or a command line, asks for."""

    name: str
    source: Path | None
    """The sweep file."""
    spec: SweepSpec
    variations: tuple[Variation, ...]
    """Of a search: corners of its space."""
    seeds: tuple[int | None, ...]
    """None: the recipe's own."""
    axes: Mapping[str, Axis]
    """By dotted key."""
    overrides: tuple[str, ...]
    """Of every variation, ``KEY=VALUE``."""


def is_sweep_file(document: Document) -> bool:
    """Whether a file asks for a sweep: no recipe has the key."""
    return "recipe" in document.tree


def read_sweep(
    path: Path,
    vary: Sequence[str] = (),
    seeds: str | None = None,
    overrides: Sequence[str] = (),
    executor: Mapping[str, Any] | None = None,
) -> AskedSweep:
    """A sweep file, or a recipe with axes of the command line.

    Args:
        path: The file.
        vary: Axes, ``KEY=VALUE,VALUE`` each; a value with commas needs ``KEY=[VALUE, VALUE]``.
        seeds: Such as "1:5"; in place of the file's.
        overrides: ``KEY=VALUE`` of every variation.
        executor: What is said of it besides (see :func:`executor_of`).

    Raises:
        Problems: Everything that is wrong with the sweep; the variations themselves are not read.
    """
    document = read_document(path)
    given: dict[str, Any] = {"recipe": path.name}
    if is_sweep_file(document):
        given = document.tree
    else:
        document = Document({}, {})
    added, wrong = _axes_of(vary)
    tree = {**given, **({"seeds": seeds} if seeds is not None else {})}
    if added:
        tree["vary"] = {**_flat(tree.get("vary", {})), **added}
    if executor:
        tree["executor"] = _changed(tree.get("executor", {}), executor)
    mistakes = Mistakes(document.marks, str(path))
    parts = Reader(installed(), mistakes).parts(SweepSpec, tree, (), Keys(of="a sweep"))
    mistakes.stop()
    spec = SweepSpec(**{key: value for key, value in parts.items() if value is not WRONG})
    found = _seeds(spec.seeds, mistakes)
    axes = _axes(spec, mistakes)
    variations = tuple(_variations(spec, axes, path.parent, overrides, mistakes))
    if mistakes.found or wrong:
        raise Problems([*wrong, *(one.problem for one in mistakes.found)])
    return AskedSweep(
        name=path.stem,
        source=path if given is document.tree else None,
        spec=spec,
        variations=variations,
        seeds=found,
        axes=axes,
        overrides=tuple(overrides),
    )


def executor_of(kept: Mapping[str, Any], said: Mapping[str, Any]) -> Choice:
    """The executor that a sweep was kept with, but for what is said of it now.

    Raises:
        Problems: There is no such executor, or it has other options.
    """
    mistakes = Mistakes({}, "--executor")
    found = Reader(installed(), mistakes).choice("executor", _changed(kept, said), ("executor",))
    mistakes.stop()
    assert isinstance(found, Choice)
    return found


def _changed(kept: Any, said: Mapping[str, Any]) -> dict[str, Any]:
    """Options stay where the same executor is meant."""
    before = {"use": kept} if isinstance(kept, str) else dict(kept)
    before = {key: value for key, value in before.items() if value is not None}
    default = next(
        f.plugin.default for f in fields_of(SweepSpec) if f.key == "executor" and f.plugin
    )
    use = before.setdefault("use", default)
    return {**(before if said.get("use", use) == use else {}), **said}


def _axes_of(texts: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Axes of the command line, and what is wrong with the others."""
    axes: dict[str, Any] = {}
    wrong = []
    for text in texts:
        key, _, value = text.partition("=")
        try:
            if value.lstrip().startswith(("[", "{")):
                axes[key.strip()] = split(text)[1]
            else:
                axes[key.strip()] = [split(f"{key}={one}")[1] for one in value.split(",")]
        except ValueError as error:
            wrong.append(Problem(str(error), f"--vary {text}"))
    return axes, wrong


def _flat(tree: Any, above: str = "", whole: tuple[str, ...] = ()) -> dict[str, Any]:
    """Dotted key to what stands there: tables may be nested, or their names joined by dots.

    A table that has a key of ``whole`` is a value.
    """
    found: dict[str, Any] = {}
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        name = above + (key if "." in key else dotted((key,)))
        deeper = isinstance(value, dict) and value and not any(one in value for one in whole)
        found |= _flat(value, f"{name}.", whole) if deeper else {name: value}
    return found


def _seeds(asked: str | tuple[int, ...] | None, mistakes: Mistakes) -> tuple[int | None, ...]:
    if asked is None:
        return (None,)
    found: tuple[int, ...] = ()
    if isinstance(asked, str):
        first, _, last = asked.partition(":")
        if first.strip().isdecimal() and last.strip().isdecimal():
            found = tuple(range(int(first), min(int(last), int(first) + MOST_SEEDS) + 1))
    else:
        found = asked
    if not found or len(set(found)) < len(found) or len(found) > MOST_SEEDS:
        message = f'must be seeds that differ, such as "1:5" or [1, 2, 3], not {show(asked)}'
        mistakes.add(("seeds",), message)
    return found


def _variations(
    spec: SweepSpec,
    axes: Mapping[str, Axis],
    folder: Path,
    overrides: Sequence[str],
    mistakes: Mistakes,
) -> Iterator[Variation]:
    """Every recipe with every case and every choice on the axes, or end of a range."""
    recipes = (spec.recipe,) if isinstance(spec.recipe, str) else spec.recipe
    if not recipes:
        mistakes.add(("recipe",), "names no recipe")
    cases = {case.name: _flat(case.keys) for case in spec.cases} or {"": {}}
    if len(cases) < len(spec.cases):
        mistakes.add(("case",), "two cases have the same name")
    stems = Counter(Path(one).stem for one in recipes)
    for recipe, case in itertools.product(recipes, cases):
        for key in set(cases[case]) & set(axes):
            mistakes.add(("case",), f"case {case!r} sets {key}, which is varied too")
        for values in _points(axes):
            chosen = dict(zip(axes, values, strict=True))
            stem = recipe if stems[Path(recipe).stem] > 1 else Path(recipe).stem
            parts = [*([stem] if len(recipes) > 1 else []), *filter(None, [case])]
            every = {**cases[case], **chosen}
            yield Variation(
                name=", ".join([*parts, *shown(chosen, axes)]) or stem,
                path=folder / recipe,
                overrides=(*overrides, *(f"{key}={toml(value)}" for key, value in every.items())),
            )


def _points(axes: Mapping[str, Axis]) -> Iterator[tuple[Any, ...]]:
    """Every choice on all axes; of ranges their ends, of very many corners some."""
    values = [axis.ends if isinstance(axis, Range) else axis for axis in axes.values()]
    points = itertools.product(*values)
    if not any(isinstance(axis, Range) for axis in axes.values()):
        return points
    return spread(points, math.prod(map(len, values)), MOST_CORNERS)


def _axes(spec: SweepSpec, mistakes: Mistakes) -> dict[str, Axis]:
    """Dotted key to its values or its range."""
    given, axes = _flat(spec.vary, whole=("low", "high")), dict[str, Axis]()
    for key, values in given.items():
        path = ("vary", key) if ("vary", key) in mistakes.marks else ("vary", *undotted(key))
        axes[key] = _axis(spec, values, path, mistakes)
        if key == "seed":
            mistakes.add(path, "seeds are varied by seeds = [...], so that runs are paired by them")
        for other in given:
            if key.startswith(f"{other}."):
                mistakes.add(path, f"contradicts the axis {other}, which sets the table whole")
    _refuse_search(spec, axes, mistakes)
    return axes


def _axis(spec: SweepSpec, values: Any, path: KeyPath, mistakes: Mistakes) -> Axis:
    if isinstance(values, dict):
        if spec.search is None:
            mistakes.add(path, "is a range, which needs [search] with trials = ...")
        found = Reader(installed(), mistakes).table(Range, values, path, Keys(of="a range"))
        return () if found is WRONG else found
    if not isinstance(values, list) or not values:
        message = "is an axis without values" if values == [] else "must be a list of values"
        example = "{ low = 1, high = 2 }" if spec.search else "[1, 2]"
        mistakes.add(path, f"{message}, such as {example}")
        return ()
    if len({toml(value) for value in values}) < len(values):
        mistakes.add(path, "has a value twice")
    return tuple(values)


def _refuse_search(spec: SweepSpec, axes: Mapping[str, Axis], mistakes: Mistakes) -> None:
    """What a search has no place for."""
    if spec.search is None:
        return
    if not any(isinstance(axis, Range) for axis in axes.values()):
        message = "needs a range in [vary], such as { low = 1e-4, high = 1e-2, log = true }"
        mistakes.add(("search",), f"{message}; of lists alone leave it out: all are tried then")
    if spec.cases:
        mistakes.add(("case",), "a search has no cases; put their keys in [vary]")
    if not isinstance(spec.recipe, str):
        mistakes.add(("recipe",), "a search is of one recipe")
    if spec.choose == "test":
        mistakes.add(("choose",), 'a search chooses on validation rows; leave choose = "test" out')
