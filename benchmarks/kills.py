"""Kill leukreg at its file operations, and see that nothing is lost, blocked or left behind.

    python benchmarks/kills.py --kills 200

Each command runs once undisturbed, which counts its file operations (opening for writing, having
opened, renaming, removing, making folders, syncing). Then it is killed (SIGKILL) at operations
drawn at random, and what a person would do follows: a run is resumed, any other command is given
again. It must end with the same exit code and the same files as undisturbed, digit by digit where
they are tables, pictures or weights; the run that it read must be as it was.
"""

from __future__ import annotations

import argparse
import builtins
import hashlib
import importlib
import io
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leukreg.cli.main import main

RECIPE = """
schema = 1
seed = 3
name = "mine"
data = { use = "folder", root = "cells", folds = { k = 2, validation = 0.3 } }
image = { size = 32 }
loss = "focal"
training = { batch_size = 8, threads = 1 }
[model]
backbone = { use = "timm", model = "test_resnet", weights = "random" }
head = { use = "mlp", widths = [8], dropout = 0.5 }
[synthesis]
use = "warp"
donor = "Benign"
classes = ["[Malignant] Pro-B"]
per_class = 3
gate = false
[[phase]]
name = "head"
epochs = 2
optimizer = { use = "adamw", lr = 1e-3 }
[[phase]]
name = "all"
unfreeze = "all"
epochs = 2
optimizer = { use = "adamw", lr = 1e-3 }
[evaluate]
mc_dropout = { passes = 2 }
calibration = { method = "temperature" }
conformal = { coverage = 0.5 }
bootstrap = 20
"""
RUN = re.compile(r"mine-\d{8}-\d{6}[\w.-]*|\d{8}-\d{6}[\w.-]*")
LEFT = re.compile(
    r"(^|/)(\.[^/]*\.part|[^/]*\.tmp|\.tmp-[^/]*|tmp-[^/]*|\.ex-[^/]*|[^/]*\.part)(/|$)"
)
SAME = {".csv", ".png", ".svg", ".safetensors", ".u8", ".pt"}
"""Endings of files that must come out the same to the last bit."""
AFTER_THE_FACT = {"epochs.csv", "last.pt"}
"""Hold the seconds that epochs took."""
MOVES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"}
"""Audit events of operations other than opening."""
REFUSED = 2
LONGEST = 180.0
"""Seconds after which a command counts as hanging."""


@dataclass(frozen=True)
class Case:
    """A command, and what stands there before it."""

    name: str
    words: tuple[str, ...]
    finished: bool = True
    """Whether a finished run is there already."""
    resumes: bool = False
    """Whether a run that was killed is there already."""


CASES = (
    Case("run", ("run", "mine.toml"), finished=False),
    Case("resume", ("run", "--resume", "last"), finished=False, resumes=True),
    Case("predict", ("predict", "last", "new", "--csv", "out/answers.csv", "--json", "out/a.json")),
    Case("explain", ("explain", "last", "new", "--out", "out/maps")),
    Case("export", ("export", "last", "--format", "safetensors", "--out", "out/model")),
    Case("synthesize", ("synthesize", "mine.toml", "--out", "out/made", "-n", "6")),
    Case("report", ("report", "last")),
    Case("evaluate", ("evaluate", "last", "--data", "cells")),
)


@dataclass
class Tally:
    """How many kills a case has seen, and what went wrong."""

    kills: int = 0
    faults: list[str] = field(default_factory=list)


def in_child(place: Path, words: Sequence[str], kill_at: int | None, out: Path) -> tuple[int, int]:
    """A command in a process of its own: exit code (-9 killed, -1 hanging), file operations."""
    child = os.fork()
    if child == 0:
        _child(place, words, kill_at, out)
    began = time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() - began > LONGEST:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1, 0
        time.sleep(0.005)
    code = os.waitstatus_to_exitcode(status)
    counted = out.with_suffix(".count")
    return code, int(counted.read_text()) if code >= 0 else 0


def _child(place: Path, words: Sequence[str], kill_at: int | None, out: Path) -> None:
    code = 70
    try:
        os.chdir(place)
        os.environ |= {"LEUKREG_CACHE": str(place / "cache"), "COLUMNS": "200"}
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        seen = _watch(place, kill_at)
        code = main(list(words))
        seen.append(-1)  # nothing is counted or killed any more
        out.with_suffix(".count").write_text(str(len(seen) - 1))
    finally:
        sys.stdout.flush()
        os._exit(code)


