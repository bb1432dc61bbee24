"""From what a person types to a run folder."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from leukreg.errors import RunError
from leukreg.runs.listing import RunSummary, list_runs
from leukreg.runs.status import FILE as STATUS

MODELS = "fold-*/model.pt"


def find(reference: str, root: Path, with_models: bool = False) -> Path:
    """The run that ``reference`` means: a path, a name, a unique beginning of one, or "last".

    Args:
        with_models: "last" passes over finished runs without models of their own: those of
            ``leukreg evaluate``, which scored another run's.

    Raises:
        RunError: There is no such run, or several begin so.
    """
    if reference and (Path(reference) / STATUS).is_file():
        return Path(reference)
    runs = list_runs(root)
    if not runs:
        raise RunError(f"there is no run {reference!r}: {root} holds no runs")
    if reference == "last":
        return _last(runs, with_models).path
    names = {run.name: run.path for run in runs}
    if reference in names:
        return names[reference]
    matches = [name for name in names if reference and name.startswith(reference)]
    if len(matches) == 1:
        return names[matches[0]]
    if matches:
        listed = "\n  ".join(matches)
        raise RunError(f"several runs begin with {reference!r}:\n  {listed}")
    close = difflib.get_close_matches(reference, names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else "; `leukreg runs` lists them"
    raise RunError(f"there is no run {reference!r} in {root}{hint}")


def _last(runs: Sequence[RunSummary], with_models: bool) -> RunSummary:
    chosen = [
        run
        for run in runs
        if not with_models or run.standing != "finished" or any(run.path.glob(MODELS))
    ]
    return (chosen or runs)[-1]
