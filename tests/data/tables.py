"""Tables of rows that folds are made of, without an image."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import strategies as st

from leukreg.data.folds import make_folds
from leukreg.data.image_store import ImageStore
from leukreg.errors import Problems
from leukreg.recipe.model import FoldsSpec
from leukreg.types import Fold, Role, Sample, Samples


@dataclass(frozen=True)
class Table:
    """What folds look at: rows, pixel digests, near duplicates. Stands in for an ImageStore."""

    samples: Samples
    same: tuple[tuple[int, ...], ...] = ()
    near_duplicates: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        found = {row.id: row.id for row in self.samples.rows}
        for group in self.same:
            found |= {self.samples.rows[row].id: f"same-{group[0]}" for row in group}
        return found


def table(
    labels: Sequence[str],
    patients: Sequence[str | None] | None = None,
    same: Sequence[tuple[int, ...]] = (),
    near: Sequence[tuple[int, int]] = (),
    splits: Sequence[str | None] | None = None,
) -> Table:
    rows = tuple(
        Sample(
            id=f"{label}/{index}",
            path=f"/{index}",
            label=label,
            patient=patients[index] if patients else None,
            split=cast("Role | None", splits[index]) if splits else None,
        )
        for index, label in enumerate(labels)
    )
    samples = Samples(rows=rows, classes=tuple(sorted(set(labels))))
    pairs = tuple((rows[a].id, rows[b].id) for a, b in near)
    return Table(samples, tuple(same), pairs)


def folds(of: Table, seed: int = 0, **spec: Any) -> tuple[Fold, ...]:
    return make_folds(cast(ImageStore, of), FoldsSpec(**spec), seed)


def counts(of: Table, rows: Sequence[int]) -> Counter[str]:
    return Counter(of.samples.rows[row].label for row in rows)


def sides(fold: Fold) -> dict[int, str]:
    return {row: name for name in ("train", "validation", "test") for row in getattr(fold, name)}


def messages(of: Table, **spec: Any) -> str:
    with pytest.raises(Problems) as caught:
        folds(of, **spec)
    return str(caught.value)


@st.composite
def grouped_tables(draw: st.DrawFn) -> Table:
    """Some classes of patients with one to eight images, copies and near duplicates among them."""
    labels: list[str] = []
    patients: list[str] = []
    for label in range(draw(st.integers(2, 4))):
        for number in range(draw(st.integers(12, 25))):
            size = draw(st.integers(1, 8))
            labels += [f"c{label}"] * size
            patients += [f"p{label}-{number}"] * size
    row = st.integers(0, len(labels) - 1)
    near = draw(st.lists(st.tuples(row, row), max_size=3))
    return table(labels, patients, same=draw(st.lists(st.tuples(row, row), max_size=1)), near=near)
