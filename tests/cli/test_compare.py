"""``leukreg compare`` of runs, recipes and papers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leukreg.cli.compare import subject
from leukreg.cli.main import main
from leukreg.recipe import load
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.report.comparison import Column, of_patients
from leukreg.runs import RunFolder, read
from leukreg.runs.run_list import summarise
from leukreg.runs.status import read_status, write_status
from leukreg.types import Finding
from tests.cli.test_results import keep
from tests.terminal import plain, pretend

Make = Callable[..., RunRecord]
ROOT = Path(__file__).parents[2]
PAPER = """\
[reported]
source = "a paper"
classes = ["Benign", "ALL"]
accuracy = "84.00 %"
recall = "0.1000"
confusion = [[187, 18], [18, 2]]
class_counts = { Benign = 300, ALL = 100 }
"""
V4 = {"accuracy": "0.8400", "recall": "0.1000", "classes": ["Benign", "ALL"], "source": "V4",
      "confusion": [[187, 18], [18, 2]]}  # fmt: skip


def compared(
    capsys: pytest.CaptureFixture[str], *names: str | Path, root: Path | None = None
) -> str:
    words = ["compare", *map(str, names), *(["--root", str(root)] if root else [])]
    assert main(words) == 0
    return capsys.readouterr().out


def cells(text: str, name: str) -> list[str]:
    """What stands beside the first line of this name."""
    line = next(line for line in text.splitlines() if line.startswith(f"  {name} "))
    return line.removeprefix(f"  {name}").split()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the shipped recipes and no runs."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_bare_versions_are_the_shipped_recipes(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = compared(capsys, "v3", "v4")
    assert "A, B: the published figures alone; runs holds no finished run" in text
    assert cells(text, "accuracy") == ["0.4049", "0.8400"]
    assert cells(text, "majority baseline") == ["0.911*"]
    assert cells(text, "impossible-figures") == ["error"]
    assert cells(text, "synthetic-scored") == ["error"]
    assert "accuracy 40.49 % lies above" in text
    assert "84.00 % lies under the majority baseline 91.1 %" in text
    assert cells(text, "image.size") == ["256", "224"]
    assert "fallback" not in text


def test_models_of_one_paper_stand_side_by_side(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (f'[[reported]]\nmodel = "{name}"\nsource = "x"\n' for name in ("VGG", "ResNet"))
    Path("two.toml").write_text(f'{one}accuracy = "0.87"\n{other}accuracy = "0.84"\n')
    text = compared(capsys, "two.toml", "v4")
    assert cells(text, "figure") == ["A1", "A2", "B"]
    assert cells(text, "accuracy") == ["0.87", "0.84", "0.8400"]
    assert "x: ResNet" in text


@pytest.mark.parametrize("width", [80, 120])
def test_five_versions_fit_a_terminal(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    pretend(monkeypatch, width)
    text = plain(compared(capsys, "v1", "v2", "v3", "v4", "v5"))
    assert "moved from A to B: Benign 512 -> 1,024" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= width


def test_a_recipes_latest_run_stands_beside_its_published_figures(
    elsewhere: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    found = (
        Finding(rule="idle-phase", severity="error", message="phase 'all' changed nothing"),
        Finding(rule="few-positives", severity="warning", message="few", waived="a small test"),
    )
    keep(elsewhere / "runs", make_result(skill=9.0), "v4")
    latest = keep(elsewhere / "runs", make_result(findings=found, seed=5), "v4")
    other = keep(elsewhere / "runs", make_result(skill=2.0), "mine")
    for name in ("v4", "experiments/v4.toml"):
        text = compared(capsys, name, other.name)
        assert latest.name in text
        head = next(line for line in text.splitlines() if line.startswith("  figure"))
        assert head.split() == ["figure", "A", "A", "reported", "B"]
        accuracy = [
            next(s.value for s in result.scores if s.name == "accuracy")
            for result in (latest, other)
        ]
        assert cells(text, "accuracy") == [f"{accuracy[0]:.3f}", "0.8400", f"{accuracy[1]:.3f}"]
        assert cells(text, "idle-phase") == ["error"]
        assert cells(text, "majority-baseline") == ["error"]  # of the published figures
        assert cells(text, "few-positives") == ["waived", "warning"]
        assert "A        phase 'all' changed nothing" in text
        assert "Published figures are of other images" in text


def test_a_paper_stands_beside_a_run(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = tmp_path / "paper.toml"
    paper.write_text(PAPER)
    run = keep(tmp_path / "runs", make_result(), "one")
    text = compared(capsys, paper, run.folder)
    assert "225 published" in text
    assert cells(text, "accuracy")[:2] == ["84.00", "%"]
    assert "Settings that differ" not in text
    assert cells(text, "majority-baseline") == ["error"]
    three = make_result(classes=("Benign", "Pre-B", "Pro-B"), counts=(30, 30, 30), bootstrap=0)
    text = compared(capsys, paper, keep(tmp_path / "runs", three, "two").folder)
    assert "! Not all tell the same classes apart." in text


def test_what_is_published_and_what_is_found_here_are_kept_apart(
    tmp_path: Path, make_result: Make
) -> None:
    """The run's own audit speaks of both; a waiver counts for both."""
    registry = installed()
    paper = tmp_path / "paper.toml"
    paper.write_text(PAPER)
    published = subject(str(paper), tmp_path, registry).columns[0].findings
    said = next(f for f in published if f.rule == "majority-baseline")
    own = replace(said, message="accuracy 60.0 % lies under the majority baseline 80.0 %")
    result = make_result(reported=V4, findings=(said, own))
    waive = {"waive": [{"rule": "majority-baseline", "reason": "known"}, {"rule": "idle-phase",
             "reason": "old"}], "rules": {}}  # fmt: skip
    result = replace(result, recipe={**result.recipe, "audit": waive})
    one = subject(str(keep(tmp_path / "runs", result, "one").folder), tmp_path, registry)
    assert one.columns[0].findings == (own,)
    beside = {f.rule: f for f in one.columns[1].findings}
    assert beside["majority-baseline"].waived == "known"
    assert "idle-phase" not in beside


