"""Runs that were stopped, damaged or short of room: what is said, what is left, how they go on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leukreg.cli.main import main
from leukreg.engine.checkpoints import Checkpoints
from leukreg.engine.training import train_fold
from leukreg.runs import RunFolder, list_runs, read
from tests.trained import RECIPE, write_cells

Capture = pytest.CaptureFixture[str]
CLASSES = ("[M] pro", "benign")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    root = write_cells(tmp_path / "cells", CLASSES, 8, seed=1)
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE.format(root=root, folds="{ k = 2 }", evaluate=""))
    return path


def stopped_after_a_fold(monkeypatch: pytest.MonkeyPatch, stop: Callable[[], None]) -> int:
    """Run the recipe; ``stop`` is called before the second fold."""

    def dying(recipe: Any, labels: Any, images: Any, fold: Any, *more: Any) -> Any:
        if fold.index == 1:
            stop()
        return train_fold(recipe, labels, images, fold, *more)

    with monkeypatch.context() as patched:
        patched.setattr("leukreg.engine.training.train_fold", dying)
        return main(["run", "mine.toml"])


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def only_run() -> Path:
    (folder,) = Path("runs").iterdir()
    return folder


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.name != ".lock"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGTERM, 143, "ended by SIGTERM"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_says_how_to_go_on_and_the_run_is_not_called_failed(
    recipe: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    number: int,
    code: int,
    words: str,
) -> None:
    assert stopped_after_a_fold(monkeypatch, send(number)) == code
    said = capsys.readouterr().err
    assert f"leukreg run --resume {only_run()}" in said
    assert f"leukreg: {words}" in said
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    (run,) = list_runs(Path("runs"))
    assert run.standing == "interrupted"
    assert main(["show", str(run.path)]) == 2
    assert "has not finished; leukreg run --resume" in capsys.readouterr().err
    assert main(["run", "--resume", "last"]) == 0
    assert read(run.path).mended == ()
    assert not left_over(run.path)


def test_what_can_be_made_again_is_and_the_report_says_so(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert main(["run", "mine.toml", "--runs", "whole"]) == 0
    (whole,) = Path("whole").iterdir()
    assert stopped_after_a_fold(monkeypatch, send(signal.SIGINT)) == 130
    run = only_run()
    table = run / "fold-0" / "predictions.csv"
    content = table.read_bytes()
    table.write_bytes(content[: len(content) // 2])
    digits = run / "fold-0" / "validation.csv"
    digits.write_bytes(digits.read_bytes().replace(b"0.4", b"0.5", 1).replace(b"0.6", b"0.7", 1))
    (run / "environment.json").unlink()
    (run / "digests.json").write_bytes(b"{")
    capsys.readouterr()
    assert main(["run", "--resume", "last"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "! fold-0/predictions.csv was damaged, and is made again from model.pt." in said
    assert "! fold-0/validation.csv was damaged, and is made again from model.pt." in said
    assert "! environment.json was missing or damaged" in said
    assert "! digests.json was damaged" in said
    assert (run / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
    assert read(run).scores == read(whole).scores


@pytest.mark.parametrize("gone", ["last.pt", "model.pt", "outcome.json"])
def test_a_fold_that_lost_its_state_is_not_trained_anew_without_a_word(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, gone: str
) -> None:
    if gone == "last.pt":  # training ends once its first checkpoint is there
        write = Checkpoints.write

        def dying(*given: Any, **named: Any) -> None:
            write(*given, **named)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Checkpoints, "write", dying)
            assert main(["run", "mine.toml"]) == 130
    else:
        assert stopped_after_a_fold(monkeypatch, send(signal.SIGINT)) == 130
    run = only_run()
    (run / "fold-0" / gone).unlink()
    capsys.readouterr()
    assert main(["run", "--resume", "last"]) == 0
    line = f"! fold-0/{gone} was missing, although this fold had begun: it is trained anew."
    said = " ".join(capsys.readouterr().out.split())
    assert said.count(line) == 2  # when it is resumed, and in its report
    assert read(run).mended == (line[2:],)


def test_a_resumed_run_whose_checksums_are_gone_says_what_is_unchecked(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert stopped_after_a_fold(monkeypatch, send(signal.SIGINT)) == 130
    run = only_run()
    (run / "checksums.txt").unlink()
    (run / "fold-0" / "checksums.txt").unlink()
    capsys.readouterr()
    assert main(["run", "--resume", "last"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for name in ("checksums.txt", "fold-0/checksums.txt"):
        line = f"! {name} was missing: the files beside it were taken unchecked."
        assert said.count(line) == 2, said
        assert line[2:] in read(run).mended


def test_damage_that_cannot_be_mended_is_told_before_training(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert stopped_after_a_fold(monkeypatch, send(signal.SIGINT)) == 130
    run = only_run()
    model = bytearray((run / "fold-0" / "model.pt").read_bytes())
    model[len(model) // 2] ^= 1
    (run / "fold-0" / "model.pt").write_bytes(model)
    assert main(["run", "--resume", "last"]) == 2
    said = capsys.readouterr().err
    assert "fold-0/model.pt is damaged: it is not as leukreg wrote it; delete the folder" in said
    for path in (run / "fold-0").iterdir():  # as it advises
        path.unlink()
    assert main(["run", "--resume", "last"]) == 0


def test_a_finished_run_is_never_called_failed(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert main(["run", "mine.toml"]) == 0
    run = only_run()
    status = (run / "status.json").read_bytes()
    for name in ("predictions.csv", "facts.json", "checksums.txt"):
        content = (run / name).read_bytes()
        (run / name).write_bytes(content[:-9])
        assert main(["run", "--resume", run.name]) == 2
        assert f"{name} is damaged" in capsys.readouterr().err
        assert (run / "status.json").read_bytes() == status
        (run / name).write_bytes(content)
    assert main(["run", "--resume", "last"]) == 0


def test_a_full_disk_is_told_and_the_run_goes_on_later(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    replace = Path.replace

    def no_room(self: Path, target: Path) -> Path:
        if Path(target).name in ("model.pt", "status.json") and (only_run() / "fold-0").exists():
            full()
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", no_room)
        assert main(["run", "mine.toml"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    run = only_run()
    assert f"{run}/fold-0/model.pt cannot be written: No space left on device; make room" in said
    assert f"leukreg run --resume {run}" in said
    (summary,) = list_runs(Path("runs"))
    assert summary.standing == "failed"  # written over the old status, since none fits beside it
    assert not left_over(run)
    assert main(["run", "--resume", "last"]) == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a disk")
def test_a_disk_that_is_really_full(recipe: Path, tmp_path: Path, capsys: Capture) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount")
    try:
        assert main(["run", "mine.toml", "--runs", str(place / "runs")]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "cannot be written: No space left on device; make room there" in said
        (run,) = list_runs(place / "runs")
        assert run.standing == "failed"
        assert not left_over(run.path)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_kill_among_the_first_files_leaves_nothing_in_the_way(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leukreg.recipe import load, take_fallbacks

    ended = subprocess.Popen(["true"])
    ended.wait()
    monkeypatch.setattr("leukreg.files.os.getpid", lambda: ended.pid)
    monkeypatch.setattr("leukreg.files.shutil.rmtree", lambda *_, **__: None)

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "_begin", killed)
        with pytest.raises(Killed):
            RunFolder.create(Path("runs"), take_fallbacks(load(recipe))[0])
    (remains,) = Path("runs").iterdir()
    assert remains.name.startswith(".mine-")
    assert list_runs(Path("runs")) == ()
    monkeypatch.undo()
    RunFolder.create(recipe.parent / "runs", take_fallbacks(load(recipe))[0]).close()
    assert not list((recipe.parent / "runs").glob(".mine-*"))
