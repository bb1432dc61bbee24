from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leukreg.evaluate.bootstrap import paired
from tests.plugins.audits.evidence import binary

TRUE = [0, 1] * 20


def answering(right: int) -> list[float]:
    """Scores with so many right answers among the first rows."""
    return [0.9 if (label == 1) == (i < right) else 0.1 for i, label in enumerate(TRUE)]


def test_the_gain_is_the_second_less_the_first() -> None:
    found = paired(binary(TRUE, answering(20)), binary(TRUE, answering(30)))
    assert found is not None
    assert (found.value, found.images) == (pytest.approx(0.25), 40)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 0.25 < found.high
    assert "1000 resamples of 40" in found.how


def test_rows_are_matched_by_file_whatever_their_order() -> None:
    rows = binary(TRUE, answering(20))
    turned = np.arange(40)[::-1]
    other = replace(
        binary([TRUE[i] for i in turned], [answering(30)[i] for i in turned]),
        id=tuple(rows.id[i] for i in turned),
    )
    found = paired(rows, other)
    assert found is not None
    assert found.value == pytest.approx(0.25)


def test_too_little_or_other_classes_are_no_pair() -> None:
    rows = binary(TRUE, answering(20))
    assert paired(rows, binary(TRUE, answering(20), classes=("x", "y"))) is None
    assert paired(rows, replace(rows, id=tuple(f"other-{n}" for n in range(40)))) is None
