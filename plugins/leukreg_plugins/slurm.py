"""Units of a sweep as jobs of a Slurm cluster, which outlive the driver (through submitit)."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from leukreg import NotAvailable, plugin
from leukreg_plugins.executors import Tried, interrupts_ignored, tried

LOOK = 1.0
"""Seconds between two looks at jobs."""
ASK = 30
"""Looks between two questions to Slurm, which tell of jobs that were lost."""
SECONDS = 10
"""Until Slurm must have said whether it would take a job."""
SUBMITTED = "_submitted.pkl"
"""How the files end that submitit keeps of each job; a job's name stands before."""


@dataclass(frozen=True)
class Resumed:
    """What a job does: again, in a new job, where it is preempted or its time is over."""

    work: Callable[[Any], Any]
    threads: int
    local: bool

    def __call__(self, unit: Any) -> Tried:
        if self.local:  # submitit ignores it, since Slurm sends it before a job is preempted
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return tried(self.work, unit, self.threads)

    def checkpoint(self, unit: Any) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, unit)


class Jobs:
    """A job for each unit. Those that a killed driver left are found again by their folders."""

    def __init__(self, options: Slurm, count: int, threads: int, folder: Path) -> None:
        self.count = count
        self._options, self._threads = options, threads
        self._folder = folder.resolve() / f".{options.cluster}"
        self._flying: dict[Future[Any], tuple[Any, Path]] = {}
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def submit(self, work: Callable[[Any], Any], unit: Any) -> Future[Any]:
        place = self._folder / hashlib.blake2b(repr(unit).encode(), digest_size=12).hexdigest()
        found = max(
            place.glob(f"*{SUBMITTED}"), key=lambda path: path.stat().st_mtime, default=None
        )
        executor = self._executor(place)
        if found is None:
            job = self._submitted(executor, work, unit)
        else:
            job = executor.job_class(folder=place, job_id=found.name.removesuffix(SUBMITTED))
        future: Future[Any] = Future()
        self._flying[future] = job, place
        return future

    def _executor(self, place: Path) -> Any:
        import submitit

        asked = self._options
        executor = submitit.AutoExecutor(folder=place, cluster=asked.cluster)
        executor.update_parameters(
            name="leukreg",
            timeout_min=asked.minutes,
            cpus_per_task=asked.cpus or self._threads,
            mem_gb=asked.memory,
            gpus_per_node=asked.gpus or None,
            slurm_partition=asked.partition,
            slurm_account=asked.account,
        )
        return executor._executor

    def _submitted(self, executor: Any, work: Callable[[Any], Any], unit: Any) -> Any:
        from submitit.core.utils import FailedJobError

        what = Resumed(work, self._threads, self._options.cluster == "local")
        try:
            with interrupts_ignored():
                return executor.submit(what, unit)
        except (FailedJobError, OSError) as error:
            raise NotAvailable(f"no job can be submitted: {_last_line(str(error))}") from error

    def _watch(self) -> None:
        looks = 0
        while not self._over.wait(LOOK):
            for nth, (future, (job, place)) in enumerate([*self._flying.items()]):
                try:
                    ended = job.done(force_check=nth == 0 and looks % ASK == 0)  # tells of all
                except Exception as error:  # else the sweep would wait for it without end
                    del self._flying[future]
                    future.set_exception(RuntimeError(f"job {job.job_id} is out of sight: {error}"))
                    continue
                if ended:
                    del self._flying[future]
                    self._take(future, job, place)
            looks += 1

    def _take(self, future: Future[Any], job: Any, place: Path) -> None:
        try:
            done: Tried = job.result()
        except Exception:  # whatever submitit raises: there is no result
            last = _last_line(job.stderr() or "it said nothing")
            why = f"job {job.job_id} ended without a result ({job.state}): {last}"
            done = Tried(error=RuntimeError(why))
        shutil.rmtree(place, ignore_errors=True)
        done.tell(future)

    def stop(self) -> None:
        self._over.set()
        self._watcher.join()
        for job, place in self._flying.values():
            if (process := getattr(job, "_process", None)) is not None:
                process.terminate()
                process.wait()
            else:
                job.cancel(check=False)
            shutil.rmtree(place, ignore_errors=True)
        self._flying.clear()
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()


@plugin("slurm")
class Slurm:
    """Jobs of a Slurm cluster, which sees the same folders; they go on where their driver dies."""

    workers: Annotated[int, Ge(1)] = 16
    """Jobs at once, those that wait counted."""
    partition: str | None = None
    """The cluster's own by default."""
    account: str | None = None
    """The user's own by default."""
    minutes: Annotated[int, Ge(1)] = 240
    """Time limit of a job; a unit that needs longer goes on in another, three times."""
    memory: Annotated[float, Gt(0)] | None = None
    """GB of a job; the partition's own by default."""
    cpus: Annotated[int, Ge(1)] | None = None
    """Cores of a job; as many as a training has threads by default."""
    gpus: Annotated[int, Ge(0)] = 0
    """GPUs of a job."""
    cluster: Literal["slurm", "local"] = "slurm"
    """"local": jobs are processes of this machine, to try what would be submitted."""

    def build(self, units: int, threads: int, folder: Path) -> Jobs:
        os.environ.setdefault("SUBMITIT_LOG_LEVEL", "ERROR")
        try:
            import submitit  # noqa: F401
        except ImportError:
            need = "jobs of Slurm need submitit: pip install 'leukreg[slurm]'"
            raise NotAvailable(need) from None
        if self.cluster == "slurm":
            self._refuse_untakable(self.cpus or threads)
        return Jobs(self, min(self.workers, units), threads, folder)

    def _refuse_untakable(self, cpus: int) -> None:
        """Ask Slurm whether it would take such a job, before anything begins."""
        asked = {
            "partition": self.partition,
            "account": self.account,
            "time": self.minutes,
            "mem": self.memory and f"{self.memory * 1024:.0f}M",
            "cpus-per-task": cpus,
            "gpus-per-node": self.gpus or None,
        }
        words = [f"--{name}={value}" for name, value in asked.items() if value is not None]
        command = ["sbatch", "--test-only", "--wrap=true", *words]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except FileNotFoundError:
            raise NotAvailable("there is no Slurm on this machine: sbatch is not found") from None
        except subprocess.TimeoutExpired:
            raise NotAvailable(f"Slurm does not answer within {SECONDS} seconds") from None
        if done.returncode:
            raise NotAvailable(f"Slurm takes no such job: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing")
