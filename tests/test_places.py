"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg import expanded


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/cells") == tmp_path / "cells"
    assert expanded(Path("~")) == tmp_path


@pytest.mark.parametrize("path", ["~no-such-user/cells", "cells", "/cells", "a/~b"])
def test_any_other_path_stays_as_it_is(path: str) -> None:
    assert expanded(path) == Path(path)
