"""How files were read, where they leave a choice."""

from __future__ import annotations

from collections.abc import Iterable

from leukreg import Evidence, Finding, plugin
from leukreg_plugins.audits.told import found, plural


@plugin("files-read")
class FilesRead:
    """Choices made in reading files that do not say how they are to be read.

    What parts the cells of a table, which value is white, which picture of several counts, what
    lies behind transparent parts: where a file does not say, leukreg chooses, and another program
    may choose otherwise. All images should be read alike, those of later predictions too.

    Do: see whether a table is read right; look at some of the images; convert them to 8-bit RGB
    where they are not shown right.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for how in evidence.facts.get("assumed_of_list", ()):
            yield found(self, "note", how)
        for one in evidence.facts.get("readings", ()):
            files = plural(one["files"], "file")
            yield found(self, "warning" if one["doubtful"] else "note", f"{files}: {one['what']}")
