"""From what a person types to a run folder."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from leukreg.errors import RunError
from leukreg.runs.files import read_json
from leukreg.runs.listing import RunSummary, is_run, list_runs
from leukreg.runs.status import FILE as STATUS

EVALUATED_FROM = "evaluated_from"
"""Fact of a run that has no model of its own: it is another run's, on other images."""


def find(reference: str, root: Path, with_models: bool = False, resume: bool = False) -> Path:
    """The run that ``reference`` means: a path, a name, a unique beginning of one, or "last".

    A beginning that is a recipe's name, or that several runs have, means the runs themselves, not
    their evaluations on other images.

    Args:
        reference: What a person typed.
        root: Where the runs are.
        with_models: "last" passes over the runs of ``leukreg evaluate``, which scored another's.
        resume: "last" is the last that was begun, however it stands; else the last that ended well.

    Raises:
        RunError: There is no such run, it is incomplete, or several begin so.
    """
    if reference and (Path(reference) / STATUS).is_file():
        return Path(reference)
    if reference and is_run(Path(reference)):
        raise RunError(f"{Path(reference) / STATUS} is missing; the run folder is incomplete")
    runs = list_runs(root)
    if not runs:
        raise RunError(f"there is no run {reference!r}: {root} holds no runs")
    if reference == "last":
        return _last(runs, root, with_models, resume).path
    if reference in (names := {run.name: run for run in runs}):
        return names[reference].path
    matches = _matches(reference, runs, resume)
    if len(matches) == 1:
        return matches[0].path
    if matches:
        listed = "\n  ".join(run.name for run in matches)
        raise RunError(f"several runs begin with {reference!r}:\n  {listed}")
    close = difflib.get_close_matches(reference, names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else "; `leukreg runs` lists them"
    raise RunError(f"there is no run {reference!r} in {root}{hint}")


def _matches(reference: str, runs: Sequence[RunSummary], resume: bool) -> list[RunSummary]:
    """Runs that begin so, as few as can be meant."""
    found = [run for run in runs if reference and run.name.startswith(reference)]
    for narrower in (
        [run for run in found if run.recipe == reference],
        [run for run in found if not is_evaluation(run.path)],
        [run for run in found if (run.standing == "finished") != resume],
    ):
        if len(found) > 1 and narrower:
            found = narrower
    return found


def _last(runs: Sequence[RunSummary], root: Path, with_models: bool, resume: bool) -> RunSummary:
    chosen = [
        run
        for run in runs
        if (resume or run.standing == "finished")
        and not ((with_models or resume) and is_evaluation(run.path))
    ]
    if chosen:
        return chosen[-1]
    newest = runs[-1]
    reason = f": {newest.error.splitlines()[0]}" if newest.error else ""
    raise RunError(
        f"no run in {root} has finished{' with models of its own' * with_models}; the newest, "
        f"{newest.name}, is {newest.standing}{reason}"
    )


def is_evaluation(path: Path) -> bool:
    """Whether a run scored another run's models on other images; False where that is not known."""
    try:
        return EVALUATED_FROM in read_json(path / "facts.json")
    except (RunError, TypeError):
        return False
