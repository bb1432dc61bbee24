from __future__ import annotations

import os
import sys
import time

import pytest

from leukreg.engine import launcher
from leukreg.errors import LostProcess

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python in place of leukreg: the words are what each process does."""
    head = "import os, signal, sys, time; number = int(os.environ['RANK']); exec(sys.argv[1])"
    monkeypatch.setattr(launcher, "PROGRAM", (sys.executable, "-c", head))
    monkeypatch.setattr(launcher, "GRACE", 0.5)
    monkeypatch.setattr(launcher, "PAUSE", 0.01)


@pytest.mark.usefixtures("program")
def test_each_process_knows_its_number_and_the_first_gives_the_code() -> None:
    told = "assert (os.environ['WORLD_SIZE'], os.environ['LOCAL_RANK']) == ('3', str(number))"
    assert launcher.launch([told], 3) == 0
    assert launcher.launch([f"{told}; sys.exit(1 if number == 0 else 0)"], 3) == 1


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("dead", [0, 1])
def test_a_killed_process_ends_all_with_a_sentence(dead: int, capfd: Capture) -> None:
    kill = f"os.kill(os.getpid(), signal.SIGKILL) if number == {dead} else time.sleep(60)"
    began = time.monotonic()
    with pytest.raises(LostProcess) as raised:
        launcher.launch([kill], 2)
    assert time.monotonic() - began < 30
    assert str(raised.value).startswith(f"process {dead + 1} of 2 of the training was ended by SIG")
    assert "--resume last" in str(raised.value)
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("program")
def test_what_a_survivor_says_of_the_end_is_not_taken_for_its_cause(capfd: Capture) -> None:
    told = "signal.signal(signal.SIGTERM, lambda *_: sys.exit('ended by SIGTERM'))"
    kill = "time.sleep(60) if number else (time.sleep(1), os.kill(os.getpid(), signal.SIGKILL))"
    with pytest.raises(LostProcess, match="process 1 of 2 of the training was ended by SIGKILL"):
        launcher.launch([f"{told}; {kill}"], 2)
    failing = "time.sleep(60) if number == 0 else sys.exit('out of memory')"
    with pytest.raises(LostProcess, match="on device 2: out of memory"):
        launcher.launch([failing], 2)
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("program")
def test_those_after_the_first_are_not_heard(capfd: Capture) -> None:
    said = "print(number); print('heard' if number == 0 else 'unheard', file=sys.stderr)"
    assert launcher.launch([said], 2) == 0
    out, err = capfd.readouterr()
    assert (out.split(), err.split()) == (["0"], ["heard"])


def test_started_beside_others_or_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    assert (launcher.asked(), launcher.speaks()) == (1, True)
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    assert (launcher.asked(), launcher.speaks()) == (2, False)
