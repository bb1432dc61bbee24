"""What follows of a test whose size is not printed; every matrix lies within what it implies."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins.audits.implied_test import PrevalenceImplied, SizesThatPrint, implied

from leukreg import RunRecord
from leukreg.audit.printed_figure import printed
from tests.plugins.audits.evidence import fires, passes

SET = {"HEM": 3389, "ALL": 7272}
TABLE: dict[str, Any] = {"classes": ["HEM", "ALL"], "class_counts": SET}
FIGURES = {"accuracy": "0.8631", "recall": "0.9663", "specificity": "0.6416"}


def reported(**table: Any) -> RunRecord:
    return RunRecord(recipe={"reported": table})


def test_sizes_that_print() -> None:
    rule = SizesThatPrint()
    fires(rule, reported(**TABLE | FIGURES), "note", "20 % (2,131 to 2,133)", "10 %", "cannot")
    wide = {"accuracy": "0.86", "recall": "0.97"}
    fires(rule, reported(**TABLE | wide), "note", "each of the usual splits can")
    passes(rule, reported(**TABLE | FIGURES, test_counts={"HEM": 678, "ALL": 1455}))
    passes(rule, reported(classes=["HEM", "ALL"], **FIGURES))


def test_the_share_of_positives_is_held_against_the_set() -> None:
    rule = PrevalenceImplied()
    fires(rule, reported(**TABLE | FIGURES), "note", "68.2 % of the test", "as 68.2 % of its set")
    even = TABLE | {"accuracy": "0.946", "recall": "0.967", "specificity": "0.926"}
    fires(rule, reported(**even), "note", "46.3 to 51.2 %", "hardly ever strays so far")
    fires(rule, reported(**even, split="image"), "warning", "hardly ever strays so far")
    near = TABLE | {"accuracy": "0.9", "recall": "1.000", "specificity": "0.700"}
    fires(rule, reported(**near | {"accuracy": "0.899"}), "note", "no more than a random tenth")
    passes(rule, reported(**even, test_images=100))
    passes(rule, reported(**even, folds=5))
    passes(rule, reported(**TABLE, accuracy="0.95", recall="0.95", specificity="0.95"))  # any


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=4, max_size=4), st.integers(1, 4))
def test_no_matrix_lies_outside_of_what_its_figures_imply(cells: list[int], digits: int) -> None:
    tn, fp, fn, tp = cells
    if not (tp + fn and tn + fp and tp + fp):
        return
    true = {"accuracy": Fraction(tp + tn, sum(cells)), "recall": Fraction(tp, tp + fn)}
    true |= {"specificity": Fraction(tn, tn + fp), "precision": Fraction(tp, tp + fp)}
    figures = {name: printed(f"{float(value):.{digits}f}") for name, value in true.items()}
    share, _ = implied(figures, figures["accuracy"])
    assert share is None or share[0] <= Fraction(tp + fn, sum(cells)) <= share[1]
    # None of it is empty: None stands for what tells nothing.
    assert share is not None or 0 in true.values() or 1 in true.values() or digits == 1
