"""What the engine hands on: the plan of a phase, and what training a fold came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from leukreg.errors import RunError
from leukreg.files import check_file, read_file, write_text
from leukreg.types import EpochLog, PhaseLog

OUTCOME = "outcome.json"
MODEL = "model.pt"
ANEW = "delete the folder it lies in, and resume the run: it trains this fold anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePlan:
    """What a phase will train."""

    name: str
    trainable: int
    """Number of trainable scalar parameters."""
    unfrozen: tuple[str, ...]
    """Names of the backbone layers that train."""
    total: int
    """Number of scalar parameters of the whole model."""
    epochs: int
    lr: float | None
    """The optimizer's ``lr`` option, or None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldOutcome:
    """What training a fold came to."""

    epochs: tuple[EpochLog, ...]
    phases: tuple[PhaseLog, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Plain values: ``device``, ``input_range``, ``bn_changed_by_mc``, ``features`` and others."""
    model_path: Path
    """The trained weights: a state dict, safe to load with ``weights_only``."""


def write_outcome(outcome: FoldOutcome, folder: Path, fingerprint: str) -> None:
    """Write the outcome beside its model; its presence means that the fold is done."""
    plain = {
        "fingerprint": fingerprint,
        "epochs": [asdict(log) for log in outcome.epochs],
        "phases": [asdict(log) for log in outcome.phases],
        "facts": dict(outcome.facts),
    }
    text = json.dumps(plain, indent=1, allow_nan=False)
    write_text(folder / OUTCOME, text, listed=True)


def read_outcome(folder: Path, fingerprint: str) -> FoldOutcome | None:
    """The outcome of a finished fold, or None.

    Raises:
        RunError: The folder holds the outcome of another recipe, or a damaged file.
    """
    path = folder / OUTCOME
    if not (path.exists() and (folder / MODEL).exists()):
        return None
    try:
        plain = json.loads(read_file(path, ANEW))
        outcome = FoldOutcome(
            epochs=tuple(epoch_log(log) for log in plain["epochs"]),
            phases=tuple(phase_log(log) for log in plain["phases"]),
            facts=plain["facts"],
            model_path=folder / MODEL,
        )
        found = plain["fingerprint"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); {ANEW}") from error
    check_fingerprint(path, found, fingerprint)
    check_file(outcome.model_path, ANEW)
    return outcome


def check_fingerprint(path: Path, found: object, wanted: str) -> None:
    """Refuse training state of another recipe.

    Raises:
        RunError: The fingerprints differ.
    """
    if found != wanted:
        raise RunError(
            f"{path} belongs to another recipe, data set or fold; "
            "use a new run folder, or delete this fold's folder to train it anew"
        )


def epoch_log(plain: Mapping[str, Any]) -> EpochLog:
    """An epoch's log from plain data."""
    return EpochLog(**{**plain, "lr": tuple(plain["lr"])})


def phase_log(plain: Mapping[str, Any]) -> PhaseLog:
    """A phase's log from plain data."""
    return PhaseLog(**{**plain, "unfrozen": tuple(plain["unfrozen"])})
