"""Tables as people paste them: what is understood, what is said of it, and what is asked."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import leukreg
from leukreg.audit.audit_table import understand
from leukreg.cli.main import main
from leukreg.errors import Problems

ROOT = Path(__file__).parents[2]
REPORT = """
              precision    recall  f1-score   support

      Normal       0.68      0.69      0.69       648
    Leukemia       0.83      0.83      0.83      1219

    accuracy                           0.78      1867
   macro avg       0.76      0.76      0.76      1867
weighted avg       0.78      0.78      0.78      1867
"""
PER_CLASS = {
    "Normal": {"precision": "0.68", "recall": "0.69", "f1": "0.69", "support": 648},
    "Leukemia": {"precision": "0.83", "recall": "0.83", "f1": "0.83", "support": 1219},
}


def test_a_pasted_report_is_read_whole() -> None:
    (table,) = understand(REPORT).tables
    assert table["per_class"] == PER_CLASS
    assert (table["accuracy"], table["test_images"]) == ("0.78", 1867)
    assert (table["macro_precision"], table["weighted_f1"]) == ("0.76", "0.78")


@pytest.mark.parametrize("mark", ["# ", "> ", "    ", "\t"])
def test_a_report_may_be_quoted_or_commented_out(mark: str) -> None:
    quoted = "\n".join(mark + line for line in REPORT.splitlines())
    assert understand(quoted).tables[0]["per_class"] == PER_CLASS


def test_a_report_may_have_lost_its_columns() -> None:
    squeezed = "\n".join(" ".join(line.split()) for line in REPORT.splitlines())
    assert understand(squeezed).tables == understand(REPORT).tables


def test_a_report_may_come_from_pandas() -> None:
    text = """,precision,recall,f1-score,support
