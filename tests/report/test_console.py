"""The report as a person reads it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from leukreg.record import RunRecord
from leukreg.registry import Entry, Owner, Registry, installed
from leukreg.report.console import print_table, render, show
from leukreg.section import Section, Table
from leukreg.text import rounded
from leukreg.types import Finding, Notice

Make = Callable[..., RunRecord]
V4 = {
    "accuracy": "84.00 %",
    "precision": "0.1000",
    "auc": "0.3898",
    "classes": ["Benign", "ALL"],
    "confusion": [[187, 18], [18, 2]],
    "per_class": {"ALL": {"recall": "0.1000", "support": 20}},
    "test_images": 225,
    "source": "the paper",
}
FINDINGS = (
    Finding(rule="few", severity="note", message="12 patients"),
    Finding(rule="listed-twice", severity="error", message="512 twice", why="W.", advice="A."),
    Finding(rule="tested", severity="error", message="20 synthetic", waived="history did so"),
    Finding(rule="below", severity="warning", message="under the baseline"),
)
NOTICE = Notice(
    what="data",
    wanted="folder data/all",
    used="demo",
    why="there is no folder data/all",
    label="rendered cells, not real",
)
V3 = ("Benign", "[Malignant] Pre-B", "[Malignant] Pro-B", "[Malignant] early Pre-B")


def printed(result: RunRecord, width: int = 80, **options: Any) -> str:
    out = io.StringIO()
    show(result, Console(file=out, width=width, **options), installed())
    return out.getvalue()


def full(make_result: Make) -> RunRecord:
    return make_result(
        rendered=True,
        synthetic=20,
        patients=0,
        threshold=True,
        reported=V4,
        findings=FINDINGS,
        notices=(NOTICE,),
    )


def test_verdict_first_and_sections_in_order(make_result: Make) -> None:
    text = printed(full(make_result))
    order = [
        "V4: EfficientNet-B0",
        "Run folder: runs/v4-",
        "For research, not for diagnosis.",
        "! Rendered cells, not real: data is demo instead of folder data/all",
        "! 4 of 100 scored images are synthetic.",
        "Accuracy is",
        "Each class",
        "Confusion",
        "All classes together",
        "Reported and here",
        "Training",
        "Findings: 1 error, 1 warning, 1 note, 1 waived",
        "tested: waived, history did so",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert text.count("diagnosis") == 1


def test_the_verdict_stands_against_the_baseline(make_result: Make) -> None:
    good = " ".join(printed(make_result(skill=6.0)).split())
    assert "above the 80.0 % of always answering Benign" in good
    bad = " ".join(printed(make_result(skill=-6.0)).split())
    assert "below the 80.0 % of always answering Benign" in bad
    assert "Scored on 100 held-out images, all real, of 12 patients." in good


def test_training_rows_among_the_scored_are_said(make_result: Make) -> None:
    result = make_result(bootstrap=0)
    everything = tuple(range(len(result.samples)))
    leaking = replace(result, folds=(replace(result.folds[0], train=everything),))
    text = printed(leaking)
    assert "! 100 of 100 scored images were trained on." in text
    assert "held-out" not in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("classes", [("Benign", "ALL"), V3, tuple(f"cell-{i}" for i in range(8))])
def test_lines_fit_and_end_without_blanks(
    make_result: Make, width: int, classes: tuple[str, ...]
) -> None:
    result = make_result(classes=classes, counts=(60,) * len(classes), bootstrap=50)
    text = printed(result, width, force_terminal=True, color_system=None)
    for line in text.splitlines():
        assert len(line) <= width
        assert line == line.rstrip()
    assert "\x1b" not in text
    for name in classes:
        assert name in text


def test_a_terminal_gets_styles_a_pipe_gets_the_same_text(make_result: Make) -> None:
    from rich.text import Text

    result = full(make_result)
    styled = printed(result, force_terminal=True, color_system="standard")
    assert "\x1b[" in styled
    assert Text.from_ansi(styled).plain.split() == printed(result).split()


def test_a_console_without_unicode_gets_ascii(make_result: Make) -> None:
    result = make_result(classes=("Benign", "лейкоз"), counts=(100, 50), bootstrap=50)
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    show(result, Console(file=out, width=80), installed())
    out.flush()
    text = raw.getvalue().decode("ascii")
    assert "----" in text
    assert "\\u043b" in text


def test_every_shown_figure_is_that_of_the_run(make_result: Make) -> None:
    result = make_result()
    text = printed(result)
    for score in result.scores:
        if score.label is None and score.name not in (
            "macro_recall", "macro_specificity", "average_precision",
        ):  # fmt: skip
            assert rounded(score.value) in text, score.name
        elif score.name in ("precision", "recall", "f1", "specificity"):
            assert rounded(score.value) in text
            assert f"{rounded(score.low, 2)}–{rounded(score.high, 2)}" in text


def test_undefined_is_said_with_its_reason_and_never_zero(make_result: Make) -> None:
    text = printed(make_result(classes=("Benign", "Pre-B", "Pro-B"), counts=(300, 0, 50)))
    assert "balanced accuracy is undefined (no row of Pre-B)" in " ".join(text.split())
    assert "Undefined recall: no row of Pre-B." in text
    line = next(line for line in text.splitlines() if line.startswith("  AUC"))
    assert line.split(maxsplit=1)[1] == "undefined                 no row of Pre-B"


def test_reported_keeps_its_digits_beside_ours(make_result: Make) -> None:
    result = full(make_result)
    text = printed(result)
    assert "As reported by the paper." in text
    lines = {line.split("  ")[1]: line.split() for line in text.splitlines() if "  " in line}
    precision = next(s for s in result.scores if (s.name, s.label) == ("precision", "ALL"))
    assert lines["precision (ALL)"][2:4] == ["0.1000", f"{precision.value:.4f}"]
    assert "84.00 %" in text
    assert f"187 / {result.confusion[0][0]}" in text
    assert "reported / here" in text
    auc = next(s for s in result.scores if (s.name, s.label) == ("auc", None))
    assert auc.low is not None
    assert lines["AUC"][-1] == ("lower" if auc.low > 0.3898 else "inside")


def test_a_reported_matrix_of_other_classes_is_not_shown(make_result: Make) -> None:
    matrix = {"classes": ["a", "b", "c"], "confusion": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]}
    reported = {**matrix, "accuracy": "n/a"}
    text = printed(make_result(reported=reported, bootstrap=0))
    assert "reported / here" not in text
    assert "n/a" in text


def test_findings_errors_first_waived_last(make_result: Make) -> None:
    text = printed(full(make_result))
    found = text[text.index("Findings:") :]
    places = [found.index(m) for m in ("512 twice", "under the base", "12 patients", "20 synth")]
    assert places == sorted(places)
    assert "error    512 twice\n         listed-twice: A.\n" in found
    assert found.endswith("waived   20 synthetic\n         tested: waived, history did so\n")
    assert "The audit found nothing." in printed(make_result(bootstrap=0))


def test_many_phases_are_put_together(make_result: Make) -> None:
    text = printed(make_result(folds=5, bootstrap=0))
    assert "Over 5 folds." in text
    assert "fold 1 of 5: 300 training, 100 validation and 100 test" in text


def test_a_failing_report_leaves_a_line(make_result: Make) -> None:
    class Failing:
        """Fails."""

        def build(self, result: RunRecord) -> list[Section]:
            raise ValueError("no figure")

    known = installed()
    entry = Entry("report", "mine", Failing, Owner("stranger", "1.0", "x"))
    registry = Registry(
        known.manager, known.owners, {**known.entries, ("report", "mine"): (entry,)}, ()
    )
    out = io.StringIO()
    show(make_result(bootstrap=0), Console(file=out, width=120), registry)
    said = "! This section could not be made (stranger 1.0): ValueError: no figure"
    assert said in out.getvalue()


def test_no_text_can_break_the_console() -> None:
    out = io.StringIO()
    nasty = "[bold]\x1b[31m\x00\n\udcff 5 % ]"
    console = Console(file=out, width=80)
    render(Section(title=nasty, text=(nasty, "! " + nasty)), console)
    print_table(Table(columns=(nasty, ""), rows=((nasty, nasty), ("", ""))), console)
    text = out.getvalue()
    assert "[bold]" in text
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "5 %" in text
