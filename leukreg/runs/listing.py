"""All runs below a folder, the unfinished and the damaged too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from leukreg.errors import RunError
from leukreg.runs.files import damaged, read_json
from leukreg.runs.lock import is_locked
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import Status, read_status, refuse_damaged
from leukreg.types import Score

EXPORTED = "contract.json"
WHERE_DATA_LIE = {"data.root", "data.path"}
Standing = Literal["finished", "running", "interrupted", "failed", "damaged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of a listing."""

    path: Path
    name: str
    standing: Standing
    """"interrupted": it says it runs, but no living process holds it."""
    recipe: str = ""
    started: str = ""
    """ISO 8601; empty where unknown."""
    seconds: float = 0.0
    trial: bool = False
    """Its recipe was changed on the command line, beyond where the data lie."""
    error: str | None = None
    scores: tuple[Score, ...] = ()
    """Figures of the whole."""
    scored: Mapping[str, int] = field(default_factory=dict)
    """Scored rows by origin: real, rendered, synthetic."""
    errors: int = 0
    """Findings of severity error that are not waived."""
    warnings: int = 0
    waived: int = 0


def list_runs(root: Path) -> tuple[RunSummary, ...]:
    """Every run folder directly below ``root``, oldest first; none where ``root`` is missing.

    A folder counts as a run when it has a ``status.json``, or a ``recipe.json`` and is no export.

    Raises:
        RunError: ``root`` cannot be read.
    """
    if not root.exists():
        return ()
    try:
        folders = [path for path in root.iterdir() if is_run(path)]
    except OSError as error:
        raise RunError(f"{root}: cannot be listed ({error.strerror})") from error
    return tuple(sorted(map(summarise, folders), key=lambda run: (run.started, run.name)))


def summarise(path: Path) -> RunSummary:
    """What a listing says of one run folder; a damaged one is said to be so."""
    name = path.resolve().name
    try:
        status = read_status(path)
    except RunError as error:
        return RunSummary(path=path, name=name, standing="damaged", error=str(error))
    base: dict[str, Any] = {
        "path": path,
        "name": name,
        "recipe": status.recipe,
        "started": status.started,
        "seconds": status.seconds,
        "trial": bool(set(status.overrides) - WHERE_DATA_LIE) or _set_on(path, status),
    }
    try:
        refuse_damaged(path, status)
        outcome = _outcome(path) if status.state == "finished" else {}
    except RunError as error:
        return RunSummary(**base, standing="damaged", error=str(error))
    return RunSummary(**base, **outcome, standing=_standing(path, status), error=status.error)


def is_run(path: Path) -> bool:
    """Whether a folder is a run's, damaged ones too; an export, which has a recipe, is none."""
    if not path.is_dir() or path.name.startswith("."):
        return False
    holds_recipe = (path / "recipe.json").exists() and not (path / EXPORTED).exists()
    return (path / STATUS).exists() or holds_recipe


def _standing(path: Path, status: Status) -> Standing:
    if status.state != "running":
        return status.state
    return "running" if is_locked(path) else "interrupted"


def _set_on(path: Path, status: Status) -> bool:
    """The same of a run of version 0.1, which kept no more than the words of its command line."""
    if status.checksums is not None or status.overrides:
        return False
    try:
        words = [str(word) for word in read_json(path / "environment.json").get("argv", ())]
    except (RunError, AttributeError, TypeError):
        return False
    given = [word.removeprefix("--set=") for word in words if word.startswith("--set=")]
    given += [word for flag, word in pairwise(words) if flag == "--set"]
    return bool({word.partition("=")[0].strip() for word in given} - WHERE_DATA_LIE)


def _outcome(path: Path) -> dict[str, Any]:
    scores, findings = path / "scores.json", path / "findings.json"
    data, found = read_json(scores), read_json(findings)
    try:
        whole = tuple(Score(**line) for line in data["scores"] if line["label"] is None)
        open_ones = [one["severity"] for one in found if one["waived"] is None]
        return {
            "scores": whole,
            "scored": {str(origin): int(count) for origin, count in data["scored"].items()},
            "errors": open_ones.count("error"),
            "warnings": open_ones.count("warning"),
            "waived": len(found) - len(open_ones),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise damaged(scores if isinstance(found, list) else findings, reason) from error
