"""Workers on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from leukreg_plugins.executors import Here, Processes

from leukreg.errors import NotAvailable
from leukreg.files import is_gone

DRIVER = """
import os, time
from leukreg_plugins.executors import LocalProcesses
workers = LocalProcesses(2, 1, ())
try:
    flying = [workers.submit(eval, "__import__('os').getpid()") for _ in range(2)]
    print(*(future.result() for future in flying), flush=True)
    [workers.submit(time.sleep, 600) for _ in range(2)][0].result()
finally:
    workers.stop()
"""


def test_a_process_that_dies_takes_no_other_with_it_and_is_replaced() -> None:
    workers = Processes(workers=2).build(4, 1)
    try:
        lives, dies = workers.submit(os.getenv, "OMP_NUM_THREADS"), workers.submit(os._exit, 1)
        assert lives.result(timeout=60) == "1"
        assert dies.exception(timeout=60) is not None
        assert workers.submit(abs, -2).result(timeout=60) == 2
        assert workers.submit(abs, -3).result(timeout=60) == 3
        for pool in workers._pools:  # between two units, such as by a system short of memory
            assert pool is not None
            for process in (pool._processes or {}).values():
                process.kill()
                process.join()
            while not pool._broken:
                time.sleep(0.01)
        assert workers.submit(abs, -4).result(timeout=60) == 4
    finally:
        workers.stop()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_driver(number: int) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout is not None
    assert driver.stderr is not None
    pids = [int(word) for word in driver.stdout.readline().split()]
    assert len({*pids, driver.pid}) == 3
    if number == signal.SIGINT:  # Ctrl-C reaches all processes of a terminal
        os.killpg(driver.pid, number)
    else:
        driver.kill()
    assert driver.wait(60) != 0
    said = driver.stderr.read()
    assert said.count("KeyboardInterrupt") == (number == signal.SIGINT)
    until = time.monotonic() + 60
    while not all(map(is_gone, pids)):
        assert time.monotonic() < until
        time.sleep(0.02)
    driver.stdout.close()
    driver.stderr.close()


def test_there_are_no_more_workers_than_units_or_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(cores: int, devices: tuple[str, ...], **options: Any) -> int:
        monkeypatch.setattr("leukreg_plugins.executors.cores", lambda: cores)
        monkeypatch.setattr("leukreg_plugins.executors.devices", lambda: devices)
        return Processes(**options).build(9, 2).count

    assert count(8, ()) == 4
    assert count(1, ()) == 1
    assert count(64, ()) == 9
    assert count(8, ("0", "1")) == 2
    assert count(8, (), workers=6) == 6
    assert count(8, ("0", "1"), gpus=1) == 1
    assert count(8, ("0", "1"), gpus=0) == 4
    assert Here().build(9, 2).count == 1
    with pytest.raises(NotAvailable, match="gpus = 3 asks for more GPUs than the 2 here"):
        count(8, ("0", "1"), gpus=3)


def test_gpus_are_shared_out_and_hidden_where_none_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leukreg_plugins.executors.devices", lambda: ("2", "GPU-7"))

    def seen(**options: Any) -> list[str | None]:
        workers = Processes(**options).build(3, 1)
        try:
            for place in range(3):
                workers._pools[place] = workers._started(place)
            pools = filter(None, workers._pools)
            return [one.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result(60) for one in pools]
        finally:
            workers.stop()

    assert seen(workers=3) == ["2", "GPU-7", "2"]
    assert seen(workers=3, gpus=0) == [""] * 3
