"""Contract checks of what reads results: metrics, audit rules, reports, and of commands."""

from __future__ import annotations

import math
import typing
from dataclasses import fields, replace
from types import ModuleType
from typing import Any

from leukreg.record import RunRecord
from leukreg.testing.examples import example_evidence, example_predictions, example_result
from leukreg.testing.option_checks import instance, named, require
from leukreg.types import Finding, Predictions, Score, Section, Severity

__all__ = ["check_audit", "check_command", "check_metric", "check_report"]


def check_metric(plugin: Any) -> None:
    """Scores that are finite or undefined with a reason, also on rows that define little."""
    own, who = instance(plugin), named(plugin)
    full = example_predictions(4)
    scores = _scores(who, own, full)
    require(scores, f"{who}: gives no score on ordinary predictions")
    require(
        any(score.value is not None for score in scores) or _scores(who, own, _binary()),
        f"{who}: every score is undefined on ordinary predictions",
    )
    for odd in (_binary(), rows(full, [0, 4, 8]), rows(full, [0]), rows(full, [])):
        _scores(who, own, odd)
    require(_scores(who, own, full) == scores, f"{who}: the same predictions score differently")


def _binary() -> Predictions:
    return example_predictions(2)


def rows(predictions: Predictions, chosen: list[int]) -> Predictions:
    """Only the chosen rows."""
    changed: dict[str, Any] = {}
    for field in fields(predictions):
        column = getattr(predictions, field.name)
        if field.name == "classes" or column is None:
            continue
        kept = tuple(column[row] for row in chosen) if isinstance(column, tuple) else column[chosen]
        changed[field.name] = kept
    return replace(predictions, **changed)


def _scores(who: str, own: Any, predictions: Predictions) -> list[Score]:
    try:
        scores = list(own.build(predictions))
    except Exception as error:
        raise AssertionError(
            f"{who}: raises {type(error).__name__} ({error}) on {len(predictions)} rows of "
            f"{len(set(predictions.label.tolist()))} of {len(predictions.classes)} classes; "
            "give value None and say why"
        ) from error
    for score in scores:
        _check_score(who, score, predictions.classes)
    return scores


def _check_score(who: str, score: Any, classes: tuple[str, ...]) -> None:
    require(isinstance(score, Score) and score.name, f"{who}: must yield leukreg.Score with a name")
    require(
        score.label is None or score.label in classes,
        f"{who}: score {score.name!r} names the unknown class {score.label!r}",
    )
    for value in (score.value, score.low, score.high):
        require(
            value is None or (isinstance(value, float | int) and math.isfinite(value)),
            f"{who}: {score.name!r} is {value}; where a figure is undefined give None and say why",
        )
    require(
        score.value is not None or score.why,
        f"{who}: {score.name!r} is undefined without a reason; fill `why`",
    )


def check_audit(plugin: Any) -> None:
    """Findings with a rule, a severity and one line; silence where there is no evidence."""
    own, who = instance(plugin), named(plugin)
    require(
        list(own.build(RunRecord())) == [],
        f"{who}: finds something where nothing is known; return nothing without evidence",
    )
    for evidence in (example_evidence(2), example_evidence(4)):
        found = list(own.build(evidence))
        for finding in found:
            _check_finding(who, type(own).leukreg_name, finding)
        require(list(own.build(evidence)) == found, f"{who}: the same evidence, other findings")
    whole = example_evidence(2)
    for known in _PARTS:
        alone = RunRecord(**{name: getattr(whole, name) for name in known})
        try:
            found = list(own.build(alone))
        except Exception as error:
            raise AssertionError(
                f"{who}: raises {type(error).__name__} ({error}) where only {' and '.join(known)} "
                "are known; return nothing where the evidence it needs is absent"
            ) from error
        for finding in found:
            _check_finding(who, type(own).leukreg_name, finding)


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


def _check_finding(who: str, name: str, finding: Any) -> None:
    require(isinstance(finding, Finding), f"{who}: must yield leukreg.Finding")
    require(
        finding.rule == name or finding.rule.startswith(f"{name}."),
        f"{who}: a finding's rule is {finding.rule!r}; use the plugin's name, so it can be waived",
    )
    require(
        finding.severity in typing.get_args(Severity),
        f"{who}: severity {finding.severity!r} is none of {typing.get_args(Severity)}",
    )
    require(
        finding.message.strip() and "\n" not in finding.message,
        f"{who}: a finding's message is one line with the numbers in it",
    )


def check_report(plugin: Any) -> None:
    """Sections with titles and rectangular tables of text, over binary and larger results."""
    own, who = instance(plugin), named(plugin)
    for classes in (2, 4):
        result = example_result(classes)
        bare = replace(result, epochs=(), phases=(), validation=None, scores=(), threshold=None)
        for each in (result, bare):
            for section in own.build(each):
                _check_section(who, section)


def _check_section(who: str, section: Any) -> None:
    require(
        isinstance(section, Section) and section.title.strip(),
        f"{who}: must yield leukreg.Section with a title",
    )
    require(all(isinstance(line, str) for line in section.text), f"{who}: text is lines of text")
    for table in section.tables:
        for row in table.rows:
            require(
                len(row) == len(table.columns) and all(isinstance(cell, str) for cell in row),
                f"{who}: row {row} must be text, one cell for each of {table.columns}",
            )


def check_command(module: ModuleType) -> None:
    """The module's ``leukreg_commands`` adds commands that can show their help."""
    import click
    from click.testing import CliRunner

    hook = getattr(module, "leukreg_commands", None)
    require(hook is not None, f"{module.__name__}: implements no leukreg_commands")
    require(
        hasattr(hook, "leukreg_impl"),
        f"{module.__name__}: leukreg_commands is not marked with @hookimpl",
    )
    group = click.Group("leukreg")
    hook(group)  # type: ignore[misc]
    require(group.commands, f"{module.__name__}: leukreg_commands adds no command")
    for name, command in group.commands.items():
        require(
            command.get_short_help_str(100),
            f"command {name!r} has no help; its docstring's first line stands in leukreg --help",
        )
        shown = CliRunner().invoke(group, [name, "--help"])
        require(shown.exit_code == 0, f"command {name!r}: --help fails: {shown.output}")
