"""Tables of 10,000 to 1,000,000 tiny images: CPU seconds, peak memory and growth of each step.

    python benchmarks/rows.py                       # 10,000 30,000 100,000 pictures
    python benchmarks/rows.py --contents 10000 100000 300000 1000000

Pictures are made (32 x 32 pixels, one in a hundred a changed copy of another); with ``--contents``
only so many differ, and the other files are hard links to them. Steps are programs from start to
exit, from an empty cache ("cold") and once more ("known"). Seconds are of processors: of a clock
they would measure what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COUNTS = (10_000, 30_000, 100_000)
SIZE = 32
BLOCK = 1_000
"""Pictures that are drawn at once, and files in a folder."""
LINKS = 50_000
"""Names that a file may have: some file systems allow no more than 65,000."""
SECONDS, KNOWN, MEGABYTES = 60.0, 5.0, 1_000
"""What ``check`` of 100,000 pictures may take: cold, known, and of memory."""
RECIPE = """
schema = 1
data = {{ use = "table", path = {table!r}, folds = {{ test = 0.2, validation = 0.1 }} }}
image = {{ size = {size} }}
loss = "cross-entropy"
training = {{ batch_size = 256 }}
[model]
backbone = {{ use = "timm", model = "test_resnet", weights = "random" }}
head = {{ use = "linear" }}
[[phase]]
name = "only"
unfreeze = 0
epochs = 1
optimizer = {{ use = "adam", lr = 1e-3 }}
"""


def drawn(n: int) -> Iterator[Image.Image]:
    """Blurred blots of random colours with a little noise, every hundredth a changed copy."""
    rng = np.random.default_rng(n)
    last = None
    for _ in range(0, n, BLOCK):
        coarse = rng.integers(0, 256, (BLOCK, 16, 16, 3), dtype=np.uint8)
        noise = rng.integers(-2, 3, (BLOCK, SIZE, SIZE, 3), dtype=np.int16)
        for index, (blots, grain) in enumerate(zip(coarse, noise, strict=True)):
            smooth = np.asarray(
                Image.fromarray(blots).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
            )
            if index % 100 == 99 and last is not None:
                smooth = np.roll(last, 1, axis=1) * 0.9
            last = smooth
            yield Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def written(folder: Path, n: int, contents: int) -> Path:
    """A table of ``n`` files below ``folder``, of which so many differ."""
    first: list[Path] = []
    pictures = drawn(min(n, contents))
    with (folder / "table.csv").open("w", encoding="utf-8") as table:
        table.write("path,label,patient\n")
        for i in range(n):
            name = f"{i // BLOCK:04}/{i:07}.png"
            path = folder / name
            if i % BLOCK == 0:
                path.parent.mkdir()
            if i < contents:
                next(pictures).save(path, compress_level=1)
                first.append(path)
            else:
                path.hardlink_to(first[i % contents])
            content = i % contents
            table.write(f"{name},{'ABCD'[content % 4]},P{content % max(20, contents // 50)}\n")
    return folder / "table.csv"


def measured(*command: str, cache: Path) -> tuple[float, float, int]:
    """CPU seconds, seconds of the clock, and peak memory (MB) of ``leukreg`` with this command."""
    begin = time.perf_counter()
    environment = {**os.environ, "LEUKREG_CACHE": str(cache)}
    process = subprocess.Popen(
        [sys.executable, "-m", "leukreg", *command], stdout=subprocess.DEVNULL, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 1), f"{command} failed"
    peak = usage.ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - begin, peak


def steps(n: int, contents: int) -> dict[str, tuple[float, float, int]]:
    with tempfile.TemporaryDirectory(prefix="leukreg-rows-") as name:
        folder = Path(name)
        table = written(folder, n, contents)
        recipe = folder / "recipe.toml"
        recipe.write_text(RECIPE.format(table=str(table), size=SIZE), encoding="utf-8")
        found = {}
        for step, command in (
            ("check, cold", ("check", str(recipe))),
            ("check, known", ("check", str(recipe))),
            ("data, cold", ("data", str(table))),
            ("data, known", ("data", str(table))),
        ):
            found[step] = measured(*command, cache=folder / command[0])
            cpu, clock, peak = found[step]
            print(
                f"{n:>9,} files {step:<13} {cpu:8.1f} s CPU {clock:8.1f} s {peak:6,} MB; load "
                f"{os.getloadavg()[0]:.1f}",
                flush=True,
            )
        return found


def growth(counts: Sequence[int], values: Sequence[float]) -> float:
    """The exponent of n with which values grow, by least squares of logarithms."""
    slope, _ = np.polyfit(np.log(counts), np.log(values), 1)
    return float(slope)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS)
    parser.add_argument("--contents", type=int, default=sys.maxsize, help="pictures that differ")
    asked = parser.parse_args()
    found = {n: steps(n, asked.contents) for n in asked.counts}
    for step in next(iter(found.values())):
        cpu, peak = ([found[n][step][at] for n in asked.counts] for at in (0, 2))
        each = (peak[-1] - peak[0]) * 2**20 / max(1, asked.counts[-1] - asked.counts[0])
        if len(asked.counts) > 1:
            power = growth(asked.counts, cpu)
            print(f"{step:<13} CPU grows as n^{power:.2f}; {each:,.0f} bytes a file")
    return 0


if __name__ == "__main__":
    sys.exit(main())
