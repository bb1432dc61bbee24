"""From the paths that a person names to image files."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leukreg.data.walk import HIDDEN, Passed, instead, summed, walk
from leukreg.errors import Problem, Problems
from leukreg.paths import expanded
from leukreg.types import PassedOver


@dataclass(frozen=True, slots=True)
class Found:
    """What the paths come to."""

    files: tuple[Path, ...]
    passed: tuple[PassedOver, ...] = ()
    """What lies in the folders and is not taken for an image."""

    def said(self) -> tuple[str, ...]:
        """A line for each kind of file that was passed over, a system's own left out."""
        return tuple(f"passed over: {one}" for one in self.passed if one.what != HIDDEN)


def find_images(paths: Sequence[Path]) -> Found:
    """Files as they are named, folders walked; each file once, in the order of the paths.

    Raises:
        Problems: A path does not exist, or a folder cannot be listed or holds no image; all of
            them.
    """
    found: dict[Path, None] = {}
    passed: dict[Path, Passed] = {}
    problems: list[Problem] = []
    for path in map(expanded, paths):
        if path.is_dir():
            inside, over, wrong = _inside(path)
            found |= dict.fromkeys(inside)
            passed |= {one.path: one for one in over}
            problems += wrong
        elif path.exists():
            found[path] = None
        else:
            problems.append(Problem(f"does not exist{_hint(path)}", str(path)))
    if problems:
        raise Problems(problems, closing="nothing was predicted.")
    kept = (one for path, one in passed.items() if path not in found)
    return Found(tuple(found), summed(kept))


def _inside(folder: Path) -> tuple[list[Path], list[Passed], list[Problem]]:
    walked = walk(folder)
    wrong = [Problem(reason, str(path)) for path, reason in walked.broken if path.is_dir()]
    # A link to nothing is told of where it is read, as every unreadable file is.
    files = sorted([*walked.images, *(path for path, _ in walked.broken if not path.is_dir())])
    if not files and not wrong:
        there = instead(summed(walked.passed, folder))
        wrong = [Problem(f"holds no image files{there}", str(folder))]
    return files, walked.passed, wrong


def _hint(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    names = [one.name for one in path.parent.iterdir()]
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / close[0]}?" if close else ""
