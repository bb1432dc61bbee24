"""The size of the house: files, lines, functions, imports; ``tests/test_house.py`` holds them.

Lines are counted as they stand in the files, blank ones and docstrings too.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("leukreg", "plugins/leukreg_plugins", "gan/leukreg_gan")
SAME_EVERYWHERE = {"__init__.py", "__main__.py", "files.py", "fidelity.py"}
"""Names of files that may stand in several rooms, because they mean the same in each: a command is
named as what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Figures of a checkout."""

    files: int
    lines: int
    code: int
    """Lines that are neither blank, nor a comment, nor a docstring."""
    docstrings: int
    comments: int
    functions: int
    function_median: float
    function_p90: float
    file_median: float
    file_p90: float
    longest_file: int
    imports_per_file: float
    """Import statements at the top of a file, on average."""
    names_twice: tuple[str, ...]
    """Names of files that occur twice in one distribution."""
    classes_twice: tuple[str, ...]
    """Names of classes that occur twice in one distribution."""


def sources(root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """Distribution and path of every source file."""
    for folder in FOLDERS:
        yield from ((folder, path) for path in sorted((root / folder).rglob("*.py")))


def docstring_lines(tree: ast.AST) -> set[int]:
    """Line numbers of docstrings, those below fields and constants included."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def measure(root: Path = ROOT) -> House:
    """Read every source file of a checkout and count."""
    lengths, functions, imports = [], [], []
    kinds: Counter[str] = Counter()
    names: Counter[tuple[str, str]] = Counter()
    classes: Counter[tuple[str, str]] = Counter()
    for folder, path in sources(root):
        lines = path.read_text(encoding="utf-8").splitlines()
        tree = ast.parse("\n".join(lines))
        documented = docstring_lines(tree)
        for number, line in enumerate(lines, start=1):
            kinds[_kind(line.strip(), number in documented)] += 1
        lengths.append(len(lines))
        imports.append(sum(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body))
        functions += [
            (node.end_lineno or 0) - node.lineno + 1
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
        ]
        names[folder, path.name] += path.name not in SAME_EVERYWHERE
        classes.update((folder, n.name) for n in ast.walk(tree) if isinstance(n, ast.ClassDef))
    return House(
        files=len(lengths),
        lines=sum(lengths),
        code=kinds["code"],
        docstrings=kinds["docstring"],
        comments=kinds["comment"],
        functions=len(functions),
        function_median=statistics.median(functions),
        function_p90=_p90(functions),
        file_median=statistics.median(lengths),
        file_p90=_p90(lengths),
        longest_file=max(lengths),
        imports_per_file=round(statistics.mean(imports), 1),
        names_twice=_twice(names),
        classes_twice=_twice(classes),
    )


def _kind(line: str, documented: bool) -> str:
    if documented:
        return "docstring"
    if not line:
        return "blank"
    return "comment" if line.startswith("#") else "code"


def _p90(values: Sequence[int]) -> float:
    return float(sorted(values)[int(0.9 * len(values))])


def _twice(counts: Counter[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(f"{folder}: {name}" for (folder, name), n in counts.items() if n > 1))


def main() -> int:
    house = measure(Path(sys.argv[1]) if sys.argv[1:] else ROOT)
    for field in fields(house):
        value = getattr(house, field.name)
        shown = f"{len(value)}: {', '.join(value)}" if isinstance(value, tuple) else value
        print(f"{field.name:18} {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
