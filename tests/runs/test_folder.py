"""The run folder: written whole, locked, read back as it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leukreg.errors import RunError
from leukreg.files import digest
from leukreg.recipe.model import DataSpec, LossSpec, ModelSpec, PhaseSpec, Recipe
from leukreg.record import External, RunRecord
from leukreg.registry.plugin_call import Choice
from leukreg.runs import RunFolder, data_digest, find, list_runs, read
from leukreg.runs.status import is_checked, is_locked, read_status, write_status
from leukreg.types import BrokenImage, Finding, ImageSpec, Notice, Predictions

Make = Callable[..., RunRecord]
LATER = "2999-01-01T00:00:00+00:00"


def recipe(name: str = "v4", path: Path | None = None) -> Recipe:
    any_choice = Choice(kind="loss", name="x", plugin=None, owner="leukreg 0")
    made = Recipe(
        name=name,
        data=DataSpec(source=any_choice),
        image=ImageSpec(size=64),
        model=ModelSpec(backbone=any_choice, head=any_choice),
        loss=LossSpec(loss=any_choice),
        sampler=any_choice,
        phases=(PhaseSpec(name="all", optimizer=any_choice),),
        path=path,
    )
    kept = {"name": name, "seed": 4, "phase": [{"epochs": 1}], "betas": (0.9, 0.999)}
    vars(made)["resolved"] = kept  # as if it said so
    return made


def of_version_1(folder: Path, lines: dict[str, int]) -> None:
    """Make a finished run one of version 0.1: without checksums, its lines counted."""
    (folder / "checksums.txt").unlink()
    write_status(folder, replace(read_status(folder), checksums=None, lines=lines))


def date(folder: Path, started: str, **changes: Any) -> None:
    write_status(folder, replace(read_status(folder), started=started, **changes))


def finished(root: Path, result: RunRecord, name: str = "v4") -> RunRecord:
    with RunFolder.create(root, recipe(name)) as folder:
        return folder.keep(result)


def assert_same_predictions(one: Predictions | None, two: Predictions | None) -> None:
    if one is None or two is None:
        assert one is two
        return
    for field in fields(Predictions):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
            assert a.shape == b.shape, field.name
            assert a.tobytes() == b.tobytes(), field.name
        else:
            assert a == b, field.name


def test_a_result_comes_back_as_it_was(tmp_path: Path, make_result: Make) -> None:
    given = make_result(
        synthetic=20,
        folds=2,
        threshold=True,
        reported={"recall": "0.1000"},
        notices=(Notice(what="data", wanted="folder", used="demo", why="none", label="not real"),),
        findings=(Finding(rule="r", severity="error", message="m", waived="known"),),
    )
    broken = (BrokenImage(path="/data/ä.jpg", reason="not an image"),)
    given = replace(given, samples=replace(given.samples, broken=broken))
    kept = finished(tmp_path, given)
    back = read(kept.folder)
    for field in fields(RunRecord):
        a, b = getattr(kept, field.name), getattr(back, field.name)
        if isinstance(a, Predictions):
            assert_same_predictions(a, b)
        else:
            assert a == b, field.name
    assert back.recipe["reported"]["recall"] == "0.1000"
    assert back.samples == given.samples
    assert back.folds == given.folds
    assert back.seconds >= 0


def with_patients(given: RunRecord, **changes: Any) -> RunRecord:
    labels = {f"P{number:02d}": "ABC"[number % 2] for number in range(12)}
    samples = replace(given.samples, patient_labels=labels, patient_classes=("A", "C", "B"))
    return replace(given, samples=replace(samples, **changes))


def test_labels_of_patients_come_back(tmp_path: Path, make_result: Make) -> None:
    given = with_patients(make_result(bootstrap=0))
    back = read(finished(tmp_path, given).folder).samples
    assert back == given.samples
    assert back.patient_classes == ("A", "C", "B")
    assert back.patient_labels["P03"] == "B"


def test_weak_labels_come_back(tmp_path: Path, make_result: Make) -> None:
    made = make_result(bootstrap=0)
    labels = {f"{row.patient}-{row.label}": row.label for row in made.samples.rows}
    rows = tuple(replace(row, patient=f"{row.patient}-{row.label}") for row in made.samples.rows)
    classes = made.samples.classes
    given = with_patients(
        made, rows=rows, patient_labels=labels, patient_classes=classes, weak=True
    )
    back = read(finished(tmp_path, given).folder).samples
    assert back.weak
    assert back == given.samples


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"patient_labels": {"P00": "A"}}, "patient 'P01' has no label"),
        ({"patient_classes": ("A",)}, "patient 'P01' has the label 'B', which is none of the"),
        ({"weak": True}, "the classes of cells are not those of patients"),
        ({"weak": True, "patient_classes": ("Benign", "ALL")}, "none of the classes"),
    ],
)
def test_contradicting_labels_of_patients_are_damage(
    tmp_path: Path, make_result: Make, changes: dict[str, Any], said: str
) -> None:
    folder = finished(tmp_path, with_patients(make_result(bootstrap=0), **changes)).folder
    with pytest.raises(RunError, match=f"classes.json is damaged.*{said}"):
        read(folder)


def test_boxes_come_back(tmp_path: Path, make_result: Make) -> None:
    made = make_result(bootstrap=0)
    first = replace(made.samples.rows[0], box=(-3, 0, 61, 64))
    given = replace(made, samples=replace(made.samples, rows=(first, *made.samples.rows[1:])))
    folder = finished(tmp_path, given).folder
    assert read(folder).samples == given.samples
    table = folder / "samples.csv"
    table.write_text(table.read_text().replace("-3 0 61 64", "-3 0 61"))
    (folder / "checksums.txt").unlink()
    with pytest.raises(RunError, match="line 2: not 4 numbers"):
        read(folder)


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


FILES = (
    "facts.json",
    "digests.json",
    "checksums.txt",
    "recipe.json",
    "environment.json",
    "classes.json",
    "samples.csv",
    "folds.csv",
    "epochs.csv",
    "phases.json",
    "notices.json",
    "predictions.csv",
    "scores.json",
    "findings.json",
    "status.json",
    "images.csv",
    "twins.csv",
)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named(tmp_path: Path, make_result: Make, name: str) -> None:
    path = finished(tmp_path, make_result(bootstrap=0)).folder / name
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"\xff\x00nonsense", b"[1, 2", b'"text"'):
        path.write_bytes(content)
        with pytest.raises(RunError, match=name.replace(".", r"\.")):
            read(path.parent)
        (run,) = list_runs(tmp_path)
        assert run.standing in ("finished", "damaged")
    path.unlink()
    if name == "checksums.txt":  # as in version 0.1, which is said on the command line
        assert not is_checked(path.parent)
        read(path.parent)
        return
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        read(path.parent)


@pytest.mark.parametrize("name", ["samples.csv", "predictions.csv", "folds.csv", "epochs.csv"])
def test_a_table_cut_off_between_lines_is_noticed(
    tmp_path: Path, make_result: Make, name: str
) -> None:
    path = finished(tmp_path, make_result(bootstrap=0)).folder / name
    lines = path.read_bytes().count(b"\n")
    path.write_bytes(path.read_bytes().rpartition(b"\n")[0].rpartition(b"\n")[0] + b"\n")
    with pytest.raises(RunError, match=f"{name} is damaged: it is not as leukreg wrote it"):
        read(path.parent)
    of_version_1(path.parent, {name: lines})
    with pytest.raises(
        RunError, match=rf"{name} is damaged: it has {lines - 1} lines, not {lines}"
    ):
        read(path.parent)


def test_a_wrong_cell_is_named_with_its_line(tmp_path: Path, make_result: Make) -> None:
    folder = finished(tmp_path, make_result(bootstrap=0)).folder
    of_version_1(folder, {})
    path = folder / "samples.csv"
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(",real,", ",painted,")
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        RunError, match=r"samples\.csv is damaged: line 4: no origin of .* 'painted'"
    ):
        read(folder)


def test_rows_that_do_not_exist_are_refused(tmp_path: Path, make_result: Make) -> None:
    folder = finished(tmp_path, make_result(bootstrap=0)).folder
    of_version_1(folder, {})
    lines = (folder / "folds.csv").read_text().splitlines()
    lines[1] = "0,train,99999"
    (folder / "folds.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match=r"folds\.csv is damaged: fold 0 has a row"):
        read(folder)


def test_listing_says_of_each_run_how_it_stands(tmp_path: Path, make_result: Make) -> None:
    assert list_runs(tmp_path / "none") == ()
    findings = (
        Finding(rule="a", severity="error", message="m"),
        Finding(rule="b", severity="warning", message="m"),
        Finding(rule="c", severity="error", message="m", waived="known"),
    )
    done = finished(tmp_path, make_result(synthetic=100, bootstrap=50, findings=findings))
    with pytest.raises(RuntimeError), RunFolder.create(tmp_path, recipe("failing")):
        raise RuntimeError("no memory")
    with RunFolder.create(tmp_path, recipe("broken")) as broken:
        pass
    (broken.path / "status.json").write_text("{")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file.txt").write_text("")
    runs = {run.standing: run for run in list_runs(tmp_path)}
    assert set(runs) == {"finished", "failed", "damaged"}
    one = runs["finished"]
    assert (one.errors, one.warnings, one.waived) == (1, 1, 1)
    assert one.scored == {"real": 80, "synthetic": 20}
    assert one.scores == tuple(s for s in done.scores if s.label is None)
    assert runs["failed"].error == "RuntimeError: no memory"
    assert "status.json" in (runs["damaged"].error or "")


def test_runs_are_found_by_path_name_beginning_and_as_the_last(
    tmp_path: Path, make_result: Make
) -> None:
    one = finished(tmp_path, make_result(bootstrap=0), "alpha")
    two = finished(tmp_path, make_result(bootstrap=0), "beta")
    date(two.folder, LATER)
    assert find("alpha", tmp_path) == one.folder
    assert find(two.name, tmp_path) == two.folder
    assert find(str(one.folder), tmp_path / "elsewhere") == one.folder
    assert find("last", tmp_path) == two.folder
    with pytest.raises(RunError, match="did you mean"):
        find(one.name.replace("alpha", "alhpa"), tmp_path)
    with pytest.raises(RunError, match="holds no runs"):
        find("x", tmp_path / "elsewhere")
    finished(tmp_path, make_result(bootstrap=0), "alpha")
    with pytest.raises(RunError, match="several runs begin with 'alpha'"):
        find("alpha", tmp_path)


def test_the_last_run_ended_well_and_an_evaluation_is_none_with_models(
    tmp_path: Path, make_result: Make
) -> None:
    trained = finished(tmp_path, make_result(bootstrap=0), "alpha")
    scored = finished(tmp_path, evaluation(make_result(bootstrap=0)), "beta")
    date(scored.folder, LATER)
    assert find("last", tmp_path) == scored.folder
    assert find("last", tmp_path, with_models=True) == trained.folder
    date(scored.folder, LATER, state="failed", error="no memory")
    assert find("last", tmp_path) == trained.folder
    shutil.rmtree(trained.folder)
    with pytest.raises(RunError, match=r"no run in .* has finished; the newest, beta.*: no memory"):
        find("last", tmp_path)
    with RunFolder.create(tmp_path, recipe("gamma")) as begun:
        pass
    assert find("last", tmp_path, resume=True) == begun.path


def evaluation(result: RunRecord) -> RunRecord:
    return replace(result, evaluated_from=External(run="mine"))


def test_a_recipes_name_means_its_run_whatever_was_made_of_it(
    tmp_path: Path, make_result: Make
) -> None:
    one = finished(tmp_path, make_result(bootstrap=0), "mine")
    finished(tmp_path, evaluation(make_result(bootstrap=0)), "mine-on-theirs")
    finished(tmp_path, make_result(bootstrap=0), "mine-repaired")
    (tmp_path / "mine-onnx").mkdir()
    for name in ("recipe.json", "contract.json"):
        (tmp_path / "mine-onnx" / name).write_text("{}")
    assert find("mine", tmp_path) == one.folder
    assert find("mine-2", tmp_path) == one.folder
    assert "mine-onnx" not in [run.name for run in list_runs(tmp_path)]
    assert find(one.name[:-2], tmp_path) == one.folder


def test_a_run_is_preferred_to_its_evaluations(tmp_path: Path, make_result: Make) -> None:
    one = finished(tmp_path, make_result(bootstrap=0), "mine")
    finished(tmp_path, evaluation(make_result(bootstrap=0)), "mine-on-theirs")
    assert find("mi", tmp_path) == one.folder


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


def test_reading_needs_neither_torch_nor_pandas_nor_sklearn(
    tmp_path: Path, make_result: Make
) -> None:
    folder = finished(tmp_path, make_result(bootstrap=0)).folder
    code = (
        "import sys; from pathlib import Path; from leukreg.runs import read, list_runs;"
        f"read(Path({str(folder)!r})); list_runs(Path({str(tmp_path)!r}));"
        "print([m for m in ('torch', 'pandas', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_working_time_adds_up_over_stretches(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, recipe()) as folder:
        folder._began -= 100
        folder.checkpoint_time()
    with RunFolder.open(folder.path) as again:
        again._began -= 10
        again.finish()
    assert 110 <= again.status().seconds < 115


def test_a_folder_of_before_has_the_groups_that_its_tables_tell(
    tmp_path: Path, make_result: Make
) -> None:
    result = make_result(patients=0)
    first, other = result.samples.rows[0].id, result.samples.rows[5].id
    copied = replace(
        result, pixels={**result.pixels, other: result.pixels[first]}, near_duplicates=()
    )
    kept = finished(tmp_path, copied)
    of_version_1(kept.folder, {})
    for name in ("predictions.csv", "validation.csv"):
        header, *lines = (kept.folder / name).read_text().splitlines()
        place = header.split(",").index("group")
        cut = [",".join(c for i, c in enumerate(line.split(",")) if i != place)
               for line in (header, *lines)]  # fmt: skip
        (kept.folder / name).write_text("\n".join(cut) + "\n")
    back = read(kept.folder).predictions
    assert back.group is not None
    group = dict(zip(back.row.tolist(), back.group.tolist(), strict=True))
    assert group[0] == group[5]
    assert len(set(group.values())) == len(group) - 1
