"""V4 with the gate switched on: what it made of benign cells does not pass for malignant ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.errors import GateError
from tests.audit.small import trained

pytestmark = pytest.mark.slow


def test_the_warped_malignant_cells_of_v4_are_refused_with_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)  # where no data/all lies
    with pytest.raises(GateError) as caught:
        trained("v4-gated", tmp_path / "runs", ("data.fallback.images=40",))
    said = str(caught.value)
    assert "of 12" in said
    assert "copy training images" in said
    assert "no real images to hold them against" in said
    assert "they pass for Benign (KID" in said
