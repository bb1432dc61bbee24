"""Seeds derived from one recipe seed, so that any step can be repeated without the others."""

from __future__ import annotations

import hashlib


def derive(seed: int, *parts: str | int) -> int:
    """A 63-bit seed for the step named by ``parts``, the same on every machine.

    ``derive(4, "fold", 0, "phase", 1, "epoch", 7)`` depends on nothing but its arguments, so an
    epoch that is repeated after a kill draws the same numbers as in an uninterrupted run.
    """
    text = "/".join([str(seed), *(f"{type(part).__name__}:{part}" for part in parts)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
