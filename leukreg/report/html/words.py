"""Text that a file name and a link can take, whatever a user called things."""

from __future__ import annotations

import re
import unicodedata


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens: part of a file name and of a link."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40].strip("-") or "part"
