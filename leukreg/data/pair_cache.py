"""Near duplicates among many pictures are looked for once: the pairs are kept, by the pictures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.cache_folder import cache_part
from leukreg.data.decode import decoder_version, digest
from leukreg.errors import WriteError
from leukreg.files import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

KEPT = 2_000
"""From so many pictures on pairs are kept: fewer are compared sooner than a file is written."""
SEARCH = "1"
"""To be changed whenever a search may find other pairs."""


def known_pairs(pixels: Sequence[str]) -> NDArray[np.int64] | None:
    """Pairs of places among pictures with these digests, ``(m, 2)``; None where nobody knows."""
    if len(pixels) < KEPT:
        return None
    try:
        with np.load(io.BytesIO(_file(pixels).read_bytes()), allow_pickle=False) as kept:
            # Its format holds a checksum.
            pairs: NDArray[np.int64] = kept["pairs"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return pairs


def keep_pairs(pixels: Sequence[str], pairs: Sequence[tuple[int, int]]) -> None:
    """Keep what a search has found; where the disk is full it is made again the next time."""
    if len(pixels) < KEPT:
        return
    file = io.BytesIO()
    np.savez(file, pairs=np.array(pairs, np.int64).reshape(-1, 2))
    try:
        write_file(_file(pixels), file.getvalue())
    except WriteError:
        return


def _file(pixels: Sequence[str]) -> Path:
    folder = cache_part("near-duplicates", f"{SEARCH}-{decoder_version()}")
    return folder / f"{digest(''.join(pixels).encode())}.npz"
