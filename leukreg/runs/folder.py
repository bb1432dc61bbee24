"""The run folder while it is written."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from leukreg.errors import LeukregError, RunError
from leukreg.runs import files
from leukreg.runs.contents import Contents
from leukreg.runs.environment import environment
from leukreg.runs.lock import Lock
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import Status, begun, count_lines, now, read_status, write_status
from leukreg.types import RunResult

if TYPE_CHECKING:
    from leukreg.recipe.model import Recipe


class RunFolder(Contents):
    """A run folder that this process alone may write, as a context manager.

    Leaving the context with an error marks the run as failed, with the error; every file is
    written whole or not at all.
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock
        self._began = time.monotonic()
        self._before = 0.0

    @classmethod
    def create(cls, root: Path, recipe: Recipe) -> RunFolder:
        """Make a new folder below ``root``, named by recipe and time; never one that exists.

        Raises:
            RunError: ``root`` cannot be written.
        """
        path = _new_folder(root, recipe.name)
        folder = cls(path, Lock(path))
        folder._lock.acquire()
        write_status(path, begun(recipe.name))
        if recipe.path is not None and recipe.path.is_file():
            files.write_bytes(path / "recipe.toml", recipe.path.read_bytes())
        folder.write_json("recipe.json", recipe.resolved)
        folder.write_json("environment.json", environment())
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Take up a folder again, to resume its run.

        Raises:
            RunError: It is no run folder, or another process writes it.
        """
        if not (path / STATUS).is_file():
            raise RunError(f"{path}: is no run folder (it has no {STATUS})")
        folder = cls(path, Lock(path))
        folder._lock.acquire()
        try:
            status = read_status(path)
        except RunError:
            folder.close()
            raise
        folder._before = status.seconds
        if status.state != "finished":
            running = begun(status.recipe)
            write_status(path, replace(running, started=status.started, seconds=status.seconds))
        return folder

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def seconds(self) -> float:
        """Working time so far, earlier stretches included."""
        return self._before + time.monotonic() - self._began

    def status(self) -> Status:
        return read_status(self.path)

    def close(self) -> None:
        """Let other processes write the folder."""
        self._lock.release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is not None:
                self.fail(error)
        finally:
            self.close()

    def fail(self, error: BaseException | str) -> None:
        """Mark the run as failed; it may be resumed."""
        text = str(error) if isinstance(error, LeukregError | str) else _named(error)
        self._mark(state="failed", error=text)

    def finish(self) -> None:
        """Mark the run as finished."""
        self._mark(state="finished", error=None, lines=count_lines(self.path))

    def checkpoint_time(self) -> None:
        """Note the working time so far, so that a killed run does not lose it."""
        write_status(self.path, replace(self.status(), seconds=self.seconds))

    def _mark(self, **changes: Any) -> None:
        status = replace(self.status(), ended=now(), seconds=self.seconds, **changes)
        write_status(self.path, status)

    def keep(self, result: RunResult) -> RunResult:
        """Write everything of a result and mark the run as finished.

        Facts named ``digests`` go to ``digests.json``. The result comes back with this folder's
        path, name and working time, equal to what :func:`leukreg.runs.read` gives.
        """
        facts = dict(result.facts)
        self.write_digests(facts.pop("digests", {}))
        self.write_facts(facts)
        self.write_json("recipe.json", result.recipe)
        self.write_json("environment.json", result.environment)
        self.write_samples(result.samples)
        self.write_images(result.pixels, result.statistics, result.twins)
        self.write_folds(result.folds)
        self.write_epochs(result.epochs)
        self.write_phases(result.phases)
        self.write_notices(result.notices)
        self.write_predictions(result.predictions)
        self.write_validation(result.validation)
        self.write_scores(
            result.scores,
            result.confusion,
            result.threshold,
            result.threshold_from,
            result.predictions,
        )
        self.write_findings(result.findings)
        self.finish()
        facts["digests"] = self.read_json("digests.json")
        seconds = self.status().seconds
        return replace(result, folder=self.path, name=self.name, facts=facts, seconds=seconds)


def _named(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _new_folder(root: Path, recipe: str) -> Path:
    stem = re.sub(r"[^\w.-]+", "_", recipe).strip("._-")[:60] or "run"
    while True:
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        path = root / f"{stem}-{stamp}-{secrets.token_hex(2)}"
        try:
            root.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            return path
        except FileExistsError as error:
            if not root.is_dir():
                raise RunError(f"{root}: is a file, not a folder for runs") from error
        except OSError as error:
            raise RunError(f"{root}: cannot make a run folder here ({error.strerror})") from error
