"""Units of a sweep as tasks of a Ray cluster, or of one that is started on this machine."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt

from leukreg import NotAvailable, plugin
from leukreg_plugins.executors import Tried, cores, devices, tried

SECONDS = 10.0
"""Until a cluster must have answered; Ray itself would wait for most of a minute."""
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How HTTP/2 begins, which Ray speaks (RFC 9113, 3.4): a preface, and settings without any."""
ASKED = 60.0
"""Until each node must have said what it sees: it may have to start a process for that."""
SETTINGS = 4
"""The type of the frame that must come back first."""
STORE_BYTES = 256 * 2**20
"""Of the object store of a cluster on this machine, where units read files."""


def _do(work: Callable[[Any], Any], unit: Any, threads: int, folder: str) -> Tried:
    """In a worker: paths are those of the driver, relative ones too."""
    with suppress(OSError):
        os.chdir(folder)
    return tried(work, unit, threads)


class RayTasks:
    """A task for each unit; workers live from task to task."""

    def __init__(
        self, ray: Any, task: Any, count: int, threads: int, *, local: bool, shared: bool
    ) -> None:
        self.count = count
        self._ray, self._task, self._threads = ray, task, threads
        self._local, self._shared = local, shared
        self._sent: dict[str, Any] = {}
        """What all units with the same images need: sent once, not with every unit."""
        self._flying: dict[Future[Any], Any] = {}

    def submit(self, work: Callable[[Any], Any], unit: Any) -> Future[Any]:
        if self._shared or not hasattr(unit, "parcel"):
            return self._submit(work, unit)
        parcel = unit.parcel()
        if parcel.content not in self._sent:
            self._sent[parcel.content] = self._ray.put(parcel.images())
        return self._submit(parcel.do, self._sent[parcel.content], parcel.unpack)

    def _submit(
        self,
        work: Callable[[Any], Any],
        given: Any,
        unpack: Callable[[Any], Any] = lambda value: value,
    ) -> Future[Any]:
        future: Future[Any] = Future()
        ref = self._task.remote(work, given, self._threads, str(Path.cwd()))
        self._flying[future] = ref

        def take(done: Future[Tried]) -> None:
            self._flying.pop(future, None)
            error = done.exception()
            there = done.result() if error is None else Tried(error=error)
            (tried(unpack, there.value) if there.error is None else there).tell(future)

        ref.future().add_done_callback(take)
        return future

    def stop(self) -> None:
        for ref in [] if self._local else [*self._flying.values()]:
            with suppress(Exception):  # it may have ended, with its node
                self._ray.cancel(ref, force=True)
        self._ray.shutdown()


@plugin("ray")
class Ray:
    """Tasks of a Ray cluster, or of a local one that is started for the sweep and ended with it."""

    address: str | None = None
    """HOST:PORT of a cluster that this machine belongs to, ray://HOST:PORT of another; by default
    one is started here."""
    workers: Annotated[int, Ge(1)] | None = None
    """Trainings at once; by default as many as the cluster has room for."""
    cpus: Annotated[float, Gt(0)] | None = None
    """Cores of a training; as many as it has threads by default."""
    gpus: Annotated[float, Ge(0)] = 0.0
    """GPUs of a training; 0.5 lets two share one."""

    def build(self, units: int, threads: int, folder: Path) -> RayTasks:
        cpus = self.cpus or threads
        if self.address is not None:
            _refuse_silent(self.address)
        elif self.gpus > (there := len(devices())):
            raise NotAvailable(f"gpus = {self.gpus:g} asks for more GPUs than the {there} here")
        ray = _imported()
        room = min(units, self.workers or max(1, int(cores() // cpus)))
        with _quiet():
            try:
                _begin(ray, self.address, room * cpus)
                count = self._count(ray, units, cpus)
                local = self.address is None
                shared = local or _all_see(ray, folder)
                task = self._task(ray, cpus)
                return RayTasks(ray, task, count, threads, local=local, shared=shared)
            except BaseException as error:
                ray.shutdown()
                known = (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError)
                if not isinstance(error, known):
                    raise
                raise NotAvailable(_told(error)) from error

    def _task(self, ray: Any, cpus: float) -> Any:
        # The driver does a unit again that was lost, and says so.
        return ray.remote(num_cpus=cpus, num_gpus=self.gpus, max_retries=0)(_do)

    def _count(self, ray: Any, units: int, cpus: float) -> int:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        room = units
        for name, asked in (("CPU", cpus), ("GPU", self.gpus)):
            there = [node.get(name, 0.0) for node in nodes]
            if asked > max(there, default=0.0):
                most = f"no node has more than {max(there, default=0.0):g}"
                raise NotAvailable(f"a training asks for {asked:g} {name} of the cluster; {most}")
            if asked:
                room = min(room, sum(int(one / asked + 1e-9) for one in there))
        return min(room, self.workers or room)


def _all_see(ray: Any, folder: Path) -> bool:
    """Whether each node of a cluster has the runs' folder, or what it is to stand in, as it is
    here: it is asked for what was just written there."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = next(one for one in (folder.resolve(), *folder.resolve().parents) if one.is_dir())
    with tempfile.NamedTemporaryFile(dir=there, prefix=".leukreg-") as token:
        ask = ray.remote(num_cpus=0, max_retries=0)(os.path.exists)
        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
        pinned = (NodeAffinitySchedulingStrategy(one, soft=False) for one in nodes)
        asked = [ask.options(scheduling_strategy=each).remote(token.name) for each in pinned]
        return all(ray.get(asked, timeout=ASKED))


def _told(error: BaseException) -> str:
    first = f"Ray: {str(error).strip().splitlines()[0]}"
    if "AuthToken" in str(error.__cause__):
        return f"{first}; it asks for a token: set RAY_AUTH_MODE=token, with the token's file"
    return first


def _imported() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise NotAvailable("this needs ray: pip install 'leukreg[ray]'") from None
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    return ray


def _begin(ray: Any, address: str | None, cpus: float) -> None:
    common = {"logging_level": "CRITICAL", "log_to_driver": False, "configure_logging": False}
    if address is not None:
        ray.init(address=address, **common)
        return
    ray.init(
        address="local",
        num_cpus=max(cores(), int(cpus)),
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        **common,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray takes SIGTERM for itself: it is the driver's."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        with suppress(ValueError):  # not in the main thread, where Ray leaves it alone
            signal.signal(signal.SIGTERM, before)


def _refuse_silent(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise NotAvailable(f"address = {address!r} is none: say HOST:PORT or ray://HOST:PORT")
    try:
        with socket.create_connection((host, int(port)), SECONDS / 2) as connection:
            connection.settimeout(SECONDS / 2)
            connection.sendall(HELLO)
            answer = connection.recv(9)
    except OSError as error:
        raise NotAvailable(f"no Ray cluster answers at {address}: {error}") from None
    if os.environ.get("RAY_USE_TLS") != "1" and (len(answer) < 4 or answer[3] != SETTINGS):
        raise NotAvailable(f"what answers at {address} is no Ray cluster")
