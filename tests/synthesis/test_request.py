"""Stamps: whatever a generator reads is noticed when it changes, links and all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leukreg.errors import DataError
from leukreg.registry.plugin_call import Choice
from leukreg.synthesis.request import files_of, stamps_of


def choice(*paths: Path) -> Choice:
    plugin: Any = SimpleNamespace(files=lambda: paths)
    return Choice(kind="generator", name="reader", plugin=plugin, owner="stranger 1.2")


def write(path: Path, text: str = "one") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_and_folders_are_walked_once_and_in_order(tmp_path: Path) -> None:
    files = [write(tmp_path / name) for name in ("a/2.png", "a/b/1.png", "t.csv")]
    found = files_of(choice(tmp_path / "t.csv", tmp_path / "a", tmp_path / "a"))
    assert found == [files[2], files[0], files[1]]


def test_what_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    assert stamps_of(choice(tmp_path / "nothing.csv")) == []


def test_files_in_linked_folders_are_stamped(tmp_path: Path) -> None:
    path = write(tmp_path / "store" / "1.png")
    (tmp_path / "donors").mkdir()
    (tmp_path / "donors" / "monocyte").symlink_to(tmp_path / "store")
    before = stamps_of(choice(tmp_path / "donors"))
    assert [Path(name).name for name, _, _ in before] == ["1.png"]
    path.write_text("another picture")
    assert stamps_of(choice(tmp_path / "donors")) != before


def test_a_link_that_leads_back_ends(tmp_path: Path) -> None:
    write(tmp_path / "donors" / "a" / "1.png")
    (tmp_path / "donors" / "a" / "up").symlink_to(tmp_path / "donors")
    assert len(stamps_of(choice(tmp_path / "donors"))) == 1


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=f"{tmp_path} cannot be listed: Permission denied"):
        stamps_of(choice(tmp_path))
