"""What was fitted on validation rows: temperatures and conformal limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leukreg import Evidence, Finding, Predictions, percent, plugin
from leukreg_plugins.audits.told import found, plural, some
from leukreg_plugins.audits.views import option

KEYS = ("calibration", "conformal")


@plugin("calibrated-on-scored")
class CalibratedOnScored:
    """Temperatures or conformal limits fitted on rows that are scored.

    They fit the luck of these rows; calibration and coverage look better than they are.

    Do: hold rows out for validation and score other ones.

    Reference: Guo et al., On calibration of modern neural networks, ICML 2017.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        scored, validation = evidence.predictions, evidence.validation
        asked = [key for key in KEYS if option(evidence.recipe, "evaluate", key) is not None]
        if scored is None or validation is None or not asked:
            return
        fitted = self._pictures(evidence, validation)
        both = [picture in fitted for picture in self._pictures(evidence, scored, unique=False)]
        if any(both):
            yield found(
                self,
                "error",
                f"{' and '.join(asked)} fitted on {sum(both):,} of the {len(both):,} scored rows",
            )

    def _pictures(self, evidence: Evidence, rows: Predictions, unique: bool = True) -> Any:
        """Fold and picture of each row: a copy of a row is that row again."""
        pairs = zip(rows.fold.tolist(), rows.id, strict=True)
        keys = ((fold, evidence.pixels.get(name, name)) for fold, name in pairs)
        return set(keys) if unique else list(keys)


@plugin("temperature-not-fitted")
class TemperatureNotFitted:
    """A temperature that the validation rows do not determine.

    Where every validation row is right there is no best temperature, and at a bound the best lies
    beyond it; the probabilities are then as sure as before, or mean nothing.

    Do: hold more rows out for validation; at the upper bound look at the model first.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        folds = option(evidence.facts, "calibration", "folds") or ()
        bad = [one for one in folds if one.get("why")]
        if bad:
            said = some(f"fold {one['fold'] + 1}: {one['why']}" for one in bad)
            many = f"{len(bad)} of {plural(len(folds), 'temperature')}"
            yield found(self, "warning", f"{many} not determined by validation rows; {said}")


@plugin("coverage-missed")
class CoverageMissed:
    """Conformal sets that hold the true class less often than was stated.

    Chance does not explain it, neither that of the scored rows nor that of the validation rows: the
    scored images do not come as the validation rows did.

    Do: look for what differs between validation and test (patients, copies, sources).

    Reference: Vovk, Conditional validity of inductive conformal predictors, ACML 2012.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        kept = option(evidence.facts, "conformal")
        if not isinstance(kept, Mapping):
            return
        highs = {s.label: s for s in evidence.scores if s.name == "set_coverage"}
        for label, rows in self._groups(kept, evidence):
            score, least = highs.get(label), self._least(rows, kept["coverage"])
            if score is None or score.value is None or score.high is None or score.high >= least:
                continue
            of = f" of {label}" if label else ""
            yield found(
                self,
                "warning",
                f"sets hold the true class in {percent(score.value)}{of} (at most"
                f" {percent(score.high)}), {100 * kept['coverage']:g} % were stated;"
                f" with {plural(rows, 'validation group')} (patients or pictures) chance explains"
                f" {percent(least)} and more",
            )

    def _groups(
        self, kept: Mapping[str, Any], evidence: Evidence
    ) -> Iterator[tuple[str | None, int]]:
        """What the coverage is stated for, with the validation groups of the smallest fold."""
        each = [one.get("groups") or one["rows"] for one in kept["folds"]]
        least = [min(groups) for groups in zip(*each, strict=True)]
        if not kept["by_class"]:
            yield None, self._unlike(evidence, None, min(least, default=0))
        elif evidence.predictions is not None:
            for label, groups in zip(evidence.predictions.classes, least, strict=True):
                yield label, self._unlike(evidence, label, groups)

    def _unlike(self, evidence: Evidence, label: str | None, groups: int) -> int:
        """How many of the fewest rows of a fold do not belong together; older runs kept rows."""
        from leukreg import units_of

        validation = evidence.validation
        if validation is None:
            return groups
        unit, fold = units_of(validation), validation.fold
        of = [label in (None, validation.classes[c]) for c in validation.label]
        return min([groups, *(len(set(unit[(fold == one) & of])) for one in set(fold.tolist()))])

    def _least(self, rows: int, coverage: float) -> float:
        """The coverage that limits from so many rows fall below in one of 40 draws.

        Over draws of the validation rows it has a beta distribution (Vovk, 2012).
        """
        from scipy.special import betaincinv

        place = math.ceil((rows + 1) * coverage - 1e-9)
        return float(betaincinv(place, rows + 1 - place, 0.025)) if place <= rows else 0.0
