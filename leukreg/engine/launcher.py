"""The processes of one training on this machine: started as torchrun does it, and ended together.

Nothing here needs torch, which each of them takes seconds to import.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from leukreg.errors import LostProcess

SAID = "LEUKREG_SAID"
"""Names the folder where those who do not speak leave what they would say at their end."""
PROGRAM = (sys.executable, "-m", "leukreg")
PAUSE = 0.1
"""Seconds between two looks at the processes."""
GRACE = 20.0
"""Seconds in which the others notice by themselves that one has ended."""
Child = subprocess.Popen[bytes]


def asked() -> int:
    """How many processes of one training were started, this one among them."""
    there = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()
    return int(os.environ["WORLD_SIZE"]) if there else 1


def speaks() -> bool:
    """Whether this is the process of them that speaks."""
    return asked() == 1 or os.environ["RANK"] == "0"


def launch(words: Sequence[str], count: int) -> int:
    """Have ``leukreg`` and these words done by ``count`` processes; the exit code of the first.

    The first has the terminal; each has its part of the cores. When one ends with an error, all do.

    Raises:
        LostProcess: The first one was killed, or had to be.
    """
    with tempfile.TemporaryDirectory(prefix="leukreg-devices-") as said:
        common = _environment(count, said)
        children = [_start(words, common, number) for number in range(count)]
        first = 0
        try:
            try:
                first = _wait(children)
            except KeyboardInterrupt:  # Ctrl-C has reached them, a SIGTERM has not
                _end(children)
        finally:
            for child in children:
                child.kill()
                child.communicate()
        code = children[0].returncode
        if code < 0:
            raise LostProcess(_killed(children, first) or last_words(said) or _killed(children, 0))
        return code


def last_words(folder: str | None) -> str:
    """What the first of those who do not speak said at its end; empty where none said anything."""
    for path in sorted(Path(folder).iterdir()) if folder else ():
        if text := path.read_text(encoding="utf-8", errors="replace").strip():
            return f"on device {int(path.name) + 1}: {text.removeprefix('leukreg: ')}"
    return ""


def _environment(count: int, said: str) -> dict[str, str]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    threads = max(1, (os.cpu_count() or 1) // count)
    chosen = {"OMP_NUM_THREADS": str(threads)}
    if Path("/sys/class/net/lo").exists():  # a host's own name may lead nowhere
        chosen["GLOO_SOCKET_IFNAME"] = "lo"
    return {**chosen, **os.environ, **known, "LOCAL_WORLD_SIZE": str(count), SAID: said}


def _start(words: Sequence[str], common: dict[str, str], number: int) -> Child:
    own = {**common, "RANK": str(number), "LOCAL_RANK": str(number)}
    command = [*PROGRAM, *words]
    if number == 0:
        return subprocess.Popen(command, env=own, stdin=subprocess.PIPE)
    with (Path(common[SAID]) / str(number)).open("wb") as said:
        return subprocess.Popen(
            command, env=own, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )


def follow_parent() -> None:
    """End with the process that started this one, whatever becomes of that."""
    if SAID in os.environ:
        threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _wait(children: Sequence[Child]) -> int:
    """Until all have ended, or the others have had their time since one failed; which it was."""
    failed, first = None, 0
    while None in (codes := [child.poll() for child in children]):
        if failed is None and any(codes):
            failed, first = time.monotonic(), next(n for n, code in enumerate(codes) if code)
        if codes[0] or (failed and time.monotonic() - failed > GRACE):
            _end(children)
            return first
        time.sleep(PAUSE)
    return first


def _end(children: Sequence[Child]) -> None:
    for child in children:
        child.terminate()
    last = time.monotonic() + GRACE
    with suppress(subprocess.TimeoutExpired):
        for child in children:
            child.wait(max(0.0, last - time.monotonic()))


def _killed(children: Sequence[Child], number: int) -> str:
    """The sentence about a process that was killed before it could say anything; none where it
    could."""
    code = children[number].returncode
    if code >= 0:
        return ""
    return (
        f"process {number + 1} of {len(children)} of the training was ended by "
        f"{signal.Signals(-code).name}, and so all were; leukreg run --resume last goes on with it"
    )
