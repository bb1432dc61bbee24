"""``leukreg runs``, ``show`` and ``compare``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.recipe.model import DataSpec, LossSpec, ModelSpec, Recipe
from leukreg.record import Digests, RunRecord
from leukreg.registry.plugin_call import Choice
from leukreg.report.comparability import differences
from leukreg.runs import RunFolder
from leukreg.types import Finding, ImageSpec

Make = Callable[..., RunRecord]


SOME = Choice(kind="loss", name="x", plugin=None, owner="leukreg 0")
RECIPE = Recipe(
    name="v4",
    data=DataSpec(source=SOME),
    image=ImageSpec(size=64),
    model=ModelSpec(backbone=SOME, head=SOME),
    loss=LossSpec(loss=SOME),
    sampler=SOME,
    phases=(),
)


def keep(root: Path, result: RunRecord, name: str = "v4") -> RunRecord:
    with RunFolder.create(root, replace(RECIPE, name=name)) as folder:
        return folder.keep(result)


def test_runs_lists_all_of_them(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--root", str(tmp_path)]) == 0
    assert "No runs in" in capsys.readouterr().out
    findings = (Finding(rule="a", severity="error", message="m"),)
    kept = keep(tmp_path, make_result(rendered=True, findings=findings))
    damaged = keep(tmp_path, make_result(bootstrap=0), "w")
    (damaged.folder / "scores.json").write_text("{}")
    assert main(["runs", "--root", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    value = next(s.value for s in kept.scores if s.name == "balanced_accuracy")
    line = next(line for line in lines if kept.name in line)
    for part in ("finished", f"{value:.3f}", "rendered", "1 error"):
        assert part in line
    assert any(damaged.name in line and "damaged" in line for line in lines)
    assert any("scores.json" in line for line in lines)


def test_show_prints_the_report_again(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keep(tmp_path, make_result())
    for reference in ("last", kept.name, "v4", str(kept.folder)):
        assert main(["show", reference, "--root", str(tmp_path)]) == 0
        text = capsys.readouterr().out
        assert "Accuracy is" in text
        assert kept.name in text


def test_show_says_what_it_cannot_find(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "last", "--root", str(tmp_path)]) == 2
    assert "holds no runs" in capsys.readouterr().err


def test_compare_puts_runs_side_by_side(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    one = keep(tmp_path, make_result(reported={"accuracy": "0.8400", "recall": "0.1000"}), "one")
    better = make_result(skill=3.0)
    recipe = {**better.recipe, "seed": 5, "loss": {"use": "focal", "gamma": 2.0}}
    two = keep(tmp_path, replace(better, recipe=recipe), "two")
    assert main(["compare", "one", "two", "--root", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "Same data, same scored images, same classes." in text
    assert "A reported" in text
    assert "0.8400" in text
    recall = next(s for s in one.scores if (s.name, s.label) == ("recall", "ALL"))
    line = next(line for line in text.splitlines() if line.startswith("  recall"))
    assert line.split()[1:3] == [f"{recall.value:.3f}", "0.1000"]
    for result in (one, two):
        accuracy = next(s for s in result.scores if s.name == "accuracy")
        assert f"{accuracy.value:.3f}" in text
    assert "B against A on the same images, accuracy differs by +" in " ".join(text.split())
    settings = text[text.index("Settings that differ") :]
    assert "focal" in settings
    assert "loss.gamma" in settings
    assert "image.size" not in settings


def test_compare_says_what_is_not_alike(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, make_result(bootstrap=0), "one")
    other = make_result(classes=("Benign", "Pre-B"), counts=(50, 50), bootstrap=0)
    other = replace(other, digests=Digests(data="other"))
    keep(tmp_path, other, "two")
    assert main(["compare", "one", "two", "--root", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "! The runs tell different classes apart." in text
    assert "! The data differ: 500 images in A, 100 images in B." in text
    assert "! The scored images differ: 10 are scored in every run, 110 in any." in text


def test_compare_needs_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "one", "--root", str(tmp_path)]) == 2
    assert "at least two" in capsys.readouterr().err


def test_a_missing_digest_is_said(make_result: Make) -> None:
    result = make_result(bootstrap=0)
    bare = replace(result, digests=Digests())
    assert list(differences({"A": result, "B": bare})) == [
        "Not every run has recorded a digest of its data."
    ]


def test_nothing_heavy_is_imported(tmp_path: Path, make_result: Make) -> None:
    kept = keep(tmp_path, make_result(bootstrap=0))
    calls = [["runs"], ["show", kept.name], ["compare", kept.name, kept.name]]
    code = (
        "import sys, json; from leukreg.cli.main import main\n"
        f"for words in json.loads({json.dumps(json.dumps(calls))}):\n"
        f"    assert main([*words, '--root', {str(tmp_path)!r}]) == 0\n"
        "heavy = ('torch', 'pandas', 'sklearn', 'matplotlib', 'timm', 'scipy')\n"
        "assert not [name for name in heavy if name in sys.modules]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_which_run_is_the_last_is_said(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keep(tmp_path, make_result(bootstrap=0))
    with pytest.raises(ZeroDivisionError), RunFolder.create(tmp_path, RECIPE) as failed:
        _ = 1 / 0
    for command in ("show", "audit", "report"):
        main([command, "last", "--root", str(tmp_path)])
        said = capsys.readouterr().err
        assert f"last is {kept.name} (newer, but not taken: {failed.name})" in said


def test_a_run_without_checksums_is_read_and_said_to_have_none(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keep(tmp_path, make_result(bootstrap=0))
    main(["show", kept.name, "--root", str(tmp_path)])
    whole = capsys.readouterr()
    (kept.folder / "checksums.txt").unlink()
    main(["show", str(kept.folder)])
    said = capsys.readouterr()
    assert said.out == whole.out
    assert whole.err == ""
    assert said.err.count("carries no checksums: damage to its files would go unnoticed") == 1
