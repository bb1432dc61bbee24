"""A plugin that cannot be used is named wherever plugins are asked, and strict commands refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.evaluate.scoring import score
from leukreg.recipe.model import EvaluateSpec
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.testing.examples import example_predictions
from tests.cli.test_results import keep
from tests.strangers import install
from tests.trained import RECIPE, write_cells

Call = pytest.CaptureFixture[str]
SAID = "plugin leukreg-unfit 1.0 (leukreg-unfit) could not be loaded: ImportError: no such thing"
METRIC = '''
    from leukreg import Score, hookimpl, plugin

    @plugin("stranger")
    class Stranger:
        """A stranger's figure."""

        def build(self, predictions):
            return [Score(name="stranger", value=0.5)]

    @plugin("needy")
    class Needy:
        """A metric that must be told something."""

        what: int
        """Something."""

        def build(self, predictions):
            return [Score(name="needy", value=0.5)]

    @hookimpl
    def leukreg_metrics():
        return [Stranger, Needy]
'''


@pytest.fixture
def unfit(strangers: Path) -> Path:
    install(strangers, "leukreg-unfit", 'raise ImportError("no such thing")')
    return strangers


def test_a_run_says_and_records_it_and_a_strict_one_refuses(
    unfit: Path, tmp_path: Path, capsys: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_cells(tmp_path / "cells", ("benign", "early"), 8, seed=1)
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.format(root=root, folds="{ test = 0.4, validation = 0.3 }", evaluate=""))
    runs = tmp_path / "runs"
    assert main(["run", str(path), "--runs", str(runs), "--set", "phase.0.epochs=1"]) == 0
    out, err = capsys.readouterr()
    assert f"! {SAID}" in err
    assert "broken-plugin" in out
    [folder] = runs.iterdir()
    [said] = json.loads((folder / "facts.json").read_text())["broken_plugins"]
    assert said.startswith(SAID)
    assert "leukreg_unfit.py:1" in said
    assert main(["run", str(path), "--runs", str(runs), "--strict"]) == 2
    assert SAID in capsys.readouterr().err
    assert len(list(runs.iterdir())) == 1
    for words in (["check", str(path)], ["evaluate", str(folder), "--data", str(root)]):
        assert main([*words, "--strict"]) == 2
        assert SAID in capsys.readouterr().err
    assert main(["check", str(path)]) == 0
    assert f"! {SAID}" in capsys.readouterr().err


def test_what_looks_at_results_names_it(
    unfit: Path, make_result: Callable[..., RunRecord], tmp_path: Path, capsys: Call
) -> None:
    keep(tmp_path / "runs", make_result(bootstrap=0))
    for words in (["audit"], ["audit", "--json"], ["show"], ["report"]):
        main([*words, "last", "--runs", str(tmp_path / "runs")])
        assert f"! {SAID}" in capsys.readouterr().err, words
    [page] = tmp_path.glob("runs/*/report.html")
    assert "could not be loaded: ImportError: no such thing" in page.read_text()


def test_a_strangers_metrics_are_measured_as_leukregs_are(strangers: Path) -> None:
    install(strangers, "leukreg-metrics", METRIC)
    rows = example_predictions(2)
    scores = score(rows, None, EvaluateSpec(bootstrap=0), 0, installed()).scores
    found = {one.name: one for one in scores}
    assert found["stranger"].value == 0.5
    assert found["needy"].value is None
    assert "what" in found["needy"].why
    assert "accuracy" in found


def test_no_owner_is_asked_for_by_name() -> None:
    core = Path(__file__).parents[1] / "leukreg"
    asked = [
        f"{path.name}: {line.strip()}"
        for path in core.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "distribution ==" in line or "distribution !=" in line
    ]
    assert asked == []
