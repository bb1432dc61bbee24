"""Workers on this machine."""

from __future__ import annotations

import os
from typing import Any

import pytest
from leukreg_plugins.executors import Here, Processes


def test_a_process_that_dies_takes_no_other_with_it_and_is_replaced() -> None:
    workers = Processes(workers=2).build(4, 1)
    try:
        lives, dies = workers.submit(os.getenv, "OMP_NUM_THREADS"), workers.submit(os._exit, 1)
        assert lives.result(timeout=60) == "1"
        assert dies.exception(timeout=60) is not None
        assert workers.submit(abs, -2).result(timeout=60) == 2
        assert workers.submit(abs, -3).result(timeout=60) == 3
    finally:
        workers.stop()


def test_there_are_no_more_workers_than_units_or_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(cores: int, devices: tuple[str, ...], **options: Any) -> int:
        monkeypatch.setattr("leukreg_plugins.executors._cores", lambda: cores)
        monkeypatch.setattr("leukreg_plugins.executors._devices", lambda: devices)
        return Processes(**options).build(9, 2).count

    assert count(8, ()) == 4
    assert count(1, ()) == 1
    assert count(64, ()) == 9
    assert count(8, ("0", "1")) == 2
    assert count(8, (), workers=6) == 6
    assert Here().build(9, 2).count == 1
