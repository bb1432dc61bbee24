"""How a set of images was read, where files leave a choice: counted, for a reader to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leukreg.data.decoded import SIXTEEN
from leukreg.data.picture import Facts


@dataclass(frozen=True, slots=True)
class Reading:
    """One choice, and in how many files it was made."""

    files: int
    what: str
    doubtful: bool = False
    """Whether the files themselves speak against it."""

    def __str__(self) -> str:
        return f"{self.files:,} file{'s' * (self.files != 1)}: {self.what}"


def readings(facts: Iterable[Facts]) -> tuple[Reading, ...]:
    """The choices made for these files, the most frequent first; each content counts once."""
    files = {fact.content: fact for fact in facts}.values()
    return counted((fact.notes, fact.peak) for fact in files)


def counted(read: Iterable[tuple[Sequence[str], int]]) -> tuple[Reading, ...]:
    """The same of the notes and the peak (see :class:`Facts`) of each file."""
    each = list(read)
    counts = Counter(note for notes, _ in each for note in notes)
    peaks = [peak for _, peak in each if peak]
    found = [Reading(count, what) for what, count in counts.most_common()]
    return tuple(_dark(one, peaks) if one.what == SIXTEEN else one for one in found)


def _dark(one: Reading, peaks: list[int]) -> Reading:
    """A camera's 12 bits in files of 16 are nearly black; one dark image is no proof of it."""
    bits = max(peaks, default=0).bit_length()
    if len(peaks) < 2 or not 8 <= bits < 16:
        return one
    white = 2**bits - 1
    return Reading(
        one.files,
        f"{one.what}, but no value is above {white:,}: they probably hold {bits} bits and are read "
        f"too dark; convert them so that {white:,} is white (to 8 bits: value * 255 / {white:,})",
        doubtful=True,
    )
