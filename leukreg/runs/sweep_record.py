"""The folder of a sweep, beside those of its runs: what was planned, in ``sweep.json``.

Where the sweep stands is read off the runs, each of which names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from leukreg.errors import RunError
from leukreg.runs.codec import checked, damaged, plain, read_with_digest, with_digest, write_json
from leukreg.runs.status import FILE as STATUS
from leukreg.text import nearest

SWEEP = "sweep.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptRun:
    """A run of a sweep: a variation under a seed."""

    name: str
    """Of its folder, beside the sweep's."""
    variation: str
    seed: int
    path: str
    """The recipe's file."""
    overrides: tuple[str, ...]
    """What is set in it, ``KEY=VALUE`` each."""
    digest: str
    """Of the resolved recipe, fallbacks taken."""
    folds: int
    apart: bool
    """Whether its folds can be trained apart; else one worker has the whole run."""
    test_set: str = ""
    """Digest of the pictures that are scored; empty where that is not known before."""
    trial: int | None = None
    """Of a search, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord:
    """What a search draws its trials from; what it was told of them is in ``search.db`` beside."""

    trials: int
    """How many there are to be."""
    hours: float | None = None
    """After these none begins."""
    seed: int
    prune: Literal["median", "halving", "none"] = "none"
    """What stops a trial by its validation curve."""
    at_once: int
    axes: Mapping[str, Any]
    """By dotted key: values, or a range."""
    path: str
    """The recipe's file."""
    overrides: tuple[str, ...]
    seeds: tuple[int | None, ...]
    """Of the runs of each trial; None: the recipe's own."""
    threads: int
    """Of a training."""
    units: int
    """Trainings of the trials that are proposed together."""
    proposed: int = 0
    """Trials by now. One without runs was like an earlier one, or no recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """What a sweep is to do, decided when it begins; a search adds to its runs."""

    name: str
    """Of its folder."""
    started: str
    """Local time with offset, ISO 8601."""
    source: str | None = None
    """The sweep file; None where the command line was one."""
    source_digest: str = ""
    executor: Mapping[str, Any] = field(default_factory=dict)
    """The plugin that it began with, with its options."""
    figure: str
    """The figure that variations are compared by."""
    choose: Literal["validation", "test"]
    """The rows by whose figures a variation is chosen."""
    runs: tuple[SweptRun, ...]
    """Of a search: those of the trials that have begun."""
    search: SearchRecord | None = None

    @property
    def variations(self) -> tuple[str, ...]:
        """Their names, in the order of the plan."""
        return tuple(dict.fromkeys(run.variation for run in self.runs))


def write_sweep(folder: Path, record: SweepRecord) -> None:
    write_json(folder / SWEEP, with_digest(plain(record)))


def read_sweep_record(folder: Path) -> SweepRecord:
    """What a sweep is to do.

    Raises:
        RunError: The file is missing or damaged.
    """
    data, whole = read_with_digest(folder / SWEEP)
    if not whole:
        raise damaged(folder / SWEEP, "it is not as leukreg wrote it")
    return checked(folder / SWEEP, data, SweepRecord)


def sweeps_in(root: Path) -> tuple[Path, ...]:
    """The folders of sweeps directly below ``root``, oldest first as their names tell."""
    return tuple(sorted(path.parent for path in root.glob(f"*/{SWEEP}")))


def find_sweep(reference: str, root: Path) -> Path | None:
    """The sweep that is meant: a path, a name, a unique beginning of one; None: it is none.

    What runs of no such sweep begin with too means these.

    Raises:
        RunError: Several begin so.
    """
    if reference and (Path(reference) / SWEEP).is_file():
        return Path(reference)
    known = {path.name: path for path in sweeps_in(root)}
    if reference in known:
        return known[reference]
    found = [path for name, path in known.items() if reference and name.startswith(reference)]
    if len(found) > 1:
        listed = "\n  ".join(path.name for path in found)
        raise RunError(f"several sweeps begin with {reference!r}:\n  {listed}")
    other = (path.parent.name for path in root.glob(f"*/{STATUS}"))
    if found and any(n.startswith(reference) and not n.startswith(found[0].name) for n in other):
        return None
    return found[0] if found else None


def sweep_named(reference: str, root: Path) -> Path:
    """The same, of what must be one; "last" is the newest.

    Raises:
        RunError: There is no such sweep, or several begin so.
    """
    known = sweeps_in(root)
    if reference == "last" and known:
        return max(known, key=lambda path: read_sweep_record(path).started)
    found = find_sweep(reference, root)
    if found is None:
        meant = nearest(reference, [path.name for path in known], cutoff=0.5)
        hint = f"did you mean {meant}?" if meant else "`leukreg runs` lists them"
        raise RunError(f"there is no sweep {reference!r} in {root}; {hint}")
    return found
