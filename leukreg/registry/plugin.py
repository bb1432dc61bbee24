"""``@plugin``: a class whose fields are its recipe options.

Options are ordinary annotated fields. A range is an ``annotated_types`` constraint, and the string
under a field says what the option means::

    @plugin("poly1")
    class Poly1:
        \"\"\"Poly-1 cross-entropy (Leng et al., 2022).\"\"\"

        epsilon: Annotated[float, Ge(-1)] = 1.0
        \"\"\"Weight of the first polynomial term.\"\"\"

        def build(self, labels: Labels) -> nn.Module: ...

An option that refers to another plugin is not needed: the core nests plugins, options are plain
values (bool, int, float, str, lists, tables of them).
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import itertools
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

import pluggy

hookimpl = pluggy.HookimplMarker("leukreg")
"""Marks a module's function as the implementation of a hook."""

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def plugin(name: str) -> Callable[[type[T]], type[T]]:
    """Name a class as a plugin and make it a frozen, keyword-only dataclass.

    Options are validated strictly when they come from a recipe: unknown names, wrong types and
    values outside a field's range are refused.

    Raises:
        TypeError: The class has no docstring (its first line is its listing) or no ``build``.
    """

    def decorate(cls: type[T]) -> type[T]:
        if not (cls.__doc__ or "").strip():
            raise TypeError(f"plugin {name!r} ({cls.__qualname__}) needs a docstring")
        if not callable(getattr(cls, "build", None)):
            raise TypeError(f"plugin {name!r} ({cls.__qualname__}) needs a build method")
        cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
        cls.leukreg_name = name  # type: ignore[attr-defined]
        return dataclasses.dataclass(frozen=True, kw_only=True)(cls)

    return decorate


def plugin_name(cls: type) -> str:
    """The recipe name of a plugin class."""
    return str(cls.leukreg_name)  # type: ignore[attr-defined]


def summary(cls: type) -> str:
    """The first line of the docstring: a plugin's listing."""
    return (cls.__doc__ or "").strip().splitlines()[0]


def plain(value: Any) -> Any:
    """Options, or what stands in them, as JSON holds it: a plugin becomes a table."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field.name for field in dataclasses.fields(value) if field.init)
        return {name: plain(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return plain(value.value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def option_docs(cls: type) -> dict[str, str]:
    """What each option means, from the string under its field (inherited fields included)."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        docs |= _field_docs(tree.body[0])
    names = {field.name for field in dataclasses.fields(cls)}
    return {name: text for name, text in docs.items() if name in names}


def _field_docs(node: ast.stmt) -> dict[str, str]:
    docs: dict[str, str] = {}
    body: list[Any] = getattr(node, "body", [])
    for field, doc in itertools.pairwise(body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        value = getattr(doc, "value", None) if isinstance(doc, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            docs[field.target.id] = inspect.cleandoc(value.value)
    return docs
