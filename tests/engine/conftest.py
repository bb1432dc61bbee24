from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Makes engine_fakes importable in pytest's importlib mode and in the scripts that tests start.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs of the tests last milliseconds; write a checkpoint after each all the same."""
    monkeypatch.setattr("leukreg.engine.checkpoints.EVERY", 0.0)


@pytest.fixture(autouse=True, scope="session")
def engines_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing goes into the user's cache, of what tests share either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKREG_CACHE", str(tmp_path_factory.mktemp("shared-cache")))
        yield


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LEUKREG_CACHE", str(folder))
    return folder
