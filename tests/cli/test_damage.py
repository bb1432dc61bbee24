"""Every file of a finished run, missing, flipped or cut: it is named, or nothing depends on it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from leukreg.cli.main import main

Capture = pytest.CaptureFixture[str]


def flipped(path: Path) -> None:
    """One bit; a fixed one for each name."""
    content = bytearray(path.read_bytes() or b"\0")
    draw = random.Random(path.name)
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(7)
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


Harm = Callable[[Path], None]
DAMAGES: dict[str, Harm] = {"missing": Path.unlink, "flipped": flipped, "cut": cut}
SLOW = ("report", "predict")
"""Commands that see one damage of each file, in turn: they read a run as the others do."""


def copied(run: Path, root: Path) -> Path:
    for name in ("mine", "other"):
        shutil.copytree(run, root / "runs" / name)
    return root / "runs" / "mine"


def said(words: list[str], capsys: Capture) -> tuple[int, str]:
    """Exit code and what was printed and written, but for progress."""
    Path("page.html").unlink(missing_ok=True)
    code = main(words)
    out = capsys.readouterr()
    if words[0] == "report":
        page = Path("page.html")
        return code, page.read_text() if page.exists() else " ".join(out.err.split())
    lines = [line for line in (out.out + out.err).splitlines() if "done in" not in line]
    return code, " ".join(" ".join(lines).split())


def commands(image: Path) -> dict[str, list[str]]:
    return {
        "show": ["show", "mine"],
        "audit": ["audit", "mine"],
        "runs": ["runs"],
        "compare": ["compare", "mine", "other"],
        "report": ["report", "mine", "--out", "page.html"],
        "predict": ["predict", "mine", str(image), "--no-flags"],
    }


def files_of(run: Path) -> list[Path]:
    found = (path.relative_to(run) for path in run.rglob("*") if path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["show", "audit", "runs", "compare", "report", "predict"])
def test_damage_is_named_or_changes_nothing(
    command: str,
    binary_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = copied(binary_run, tmp_path)
    image = next((binary_run.parents[1] / "cells").rglob("*.png"))
    words = commands(image)[command]
    whole = said(words, capsys)
    assert whole[0] in (0, 1), whole
    faults = []
    for number, file in enumerate(files_of(run)):
        kept = (run / file).read_bytes()
        some = [*DAMAGES][number % 3 : number % 3 + 1] if command in SLOW else [*DAMAGES]
        for damage in some:
            harm = DAMAGES[damage]
            harm(run / file)
            code, text = said(words, capsys)
            named = file.name in text and (code == 2 or command == "runs")
            unchecked = file.name == "checksums.txt" and "carries no checksums" in text
            if not (named or unchecked or (code, text) == whole):
                faults.append(f"{damage} {file}: {code} {text[:300]}")
            (run / file).write_bytes(kept)
    assert not faults, "\n".join(faults)
    assert said(words, capsys) == whole
