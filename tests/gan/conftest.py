from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Makes discs importable in pytest's importlib mode and in the scripts that tests start.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test trains for itself."""
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def hasty_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny networks need no thousand images to settle on."""
    monkeypatch.setattr("leukreg_gan.cgan_training.SETTLING", 2)
