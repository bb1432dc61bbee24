"""Where results may be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leukreg.errors import DataError
from leukreg.output_folder import require_empty, require_replaceable

Require = Callable[[Path], None]

BOTH = (require_empty, require_replaceable)


@pytest.mark.parametrize("require", BOTH)
def test_new_and_empty_folders_are_free(require: Require, tmp_path: Path) -> None:
    require(tmp_path / "new" / "deep")
    (tmp_path / "empty").mkdir()
    require(tmp_path / "empty")


@pytest.mark.parametrize("require", BOTH)
def test_files_and_full_folders_are_refused(require: Require, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(DataError, match="not an empty folder"):
            require(taken)
    with pytest.raises(DataError, match="cannot be read"):
        require(tmp_path / ("x" * 999))


def test_what_cannot_be_moved_onto_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    require_empty(Path())
    for out in (Path(), tmp_path):
        with pytest.raises(DataError, match="the folder you are in"):
            require_replaceable(out)
