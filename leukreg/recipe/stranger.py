"""A stranger's code, called: whatever it raises names who must mend it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from leukreg.errors import LeukregError, PluginError

if TYPE_CHECKING:
    from leukreg.recipe.model import Choice

T = TypeVar("T")


def call(choice: Choice, function: Callable[..., T], *args: Any, **more: Any) -> T:
    """What ``function`` of the chosen plugin returns.

    Raises:
        PluginError: It raised what is no LeukregError.
    """
    try:
        return function(*args, **more)
    except LeukregError:
        raise
    except Exception as error:  # a stranger's plugin may raise anything
        name = getattr(function, "__name__", "<lambda>")
        where = "" if name == "<lambda>" else f" in {name}"
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"{named(choice)} failed{where}: {reason}") from error


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether ``function`` has a parameter of this name; False where that cannot be told."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def named(choice: Choice) -> str:
    """The chosen plugin as messages name it."""
    return f"{choice.kind} {choice.name!r} (from {choice.owner})"
