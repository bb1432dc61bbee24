"""The sides of a split themselves."""

from __future__ import annotations

from collections.abc import Iterable

from leukreg import Evidence, Finding, Reported, percent, plugin
from leukreg_plugins.audits.published import published
from leukreg_plugins.audits.told import found
from leukreg_plugins.audits.views import option


@plugin("scored-training-rows")
class ScoredTrainingRows:
    """Evaluated rows that were trained on.

    A score on training rows measures memory; it bounds nothing on new images.

    Do: score the test rows only (`on = "test"`).
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        predictions = evidence.predictions
        if predictions is None:
            yield from self._asked(evidence)
            return
        trained = {fold.index: set(fold.train) for fold in evidence.folds}
        scored = zip(predictions.row.tolist(), predictions.fold.tolist(), strict=True)
        both = sum(row in trained.get(fold, ()) for row, fold in scored)
        if both:
            share = percent(both / len(predictions))
            yield found(
                self,
                "error",
                f"{both:,} of {len(predictions):,} scored rows ({share}) were trained on",
            )

    def _asked(self, evidence: Evidence) -> Iterable[Finding]:
        if option(evidence.recipe, "evaluate", "on") == "all":
            yield found(self, "error", "the recipe scores all rows, those trained on included")


@plugin("whole-set-scored")
class WholeSetScored:
    """A reported confusion matrix that holds the whole data set.

    With a training part taken off, a test cannot sum to all images: training rows were scored.

    Do: report the matrix of the held-out rows.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        reported = published(evidence)
        if reported is None:
            return
        tested = reported.test_total()
        images = reported.count("images") or sum(reported.tally("class_counts").values())
        folds = reported.count("folds") or option(evidence.recipe, "data", "folds", "k") or 1
        if not tested or tested != images or self._stated(reported, tested):
            return
        # Pooled over k folds every image is tested once, and rightly so.
        if folds == 1:
            what = "confusion matrix sums" if reported.confusion else "test counts sum"
            yield found(
                self,
                "error",
                f"reported: the {what} to {tested:,}, the whole data set:"
                " the rows trained on were scored",
            )

    def _stated(self, reported: Reported, tested: int) -> bool:
        """Whether the report itself says that nothing was trained on these images."""
        train = reported.tally("train_counts")
        return bool(train) and sum(train.values()) == 0 and tested > 0


@plugin("validation-is-test")
class ValidationIsTest:
    """Validation rows that are test rows.

    The epoch, the learning rate and the threshold are then chosen on the rows that are scored.

    Do: give validation rows of their own (`validation = 0.15`).

    Reference: Cawley and Talbot, On over-fitting in model selection, JMLR 2010.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        shared = {r for f in evidence.folds for r in set(f.validation).intersection(f.test)}
        tested = {r for fold in evidence.folds for r in fold.test}
        if shared:
            all_ = "validation is the test" if shared == tested else "validation overlaps the test"
            yield found(
                self,
                "error",
                f"{all_}: {len(shared):,} of {len(tested):,} test rows watched in training",
            )
        elif not evidence.folds and option(evidence.recipe, "data", "folds", "validation_is_test"):
            yield found(self, "error", "the recipe watches the test rows during training")
