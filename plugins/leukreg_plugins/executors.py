"""Who does the units of a sweep on this machine: this process, or several."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, get_all_start_methods, get_context, parent_process
from typing import Annotated, Any

from annotated_types import Ge

from leukreg import NotAvailable, plugin

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Tried:
    """What a unit came to, or what it raised: engines have errors of their own for that."""

    value: Any = None
    error: BaseException | None = None

    def tell(self, future: Future[Any]) -> None:
        if self.error is None:
            future.set_result(self.value)
        else:
            future.set_exception(self.error)


def tried(work: Callable[[Any], Any], unit: Any, threads: int | None = None) -> Tried:
    """Do a unit, with so many CPU threads where a number is given."""
    if threads is not None:
        limit_threads(threads)
    try:
        return Tried(work(unit))
    except Exception as error:  # whatever it is, the future has it
        return Tried(error=error)


def limit_threads(threads: int) -> None:
    """Let this process compute with so many."""
    for name in THREADS:
        os.environ[name] = str(threads)
    if "torch" in sys.modules:  # it has looked at these names already
        import threadpoolctl

        threadpoolctl.threadpool_limits(threads)


class OneAfterTheOther:
    """Does each unit when it is handed over."""

    count = 1

    def submit(self, work: Callable[[Any], Any], unit: Any) -> Future[Any]:
        future: Future[Any] = Future()
        tried(work, unit).tell(future)
        return future

    def stop(self) -> None:
        """Nothing runs between two units."""


@plugin("here")
class Here:
    """One training after the other, in this process."""

    def build(self, units: int, threads: int) -> OneAfterTheOther:
        return OneAfterTheOther()


START = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
"""How processes start. CUDA survives no fork of a process that uses it; the server never does, and
imports torch once for all."""


class LocalProcesses:
    """Processes that live from unit to unit, each in a pool of its own: one that dies takes no
    other with it, and is replaced."""

    def __init__(self, count: int, threads: int, devices: tuple[str, ...]) -> None:
        self.count = count
        self._threads = threads
        self._devices = devices
        self._pools: list[ProcessPoolExecutor | None] = [None] * count
        self._given: list[Future[Any] | None] = [None] * count

    def submit(self, work: Callable[[Any], Any], unit: Any) -> Future[Any]:
        place = next(n for n, one in enumerate(self._given) if one is None or one.done())
        pool = self._pools[place]
        if pool is None:
            pool = self._pools[place] = self._started(place)
        try:
            future = pool.submit(work, unit)
        except BrokenProcessPool:  # it died at its last unit, or since
            pool = self._pools[place] = self._started(place)
            future = pool.submit(work, unit)
        self._given[place] = future
        return future

    def _started(self, place: int) -> ProcessPoolExecutor:
        device = self._devices[place % len(self._devices)] if self._devices else None
        return ProcessPoolExecutor(
            max_workers=1,
            mp_context=get_context(START),
            initializer=_begin,
            initargs=(self._threads, device),
        )

    def stop(self) -> None:
        for pool in filter(None, self._pools):
            # Whatever they are at can be gone on with, so that nobody waits for its end.
            for process in list((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(threads: int, device: str | None) -> None:
    """In a worker, before it computes."""
    limit_threads(threads)
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever gave the work ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A driver that is killed takes its workers with it: nobody would take their work."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@plugin("processes")
class Processes:
    """Workers on this machine, which share out its cores or its GPUs."""

    workers: Annotated[int, Ge(1)] | None = None
    """Trainings at once; by default one per GPU, or as many as the cores have room for."""
    gpus: Annotated[int, Ge(0)] | None = None
    """GPUs that they share; by default all that there are."""

    def ahead(self, module: str) -> None:
        """Begin to import what workers need, while the sweep is planned."""
        if START == "forkserver":
            get_context(START).set_forkserver_preload([module])
            with interrupts_ignored():
                forkserver.ensure_running()

    def build(self, units: int, threads: int) -> LocalProcesses:
        shared = devices()
        if (self.gpus or 0) > len(shared):
            raise NotAvailable(f"gpus = {self.gpus} asks for more GPUs than the {len(shared)} here")
        shared = shared[: self.gpus]
        count = self.workers or len(shared) or max(1, cores() // threads)
        hidden = ("",) if self.gpus == 0 else ()
        return LocalProcesses(min(count, units), threads, shared or hidden)


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """What is started within knows no Ctrl-C: whoever started it ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def devices() -> tuple[str, ...]:
    """The CUDA devices that this process may use, as it would name them to others."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    every = [str(n) for n in range(torch.cuda.device_count())]
    return tuple(every if named is None else named.split(",")[: len(every)])


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
