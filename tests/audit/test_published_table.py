"""The ``[reported]`` table is read whole or refused in words."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.audit.examination import examine
from leukreg.audit.printed_figure import printed
from leukreg.audit.published_table import KEYS, Reported
from leukreg.errors import Problems


def test_figures_counts_and_matrix_are_read() -> None:
    reported = Reported.read(
        {
            "classes": ["Benign", "ALL"],
            "accuracy": "0.8400",
            "recall": 0.1,
            "confusion": [[187, 18], [18, 2]],
            "class_counts": {"Benign": 1024, "ALL": 100},
            "best_epoch": 1,
        }
    )
    assert reported.positive == "ALL"
    assert reported.test_supports() == {"Benign": 205, "ALL": 20}
    assert reported.test_total() == 225
    assert reported.count("best_epoch") == 1
    assert set(reported.of("ALL")) == {"recall"}
    assert reported.of("Benign") == {}
    assert hash(reported) == hash(reported)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"precision": 1.7}, "between 0 and 1"),
        ({"accuracy": 8.02}, '"8.02 %"'),
        ({"accuracy": 81.02, "per_class": {"a": {"fnr": 0.8}}}, "a.fnr: per cent as others of"),
        ({"recal": ".5"}, "did you mean 'recall'"),
        ({"class_counts": {"a": -1}}, "class_counts.a: must lie between 0"),
        ({"class_counts": 7}, "must be a table"),
        ({"test_images": 1.5}, "whole number"),
        ({"images": True}, "whole number"),
        ({"confusion": [[1, 2], [3]]}, "square"),
        ({"confusion": []}, "square"),
        ({"confusion": [[1, "x"], [3, 4]], "classes": ["a", "b"]}, "confusion.0.1"),
        ({"confusion": [[1, 2], [3, 4]]}, "name its classes"),
        ({"confusion": [[1, 2], [3, 4]], "classes": ["a", "b", "c"]}, "there are 3"),
        ({"classes": ["a", "a"]}, "twice"),
        ({"classes": "ab"}, "list of class names"),
        ({"classes": ["a"], "per_class": {"b": {"recall": 0.5}}}, "lacks 'b'"),
        ({"classes": ["a", "b"], "positive": "c"}, "none of the classes"),
        ({"per_class": {"a": {"recal": 0.5}}}, "per_class.a.recal: no such figure"),
        ({"per_class": {"a": 0.5}}, "must be a table"),
        ({"per_class": {"a": {"support": -3}}}, "per_class.a.support"),
        ({"best_validation_loss": "-1"}, "negative"),
        ({"source": 5}, "must be text"),
        ({"accuracy": "high"}, "'high' is no number"),
    ],
)
def test_absurd_tables_are_refused(table: dict[str, Any], words: str) -> None:
    with pytest.raises(Problems) as caught:
        Reported.read(table)
    assert words in str(caught.value)
    assert "nothing was checked" in str(caught.value)


def test_per_cents_without_their_sign_are_read_and_said() -> None:
    table = {"accuracy": "94.2", "recall": "93.10 ± 0.5", "auc": "0.98", "mcc": 0.91}
    read = Reported.read(table | {"per_class": {"a": {"precision": 0}}})
    assert (read.figure("accuracy"), read.figure("auc")) == (printed("94.2 %"), printed("0.98"))
    assert read.figure("recall") == replace(printed("93.10 ± 0.5 %"), text="93.10 ± 0.5 %")
    (said,) = read.assumed
    assert said.endswith("are in per cent: accuracy 94.2, recall 93.10 ± 0.5")
    assert said in examine(read).verdict.assumptions
    assert Reported.read(table | {"accuracy": "94.2 %", "recall": ".9"}).assumed == ()


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(Problems) as caught:
        Reported.read({"precision": 1.7, "recall": "x", "images": -1})
    assert len(caught.value.problems) == 3


def test_several_models_are_read_each_by_its_name() -> None:
    tables = [{"model": "VGG16", "accuracy": "0.87", "runs": 3}, {"accuracy": "0.84"}]
    one, other = Reported.read_all(tables)
    assert (one.who, other.who) == ("reported (VGG16)", "reported (table 2)")
    assert one.count("runs") == 3
    assert (
        Reported.read({"accuracy": "0.84", "dataset": "bccd", "split": "image"}).who == "reported"
    )


@pytest.mark.parametrize("stated", [3, [], "x", [{"accuracy": "0.5"}, 3]])
def test_what_is_no_table_nor_several_is_refused(stated: Any) -> None:
    with pytest.raises(Problems, match="must be a table of figures, or several"):
        Reported.read_all(stated)


def test_mistakes_of_several_tables_come_at_once_with_their_numbers() -> None:
    with pytest.raises(Problems) as caught:
        Reported.read_all([{"precision": 1.7}, {"classes": 3, "recall": "x"}])
    told = [problem.message.partition(":")[0] for problem in caught.value.problems]
    assert told == ["reported.0.precision", "reported.1.classes", "reported.1.recall"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), ANYTHING, max_size=6))
def test_no_table_whatsoever_gives_another_error(table: dict[str, Any]) -> None:
    with contextlib.suppress(Problems):
        assert isinstance(Reported.read(table), Reported)
        assert len(Reported.read_all([table, table])) == 2
