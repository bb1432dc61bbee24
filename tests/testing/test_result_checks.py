"""The checks of metrics, audits, reports and commands can fail, and say what to mend."""

from __future__ import annotations

from functools import partial
from types import ModuleType

import click
import pytest

from leukreg import Finding, Score, Section, Table, hookimpl
from leukreg.testing import check
from tests.testing.faults import Case, faulty, refused

# mypy: ignore-errors


CASES: list[Case] = []
bad = partial(faulty, CASES)


@bad("metric", "fill `why`")
def _silent(self, predictions):
    yield Score(name="x", value=1.0)
    yield Score(name="y", value=None)


@bad("metric", "is nan")
def _nan(self, predictions):
    yield Score(name="x", value=float("nan"))


@bad("metric", "raises ZeroDivisionError")
def _raising(self, predictions):
    yield Score(name="x", value=1 / (len(predictions) - 3))


@bad("metric", "unknown class 'zzz'")
def _unknown_class(self, predictions):
    yield Score(name="x", value=1.0, label="zzz")


@bad("audit", "where nothing is known")
def _always(self, evidence):
    yield Finding(rule="mine", severity="note", message="x")


@bad("audit", "use the plugin's name")
def _other_name(self, evidence):
    if evidence.predictions:
        yield Finding(rule="yours", severity="note", message="x")


@bad("audit", "where only predictions are known")
def _greedy(self, evidence):
    if evidence.predictions and evidence.samples.rows[0]:
        yield Finding(rule="mine", severity="note", message="x")


@bad("audit", "one line")
def _lines(self, evidence):
    if evidence.predictions:
        yield Finding(rule="mine", severity="note", message="x\ny")


@bad("report", "one cell for each")
def _ragged(self, result):
    yield Section(title="x", tables=(Table(columns=("a", "b"), rows=(("1",),)),))


@bad("report", "with a title")
def _untitled(self, result):
    yield Section(title=" ")


@pytest.mark.parametrize(("kind", "sentence", "cls"), CASES)
def test_a_fault_is_named(kind: str, sentence: str, cls: type) -> None:
    refused(kind, sentence, cls)


def _module(**members: object) -> ModuleType:
    module = ModuleType("stranger")
    for name, value in members.items():
        setattr(module, name, value)
    return module


def test_faulty_commands_are_named() -> None:
    def leukreg_commands(cli: click.Group) -> None: ...

    with pytest.raises(AssertionError, match="implements no leukreg_commands"):
        check("command", _module())
    with pytest.raises(AssertionError, match="not marked with @hookimpl"):
        check("command", _module(leukreg_commands=leukreg_commands))
    with pytest.raises(AssertionError, match="adds no command"):
        check("command", _module(leukreg_commands=hookimpl(leukreg_commands)))

    @hookimpl
    def without_help(cli: click.Group) -> None:
        cli.add_command(click.Command("x"))

    with pytest.raises(AssertionError, match="'x' has no help"):
        check("command", _module(leukreg_commands=without_help))
