"""Text that a browser, a file and a file name can take, whatever a user called things."""

from __future__ import annotations

import re
import unicodedata


def visible(text: str) -> str:
    """The text with control characters and lone surrogates made visible."""
    if text.isprintable():
        return text
    shown = "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens: part of a file name and of a link."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40].strip("-") or "part"
