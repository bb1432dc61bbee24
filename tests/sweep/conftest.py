from __future__ import annotations

from pathlib import Path

import pytest

from tests.trained import COLOURS, write_cells

RECIPE = """
schema = 1
seed = 3
data = {{ use = "folder", root = "{root}", folds = {{ k = 2, validation = 0.3 }} }}
image = {{ size = 32 }}
loss = "cross-entropy"

[model]
backbone = "cellnet"
head = {{ use = "mlp", widths = [4] }}

[training]
batch_size = 16

[[phase]]
name = "all"
unfreeze = "all"
epochs = 1
optimizer = {{ use = "adam", lr = 1e-3 }}

[evaluate]
bootstrap = 10
"""


@pytest.fixture(scope="session")
def _cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(tmp_path_factory.mktemp("sweep") / "cells", tuple(COLOURS), 10, seed=1)


@pytest.fixture
def recipe(_cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of two folds that train in a moment."""
    monkeypatch.setenv("LEUKREG_CACHE", str(_cells.parent / "cache"))
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.format(root=_cells.as_posix()))
    return path
