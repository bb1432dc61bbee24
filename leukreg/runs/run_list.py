"""All runs below a folder, the unfinished and the damaged too, and the one that a person means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from leukreg.errors import RunError
from leukreg.runs.codec import parse, read_json
from leukreg.runs.patients import REST as PATIENTS
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import Status, is_locked, read_status, refuse_damaged
from leukreg.text import nearest
from leukreg.types import Finding, Score

EXPORTED = "contract.json"
WHERE_DATA_LIE = {"data.root", "data.path"}
Standing = Literal["finished", "running", "interrupted", "failed", "stopped", "damaged"]


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
    sweep: str = ""
    """The folder of the sweep that it belongs to."""
    error: str | None = None
    scores: tuple[Score, ...] = ()
    """Figures of the whole."""
    patient_scores: tuple[Score, ...] = ()
    """The same of patients, where it answers about these."""
    scored: Mapping[str, int] = field(default_factory=dict)
    """Scored rows by origin: real, rendered, synthetic."""
    errors: int = 0
    """Findings of severity error that are not waived."""
    warnings: int = 0
    waived: int = 0


@dataclass(frozen=True, slots=True)
class _Scores:
    """What a listing reads of ``scores.json``, and of the file of patients."""

    scores: tuple[Score, ...]
    scored: Mapping[str, int] = field(default_factory=dict)

    def of_whole(self) -> tuple[Score, ...]:
        return tuple(score for score in self.scores if score.label is None)


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
        "sweep": status.sweep,
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
    kept = parse(path / "scores.json", _Scores)
    found = parse(path / "findings.json", tuple[Finding, ...])
    patients = parse(path / PATIENTS, _Scores) if (path / PATIENTS).is_file() else _Scores(())
    severities = [one.severity for one in found if one.waived is None]
    return {
        "scores": kept.of_whole(),
        "patient_scores": patients.of_whole(),
        "scored": kept.scored,
        "errors": severities.count("error"),
        "warnings": severities.count("warning"),
        "waived": len(found) - len(severities),
    }


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
    meant = nearest(reference, names, cutoff=0.5)
    hint = f"did you mean {meant}?" if meant else "`leukreg runs` lists them"
    raise RunError(f"there is no run {reference!r} in {root}; {hint}")


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
