"""The run folder: made, locked, ended, taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leukreg.errors import RunError
from leukreg.files import digest
from leukreg.record import RunRecord
from leukreg.runs import RunFolder, data_digest, list_runs, read
from leukreg.runs.status import is_locked
from tests.runs.run_folders import recipe

Make = Callable[..., RunRecord]


def test_names_tell_recipe_and_time_and_nothing_is_overwritten(tmp_path: Path) -> None:
    paths = set()
    for _ in range(5):
        with RunFolder.create(tmp_path / "runs", recipe("a b/é")) as folder:
            paths.add(folder.path)
            assert folder.name.startswith("a_b_é-20")
    assert len(paths) == 5


def test_what_a_new_folder_holds(tmp_path: Path) -> None:
    file = tmp_path / "v4.toml"
    file.write_bytes(b"# as given \xe2\x82\xac\r\nname = 'v4'\n")
    with RunFolder.create(tmp_path / "runs", recipe(path=file)) as folder:
        assert (folder.path / "recipe.toml").read_bytes() == file.read_bytes()
        assert folder.read_json("recipe.json")["betas"] == [0.9, 0.999]
        environment = folder.read_json("environment.json")
        assert environment["python"].startswith("3.")
        assert environment["libraries"]["torch"]
        assert environment["cores"] >= 1
        assert environment["argv"]
        assert folder.status().state == "running"
        names = {path.name for path in folder.path.iterdir()}
    assert not [name for name in names if name.endswith(".tmp")]


def test_a_root_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="runs"):
        RunFolder.create(tmp_path / "runs", recipe())


def test_an_error_marks_the_run_as_failed_and_it_may_be_taken_up(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunFolder.create(tmp_path, recipe()) as folder:
        _ = 1 / 0
    assert folder.status().state == "failed"
    assert folder.status().error == "ZeroDivisionError: division by zero"
    with pytest.raises(RunError, match=r"failed: ZeroDivisionError.*\n.*--resume"):
        read(folder.path)
    with RunFolder.open(folder.path) as again:
        assert again.status().state == "running"
        assert again.status().error is None
        again.finish()
    assert again.status().state == "finished"
    assert again.status().seconds >= folder.status().seconds


def test_two_writers_are_refused_in_one_process(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, recipe()) as folder:
        assert is_locked(folder.path)
        with pytest.raises(RunError, match="another process"):
            RunFolder.open(folder.path)
        assert folder.status().state == "running"
    assert not is_locked(folder.path)
    RunFolder.open(folder.path).close()


HOLD = """
    import sys
    from pathlib import Path
    from leukreg.runs import RunFolder
    folder = RunFolder.open(Path(sys.argv[1]))
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_ends_with_its_process_however_that_dies(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, recipe()) as folder:
        pass
    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match="another process"):
            RunFolder.open(folder.path)
        assert list_runs(tmp_path)[0].standing == "running"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert list_runs(tmp_path)[0].standing == "interrupted"
    RunFolder.open(folder.path).close()


FORK = """
    import os, sys, time
    from pathlib import Path
    from leukreg.runs import RunFolder
    folder = RunFolder.open(Path(sys.argv[1]))
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_worker_that_outlives_its_process_keeps_no_lock(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, recipe()) as folder:
        pass
    command = [sys.executable, "-c", textwrap.dedent(FORK), str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        RunFolder.open(folder.path).close()


def test_only_run_folders_can_be_opened(tmp_path: Path) -> None:
    for action in (RunFolder.open, read):
        with pytest.raises(RunError, match="is no run folder"):
            action(tmp_path)


def test_digests_see_content_and_labels_not_order_or_place(make_result: Make) -> None:
    samples = make_result(bootstrap=0, synthetic=3).samples
    pixels = {row.id: f"{i:x}" for i, row in enumerate(samples.rows)}
    first = data_digest(samples, pixels)
    moved = replace(samples, rows=tuple(replace(r, path="x") for r in reversed(samples.rows)))
    assert data_digest(moved, pixels) == first
    real = tuple(row for row in samples.rows if row.lineage is None)
    assert data_digest(replace(samples, rows=real), pixels) == first
    other = (replace(samples.rows[0], label="ALL"), *samples.rows[1:])
    assert data_digest(replace(samples, rows=other), pixels) != first
    assert data_digest(samples, {**pixels, samples.rows[0].id: "else"}) != first


def test_keeping_data_notes_its_digest_beside_others(tmp_path: Path, make_result: Make) -> None:
    result = make_result(bootstrap=0)
    weights = tmp_path / "weights"
    weights.write_bytes(b"abc")
    with RunFolder.create(tmp_path / "runs", recipe()) as folder:
        folder.write_json("digests.json", {"weights": digest(weights)})
        folder.keep_data(result)
        digests: dict[str, Any] = folder.read_json("digests.json")
    assert digests == {
        "weights": digest(weights),
        "data": data_digest(result.samples, result.pixels),
    }


def test_working_time_adds_up_over_stretches(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, recipe()) as folder:
        folder._began -= 100
        folder.checkpoint_time()
    with RunFolder.open(folder.path) as again:
        again._began -= 10
        again.finish()
    assert 110 <= again.status().seconds < 115
