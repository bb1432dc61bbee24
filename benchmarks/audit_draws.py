"""Honest tables drawn at random, printed in every form: how many are called impossible (none may).

    python benchmarks/audit_draws.py [--draws 10000] [--kept FILE]     goes on where FILE ends
    python benchmarks/audit_draws.py --only SEED                       one draw again
    python benchmarks/audit_draws.py --large                           24 classes, 20,000 images

The draws are those of the property tests (tests/audit/printed_forms.py); a line per draw is kept:
seed, form, verdict, processor seconds.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import types
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Our tests, not a package "tests" that something installed.
sys.modules["tests"] = types.ModuleType("tests")
sys.modules["tests"].__path__ = [str(Path(__file__).parents[1] / "tests")]

from leukreg.audit.examination import examine  # noqa: E402
from leukreg.audit.published_table import Reported  # noqa: E402
from tests.audit.printed_forms import FORMS, Draw, from_seed, printed_as  # noqa: E402

SECONDS = 10.0
"""What one table may take of a processor, with 24 classes and 20,000 images too."""
CLASSES, IMAGES = 24, 20_000


def form_of(seed: int) -> str:
    return FORMS[seed % len(FORMS)]


def judged(table: dict[str, Any]) -> tuple[str, float]:
    """The verdict on a table, and the processor seconds that it took."""
    started = time.process_time()
    status = examine(Reported.read(table)).verdict.status
    return status.replace(" ", "-"), time.process_time() - started


def drawn_until(draws: int, kept: Path) -> bool:
    """Go on with draws until there are so many; whether none of them is impossible."""
    done = len(kept.read_text().splitlines()) if kept.exists() else 0
    with kept.open("a") as lines:
        for seed in range(done, draws):
            status, seconds = judged(printed_as(form_of(seed), from_seed(seed)))
            lines.write(f"{seed}\t{form_of(seed)}\t{status}\t{seconds:.3f}\n")
            lines.flush()
            if status == "impossible":
                print(f"IMPOSSIBLE: python benchmarks/audit_draws.py --only {seed}", flush=True)
    return counted(kept)


def counted(kept: Path) -> bool:
    """Print what came of all draws, by form."""
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    total, worst = 0.0, (0.0, "")
    for line in kept.read_text().splitlines():
        seed, form, status, seconds = line.split("\t")
        verdicts[form][status] += 1
        total, worst = total + float(seconds), max(worst, (float(seconds), f"{form}, seed {seed}"))
    for form, counts in verdicts.items():
        print(f"{form:24} " + ", ".join(f"{n} {status}" for status, n in counts.most_common()))
    number = sum(counts.total() for counts in verdicts.values())
    impossible = sum(counts["impossible"] for counts in verdicts.values())
    good = not impossible and worst[0] <= SECONDS
    print(
        f"{'good' if good else 'BAD '}  {number:,} honest tables, {impossible} called impossible; "
        f"{total:.0f} s, the slowest {worst[0]:.1f} s ({worst[1]})"
    )
    return good


def large_tables() -> Iterator[tuple[str, dict[str, Any]]]:
    """Tables of 24 classes and 20,000 images, true ones and with one digit changed."""
    rng = random.Random(24)
    matrix = [[0] * CLASSES for _ in range(CLASSES)]
    weights = [rng.random() ** 2 + 0.01 for _ in range(CLASSES)]
    for true in rng.choices(range(CLASSES), weights, k=IMAGES):
        matrix[true][true if rng.random() < 0.9 else rng.randrange(CLASSES)] += 1
    for digits in (2, 3, 4):
        draw = Draw((matrix,), digits, "ROUND_HALF_EVEN")
        for form in ("macro", "weighted", "per class", "per class and averages", "truncated"):
            table = printed_as(form, draw)
            yield f"{form}, {digits} digits", table
            unsized = {key: value for key, value in table.items() if key != "test_counts"}
            yield f"{form}, {digits} digits, no supports", unsized | {"test_images": IMAGES}
            yield f"{form}, {digits} digits, no size", unsized
            if "per_class" in table:
                yield f"{form}, {digits} digits, one changed", _changed(table, rng)


def _changed(table: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    rows = {label: dict(row) for label, row in table["per_class"].items()}
    row = rows[rng.choice(list(rows))]
    name = rng.choice(list(row))
    place = rng.randrange(2, len(row[name]))
    other = (int(row[name][place]) + rng.randint(1, 9)) % 10
    row[name] = f"{row[name][:place]}{other}{row[name][place + 1 :]}"
    return table | {"per_class": rows}


def large() -> bool:
    slowest = 0.0
    for name, table in large_tables():
        status, seconds = judged(table)
        slowest = max(slowest, seconds)
        print(f"{seconds:5.1f} s  {status:14} {name}", flush=True)
    good = slowest <= SECONDS
    print(f"{'good' if good else 'BAD '}  the slowest {slowest:.1f} s, at most {SECONDS:.0f} s")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--kept", type=Path, default=Path("audit_draws.tsv"))
    parser.add_argument("--only", type=int)
    parser.add_argument("--large", action="store_true")
    asked = parser.parse_args()
    if asked.large:
        return 0 if large() else 1
    if asked.only is None:
        return 0 if drawn_until(asked.draws, asked.kept) else 1
    table = printed_as(form_of(asked.only), from_seed(asked.only))
    print(form_of(asked.only), table, examine(Reported.read(table)).verdict, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
