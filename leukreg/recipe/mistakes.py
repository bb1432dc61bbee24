"""Every mistake of a recipe, collected, then shown at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from leukreg.errors import Problem, Problems
from leukreg.recipe.mark import KeyPath, Mark, dotted, printable


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Collects problems; the place of a key that is not written is its nearest table's."""

    marks: Mapping[KeyPath, Mark]
    file: str
    found: list[tuple[str, int, Problem]] = field(default_factory=list)

    def add(self, path: KeyPath, message: str, hint: str = "", on_value: bool = True) -> None:
        """Note what is wrong with the key at ``path``."""
        mark = self.mark(path)
        text = printable(f"{dotted(path)}: {message}" if path else message)
        excerpt = mark.excerpt(hint, on_value and path in self.marks)
        self.found.append((mark.file, mark.line or 0, Problem(text, mark.where, excerpt)))

    def unknown(self, path: KeyPath, message: str, known: Iterable[str]) -> None:
        """Note a key that nothing reads, with the nearest known one."""
        from leukreg.recipe.reference import elsewhere

        hint, name = suggestion(str(path[-1]), known), str(path[-1])
        if not hint.startswith("did you") and (places := elsewhere(name)):
            hint = f"{name} belongs to {places}"
        self.add(path, message, hint=hint, on_value=False)

    def once(self, message: str) -> None:
        """Note what belongs to no key, if it was not noted yet."""
        entry = ("\uffff", 0, Problem(message))  # after every file
        if entry not in self.found:
            self.found.append(entry)

    def mark(self, path: KeyPath) -> Mark:
        """Where the key stands, or the innermost table around it that is written."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return Mark(self.file)

    def origin(self, path: KeyPath, beside: KeyPath) -> str:
        """`` (v4.toml:12)``: where a value that a message speaks of stands, if in another file than
        the key it is about; else nothing."""
        mark = self.mark(path)
        return f" ({mark.where})" if mark.file != self.mark(beside).file else ""

    def stop(self) -> None:
        """End here if there are mistakes.

        Raises:
            Problems: All of them, in the order of the file.
        """
        if self.found:
            ordered = sorted(self.found, key=lambda entry: entry[:2])
            raise Problems([problem for _, _, problem in ordered])


def suggestion(word: str, known: Iterable[str]) -> str:
    """``did you mean 'gamma'?``, or what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(word.replace("_", "-"), names, n=1)
    close = difflib.get_close_matches(word, names, n=1) or close
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known here: {', '.join(names) or 'none'}"
