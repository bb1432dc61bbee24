"""The tables of a recipe, one reader each: plain data to the dataclasses of ``model``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Le

from leukreg.errors import PluginError
from leukreg.recipe.choice import Reader
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import KeyPath
from leukreg.recipe.model import (
    DataSpec,
    FoldsSpec,
    GateSpec,
    LossSpec,
    ModelSpec,
    SynthesisSpec,
    TrainingSpec,
)
from leukreg.recipe.options import plain_part, read_options
from leukreg.registry.plugin_call import Choice
from leukreg.types import ImageSpec

T = TypeVar("T")
Table = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ImageTable:
    """``[image]``: the pixels a model sees."""

    size: Annotated[int, Ge(8), Le(4096)] = 224
    """Pixels a side."""


def table_at(value: Any, path: KeyPath, reader: Reader) -> Table | None:
    """The value if it is a table; a mistake otherwise."""
    if isinstance(value, dict):
        return value
    instead = "; {} is one with every default" if value is True else ""
    reader.mistakes.add(path, f"must be a table, not {show(value)}{instead}")
    return None


def plain(cls: type[T], value: Any, path: KeyPath, reader: Reader) -> T | None:
    """A table without plugins."""
    table = table_at(value, path, reader)
    if table is None:
        return None
    return read_options(cls, table, path, reader.mistakes, what=header(path))


def header(path: KeyPath) -> str:
    """The table as it stands in the file: ``[data.folds]``, ``[[phase]]``."""
    names = ".".join(part for part in path if isinstance(part, str))
    return f"[[{names}]]" if path and isinstance(path[-1], int) else f"[{names}]"


def optional(kind: str, table: Table, path: KeyPath, key: str, reader: Reader) -> Choice | None:
    """A choice that may be absent, or ``false`` to drop an inherited one."""
    value = table.get(key, False)
    return None if value is False else reader.choice(kind, value, (*path, key))


def required(kind: str, table: Table, path: KeyPath, key: str, reader: Reader) -> Choice | None:
    """A choice that must be there."""
    if key in table:
        return reader.choice(kind, table[key], (*path, key))
    names = ", ".join(reader.registry.names(kind)) or "none"
    reader.mistakes.add((*path, key), f"is missing; the {kind} plugins are {names}", on_value=False)
    return None


def read_data(value: Any, reader: Reader) -> DataSpec | None:
    path: KeyPath = ("data",)
    table = {"use": value} if isinstance(value, str) else table_at(value, path, reader)
    if table is None:
        return None
    source = reader.choice("source", table, path, beside=("folds", "broken"))
    folds = plain(FoldsSpec, table.get("folds", {}), (*path, "folds"), reader)
    core = {key: table[key] for key in ("broken",) if key in table}
    rest = rest_of(DataSpec, core, path, reader, ("source", "folds"))
    if source is None or folds is None or rest is None:
        return None
    return DataSpec(source=source, folds=folds, **rest)


def read_image(value: Any, reader: Reader) -> ImageSpec | None:
    table = plain(ImageTable, value, ("image",), reader)
    return None if table is None else ImageSpec(size=table.size)


def read_model(value: Any, reader: Reader) -> ModelSpec | None:
    path: KeyPath = ("model",)
    table = table_at(value, path, reader)
    if table is None:
        return None
    plugins = ("backbone", "attention", "head")
    backbone = required("backbone", table, path, "backbone", reader)
    attention = optional("attention", table, path, "attention", reader)
    head = required("head", table, path, "head", reader)
    core = {key: item for key, item in table.items() if key not in plugins}
    rest = rest_of(ModelSpec, core, path, reader, plugins)
    if backbone is None or head is None or rest is None:
        return None
    return ModelSpec(backbone=backbone, attention=attention, head=head, **rest)


def read_loss(value: Any, reader: Reader) -> LossSpec | None:
    path: KeyPath = ("loss",)
    loss = reader.choice("loss", value, path, beside=("class_weights",))
    table = value if isinstance(value, dict) else {}
    weights = optional("class-weights", table, path, "class_weights", reader)
    return None if loss is None else LossSpec(loss=loss, class_weights=weights)


def read_training(value: Any, reader: Reader) -> TrainingSpec | None:
    return plain(TrainingSpec, value, ("training",), reader)


def read_synthesis(value: Any, reader: Reader) -> SynthesisSpec | None:
    path: KeyPath = ("synthesis",)
    table = table_at(value, path, reader)
    if table is None:
        return None
    beside = ("classes", "per_class", "place", "mix", "seed", "gate")
    generator = reader.choice("generator", table, path, beside)
    core = {key: table[key] for key in beside if key in table and key != "gate"}
    rest = rest_of(SynthesisSpec, core, path, reader, ("generator", "gate"))
    gate = _read_gate(table.get("gate", True), (*path, "gate"), reader)
    if generator is None or rest is None:
        return None
    return SynthesisSpec(generator=generator, gate=gate, **rest)


def _read_gate(value: Any, path: KeyPath, reader: Reader) -> GateSpec | None:
    """There is a gate unless the recipe says that there is none."""
    if value is False:
        return None
    if value is True:
        return GateSpec()
    if not isinstance(value, dict):
        reader.mistakes.add(path, f"must be true, false or a table, not {show(value)}")
        return None
    named = value.get("extractor", GateSpec.extractor)
    if isinstance(named, str) and named != GateSpec.extractor:
        name = named.partition(":")[0]
        try:
            reader.registry.get("extractor", name)
        except PluginError as error:
            reader.missing("extractor", name, (*path, "extractor"), error)
    return plain(GateSpec, value, path, reader)


def rest_of(
    cls: type, core: Table, path: KeyPath, reader: Reader, plugins: tuple[str, ...]
) -> dict[str, Any] | None:
    """The plain fields of a dataclass that also holds plugins."""
    part = plain_part(cls, *plugins)
    found = read_options(part, core, path, reader.mistakes, header(path), also=plugins)
    return None if found is None else dict(vars(found))
