"""Digests that tell whether two runs saw the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from leukreg.types import Sample, Samples


def data_digest(samples: Samples, pixels: Mapping[str, str]) -> str:
    """Digest of what the samples show and are called, whatever their order and place on disk.

    Synthetic images are left out: they are made, not given.

    Args:
        samples: The data of a run.
        pixels: Digest of the decoded image by file id; an id that lacks one counts by its name.
    """
    return rows_digest((row for row in samples.rows if row.lineage is None), pixels)


def rows_digest(rows: Iterable[Sample], pixels: Mapping[str, str]) -> str:
    lines = sorted(f"{pixels.get(row.id, row.id)!r} {row.label!r}" for row in rows)
    return _digest("\n".join(lines).encode("utf-8", "surrogatepass"))


def ids_digest(ids: Iterable[str]) -> str:
    """Digest of a set of file ids, such as those that were scored."""
    lines = sorted(map(repr, ids))
    return _digest("\n".join(lines).encode("utf-8", "surrogatepass"))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
