"""The solver leaves the process as it was."""

from __future__ import annotations

import os
import signal

import pytest

from leukreg.audit.cp_sat import Model


def test_numbers_are_found_and_counted() -> None:
    model = Model()
    a, b = model.number(0, 3), model.number(0, 3)
    model.hold(a + b == 3, model.product(a, b, 9) == 2)
    found, all_of_them = model.solutions([a, b], 10, 1.0)
    assert sorted(found) == [(1, 2), (2, 1)]
    assert all_of_them


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_is_pythons_again_after_a_search() -> None:
    model = Model()
    a = model.number(0, 3)
    model.hold(a >= 2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        model.solutions([a], 10, 1.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