def test_a_run_with_an_absurd_table_is_still_compared(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        keep(tmp_path, make_result(reported={"precision": 1.7}, bootstrap=0), name)
    assert "1.7" not in compared(capsys, "one", "two", root=tmp_path)


def test_all_that_cannot_be_compared_is_said(
    elsewhere: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(elsewhere / "runs", make_result(bootstrap=0), "one")
    (elsewhere / "bad.toml").write_text("precision = 1.7\n")
    assert main(["compare", "gone", "bad.toml", "no.toml", "v1-repaired", "one"]) == 2
    err = capsys.readouterr().err
    assert "there is no run 'gone'" in err
    assert "bad.toml:1  reported.precision: 1.7 must lie between 0 and 1" in err
    assert "no.toml" in err
    assert "v1-repaired.toml: has no table [reported], and runs holds no finished run" in err
    assert "nothing was compared." in err
    assert "Traceback" not in err


def test_versions_are_compared_without_torch(elsewhere: Path) -> None:
    code = (
        "import sys, json; from leukreg.cli.main import main\n"
        "assert main(['compare', 'v1', 'v2', 'v3', 'v4', 'v5']) == 0\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'matplotlib', 'scipy', 'timm'} & set(sys.modules)\n"
        "print(json.dumps(sorted(heavy)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert json.loads(done.stderr) == []


def marked(folder: Path, **changes: Any) -> str:
    write_status(folder, replace(read_status(folder), **changes))
    return folder.name


def test_a_run_without_a_result_is_left_out_and_said(
    elsewhere: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = elsewhere / "runs"
    one, two, bad = (keep(runs, make_result(bootstrap=0), n) for n in ("one", "two", "two"))
    marked(bad.folder, state="failed", error="no memory")
    assert main(["compare", "one", "two"]) == 0  # the one that has a result is meant
    assert two.name in capsys.readouterr().out
    assert main(["compare", one.name, bad.name, two.name]) == 0
    assert f"left out: runs/{bad.name}: this run failed: no memory" in capsys.readouterr().err
    assert main(["compare", one.name, bad.name]) == 2
    assert "this run failed: no memory" in capsys.readouterr().err
    assert main(["compare", "--all"]) == 0
    said = capsys.readouterr()
    assert all(name in said.out for name in (one.name, two.name))
    assert f"left out: runs/{bad.name}" in said.err


def test_a_trial_is_not_taken_for_its_recipe(
    elsewhere: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = elsewhere / "runs"
    keep(runs, make_result(bootstrap=0), "mine")
    own, trial = (keep(runs, make_result(bootstrap=0), "v4") for _ in range(2))
    marked(own.folder, overrides=("data.root",))
    marked(trial.folder, overrides=("phase.1.epochs", "data.root"))
    text = compared(capsys, "v4", "mine")
    assert own.name in text
    assert trial.name not in text
    shutil.rmtree(own.folder)
    text = " ".join(compared(capsys, "v4", "mine").split())
    assert f"but trials with --set, to be named themselves ({trial.name})" in text
    assert trial.name in compared(capsys, trial.name, "mine")


def test_a_trial_of_version_1_is_known_by_its_command_line(
    elsewhere: Path, make_result: Make
) -> None:
    runs = elsewhere / "runs"
    kept = keep(runs, make_result(bootstrap=0), "v4")
    marked(kept.folder, checksums=None)
    (kept.folder / "checksums.txt").unlink()
    for argv, trial in (
        (["leukreg", "run", "v4.toml"], False),
        (["leukreg", "run", "v4.toml", "--set", "data.root=/x"], False),
        (["leukreg", "run", "v4.toml", "--set", "phase.0.epochs=1"], True),
        (["leukreg", "run", "v4.toml", "--set=phase.0.epochs=1"], True),
    ):
        (kept.folder / "environment.json").write_text(json.dumps({"argv": argv}))
        assert summarise(kept.folder).trial is trial


def test_what_the_command_line_changed_is_noted(tmp_path: Path) -> None:
    recipe = load(ROOT / "experiments" / "v4.toml", ("phase.0.epochs=1", "data.root=/x"))
    with RunFolder.create(tmp_path, recipe) as folder:
        assert {"phase.0.epochs", "data.root"} <= {*folder.status().overrides}
    with RunFolder.open(folder.path) as again:
        assert again.status().overrides == folder.status().overrides
    assert summarise(folder.path).trial


def test_figures_of_patients_stand_beside_those_of_cells(
    weak_run: Path, labelled_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    for run in (weak_run, labelled_run):
        shutil.copytree(run, runs / run.name)
    told = {run: summarise(run) for run in (weak_run, labelled_run)}
    assert told[weak_run].scores == ()
    assert {one.name for one in told[labelled_run].scores} >= {"balanced_accuracy"}
    assert main(["runs", "--root", str(runs)]) == 0
    listed = capsys.readouterr().out
    assert "balanced accuracy, patients" in listed
    for run, summary in told.items():
        (score,) = (s for s in summary.patient_scores if s.name == "balanced_accuracy")
        line = next(line for line in listed.splitlines() if run.name in line)
        assert f"{score.value:.3f}" in line
    text = compared(capsys, labelled_run, weak_run)
    assert "60 real of 24 patients" in text
    assert "B against A on the same images" not in text  # B's cells have no labels
    said = " ".join(text.split())
    assert "B against A on the same patients, accuracy differs by " in said
    assert "24 patients, 95 % percentile bootstrap, 1000 resamples of 24 patients, paired" in said
    assert cells(text.partition("Patients")[2], "accuracy")


def test_patients_of_one_name_and_other_pictures_are_not_compared(
    weak_run: Path, labelled_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, other = (read(run) for run in (weak_run, labelled_run))
    alien = replace(other, pixels={name: f"{name} of another" for name in other.pixels})
    columns = [Column(name=one.name, result=one) for one in (own, alien)]
    assert of_patients(columns, {}).text == ()
    assert len(of_patients([columns[0], Column(name="", result=other)], {}).text) == 1
