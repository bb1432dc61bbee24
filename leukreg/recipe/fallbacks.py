"""Take fallbacks before any work starts, and say so."""

from __future__ import annotations

from dataclasses import replace

from leukreg.errors import LeukregError, NotAvailable, PluginFault, Problem, Problems
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import KeyPath, dotted, undotted
from leukreg.recipe.model import Recipe
from leukreg.recipe.schema import at, has, with_choices
from leukreg.registry.plugin_call import Choice, failed, named
from leukreg.types import Notice


def take_fallbacks(recipe: Recipe, strict: bool = False) -> tuple[Recipe, tuple[Notice, ...]]:
    """Ask every plugin whether it is ready; take its fallback where it is not.

    A plugin's ``notice_label`` (a class attribute or property) is what every report must say when
    it stands in for another, such as "rendered cells, not real".

    Raises:
        Problems: Something is not available and has no fallback, or ``strict`` refuses it.
    """
    notices: list[Notice] = []
    problems: list[Problem] = []
    faults: list[Exception] = []

    def change(path: KeyPath, choice: Choice) -> Choice:
        key = dotted(path)
        try:
            return _available(key, choice, strict, notices)
        except Exception as error:
            problems.append(_problem(recipe, key, choice, error))
            if not isinstance(error, LeukregError):
                faults.append(error)
            return choice

    settled = with_choices(recipe, change)
    if faults:
        raise Problems(problems, code=PluginFault.code) from faults[0]
    if problems:
        raise Problems(problems)
    for notice in notices:
        settled = _restated(settled, notice.what)
    for notice in notices:
        settled = _without_strays(settled, notice.what)
    return replace(settled, assumed=_still_true(recipe, settled)), tuple(notices)


def _available(key: str, choice: Choice, strict: bool, notices: list[Notice]) -> Choice:
    """The choice, or the first of its fallbacks that is ready."""
    while True:
        try:
            if callable(getattr(choice.plugin, "ready", None)):
                choice.plugin.ready()
            return choice
        except NotAvailable as error:
            if choice.fallback is None:
                raise
            if strict:
                raise NotAvailable(f"{error} (--strict takes no fallback)") from None
            notice = Notice(
                what=key,
                wanted=_words(choice, choice.fallback),
                used=_words(choice.fallback, choice),
                why=str(error),
                label=str(getattr(choice.fallback.plugin, "notice_label", "")),
            )
        notices.append(notice)
        choice = choice.fallback


def _restated(recipe: Recipe, key: str) -> Recipe:
    """``given`` and ``where`` after a fallback: what its table states now stands in ``key``."""
    prefix = f"{key}.fallback."

    def moved(name: str) -> str:
        return f"{key}.{name.removeprefix(prefix)}" if name.startswith(prefix) else name

    # What the fallback states comes last, over what the replaced plugin's table says.
    where = dict(sorted(recipe.where.items(), key=lambda pair: pair[0].startswith(prefix)))
    return replace(
        recipe,
        given=frozenset(map(moved, recipe.given)),
        where={moved(name): mark for name, mark in where.items()},
    )


def _without_strays(recipe: Recipe, key: str) -> Recipe:
    """``given`` without options of the plugin that was replaced."""
    table = at(recipe.resolved, key) if has(recipe.resolved, key) else {}

    def stays(name: str) -> bool:
        return not name.startswith(f"{key}.") or undotted(name)[len(undotted(key))] in table

    return replace(recipe, given=frozenset(filter(stays, recipe.given)))


def _still_true(before: Recipe, after: Recipe) -> dict[str, str]:
    """Reasons for values that no fallback has changed."""
    return {
        key: reason
        for key, reason in before.assumed.items()
        if has(after.resolved, key) and at(after.resolved, key) == at(before.resolved, key)
    }


def _problem(recipe: Recipe, key: str, choice: Choice, error: Exception) -> Problem:
    place = f"{key}.use" if f"{key}.use" in recipe.where else key
    if isinstance(error, LeukregError):
        return recipe.problem(place, f"{key}: {error}")
    text = failed(f"{key}: {named(choice)} failed", choice.plugin, error)
    return recipe.problem(place, text)


def _words(choice: Choice, other: Choice) -> str:
    """The choice by name, and by the options that tell it from the other."""
    if choice.name == other.name:
        differ = {k: v for k, v in choice.options.items() if v != other.options.get(k)}
    else:
        differ = {k: v for k, v in choice.options.items() if k in ("root", "path", "weights")}
    return " ".join([choice.name, *(f"{key}={show(value)}" for key, value in differ.items())])
