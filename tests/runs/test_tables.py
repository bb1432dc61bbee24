"""Tables give back every string and every bit."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.errors import RunError
from leukreg.record import RunRecord
from leukreg.runs.codec import cell, read_rows, read_table, text, write_rows, write_table
from leukreg.runs.contents import (
    ImageRow,
    TwinRow,
    read_folds,
    write_data,
    write_folds,
)
from leukreg.runs.predictions import read_predictions, write_predictions
from leukreg.types import EpochLog, Fold, Lineage, Predictions, Sample

# Files are flushed to the disk, which may take its time.
unhurried = settings(deadline=None, max_examples=40)
NASTY = st.sampled_from(["", "None", "nan", '"', ",", "\\", "\\N", "\r\n", "[Malignant] Pre-B"])
STRINGS = NASTY | st.text() | st.text(alphabet=st.characters())
FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@unhurried
@given(st.none() | STRINGS)
def test_a_cell_gives_back_its_string_on_one_line(value: str | None) -> None:
    written = cell(value)
    assert text(written) == value
    assert len(written.splitlines()) <= 1


@unhurried
@given(st.lists(st.lists(st.none() | STRINGS, min_size=3, max_size=3), max_size=5))
def test_a_table_gives_back_its_cells(rows: list[list[str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_table(path, ("a", "b", "c"), [[cell(value) for value in row] for row in rows])
        header, lines = read_table(path, ("a", "b", "c"))
        assert path.read_bytes().count(b"\n") == len(rows) + 1
    assert header == ["a", "b", "c"]
    assert [[text(value) for value in line] for line in lines] == rows


@st.composite
def predictions(draw: st.DrawFn) -> Predictions:
    classes = tuple(draw(st.lists(STRINGS, min_size=1, max_size=4, unique=True)))
    n, k = draw(st.integers(0, 4)), len(classes)

    def some(values: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(values, min_size=n, max_size=n))

    def block(values: st.SearchStrategy[object], dtype: type = np.float64) -> Any:
        each = [draw(st.lists(values, min_size=k, max_size=k)) for _ in range(n)]
        return np.array(each, dtype=dtype).reshape(n, k)

    labels = st.integers(0, k - 1)
    decision = np.array(some(labels), dtype=np.int64) if draw(st.booleans()) or n == 0 else None
    return Predictions(
        classes=classes,
        row=np.array(some(st.integers(0, 2**40)), dtype=np.int64),
        id=tuple(some(STRINGS)),  # type: ignore[arg-type]
        path=tuple(some(STRINGS)),  # type: ignore[arg-type]
        patient=tuple(some(st.none() | STRINGS)),  # type: ignore[arg-type]
        origin=tuple(some(st.sampled_from(["real", "rendered", "synthetic"]))),  # type: ignore[arg-type]
        fold=np.array(some(st.integers(0, 9)), dtype=np.int64),
        label=np.array(some(labels), dtype=np.int64),
        probabilities=block(FLOATS),
        uncertainty=np.array(some(FLOATS), dtype=np.float64),
        mutual_information=np.array(some(FLOATS), dtype=np.float64),
        decision=decision,
        raw=block(FLOATS) if draw(st.booleans()) else None,
        sets=block(st.booleans(), bool) if draw(st.booleans()) else None,
        group=np.array(some(labels), dtype=np.int64) if draw(st.booleans()) else None,
    )


@unhurried
@given(predictions())
def test_predictions_come_back_bit_by_bit(given_rows: Predictions) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        write_predictions(path, given_rows)
        back = read_predictions(path)
    for field in fields(Predictions):
        a, b = getattr(given_rows, field.name), getattr(back, field.name)
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape) == (b.dtype, b.shape), field.name
            numbers = a.dtype != np.float64
            same = (a == b) if numbers else (a.view(np.int64) == b.view(np.int64)) | np.isnan(a)
            assert same.all(), field.name
            assert numbers or (np.isnan(a) == np.isnan(b)).all()
        else:
            assert a == b, field.name


LINEAGE = st.builds(
    Lineage,
    generator=STRINGS,
    seed=st.integers(0, 2**63),
    fold=st.none() | st.integers(0, 9),
    parent=st.none() | STRINGS,
    parent_label=st.none() | STRINGS,
    snapshot=st.none() | STRINGS,
    condition=st.dictionaries(STRINGS, STRINGS, max_size=2),
)
SAMPLE = st.builds(
    Sample,
    id=STRINGS,
    path=STRINGS,
    label=STRINGS,
    patient=st.none() | STRINGS,
    split=st.sampled_from([None, "train", "validation", "test"]),
    origin=st.sampled_from(["real", "rendered", "synthetic"]),
    lineage=st.none() | LINEAGE,
)


@unhurried
@given(st.lists(SAMPLE, max_size=4).map(tuple))
def test_samples_come_back(rows: tuple[Sample, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.csv"
        write_rows(path, Sample, rows, numbered="row")
        assert read_rows(path, Sample, numbered="row") == rows


NUMBER = st.floats(allow_nan=False)
EPOCH = st.builds(
    EpochLog,
    fold=st.integers(0, 9),
    phase=STRINGS,
    epoch=st.integers(1, 999),
    lr=st.lists(NUMBER, max_size=3).map(tuple),
    train_loss=NUMBER,
    validation_loss=st.none() | NUMBER,
    validation_accuracy=st.none() | NUMBER,
    seconds=NUMBER,
    images=st.integers(0, 10**6),
)


@unhurried
@given(st.lists(EPOCH, max_size=4).map(tuple))
def test_epochs_come_back(logs: tuple[EpochLog, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "epochs.csv"
        write_rows(path, EpochLog, logs)
        assert read_rows(path, EpochLog) == logs


@unhurried
@given(
    st.dictionaries(STRINGS, STRINGS, max_size=3),
    st.dictionaries(STRINGS, st.lists(NUMBER, min_size=1, max_size=4).map(tuple), max_size=3),
    st.lists(st.tuples(STRINGS, STRINGS), max_size=3).map(tuple),
)
def test_what_is_known_of_pictures_comes_back(
    pixels: dict[str, str],
    statistics: dict[str, tuple[float, ...]],
    twins: tuple[tuple[str, str], ...],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        images, pairs = Path(folder) / "images.csv", Path(folder) / "twins.csv"
        write_data(
            Path(folder), RunRecord(pixels=pixels, statistics=statistics, near_duplicates=twins)
        )
        rows = read_rows(images, ImageRow)
        assert {row.id: row.digest for row in rows if row.digest is not None} == pixels
        assert {row.id: row.statistics for row in rows if row.statistics} == statistics
        assert tuple((row.id, row.twin) for row in read_rows(pairs, TwinRow)) == twins


@unhurried
@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_give_anything_but_a_table_or_a_named_error(data: bytes, headed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        write_predictions(path, _one())
        path.write_bytes((path.read_bytes() if headed else b"") + data)
        said = ""
        try:
            read_predictions(path)
        except RunError as error:
            said = str(error)
        assert not said or str(path) in said


def _one() -> Predictions:
    one = np.zeros(1, dtype=np.int64)
    return Predictions(
        classes=("A",),
        row=one,
        id=("a",),
        path=("a",),
        patient=(None,),
        origin=("real",),
        fold=one,
        label=one,
        probabilities=np.ones((1, 1)),
        uncertainty=np.zeros(1),
        mutual_information=np.zeros(1),
    )


def test_none_and_the_word_none_are_two_things() -> None:
    assert cell(None) == ""
    assert cell("None") == "None"
    assert cell("") == "\\"


@pytest.mark.parametrize("name", ["Benign", "[Malignant] Pre-B", "лейкоз, B"])
def test_ordinary_names_stay_readable(name: str) -> None:
    assert cell(name) == name


ROWS = st.lists(st.integers(0, 99), max_size=4).map(tuple)


@unhurried
@given(st.lists(st.tuples(ROWS, ROWS, ROWS, ROWS).filter(any), max_size=3))
def test_folds_are_given_back(sides: list[tuple[tuple[int, ...], ...]]) -> None:
    folds = tuple(
        Fold(index=i, train=a, validation=b, test=c, replaced=d)
        for i, (a, b, c, d) in enumerate(sides)
    )
    with tempfile.TemporaryDirectory() as folder:
        write_folds(Path(folder) / "folds.csv", folds)
        assert read_folds(Path(folder) / "folds.csv", 100) == folds
