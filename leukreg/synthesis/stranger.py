"""A stranger's code, called: whatever it raises names who must mend it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leukreg.errors import LeukregError, PluginError

if TYPE_CHECKING:
    from leukreg.recipe.model import Choice


def call(choice: Choice, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """What ``function`` of the chosen generator returns.

    Raises:
        PluginError: It raised what is no LeukregError.
    """
    try:
        return function(*args, **more)
    except LeukregError:
        raise
    except Exception as error:  # a stranger's generator may raise anything
        what = getattr(function, "__name__", "call")
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"{who(choice)} failed in {what}: {reason}") from error


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether ``function`` has a parameter of this name; False where that cannot be told."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def who(choice: Choice) -> str:
    """How messages call the chosen generator."""
    return f"generator {choice.name!r} (from {choice.owner})"
