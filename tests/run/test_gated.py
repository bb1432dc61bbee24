"""Runs whose synthetic cells fail the gate: left out, kept or stopped, and said everywhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from run_tiny import TINY

from leukreg.cli.main import main
from leukreg.experiment import carry_out
from leukreg.recipe import load, take_fallbacks
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.report.console import show
from leukreg.runs import RunFolder, read

pytestmark = pytest.mark.slow
SMALL = (
    "data.images=24",
    "data.folds={ test = 0.25, validation = 0.4, group = 'none' }",
    "synthesis.per_class=10",
    "phase.0.epochs=1",
    "phase.1.epochs=1",
    "evaluate.mc_dropout=false",
    "evaluate.bootstrap=0",
)
MADE = "[Malignant] Pro-B"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def recipe(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(cache))
    path = tmp_path / "gated.toml"
    path.write_text(TINY)
    return path


def trained(path: Path, *more: str) -> RunRecord:
    recipe, notices = take_fallbacks(load(path, [*SMALL, *more]))
    with RunFolder.create(path.parent / "runs", recipe) as folder:
        return carry_out(recipe, installed(), folder, notices)


def told(result: RunRecord) -> dict[str, str]:
    return {finding.rule: finding.message for finding in result.findings}


def shown(result: RunRecord) -> str:
    out = io.StringIO()
    show(result, Console(file=out, width=300), installed())
    return out.getvalue()


def synthetic(result: RunRecord) -> int:
    rows = result.samples.rows
    return sum(rows[row].origin == "synthetic" for row in result.folds[0].train)


def test_cells_that_fail_are_left_out_and_the_run_says_so(recipe: Path) -> None:
    result = trained(recipe, "synthesis.gate=true")
    assert synthetic(result) == 0
    (table,) = result.synthesis.fidelity
    assert (table.label, table.passed, table.entered) == (MADE, False, 0)
    assert "KID is" in told(result)["left-out-by-gate"]
    assert "unmeasured-synthetic" not in told(result)
    text = shown(result)
    assert "Synthetic images" in text
    assert f"! {MADE} (fold 1): FAILED, left out: " in text
    again = read(result.folder)
    assert again.synthesis.fidelity == result.synthesis.fidelity


def test_cells_that_are_kept_all_the_same_are_an_error(recipe: Path) -> None:
    result = trained(recipe, "synthesis.gate.fails=keep", "synthesis.mix=replace")
    assert synthetic(result) == 10
    rows = [result.samples.rows[row] for row in result.folds[0].train]
    assert {row.origin for row in rows if row.label == MADE} == {"synthetic"}
    errors = {f.rule for f in result.findings if f.severity == "error"}
    assert errors >= {"failed-gate-trained", "absent-class"}
    assert f"! {MADE} (fold 1): FAILED, trained on: " in shown(result)


def test_without_a_gate_the_audit_says_that_nothing_is_known(recipe: Path) -> None:
    result = trained(recipe, "synthesis.gate=false")
    assert "10 synthetic training images never measured" in told(result)["unmeasured-synthetic"]
    assert "! 10 synthetic images trained on, and nothing measured of them" in shown(result)


def test_a_failed_gate_may_stop_the_run(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe.parent)
    words = [word for setting in SMALL for word in ("--set", setting)]
    assert main(["run", str(recipe), *words, "--set", "synthesis.gate.fails=stop"]) == 1
    assert "failed their gate" in capsys.readouterr().err
    (folder,) = (recipe.parent / "runs").iterdir()
    assert (folder / "synthetic" / "fold-0" / "fidelity.json").is_file()
    assert main(["run", "--resume", "last"]) == 1
    assert "failed their gate" in capsys.readouterr().err


def test_an_extractor_that_is_not_there_is_told_before_any_work(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe.parent)
    assert main(["run", str(recipe), "--set", "synthesis.gate.extractor=sells"]) == 2
    assert "cells" in capsys.readouterr().err
    assert not list((recipe.parent / "runs").glob("*/samples.csv"))
