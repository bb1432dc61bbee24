"""Contract checks of what reads results: metrics, audit rules, reports, and of commands."""

from __future__ import annotations

import math
import typing
from dataclasses import replace
from types import ModuleType
from typing import Any

from leukreg.record import RunRecord
from leukreg.section import Section
from leukreg.testing.examples import example_evidence, example_predictions, example_result
from leukreg.testing.option_checks import instance, of_plugin
from leukreg.types import Finding, Predictions, Score, Severity

__all__ = ["check_audit", "check_command", "check_metric", "check_report"]


@of_plugin
def check_metric(plugin: Any) -> None:
    """Scores that are finite or undefined with a reason, also on rows that define little."""
    import numpy as np

    own = instance(plugin)
    full = example_predictions(4)
    binary = example_predictions(2)
    few = [full.take(np.array(rows, dtype=np.int64)) for rows in ([0, 4, 8], [0], [])]
    scores = _scores(own, full)
    assert scores, "gives no score on ordinary predictions"
    assert any(score.value is not None for score in scores) or _scores(own, binary), (
        "every score is undefined on ordinary predictions"
    )
    for odd in (binary, *few):
        _scores(own, odd)
    assert _scores(own, full) == scores, "the same predictions score differently"


def _scores(own: Any, predictions: Predictions) -> list[Score]:
    try:
        scores = list(own.build(predictions))
    except Exception as error:
        raise AssertionError(
            f"raises {type(error).__name__} ({error}) on {len(predictions)} rows of "
            f"{len(set(predictions.label.tolist()))} of {len(predictions.classes)} classes; "
            "give value None and say why"
        ) from error
    for score in scores:
        _check_score(score, predictions.classes)
    return scores


def _check_score(score: Any, classes: tuple[str, ...]) -> None:
    assert isinstance(score, Score) and score.name, "must yield leukreg.Score with a name"
    assert score.label is None or score.label in classes, (
        f"score {score.name!r} names the unknown class {score.label!r}"
    )
    for value in (score.value, score.low, score.high):
        assert value is None or (isinstance(value, float | int) and math.isfinite(value)), (
            f"{score.name!r} is {value}; where a figure is undefined give None and say why"
        )
    assert score.value is not None or score.why, (
        f"{score.name!r} is undefined without a reason; fill `why`"
    )


@of_plugin
def check_audit(plugin: Any) -> None:
    """Findings with a rule, a severity and one line; silence where there is no evidence."""
    own = instance(plugin)
    assert list(own.build(RunRecord())) == [], (
        "finds something where nothing is known; return nothing without evidence"
    )
    for evidence in (example_evidence(2), example_evidence(4)):
        found = list(own.build(evidence))
        for finding in found:
            _check_finding(type(own).leukreg_name, finding)
        assert list(own.build(evidence)) == found, "the same evidence, other findings"
    whole = example_evidence(2)
    for known in _PARTS:
        alone = RunRecord(**{name: getattr(whole, name) for name in known})
        try:
            found = list(own.build(alone))
        except Exception as error:
            raise AssertionError(
                f"raises {type(error).__name__} ({error}) where only {' and '.join(known)} "
                "are known; return nothing where the evidence it needs is absent"
            ) from error
        for finding in found:
            _check_finding(type(own).leukreg_name, finding)


_PARTS = (
    ("samples",),
    ("samples", "folds"),
    ("samples", "folds", "predictions"),
    ("predictions",),
    ("validation",),
    ("scores",),
    ("recipe",),
    ("epochs", "phases"),
)
"""What may be known of a result that was not made here; folds are row numbers of samples."""


def _check_finding(name: str, finding: Any) -> None:
    assert isinstance(finding, Finding), "must yield leukreg.Finding"
    assert finding.rule == name or finding.rule.startswith(f"{name}."), (
        f"a finding's rule is {finding.rule!r}; use the plugin's name, so it can be waived"
    )
    assert finding.severity in typing.get_args(Severity), (
        f"severity {finding.severity!r} is none of {typing.get_args(Severity)}"
    )
    assert finding.message.strip() and "\n" not in finding.message, (
        "a finding's message is one line with the numbers in it"
    )


@of_plugin
def check_report(plugin: Any) -> None:
    """Sections with titles and rectangular tables of text, over binary and larger results."""
    own = instance(plugin)
    for classes in (2, 4):
        result = example_result(classes)
        bare = replace(result, epochs=(), phases=(), validation=None, scores=(), threshold=None)
        for each in (result, bare):
            for section in own.build(each):
                _check_section(section)


def _check_section(section: Any) -> None:
    assert isinstance(section, Section) and section.title.strip(), (
        "must yield leukreg.Section with a title"
    )
    assert all(isinstance(line, str) for line in section.text), "text is lines of text"
    for table in section.tables:
        for row in table.rows:
            assert len(row) == len(table.columns) and all(isinstance(cell, str) for cell in row), (
                f"row {row} must be text, one cell for each of {table.columns}"
            )


def check_command(module: ModuleType) -> None:
    """The module's ``leukreg_commands`` adds commands that can show their help."""
    import click
    from click.testing import CliRunner

    hook = getattr(module, "leukreg_commands", None)
    assert hook is not None, f"{module.__name__}: implements no leukreg_commands"
    assert hasattr(hook, "leukreg_impl"), (
        f"{module.__name__}: leukreg_commands is not marked with @hookimpl"
    )
    group = click.Group("leukreg")
    hook(group)
    assert group.commands, f"{module.__name__}: leukreg_commands adds no command"
    for name, command in group.commands.items():
        assert command.get_short_help_str(100), (
            f"command {name!r} has no help; its docstring's first line stands in leukreg --help"
        )
        shown = CliRunner().invoke(group, [name, "--help"])
        assert shown.exit_code == 0, f"command {name!r}: --help fails: {shown.output}"
