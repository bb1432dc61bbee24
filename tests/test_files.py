"""Files are whole or absent, and damage is told from data."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leukreg import files
from leukreg.engine.checkpoints import save
from leukreg.errors import RunError, WriteError
from leukreg.output_folder import new_folder


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _ended() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@given(data=st.binary(min_size=1, max_size=200), place=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_told(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, place: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("kept") / "table.csv"
    files.write_file(path, data, listed=True)
    files.check_file(path)
    wrong = bytearray(data)
    wrong[place % len(data)] ^= 1 << bit
    path.write_bytes(wrong)
    with pytest.raises(
        RunError, match=r"table\.csv is damaged: it is not as leukreg wrote it; put"
    ):
        files.check_file(path)
    with pytest.raises(RunError, match="is damaged"):
        files.read_file(path)
    path.write_bytes(data[:-1])
    with pytest.raises(RunError, match="is damaged"):
        files.check_file(path)


def test_a_file_without_a_checksum_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(b"{}")
    files.write_file(tmp_path / "new.json", b"[]", listed=True)
    assert files.read_file(tmp_path / "old.json") == b"{}"
    assert files.is_listed(tmp_path / "new.json")
    assert not files.is_listed(tmp_path / "old.json")


def test_a_missing_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"facts\.json is missing; run it again"):
        files.check_file(tmp_path / "facts.json", "run it again")


@pytest.mark.parametrize("operation", ["replace", "open", "fsync"])
def test_a_kill_at_any_moment_leaves_a_file_that_is_no_damage(
    operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    files.write_file(path, b"first", listed=True)

    class Killed(BaseException):
        pass

    def stop(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        place: Any = os if operation == "fsync" else Path
        patched.setattr(place, operation, stop)
        with pytest.raises(Killed):
            files.write_file(path, b"second", listed=True)
    assert files.read_file(path) == b"first"
    files.write_file(path, b"third", listed=True)
    assert files.read_file(path) == b"third"
    assert _names(tmp_path) == [files.CHECKSUMS, "last.pt"]


def test_a_line_that_was_cut_harms_no_later_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    files.write_file(path, b"one", listed=True)
    with (tmp_path / files.CHECKSUMS).open("ab") as sums:
        sums.write(b"0123456789abcdef")
    files.write_file(path, b"two", listed=True)
    files.check_file(path)
    path.write_bytes(b"twa")
    with pytest.raises(RunError, match="damaged"):
        files.check_file(path)


def test_a_settled_folder_is_what_sha256sum_checks(tmp_path: Path) -> None:
    fold = tmp_path / "fold-0"
    fold.mkdir()
    for content in (b"1", b"2"):
        files.write_file(tmp_path / "scores.json", content, listed=True)
        files.write_file(fold / "model.pt", content, listed=True)
    files.write_file(tmp_path / "gone.json", b"", listed=True)
    (tmp_path / "gone.json").unlink()
    (fold / "old.json").write_bytes(b"of an older version")
    seal = files.settle(tmp_path, [fold])
    assert seal == files.digest(tmp_path / files.CHECKSUMS)
    lines = (tmp_path / files.CHECKSUMS).read_text().splitlines()
    assert [line[66:] for line in lines] == ["scores.json", "fold-0/model.pt", "fold-0/old.json"]
    (fold / files.CHECKSUMS).unlink()
    files.check_file(fold / "model.pt")
    (fold / "old.json").write_bytes(b"of an older versiom")
    with pytest.raises(RunError, match="damaged"):
        files.check_file(fold / "old.json")
    if shutil.which("sha256sum"):
        done = subprocess.run(
            ["sha256sum", "-c", files.CHECKSUMS], cwd=tmp_path, capture_output=True
        )
        assert b"fold-0/model.pt: OK" in done.stdout
        assert b"old.json: FAILED" in done.stdout


def test_a_full_disk_is_told_when_torch_writes_and_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    hashed = files._Hashed
    monkeypatch.setattr(files, "_Hashed", lambda file: hashed(type("Full", (), {"write": full})()))
    words = r"model\.pt cannot be written: No space left on device; make room there, then"
    with pytest.raises(WriteError, match=words):
        save(tmp_path / "model.pt", {"weights": torch.zeros(1000)})
    assert not _names(tmp_path)


def test_what_dead_processes_left_goes_and_what_lives_stays(tmp_path: Path) -> None:
    dead, alive = _ended(), os.getppid()
    for name in (f".a.csv.{dead}.part", f".b.csv.{dead}.part", f".a.csv.{alive}.part", ".a.part"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / f".c.{dead}.part").mkdir()
    assert files.left_behind(tmp_path / "b.csv")
    files.write_file(tmp_path / "a.csv", b"")
    assert f".a.csv.{dead}.part" not in _names(tmp_path)
    assert f".b.csv.{dead}.part" in _names(tmp_path)
    files.clear_leftovers(tmp_path)
    assert _names(tmp_path) == [f".a.csv.{alive}.part", ".a.part", "a.csv"]
    assert not files.left_behind(tmp_path / "a.csv")


def _fill(target: Path, error: Exception) -> None:
    with new_folder(target) as place:
        files.write_file(place / "b.png", b"")
        raise error


def test_a_folder_appears_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "looked-at"
    (tmp_path / f".looked-at.{os.getpid()}.part" / "remains").mkdir(parents=True)
    full = files.unwritable(
        tmp_path / f".looked-at.{os.getpid()}.part" / "a.png", OSError(errno.ENOSPC, "No space")
    )
    with pytest.raises(WriteError, match=r"/looked-at/a\.png cannot be written: No space; make"):
        _fill(target, full)
    assert not _names(tmp_path)
    with new_folder(target) as place:
        files.write_file(place / "b.png", b"")
        assert not target.exists()
    assert _names(target) == ["b.png"]


def test_an_error_that_is_not_of_writing_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="/data/x"), new_folder(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "Permission denied", "/data/x.png")
