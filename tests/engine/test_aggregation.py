"""What aggregators are given of a patient's cells."""

from __future__ import annotations

import pytest
import torch

from leukreg.engine.aggregation import cells_at


@pytest.mark.parametrize("places", [[3, 4, 5], [7], [5, 4, 3], [0, 2, 3], [4, 4]])
def test_cells_that_lie_together_are_not_copied(places: list[int]) -> None:
    table = torch.arange(20.0).view(10, 2)
    found = cells_at(table, places)
    assert torch.equal(found, table[places])
    together = places in ([3, 4, 5], [7])
    assert (found.data_ptr() == table[places[0]].data_ptr()) == together
