"""The register of public blood-cell data sets: what each holds, and where that was read."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

FILE = Path(__file__).with_name("datasets.toml")
Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicDataset:
    """A public data set. What is not known for certain is None or empty."""

    name: str
    """Its id: what ``dataset`` of a published result says."""
    title: str
    images: int | None = None
    """All images, whatever their side of a split: no test holds more."""
    patients: int | None = None
    """Patients, or healthy subjects, that the images are of."""
    classes: Counts = ()
    """Images of each class, in all; they sum to ``images``."""
    split: tuple[tuple[str, int, Counts], ...] = ()
    """Each side of the official split: its name, its images, those of each class where known."""
    split_by: str = ""
    """What that split kept together: "patient" or "image"."""
    augmented_from: int | None = None
    """Images before the augmentation that was part of the publication."""
    cropped_from: str = ""
    """The data set whose pictures these are cut out of."""
    duplicates: str = ""
    note: str = ""
    unconfirmed: tuple[str, ...] = ()
    """Fields whose figures were not read whole at the data set's own address: they warn, and are
    never called an error."""
    sources: tuple[str, ...] = ()
    """The addresses where these figures were read."""


@functools.cache
def dataset_register() -> Mapping[str, PublicDataset]:
    """Every data set of the register by its id, in alphabetical order."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return MappingProxyType({name: _read(name, tables[name]) for name in sorted(tables)})


def _read(name: str, table: Mapping[str, object]) -> PublicDataset:
    kept: dict[str, Any] = {**table, "name": name}
    kept |= {key: tuple(kept.get(key, ())) for key in ("sources", "unconfirmed")}
    if isinstance(classes := table.get("classes"), Mapping):
        kept["classes"] = tuple(classes.items())
    if isinstance(split := table.get("split"), Mapping):
        kept["split"] = tuple(_side(side, held) for side, held in split.items())
    return PublicDataset(**kept)


def _side(side: str, held: int | Mapping[str, int]) -> tuple[str, int, Counts]:
    if isinstance(held, Mapping):
        return side, sum(held.values()), tuple(held.items())
    return side, held, ()


def find_dataset(name: str) -> PublicDataset | None:
    """The data set of this id; capitals, spaces and underscores do not matter.

    None where the register has none: papers also use data that are their own.
    """
    return dataset_register().get(re.sub(r"[\s_]+", "-", name.strip().lower()))
