"""Of a table without a test size: the usual splits that print it, each held against its images."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.audit.printed_figure import printed
from leukreg.audit.published_table import Reported
from leukreg.audit.usual_splits import fewest_images, row_prints, usual_splits

SET = {"HEM": 3389, "ALL": 7272}
TABLE: dict[str, Any] = {"classes": ["HEM", "ALL"], "class_counts": SET}
FIGURES = {"accuracy": "0.8631", "recall": "0.9663", "precision": "0.8526"}


def splits(**table: Any) -> dict[str, str]:
    return {one.name: one.prints for one in usual_splits(Reported.read(table))}


def test_the_split_that_the_figures_came_from_prints_them_and_others_do_not() -> None:
    table = TABLE | FIGURES | {"specificity": "0.6416"}  # [[435, 243], [49, 1406]]
    found = splits(**table, dataset="c-nmc-2019")
    assert found["20 %"] == "yes"
    assert found["10 %"] == found["15 %"] == found["its side preliminary"] == "no"


def test_nothing_is_said_of_tables_with_a_size_or_of_means_or_conflicts() -> None:
    assert splits(**TABLE | FIGURES, test_images=2133) == {}
    assert splits(**TABLE | FIGURES, folds=5) == {}
    recalls = {"HEM": {"recall": "0.5"}, "ALL": {"recall": "0.6"}}
    assert splits(**TABLE, accuracy="0.8631", per_class=recalls) == {}
    assert splits(classes=["HEM", "ALL"], **FIGURES) == {}


def test_a_row_is_held_against_the_share_of_its_class() -> None:
    row = {"precision": "0.987", "recall": "0.993", "f1": "0.990"}
    table = {"class_counts": {"Early": 979, "Rest": 2000}, "per_class": {"Early": row}}
    (tenth, *_) = usual_splits(Reported.read(table | {"classes": ["Early", "Rest"]}))
    assert tenth.prints == "yes"
    assert tenth.too_small == (("Early", 98, 148),)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_counts_a_row_is_printed_from_they_are_enough(data: st.DataObject) -> None:
    s = data.draw(st.integers(1, 60))
    t = data.draw(st.integers(0, s))
    p = data.draw(st.integers(t, t + 40))
    digits = data.draw(st.integers(1, 4))
    values = {"recall": t / s, "precision": t / p if p else 0.0, "f1": 2 * t / (s + p)}
    row = {name: printed(f"{value:.{digits}f}") for name, value in values.items()}
    assert row_prints(row, s)
    assert 0 < fewest_images(row, s) <= s


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_the_split_that_was_made_is_never_ruled_out(data: st.DataObject) -> None:
    """A stratified fifth: each class's share rounded either way."""
    labels, digits = ["a", "b", "c"][: data.draw(st.integers(2, 3))], data.draw(st.integers(2, 4))
    whole = {label: data.draw(st.integers(10, 300)) for label in labels}
    tested = {label: n // 5 + data.draw(st.integers(0, n % 5 > 0)) for label, n in whole.items()}
    matrix = [[0] * len(labels) for _ in labels]
    for i, label in enumerate(labels):
        for _ in range(tested[label]):
            matrix[i][data.draw(st.sampled_from([i, *range(len(labels))]))] += 1
    predicted = [sum(column) for column in zip(*matrix, strict=True)]
    rows = {}
    for i, label in enumerate(labels):
        hit, s, p = matrix[i][i], tested[label], predicted[i]
        values = {"recall": hit / s, "precision": hit / p if p else 0.0, "f1": 2 * hit / (s + p)}
        rows[label] = {name: f"{value:.{digits}f}" for name, value in values.items()}
    hits = sum(matrix[i][i] for i in range(len(labels)))
    table: dict[str, Any] = {"class_counts": whole, "per_class": rows}
    table["accuracy"] = f"{hits / sum(tested.values()):.{digits}f}"
    for split in usual_splits(Reported.read(table)):
        assert split.name != "20 %" or (split.prints != "no" and not split.too_small), table