def _watch(place: Path, kill_at: int | None) -> list[int]:
    """Count file operations below ``place``, and die at the one told."""
    seen: list[int] = []
    below = str(place)

    def operation(path: Any) -> None:
        if seen and seen[-1] == -1:
            return
        if isinstance(path, int) or below not in str(Path.cwd() / os.fsdecode(path)):
            return
        seen.append(0)
        if len(seen) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, values: tuple[Any, ...]) -> None:
        if event in MOVES or (event == "open" and _writes(values)):
            operation(values[0])

    sys.addaudithook(hook)
    plain, sync = io.open, os.fsync

    def opened(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        stream = plain(file, mode, *more, **options)
        if set(mode) & set("wax+"):
            operation(file)
        return stream

    def synced(descriptor: int) -> None:
        operation(below)
        sync(descriptor)

    builtins.open = io.open = opened
    os.fsync = synced  # type: ignore[assignment]
    return seen


def _writes(opening: tuple[Any, ...]) -> bool:
    path, _, flags = opening
    return path is not None and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def contents(place: Path) -> dict[str, str]:
    """Digest of every file by its name, runs' names and logs of caches left out."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = RUN.sub("RUN", path.relative_to(place).as_posix())
        if not path.is_file() or name.startswith("cache/logs") or path.name == ".lock":
            continue
        data = path.read_bytes() if path.suffix in SAME and path.name not in AFTER_THE_FACT else b""
        found[name] = hashlib.sha256(RUN.sub("RUN", data.decode("latin1")).encode()).hexdigest()
    return found


class Workspace:
    """A folder that is put back before each kill, always under the same path."""

    def __init__(self, root: Path) -> None:
        self.root, self.place, self.out = root, root / "work", root / "said.txt"

    def reset(self, case: Case, draw: random.Random) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.root / ("finished" if case.finished else "fresh"), self.place)
        if case.resumes:
            while not (runs := unfinished(self.place)):
                shutil.rmtree(self.place)
                shutil.copytree(self.root / "fresh", self.place)
                self(["run", "mine.toml"], draw.randint(20, max(21, self.operations)))
            assert len(runs) == 1

    operations: int = 60

    def __call__(self, words: Sequence[str], kill_at: int | None = None) -> tuple[int, int]:
        return in_child(self.place, words, kill_at, self.out)

    def said(self) -> str:
        return self.out.read_text(errors="replace")[-1500:]


def unfinished(place: Path) -> list[Path]:
    """Run folders whose status says that they are not done."""
    runs = [path.parent for path in place.glob("runs/*/status.json")]
    return [
        run for run in runs if json.loads((run / "status.json").read_text())["state"] != "finished"
    ]


def prepare(root: Path) -> None:
    """A folder of cells with a recipe, and the same with a finished run."""
    fresh = root / "fresh"
    fresh.mkdir()
    code, _ = in_child(
        fresh, ["demo", "cells", "--images", "8", "--size", "32"], None, root / "said.txt"
    )
    assert code == 0, (root / "said.txt").read_text()
    (fresh / "mine.toml").write_text(RECIPE)
    (fresh / "new").mkdir()
    (fresh / "out").mkdir()
    for index, path in enumerate(sorted((fresh / "cells").rglob("*.[jp][pn]g"))[:6]):
        shutil.copy(path, fresh / "new" / f"{index}.png")
    shutil.rmtree(fresh / "cache", ignore_errors=True)
    shutil.copytree(fresh, root / "work")
    code, _ = in_child(root / "work", ["run", "mine.toml"], None, root / "said.txt")
    assert code == 0, (root / "said.txt").read_text()
    (root / "work").rename(root / "finished")


def again(work: Workspace, case: Case) -> int:
    """What a person does after a kill: resume what can be resumed, else give the command again."""
    if case.name in ("run", "resume"):
        runs = [run for run in work.place.glob("runs/*") if not run.name.startswith(".")]
        if any((run / "status.json").exists() for run in runs):
            return work(["run", "--resume", "last"])[0]
        return work(["run", "mine.toml"])[0]
    return work(case.words)[0]


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """What is missing, too much, left behind or other than undisturbed."""
    told = [f"left behind: {name}" for name in found if LEFT.search(name)]
    told += [f"missing: {name}" for name in wanted if name not in found]
    told += [f"too much: {name}" for name in found if name not in wanted and not LEFT.search(name)]
    return told + [
        f"other content: {name}" for name in wanted if found.get(name, wanted[name]) != wanted[name]
    ]


def one_kill(
    work: Workspace, case: Case, at: int, code: int, wanted: dict[str, str], draw: random.Random
) -> list[str]:
    work.reset(case, draw)
    killed, _ = work(case.words, at)
    if killed >= 0:
        return []  # it had fewer operations this time
    told = ["hangs"] if killed == -1 else []
    listed, _ = work(["runs"])
    if listed != 0:
        told.append(f"`runs` ends with {listed}: {work.said()}")
    found = again(work, case)
    other = differences(contents(work.place), wanted)
    if found == REFUSED and not other:
        return told  # it had done its work, and does not write over it
    if found != code:
        told.append(f"given again it ends with {found}, not {code}: {work.said()}")
        return told
    return told + other


def measure(
    work: Workspace, case: Case, kills: int, draw: random.Random, say: Callable[[str], None]
) -> Tally:
    work.reset(case, draw)
    code, operations = work(case.words)
    if code not in (0, 1):
        say(f"{case.name}: undisturbed it ends with {code}: {work.said()}")
        return Tally(0, [f"{case.name}: cannot be tried"])
    if case.name == "run":
        work.operations = operations
    wanted = contents(work.root / "finished" if case.resumes else work.place)
    tally = Tally()
    say(f"{case.name}: {operations} operations, exit code {code}")
    points = draw.sample(range(1, operations + 1), min(kills, operations))
    for at in points:
        told = one_kill(work, case, at, code, wanted, draw)
        tally.kills += 1
        tally.faults += [f"{case.name}, operation {at}: {one}" for one in told]
        for one in told:
            say(f"  operation {at}: {one}")
    return tally


def _import_all() -> None:
    """Import once what every child would import for itself."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from leukreg.vision import import_torchvision

        import_torchvision()
        for name in ("captum.attr", "ignite.engine", "matplotlib.figure", "pandas", "timm"):
            importlib.import_module(name)
    from leukreg.registry import installed

    installed()


def run_all() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="cases, separated by commas")
    options = parser.parse_args()
    chosen = [case for case in CASES if not options.only or case.name in options.only.split(",")]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    _import_all()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        prepare(root)
        work = Workspace(root)
        each = -(-options.kills // len(chosen))
        tallies = [
            measure(work, case, each, draw, lambda text: print(text, flush=True)) for case in chosen
        ]
    kills, faults = sum(t.kills for t in tallies), sum(len(t.faults) for t in tallies)
    print(f"{kills} kills, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(run_all())
