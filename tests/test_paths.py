"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leukreg import expanded
from leukreg.cli.main import main
from leukreg.data.image_store import open_images
from leukreg.data.table_reader import read_table
from leukreg.errors import DataError, Problems
from leukreg.paths import TABLE_BYTES, read_regular
from leukreg.predict.inputs import given_images
from leukreg.types import ImageSpec, Sample, Samples


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/cells") == tmp_path / "cells"
    assert expanded(Path("~")) == tmp_path


@pytest.mark.parametrize("path", ["~no-such-user/cells", "cells", "/cells", "a/~b"])
def test_any_other_path_stays_as_it_is(path: str) -> None:
    assert expanded(path) == Path(path)


KINDS = {
    "pipe": "it is a pipe, not a file",
    "device": "it is a device, not a file",
    "sparse": "it is too large: 6,144 MiB; at most 1,024 MiB are read",
    "folder": "it is a folder",
    "loop": "Too many levels of symbolic links",
}


def odd(folder: Path, kind: str, ending: str) -> Path:
    """Something that is no file of a usual size."""
    path = folder / f"{kind}{ending}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 6 * 2**30)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.name)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_only_files_of_a_usual_size_are_read(tmp_path: Path, kind: str) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 (its words are compared)
        read_regular(odd(tmp_path, kind, ".jpg"), TABLE_BYTES)
    assert KINDS[kind] in str(caught.value.strerror)


def test_every_reader_says_so_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    for kind, words in KINDS.items():
        image, table, recipe = (odd(tmp_path, kind, end) for end in (".png", ".csv", ".toml"))
        row = Sample(id="a", path=str(image), label="a")
        with pytest.raises(Problems, match=words):
            open_images(Samples(rows=(row,), classes=("a",)), ImageSpec(size=32))
        [given] = given_images(image)
        assert given.read(32) in (f"cannot be opened: {words}", "is a folder")
        with pytest.raises(DataError, match=words):
            read_table(table)
        for command in ("check", "audit") if kind != "folder" else ("check",):
            assert main([command, str(recipe)]) == 2
            shown = capsys.readouterr().err
            assert ("is larger than" if kind == "sparse" else words) in shown or (
                kind == "loop" and "there is no such file" in shown
            )
