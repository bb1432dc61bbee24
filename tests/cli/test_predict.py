"""``leukreg predict``."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leukreg.cli.main import main
from leukreg.cli.predict import _patients
from leukreg.predict.trained_run import load
from tests.smears import write_smears
from tests.trained import COLOURS, draw


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "new [1]"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number, colour in enumerate(COLOURS.values()):
        draw(rng, colour).save(folder / f"{number}.png")
    return folder


def test_tables_and_files_say_the_same(
    folds_run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / "sub" / "p.csv"), str(tmp_path / "p.json")]
    words = ["predict", folds_run.name, str(images), "--root", str(folds_run.parent)]
    assert main([*words, "--csv", names[0], "--json", names[1]]) == 0
    shown = capsys.readouterr().out
    expected = load(folds_run).assess(sorted(images.iterdir()))
    with Path(names[0]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    data = json.loads(Path(names[1]).read_text())
    assert data["classes"] == list(expected.classes)
    assert data["folds"] == 2
    for index, (row, record) in enumerate(zip(rows, data["images"], strict=True)):
        assert row["image"] == record["image"] == expected.name[index]
        assert row["answer"] == record["answer"] == expected.answer[index]
        p = [float(row[f"p:{name}"]) for name in expected.classes]
        assert p == list(record["probabilities"].values()) == expected.probabilities[index].tolist()
        assert float(row["uncertainty"]) == expected.uncertainty[index]
        assert (row["far"], row["copy_of"], row["unreadable"]) == (str(record["far"]), "", "")
        assert f"{index}.png" in shown
    assert "the mean of 2 folds" in shown
    assert "not for diagnosis" in shown


def test_what_is_passed_over_is_said(
    folds_run: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "0.png").rename(images / "0")
    for name in ("slide.svs", ".DS_Store", "note.txt"):
        (images / name).write_text("x")
    assert main(["predict", str(folds_run), str(images), "--no-flags", "--csv", "-"]) == 0
    said = capsys.readouterr()
    assert len(list(csv.DictReader(said.out.splitlines()))) == 3
    assert f"passed over: 1 .svs, such as {images / 'slide.svs'}: a whole-slide image" in said.err
    assert "passed over: 1 .txt" in said.err
    assert "DS_Store" not in said.err


def test_an_unreadable_image_is_told_and_the_others_predicted(
    folds_run: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "bad.png").write_text("nothing")
    assert main(["predict", str(folds_run), str(images), "--no-flags", "--csv", "-"]) == 1
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [bool(row["answer"]) for row in rows] == [True, True, True, False]
    assert "not an image" in rows[3]["unreadable"]
    assert main(["predict", str(folds_run), str(images), "--no-flags"]) == 1
    shown = capsys.readouterr().out
    assert "1 of 4 images cannot be read" in shown
    assert "bad.png: not an image" in shown


def test_one_copy_of_a_training_image_is_told_as_one(
    folds_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = load(folds_run).result.samples.rows[0].path
    assert main(["predict", str(folds_run), copy]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "! Copies of training images, which say nothing of new ones: 1 image." in said


def test_sets_and_the_threshold_are_shown(
    binary_run: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(binary_run), str(images), "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    threshold = load(binary_run).result.threshold
    assert (data["threshold"], data["positive"]) == (threshold, "benign")
    assert data["coverage"] == 0.8
    assert all(set(image["set"]) <= {"[M] pro", "benign"} for image in data["images"])
    assert main(["predict", str(binary_run), str(images), "--no-flags"]) == 0
    assert f"from a probability of {threshold:.4f}" in capsys.readouterr().out


def test_many_rows_are_cut_unless_all_are_asked_for(
    folds_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = draw(np.random.default_rng(0), COLOURS["early"], 24)
    for number in range(45):
        image.save(tmp_path / f"n{number:02d}.png")
    (tmp_path / "n44.png").write_text("bad")
    assert main(["predict", str(folds_run), str(tmp_path), "--no-flags"]) == 1
    short = capsys.readouterr().out
    assert "40 of 45, flagged ones first" in short
    assert 0 < short.index("n44.png") < short.index("n00.png")
    assert "n43.png" not in short
    assert main(["predict", str(folds_run), str(tmp_path), "--no-flags", "--all"]) == 1
    assert "n43.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-here.png"], "does not exist"),
        (["{images}", "--csv", "{taken}"], "exists already; name another file"),
        (["{images}", "--csv", "-", "--json", "-"], "cannot both go"),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(
    folds_run: Path,
    images: Path,
    tmp_path: Path,
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = tmp_path / "taken.csv"
    taken.write_text("mine")
    given = [word.format(images=images, taken=taken) for word in words]
    assert main(["predict", str(folds_run), *given]) == 2
    assert said in capsys.readouterr().err
    assert taken.read_text() == "mine"
    assert main(["predict", "no-run", str(images), "--root", str(tmp_path)]) == 2


def test_what_a_killed_call_left_is_no_reason_to_refuse_the_next(
    folds_run: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, data = tmp_path / "p.csv", tmp_path / "p.json"
    words = ["predict", str(folds_run), str(images), "--csv", str(table), "--json", str(data)]
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    replace = Path.replace

    class Killed(BaseException):
        pass

    def killed(self: Path, target: Path) -> Path:
        if target == data:
            raise Killed
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr("leukreg.files.os.getpid", lambda: ended.pid)
        patched.setattr("leukreg.files._discard", lambda path: None)
        patched.setattr(Path, "replace", killed)
        with pytest.raises(Killed):
            main([*words, "--no-flags"])
    assert sorted(path.name for path in tmp_path.glob("*p.*")) == [
        f".p.json.{ended.pid}.part",
        "p.csv",
    ]
    assert main([*words, "--no-flags"]) == 0
    assert sorted(path.name for path in tmp_path.glob("*p.*")) == ["p.csv", "p.json"]
    assert main([*words, "--no-flags"]) == 2


def test_a_folder_is_a_patient_by_its_name_or_path() -> None:
    files = [Path("a/001/x.png"), Path("b/001/x.png"), Path("b/002/x.png"), Path("b/002/y.png")]
    assert _patients(files) == ["a/001", "b/001", "002", "002"]
    assert _patients([Path("x.png")]) == [Path.cwd().name]


def test_answers_about_patients_are_written_beside_those_of_images(
    weak_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smears = write_smears(tmp_path / "new", 6, seed=8)
    (smears / "p02" / "broken.png").write_text("no image")
    table = tmp_path / "cells.csv"
    words = ["predict", str(weak_run), str(smears), "--no-flags"]
    assert main([*words, "--csv", str(table)]) == 1
    said = capsys.readouterr().out
    assert f"Written: {tmp_path / 'cells-patients.csv'}" in said
    assert "The run knew labels of patients alone" in said
    with table.open() as file:
        cells = list(csv.DictReader(file))
    with (tmp_path / "cells-patients.csv").open() as file:
        patients = list(csv.DictReader(file))
    assert [row["patient"] for row in patients] == [f"p0{n}" for n in range(6)]
    assert {row["answer"] for row in patients} <= {"ill", "well"}
    assert all(0 < float(row["p:ill"]) < 1 for row in patients)
    own = [row for row in cells if row["patient"] == "p02"]
    assert sum(float(row["weight"] or 0) for row in own) == pytest.approx(1, abs=1e-5)
    assert [row["weight"] for row in own if row["unreadable"]] == [""]
    heaviest = max(own, key=lambda row: float(row["weight"] or 0))
    assert f"{Path(heaviest['image']).name} (0." in said
    table.unlink()
    assert main([*words, "--csv", str(table)]) == 2
    assert "cells-patients.csv  exists already" in capsys.readouterr().err
    assert not table.exists()
    assert main([*words, "--csv", "-"]) == 1
    assert "Answers about patients are not in it" in capsys.readouterr().err
