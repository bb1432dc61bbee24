"""What was installed beside leukreg when a run was made."""

from __future__ import annotations

from collections.abc import Iterable

from leukreg import Evidence, Finding, plugin
from leukreg_plugins.audits.told import found


@plugin("broken-plugin")
class BrokenPlugin:
    """A plugin that was installed could not be used.

    What its rules would have found, and its metrics measured, is not known.

    Do: mend or uninstall it (leukreg plugins); --strict refuses to run with it.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for fault in evidence.facts.get("broken_plugins", ()):
            yield found(self, "warning", fault)
