"""Commands that share an option take it under the same names."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from leukreg.cli.commands import OWN
from leukreg.cli.main import program

WITH_RUNS = {
    "run", "fidelity", "runs", "show", "report", "compare", "audit", "predict", "explain",
    "stress", "evaluate", "export", "sweep",
}  # fmt: skip


def _options(name: str) -> dict[str, click.Parameter]:
    command = program.get_command(click.Context(program), name)
    assert command is not None
    return {each: option for option in command.params for each in option.opts}


@pytest.mark.parametrize("name", OWN)
def test_the_runs_folder_has_the_same_names_everywhere(name: str) -> None:
    options = _options(name)
    assert ("--runs" in options) == ("--root" in options) == (name in WITH_RUNS)
    if name in WITH_RUNS:
        assert options["--runs"] is options["--root"]
        assert options["--runs"].default == Path("runs")