Normal,0.68,0.69,0.69,648.0
Leukemia,0.83,0.83,0.83,1219.0
accuracy,0.7815,0.7815,0.7815,0.7815
macro avg,0.76,0.76,0.76,1867.0
"""
    (table,) = understand(text).tables
    assert table["per_class"] == PER_CLASS
    assert (table["accuracy"], table["test_images"]) == ("0.7815", 1867)


def asked(text: str) -> str:
    with pytest.raises(Problems) as caught:
        understand(text)
    return caught.value.problems[0].message


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (
            "| | Accuracy | F1 |\n|---|---|---|\n| A | .9 | .8 |\n| B | .8 | .7 |",
            "A, B: classes, models",
        ),
        ("Model,Accuracy\nVGG,97.1\nours,0.98\n", "stands 0.98: per cent or a fraction?"),
        ("Model,Accuracy (%)\nVGG,97.1\nours,0.98\n", "stands 0.98: per cent or a fraction?"),
        ("Class;Recall\nALL;0.9\nALL;0.8\n", "ALL recall stands twice: 0.9 and 0.8"),
        ("Model,Accuracy\nVGG,~97\n", "none of its figures can be used"),
        ("|true|true A|true B|\n|true A|5|1|\n|true B|2|7|", "both called true"),
        ("An abstract without a table.", "holds no table of figures"),
    ],
)
def test_what_can_be_read_in_two_ways_is_asked(text: str, question: str) -> None:
    assert question in asked(text)


def test_labels_without_a_heading_are_known_by_their_words() -> None:
    of_classes = understand("| | Precision | Recall |\n| Pre-B | .9 | .8 |\n| Benign | .8 | .7 |")
    assert list(of_classes.tables[0]["per_class"]) == ["Pre-B", "Benign"]
    of_models = understand("| | Precision | Recall |\n| VGG-16 | .9 | .8 |\n| SVM | .8 | .7 |")
    assert [table["model"] for table in of_models.tables] == ["VGG-16", "SVM"]


def test_spans_sections_and_groups_say_whose_a_figure_is() -> None:
    text = r"""\begin{tabular}{lcc|cc}
      \multirow{2}{*}{Model} & \multicolumn{2}{c}{Benign} & \multicolumn{2}{c}{ALL} \\
      & Precision & Recall & Precision & Recall \\ \hline
      VGG-16 & 0.91 & 0.92 & \textbf{0.93} & 0.94 \\
      ResNet & 0.81 & 0.82 & 0.83 & 0{,}84 \\ \end{tabular}"""
    first, second = understand(text).tables
    assert first["model"] == "VGG-16"
    assert first["per_class"]["ALL"] == {"precision": "0.93", "recall": "0.94"}
    assert second["per_class"]["Benign"]["recall"] == "0.82"
    assert second["per_class"]["ALL"]["recall"] == "0,84"


def test_folds_are_tests_of_their_own_and_their_mean_says_so() -> None:
    text = "Fold | Accuracy (%)\n1 | 95.1\n2 | 96.2\nMean | 95.65\nSD | 0.78\n"
    with pytest.raises(Problems, match="per cent or a fraction"):
        understand(text)
    tables = understand(text.replace("SD | 0.78\n", "")).tables
    assert [table.get("model") for table in tables] == ["fold 1", "fold 2", None]
    assert (tables[2]["folds"], tables[2]["accuracy"]) == (2, "95.65 %")


def test_figures_of_training_are_left_out_and_that_is_said() -> None:
    text = "Set,Accuracy,Recall\nTraining,0.99,0.98\nValidation,0.95,0.94\nTest,0.93,0.92\n"
    understood = understand(text)
    merged = {key: text for table in understood.tables for key, text in table.items()}
    assert merged == {"validation_accuracy": "0.95", "accuracy": "0.93", "recall": "0.92"}
    assert "left out: training accuracy" in understood.assumed[0]


def test_a_row_whose_cells_are_shifted_is_left_out() -> None:
    text = "|Model|Accuracy|F1|\n|---|---|---|\n|SMOTE | Boosting|.75|.69|\n|SVM|.7|.6|"
    understood = understand(text)
    assert [table["model"] for table in understood.tables] == ["SVM"]
    assert "'Boosting' stands where its accuracy belongs" in understood.assumed[0]


def test_a_row_of_a_report_that_lacks_a_cell_is_left_out_aloud() -> None:
    understood = understand("class  precision  recall  f1\n0  0.9  0.8  0.85\n1  0.7        0.75\n")
    assert list(understood.tables[0]["per_class"]) == ["0"]
    assert "'? 0.75'" in understood.assumed[0]


def test_an_interval_in_a_heading_is_no_unit_and_a_quantity_no_name() -> None:
    text = (
        "Model,Parameters,AUC (95% CI)\nVGG-16,138M,0.98 (0.97-0.99)\nSVM,3.2 k,0.91 (0.9-0.92)\n"
    )
    understood = understand(text)
    assert [table["model"] for table in understood.tables] == ["VGG-16", "SVM"]
    assert understood.tables[0]["auc"] == "0.98 (0.97-0.99)"
    assert understood.assumed == ("left out: Parameters, no figures that are checked",)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[[1 2 " + "3 " * 100_000,
        "& " * 50_000 + r"\\",
        "<table>" + "<tr><td rowspan=100 colspan=100>x" * 500,
        "precision recall " + "0.9 " * 50_000,
        "1 2 3 4\n" * 5_000,
    ],
    ids=["brackets", "open matrix", "latex", "spans", "long line", "counts"],
)
def test_what_is_no_table_is_soon_given_up(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(Problems):
        understand(text)
    assert time.process_time() - began < 10


def test_four_cells_by_name_are_a_matrix() -> None:
    (table,) = understand("TP = 45\nTN: 40\nFP: 3\nFN: 2\n").tables
    assert table["confusion"] == [[40, 3], [2, 45]]
    assert table["positive"] == "positive"


@pytest.mark.parametrize(
    "text",
    [
        "      Predicted\n      ALL  AML\nActual ALL  18  1  <- 95 %\n       AML   0  15",
        "Actual    ALL  AML\nALL    [18   1]  95%\nAML    [ 0  15]  100%",
        "||Predicted ALL|Predicted AML|\n|Actual ALL|18 ✓|1|\n|Actual AML|-|15|",
        "|↓ predicted|ALL|AML|\n|ALL|18|0|\n|AML|1|15|",
        ",ALL,AML,Total\nALL,18 (95%),1 (5%),19\nAML,0 (0%),15 (100%),15\n",
        "[[18  1]\n [ 0 15]]",
        "18 1\n0 15",
    ],
)
def test_matrices_as_people_draw_them(text: str) -> None:
    (table,) = understand(text).tables
    assert table["classes"] == (["ALL", "AML"] if "ALL" in text else ["class 0", "class 1"])
    assert table["confusion"] == [[18, 1], [0, 15]]


def test_a_matrix_and_the_report_of_one_test_are_one_table() -> None:
    report = "class precision recall support\nA 0.8571 0.9231 13\nB 0.9800 0.9608 51\n"
    (table,) = understand(report + "\n[[12 1]\n [2 49]]").tables
    assert table["confusion"] == [[12, 1], [2, 49]]
    assert table["classes"] == ["A", "B"]
    assert len(understand(report + "\n[[12 2]\n [2 49]]").tables) == 2


def test_lines_beside_a_report_are_its_own_only_where_they_agree() -> None:
    (table,) = understand("Accuracy: 0.7799\n" + REPORT).tables
    assert table["accuracy"] == "0.7799"
    assert len(understand("Accuracy: 0.8123\n" + REPORT).tables) == 2


def test_other_readings_are_passed_over_aloud() -> None:
    text = "|Model|Acc|\n|---|---|\n|VGG|.9|\n\n||Acc|F1|\n|---|---|---|\n|A|.9|.8|\n|B|.8|.7|"
    understood = understand(text)
    assert len(understood.tables) == 1
    assert "passed over: table 2: A, B: classes" in understood.assumed[-1]


def test_what_was_read_can_be_corrected_and_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.txt"
    path.write_text(REPORT, encoding="utf-8")
    assert main(["audit", "--toml", str(path)]) == 0
    toml = capsys.readouterr().out
    assert tomllib.loads(toml)["reported"] == understand(REPORT).tables[0]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(toml.encode())))
    assert main(["audit", "-"]) == 0
    again = capsys.readouterr().out
    main(["audit", str(path)])
    assert again.replace("paper -:", "paper table:") == capsys.readouterr().out


def test_a_pasted_report_stands_in_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "paper.toml"
    path.write_text(f'[reported]\nimages = 9000\nreport = """{REPORT}"""\n', encoding="utf-8")
    assert main(["audit", "--json", str(path)]) == 0
    (audited,) = json.loads(capsys.readouterr().out)
    assert audited["understood"]["tables"][0]["per_class"] == PER_CLASS
    assert audited["understood"]["tables"][0]["images"] == 9000
    path.write_text('[reported]\nreport = "nothing"\n', encoding="utf-8")
    assert main(["audit", str(path)]) == 2
    assert "reported.report: holds no table of figures" in capsys.readouterr().err


def test_what_is_no_text_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.txt"
    path.write_bytes(b"%PDF-1.7 \xff\x00")
    assert main(["audit", str(path)]) == 2
    assert "is no text; copy the table out of it" in capsys.readouterr().err
    path.write_bytes("Class;Recall\nA;0,93 ± 0,02\nB;0,91 ± 0,02\n".encode("cp1252"))
    main(["audit", str(path)])
    assert "0,93 ± 0,02" in capsys.readouterr().out


def test_the_readmes_pasted_table_is_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("### A table you copied\n")[1]
    (tmp_path / "report.txt").write_text(section.split("```text\n")[1].split("```")[0])
    shown = section.split("```")[2].split("then what it finds:\n")[1].split("\nWhere it")[0]
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "report.txt"]) == 1
    printed = [line.rstrip() for line in capsys.readouterr().out.strip().splitlines()]
    assert printed == [line.removeprefix("    ") for line in shown.strip("\n").splitlines()]
    exec(section.split("```python\n")[1].split("```")[0], {})
    assert "impossible ALL precision" in capsys.readouterr().out


def test_the_library_reads_a_mapping_and_several() -> None:
    audited = leukreg.audit_table({"per_class": PER_CLASS})
    assert [verdict.status for verdict in audited.verdicts] == ["consistent"]
    several = leukreg.audit_table(
        [{"model": "a", "accuracy": "0.9"}, {"model": "b", "report": REPORT}]
    )
    assert [verdict.status for verdict in several.verdicts] == ["not checkable", "consistent"]
    assert several.understood.tables[1]["per_class"] == PER_CLASS
    with pytest.raises(Problems, match="accuracy: 7 must lie between"):
        leukreg.audit_table({"accuracy": 7})


def test_it_loads_neither_torch_nor_pandas() -> None:
    code = (
        "import sys, leukreg; leukreg.audit_table('TP = 4\\nTN = 3\\nFP = 1\\nFN = 2'); "
        "print(sorted({'torch', 'pandas', 'sklearn', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
