"""``leukreg audit`` as a person meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leukreg.cli.main import main
from leukreg.recipe.model import DataSpec, LossSpec, ModelSpec, PhaseSpec, Recipe
from leukreg.record import RunRecord
from leukreg.registry.plugin_call import Choice
from leukreg.report.console import print_findings
from leukreg.runs import RunFolder
from leukreg.types import Finding, ImageSpec

ROOT = Path(__file__).parents[2]
V4 = """\
[reported]
classes = ["Benign", "ALL"]
accuracy = "84.00 %"
recall = "0.1000"
confusion = [[187, 18], [18, 2]]
"""
GOOD = """\
classes = ["Benign", "ALL"]
accuracy = "0.9000"
confusion = [[450, 50], [50, 450]]
"""


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_paper_with_errors_exits_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", write(tmp_path, "paper.toml", V4)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("paper paper: 1 error, 1 warning, 1 note\n")
    lines = out.splitlines()
    assert lines[1].startswith("error    reported: accuracy 84.00 % lies under")
    assert lines[2].startswith("         majority-baseline: report balanced accuracy")


def test_the_readmes_worked_example_is_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Check a paper\n")[1]
    table = section.split("```toml\n")[1].split("```")[0]
    shown = section.split("```")[2].split("\n## ")[0]
    assert main(["audit", write(tmp_path, "paper.toml", table)]) == 1
    printed = [line for line in capsys.readouterr().out.splitlines() if line]
    assert printed == [line[4:] for line in shown.splitlines() if line.startswith("    ")]


def test_figures_may_be_the_file_itself(tmp_path: Path) -> None:
    assert main(["audit", write(tmp_path, "paper.toml", GOOD)]) == 0


def test_several_models_in_a_file_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = V4.replace("[reported]", '[[reported]]\nmodel = "VGG16"')
    other = f"[[reported]]\n{GOOD}"
    assert main(["audit", write(tmp_path, "paper.toml", one + other)]) == 1
    out = capsys.readouterr().out
    assert "error    reported (VGG16): accuracy 84.00 % lies under" in out
    assert "note     reported (table 2): the table is consistent" in out
    wrong = other.replace("0.9000", "1.9")
    assert main(["audit", write(tmp_path, "paper.toml", one + wrong)]) == 2
    line = one.count("\n") + wrong.split("1.9")[0].count("\n") + 1
    assert f"paper.toml:{line}  reported.1.accuracy: 1.9 must lie" in capsys.readouterr().err


def test_json_and_single_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "paper.toml", V4)
    assert main(["audit", path, "--json", "--rule", "few-positives"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert (result["what"], result["name"]) == ("paper", "paper")
    assert [f["rule"] for f in result["findings"]] == ["few-positives"]
    assert main(["audit", path, "--rule", "few-positive"]) == 2
    assert "did you mean 'few-positives'" in capsys.readouterr().err


def test_a_folder_is_audited_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a.toml", GOOD)
    write(tmp_path, "b.toml", "precision = 1.7")
    write(tmp_path, "c.toml", V4)
    assert main(["audit", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert "paper a: 1 note" in out
    assert "paper c: 1 error" in out
    assert "In all: 1 error" in out
    assert "b.toml:1  reported.precision: 1.7 must lie between 0 and 1" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds neither published figures"),
        ("[other]\nx = 1\n", "holds neither"),
        ("reported = 3\n", "must be a table"),
        ("[reported]\naccuracy = 0.5\n[other]\nx = 1\n", "other: belongs to no paper"),
        ("[reported]\nconfusion = [[1, -2], [3, 4]]\nclasses = ['a', 'b']\n", "between 0 and"),
        ("accuracy = ", "is no valid TOML"),
    ],
)
def test_absurd_files_are_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    assert main(["audit", write(tmp_path, "paper.toml", text)]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "paper.toml" in err
    assert "Traceback" not in err


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(tmp_path / "gone.toml")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main(["audit", str(tmp_path)]) == 2
    assert "holds no recipe, no published figures and no run" in capsys.readouterr().err
    assert main(["audit", "no-such-run", "--root", str(tmp_path)]) == 2
    assert "no run" in capsys.readouterr().err


FIGURE = st.sampled_from(
    ["accuracy", "recall", "images", "confusion", "classes", "per_class", "test_counts", "brier"]
)
VALUE = st.sampled_from(
    ["0.5", '"1.0000"', "-1", "9", "true", '"nan"', "[[1, 2], [3, 4]]", '["a", "b"]', "[]", "{}",
     "{ a = 3, b = 4 }", "{ a = { recall = 0.5 }, b = { f1 = '0.1' } }", "1979-05-27", "inf"]
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(FIGURE, VALUE, max_size=5))
def test_no_table_gives_a_traceback(tmp_path: Path, table: dict[str, str]) -> None:
    text = "[reported]\n" + "".join(f"{key} = {value}\n" for key, value in table.items())
    assert main(["audit", write(tmp_path, "paper.toml", text)]) in (0, 1, 2)


def kept_run(root: Path, result: RunRecord) -> Path:
    """A run folder with this result."""
    choice = Choice(kind="loss", name="x", plugin=None, owner="leukreg 0")
    recipe = Recipe(
        name="v4",
        data=DataSpec(source=choice),
        image=ImageSpec(size=64),
        model=ModelSpec(backbone=choice, head=choice),
        loss=LossSpec(loss=choice),
        sampler=choice,
        phases=(PhaseSpec(name="all", optimizer=choice),),
    )
    vars(recipe)["resolved"] = dict(result.recipe)  # as if it said so
    with RunFolder.create(root, recipe) as folder:
        return folder.keep(result).folder


def test_a_run_is_audited_again_without_torch(tmp_path: Path, make_result: Any) -> None:
    result = make_result(patients=0, counts=(60, 20), folds=1)
    leaking = replace(result.folds[0], train=(*result.folds[0].train, result.folds[0].test[0]))
    waive = {"waive": [{"rule": "few-positives", "reason": "a small test"}], "rules": {}}
    changed = replace(
        result, folds=(leaking, *result.folds[1:]), recipe={**result.recipe, "audit": waive}
    )
    path = kept_run(tmp_path, changed)
    code = (
        "import sys; from leukreg.cli.main import main\n"
        f"code = main(['audit', {str(path)!r}])\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'timm', 'torchvision'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "1 of 16 scored rows (6.3 %) were trained on" in done.stdout
    assert "few-positives: waived, a small test" in done.stdout
    by_name = [sys.executable, "-m", "leukreg", "audit", "last", "--root", str(tmp_path)]
    again = subprocess.run(by_name, capture_output=True, text=True, check=False)
    assert again.stdout == done.stdout


def test_a_waived_finding_is_shown_as_waived(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    finding = Finding(rule="idle-phase", severity="error", message="nothing", waived="known bug")
    print_findings("run x", [finding], Console(width=80))
    out = capsys.readouterr().out
    assert "run x: 1 waived" in out
    assert "waived   nothing" in out
    assert "idle-phase: waived, known bug" in out


def test_what_is_said_of_several_models_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = "".join(f'[[reported]]\nmodel = "{name}"\naccuracy = "0.87"\n' for name in "ABC")
    path = write(tmp_path, "paper.toml", tables + '[[reported]]\nmodel = "D"\nauc = "0.9"\n')
    assert main(["audit", path]) == 0
    out = capsys.readouterr().out
    assert "paper paper: 2 notes" in out
    assert "reported (A, B, C): the table is not checkable: the classes are not named" in out
    assert "reported (D): the table is not checkable: it prints no figure" in out
    assert out.count("consistent-table: print the confusion matrix") == 1


def test_on_a_terminal_no_line_is_wider_than_it(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    finding = Finding(rule="r", severity="error", message="word " * 40, advice="do " * 40)
    print_findings("run x", [finding], Console(width=80, force_terminal=True, color_system=None))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("         ") for line in lines[2:] if line.strip())


def test_a_paper_needs_no_torch(tmp_path: Path) -> None:
    path = write(tmp_path, "paper.toml", V4)
    code = (
        "import sys; from leukreg.cli.main import main\n"
        f"assert main(['audit', {path!r}]) == 1\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'matplotlib', 'scipy', 'timm'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
