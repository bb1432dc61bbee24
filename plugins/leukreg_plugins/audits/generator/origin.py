"""Where a generator was trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from leukreg import Evidence, Finding, plugin
from leukreg_plugins.audits.told import found, plural
from leukreg_plugins.audits.views import rows_of

KEY = "trained on"
"""The condition of a lineage in which a generator says what it was trained on."""


@plugin("trained-elsewhere")
class TrainedElsewhere:
    """Synthetic images by a generator that has seen images outside the training fold.

    Tested images may be among those it has seen; what it makes then carries them into training, and
    a gate that looks at validation rows looks at rows it knows.

    Do: fit the generator inside the fold, or show that no tested image was among its own.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        rows = rows_of(evidence)
        said: Counter[str] = Counter()
        for row in {r for fold in evidence.folds for r in fold.train}:
            lineage = rows[row].lineage
            words = lineage.condition.get(KEY, "") if lineage else ""
            if "outside" in words:
                said[words] += 1
        for words, count in said.items():
            text = plural(count, "synthetic training image")
            yield found(self, "warning", f"{text} by a generator trained elsewhere: {words}")
