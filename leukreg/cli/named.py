"""From what a person types to a run, with what they should know of it said."""

from __future__ import annotations

from pathlib import Path

from leukreg.cli.output import say


def run_named(reference: str, root: Path, with_models: bool = False) -> Path:
    """The run that is meant (see :func:`leukreg.runs.listing`), "last" by name.

    Raises:
        RunError: There is no such run, or several begin so.
    """
    from leukreg.runs.listing import find, list_runs
    from leukreg.runs.status import is_checked

    path = find(reference, root, with_models)
    if reference == "last" and path.parent == root:
        names = [run.name for run in list_runs(root)]
        newer = names[names.index(path.name) + 1 :]
        more = f" (newer, but not taken: {', '.join(newer)})" if newer else ""
        say(f"last is {path.name}{more}", err=True)
    if not is_checked(path):
        say(f"{path.name} carries no checksums: damage to its files would go unnoticed", err=True)
    return path
