"""Published tables that cannot be true, or mean little, as records to audit."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from leukreg.audit.paper_file import paper_of
from leukreg.recipe.document import parse_document
from leukreg.record import RunRecord

PAPERS = (
    """
    classes = ["healthy", "sick"]
    test_counts = { healthy = 205, sick = 20 }
    images = 225
    accuracy = "0.8400"
    precision = "0.7842"
    recall = "0.6500"
    specificity = "0.9707"
    auc = "0.5400"
    brier = "0.2600"
    baseline_claimed = "0.5000"
    """,
    """
    [[reported]]
    model = "one"
    classes = ["healthy", "sick"]
    test_counts = { healthy = 3, sick = 2 }
    images = 4
    accuracy = ["0.812", "0.715"]
    validation_accuracy = "0.812"
    recall = "0.951"
    specificity = "0.952"
    auc = "0.551"
    brier = "0.001"
    ece = "0.300"
    [[reported]]
    model = "third"
    dataset = "all-taleqani"
    split = "image"
    test_images = 4000
    [[reported]]
    dataset = "bccd-kaggle"
    classes = ["a", "b"]
    class_counts = { a = 50, b = 60 }
    per_class = { a = { recall = "0.9871" } }
    [[reported]]
    model = "other"
    classes = ["healthy", "sick"]
    accuracy = "0.812"
    recall = "0.951"
    specificity = "0.952"
    confusion = [["95.2 %", "4.8 %"], ["4.9 %", "95.1 %"]]
    """,
    """
    classes = ["healthy", "sick"]
    confusion = [[50, 0], [40, 0]]
    accuracy = "0.5556"
    precision = "0.0000"
    folds = 5
    images = 450
    """,
    """
    classes = ["HEM", "ALL"]
    class_counts = { HEM = 3389, ALL = 7272 }
    accuracy = "0.8631"
    recall = "0.9663"
    specificity = "0.6416"
    """,
    """
    dataset = "all-taleqani"
    accuracy = 94.2
    class_counts = { Benign = 500, Early = 500, Pre = 500, Pro = 500 }
    images = 2000
    train_counts = { Benign = 1400, Early = 1400, Pre = 1400, Pro = 1400 }
    test_counts = { Benign = 350, Early = 350, Pre = 350, Pro = 350 }
    """,
)


def papers() -> Iterator[RunRecord]:
    """The record of each, with nothing but its tables."""
    for text in PAPERS:
        paper = paper_of(parse_document(textwrap.dedent(text), "paper.toml"), "paper.toml")
        assert paper is not None
        yield RunRecord(recipe={"reported": paper})
