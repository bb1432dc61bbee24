"""What stands in the files of a run folder comes back as it was, and damage is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leukreg.errors import RunError
from leukreg.record import RunRecord
from leukreg.runs import list_runs, read
from leukreg.runs.status import is_checked
from leukreg.types import BrokenImage, Finding, Notice, Predictions
from tests.runs.run_folders import finished, of_version_1

Make = Callable[..., RunRecord]


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
