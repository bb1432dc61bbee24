from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
import torch

from leukreg import DataError
from leukreg.files import load_tensors


def test_tensors_come_back(tmp_path: Path) -> None:
    torch.save({"w": torch.arange(3)}, tmp_path / "m.pt")
    assert load_tensors(tmp_path / "m.pt")["w"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["code", "pickle", "text", "empty", "cut"])
def test_torchs_advice_to_run_what_stands_in_a_file_is_never_shown(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.pt"
    torch.save(Path("x") if kind == "code" else {"w": torch.zeros(9)}, path)
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Path("x")))
    if kind in ("text", "empty"):
        path.write_text("no tensors" if kind == "text" else "")
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"m\.pt: is damaged, or holds") as found:
        load_tensors(path)
    assert "weights_only" not in str(found.value)
    assert "\n" not in str(found.value)


def test_nothing_else_asks_torch() -> None:
    root = Path(__file__).parents[1]
    files = [p for f in ("leukreg", "plugins", "gan") for p in (root / f).rglob("*.py")]
    asks = re.compile(r"(= |\(|return )torch\.load\(")
    asking = [p.name for p in files if asks.search(p.read_text(encoding="utf-8"))]
    assert sorted(asking) == ["files.py", "network_checks.py"], "the latter is a check for authors"
