"""Checkpoints of a fold: the last epoch's state and the best epoch's weights, nothing older."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leukreg.errors import DataError, PluginFault, RunError
from leukreg.files import check_file, is_listed, load_tensors, read_file, write_stream, write_text
from leukreg.types import EpochLog, PhaseLog

LAST = "last.pt"
EVERY = 0.5
"""Seconds that lie between two checkpoints at least. Training goes on from the last one bit for
bit, so that an epoch of milliseconds need not wait for a disk; less than this is lost."""


@dataclass(slots=True)
class Checkpoints:
    """Reads and writes a fold's checkpoints.

    Only what training changes is written; frozen weights come from the plugin again, and
    :meth:`resume` makes sure that they are the same.
    """

    folder: Path
    fingerprint: str
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights of the present phase's best epoch."""
    _best_written: bool = True
    _written: float = 0.0

    @property
    def last_path(self) -> Path:
        return self.folder / LAST

    @property
    def best_path(self) -> Path:
        return self.folder / "best.pt"

    def keep_best(self, weights: dict[str, Tensor]) -> None:
        """Remember the best epoch's weights; they are written with the next checkpoint."""
        self.best = weights
        self._best_written = False

    def write(
        self, model: nn.Module, state: FoldState, parts: Mapping[str, Any], force: bool = False
    ) -> bool:
        """Write a checkpoint, unless one was written a moment ago; tells whether it did.

        The best weights go first: a kill between the two files leaves an older ``last.pt``, from
        which the same best weights are reached again.
        """
        if not force and time.monotonic() - self._written < EVERY:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._best_written:
            save(self.best_path, {"fingerprint": self.fingerprint, "weights": self.best})
            self._best_written = True
        states = {name: part.state_dict() for name, part in parts.items()}
        content = {
            "fingerprint": self.fingerprint,
            "weights": touched_weights(model, state),
            "state": state.plain(),
            "parts": states,
        }
        save(self.last_path, content)
        if not self._written:
            self._check_readable(parts)
        self._written = time.monotonic()
        return True

    def resume(self, model: nn.Module, base: dict[str, str]) -> tuple[FoldState, dict[str, Any]]:
        """Put the last checkpoint into ``model``; the state and the parts' own states.

        ``base`` are the digests of the freshly built model; they are the state's if there is no
        checkpoint.

        Raises:
            RunError: The checkpoint is unreadable, belongs to another recipe, or the frozen
                weights are not those the run began with.
        """
        if not self.last_path.exists():
            return FoldState(base=base), {}
        content = self._load(self.last_path)
        state = fold_state(content["state"])
        changed = sorted(
            name for name in base if name not in state.touched and base[name] != state.base[name]
        )
        if changed:
            raise RunError(
                f"{self.last_path}: the frozen weights are not those this run began with "
                f"({changed[0]} and {len(changed) - 1} more differ); use the same weights again, "
                "or delete this fold's folder to train it anew"
            )
        model.load_state_dict(content["weights"], strict=False)
        if state.phase is not None and state.phase.best_epoch:
            self.best = self._load(self.best_path)["weights"]
        return state, content["parts"]

    def remove(self) -> None:
        """Remove the checkpoints of a fold that is done."""
        for path in self.folder.glob("features-*.bin"):
            path.unlink(missing_ok=True)
        self.best_path.unlink(missing_ok=True)
        self.last_path.unlink(missing_ok=True)

    def _load(self, path: Path) -> dict[str, Any]:
        content = load(path, ANEW)
        check_fingerprint(path, content.get("fingerprint"), self.fingerprint)
        return content

    def _check_readable(self, parts: Mapping[str, Any]) -> None:
        """The first checkpoint is read back: a plugin's own state may hold unsafe objects."""
        try:
            load(self.last_path, ANEW)
        except RunError as error:
            names = ", ".join(sorted(parts))
            raise PluginFault(
                f"the state of {names} holds objects that are not safe to load from a file; its "
                "state_dict must hold plain values and tensors only"
            ) from error


def lost(folder: Path) -> str | None:
    """The file without which a fold that had begun is trained anew; None where nothing is lost."""
    there = {name for name in (OUTCOME, MODEL, LAST) if (folder / name).exists()}
    if LAST in there or {OUTCOME, MODEL} <= there:
        return None
    ways = (OUTCOME, MODEL) if is_listed(folder / OUTCOME) else (LAST,)
    return next((n for n in ways if n not in there and is_listed(folder / n)), None)


def touched_weights(model: nn.Module, state: FoldState) -> dict[str, Tensor]:
    """What training may have changed, by name in the state dict."""
    return {name: value for name, value in model.state_dict().items() if name in state.touched}


def copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights in memory of their own."""
    return {name: value.detach().clone() for name, value in weights.items()}


@dataclass(slots=True)
class PhaseState:
    """Where a phase stands at the end of an epoch."""

    start: dict[str, str]
    """Digest of each parameter when the phase began."""
    epoch: int = 0
    """Finished epochs."""
    best: float | None = None
    """The best monitored figure so far."""
    best_epoch: int = 0
    stale: int = 0
    """Epochs since the best one."""
    stopped: str = ""
    """Why the phase ended early, if it did."""
    lr_first: float = 0.0
    batches: int = 0
    """Batches per epoch."""


@dataclass(slots=True)
class FoldState:
    """Where a fold stands: finished phases, logs and the phase under way."""

    base: dict[str, str]
    """Digest of each parameter of the fresh model."""
    epochs: list[EpochLog] = field(default_factory=list)
    phases: list[PhaseLog] = field(default_factory=list)
    phase: PhaseState | None = None
    touched: set[str] = field(default_factory=set)
    """Names in the state dict that training has or may have changed; the rest are as built."""
    facts: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As values that ``torch.load(weights_only=True)`` reads back."""
        return {
            "base": dict(self.base),
            "epochs": [asdict(log) for log in self.epochs],
            "phases": [asdict(log) for log in self.phases],
            "phase": None if self.phase is None else asdict(self.phase),
            "touched": sorted(self.touched),
            "facts": dict(self.facts),
        }


def fold_state(plain: Mapping[str, Any]) -> FoldState:
    """The state that :meth:`FoldState.plain` wrote."""
    return FoldState(
        base=dict(plain["base"]),
        epochs=[epoch_log(log) for log in plain["epochs"]],
        phases=[phase_log(log) for log in plain["phases"]],
        phase=None if plain["phase"] is None else PhaseState(**plain["phase"]),
        touched=set(plain["touched"]),
        facts=dict(plain["facts"]),
    )


def digests(model: nn.Module) -> dict[str, str]:
    """Digest of each parameter's values, by name."""
    return {name: _digest(parameter) for name, parameter in model.named_parameters()}


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.blake2b(values.data, digest_size=16).hexdigest()


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


def save(path: Path, content: dict[str, Any]) -> None:
    """``torch.save`` plain values and tensors, whole or not at all.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    import torch

    write_stream(path, lambda file: torch.save(content, file), listed=True)


def load(path: Path, advice: str) -> dict[str, Any]:
    """Read what :func:`save` wrote, never running code from the file.

    Args:
        path: The file.
        advice: What to do where it is missing or damaged.

    Raises:
        RunError: It is missing, damaged, or holds more than tensors and plain values.
    """
    check_file(path, advice)
    try:
        content: dict[str, Any] = load_tensors(path)
    except DataError as error:
        raise RunError(f"{error}; {advice}") from error
    return content
