"""A plugin's options, described for people: type, range, default, meaning, and a recipe table."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leukreg.declare import option_docs, plugin_name
from leukreg.recipe.options import table_of
from leukreg.recipe.words import type_in_words

TABLES: dict[str, str] = {
    "source": "[data]",
    "augmentation": "[augmentation]",
    "backbone": "[model.backbone]",
    "attention": "[model.attention]",
    "head": "[model.head]",
    "loss": "[loss]",
    "class-weights": "[loss.class_weights]",
    "sampler": "[sampler]",
    "generator": "[synthesis]",
    "optimizer": "[phase.optimizer]",
    "schedule": "[phase.schedule]",
    "metric": "[[evaluate.metrics]]",
    "audit": "[[audit.rules]]",
}
"""Where a recipe names a plugin of a kind. Reports, commands and extractors have no table."""

_BESIDE = {"generator": ('classes = ["pro-b"]', "per_class = 100")}
"""Keys of the core that must stand beside ``use`` in a kind's table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a plugin."""

    name: str
    type: str
    """In words, such as "a number at least 0"."""
    required: bool
    default: Any
    """A plain value; None also where the option is required."""
    example: Any
    """The default, or a value of the right type and range where there is none."""
    meaning: str
    inner: tuple[Option, ...] = ()
    """The options in it, where it is a table."""


def options(cls: type) -> tuple[Option, ...]:
    """The options of a plugin class, in the order of its fields.

    Raises:
        pydantic.PydanticUserError: A field's type cannot be validated.
    """
    from pydantic import TypeAdapter

    schema = TypeAdapter(cls).json_schema()
    named = schema.get("$defs", {})
    required = schema.get("required", ())
    docs = option_docs(cls)
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(
        Option(
            name=name,
            type=type_in_words(hints[name]),
            required=name in required,
            default=field.get("default"),
            example=_value(name, field, named) if name in required else field.get("default"),
            meaning=docs.get(name, ""),
            inner=() if (table := table_of(hints[name])) is None else options(table),
        )
        for name, field in schema.get("properties", {}).items()
    )


def example_values(cls: type) -> dict[str, Any]:
    """Every option with a value that validates; options that are unset by default are left out."""
    return {option.name: option.example for option in options(cls) if option.example is not None}


def example_table(kind: str, cls: type) -> str | None:
    """A TOML table that uses the plugin, all options written out; None where recipes name none."""
    if kind not in TABLES:
        return None
    lines = [TABLES[kind], f"use = {toml(plugin_name(cls))}", *_BESIDE.get(kind, ())]
    for option in options(cls):
        unset = option.example is None
        lines.append(
            f"# {option.name}: unset" if unset else f"{option.name} = {toml(option.example)}"
        )
    return "\n".join(lines)


def toml(value: Any) -> str:
    """A plain value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for the one control character JSON leaves.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = (f"{toml(str(key))} = {toml(each)}" for key, each in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return repr(value)


def _value(name: str, schema: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    """A value for a required option: the smallest that its type and range allow."""
    schema = _resolved(schema, named)
    if "const" in schema or "enum" in schema:
        return schema.get("const", next(iter(schema.get("enum", [None]))))
    if "anyOf" in schema:
        return _value(name, schema["anyOf"][0], named)
    kind = schema.get("type")
    if kind == "array":
        each = schema.get("prefixItems") or [schema.get("items", {})] * schema.get("minItems", 0)
        return [_value(name, item, named) for item in each]
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    return {"boolean": False, "string": f"<{name}>", "object": {}}.get(str(kind))


def _number(schema: Mapping[str, Any], whole: bool) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return 1
    if "minimum" in schema:
        value = low
    elif low is not None and high is not None and not whole:
        value = (low + high) / 2
    else:
        value = low + 1 if low is not None else high - 1
    return int(value) if whole else float(value)


def _resolved(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return named[reference.rpartition("/")[2]] if reference else schema
