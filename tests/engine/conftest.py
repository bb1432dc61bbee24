from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Makes engine_fakes importable in pytest's importlib mode and in the scripts that tests start.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs of the tests last milliseconds; write a checkpoint after each all the same."""
    monkeypatch.setattr("leukreg.engine.checkpoints.EVERY", 0.0)
