"""From the paths that a person names to image files."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from leukreg.data.listing import image_files
from leukreg.errors import Problem, Problems
from leukreg.places import expanded


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Files as they are named, folders walked; each file once, in the order of the paths.

    Raises:
        Problems: A path does not exist, or a folder holds no image; all of them.
    """
    found: list[Path] = []
    problems: list[Problem] = []
    for path in map(expanded, paths):
        inside = image_files(path) if path.is_dir() else [path]
        if not path.exists():
            problems.append(Problem(f"does not exist{_hint(path)}", str(path)))
        elif not inside:
            problems.append(Problem("holds no image files", str(path)))
        else:
            found += inside
    if problems:
        raise Problems(problems, closing="nothing was predicted.")
    return list(dict.fromkeys(found))


def _hint(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    names = [one.name for one in path.parent.iterdir()]
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / close[0]}?" if close else ""
