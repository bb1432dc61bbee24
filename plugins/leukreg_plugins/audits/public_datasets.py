"""Published results against the public data sets that they say they used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leukreg import Finding, Reported, RunRecord, counts_of, fewest_images, find_dataset, plugin
from leukreg_plugins.audits.contradictions import folded
from leukreg_plugins.audits.finding import error, note, some, warning
from leukreg_plugins.audits.published_table import published

PublicDataset = Any
"""What ``find_dataset`` gives: a data set of the register."""
UNCONFIRMED = " (counts not confirmed at its own address)"
MOST_TRIED = 20_000
"""Images of a class up to which every number of tested ones is tried."""


def on_public_data(run: RunRecord) -> Iterator[tuple[Reported, PublicDataset]]:
    """The published tables whose data set is in the register, each with it."""
    for reported in published(run):
        dataset = find_dataset(reported.dataset) if reported.dataset else None
        if dataset is not None:
            yield reported, dataset


@plugin("more-than-exists")
class MoreThanExists:
    """More images than the public data set has.

    A test, or a class, that is larger than the data set was augmented, or its files were listed
    twice: copies of one picture are counted as several, and may stand on both sides of the split.

    Do: split first, augment the training side only, and count files once.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported, dataset in on_public_data(run):
            made, supports = reported.tally("synthetic_counts"), reported.test_supports()
            tested = reported.test_total() or sum(supports.values())
            if not folded(reported):
                if dataset.images and tested > dataset.images + sum(made.values()):
                    text = f"{tested:,} images tested, but {dataset.name} has {dataset.images:,}"
                    yield error(self, f"{reported.who}: {text}")
                    continue
                yield from self._classes(reported, dataset, supports, "tested")
            counts = reported.tally("class_counts")
            yield from self._classes(reported, dataset, counts, "stated")

    def _classes(
        self, reported: Reported, dataset: PublicDataset, counts: Mapping[str, int], what: str
    ) -> Iterator[Finding]:
        made, there = reported.tally("synthetic_counts"), counts_of(dataset.classes, counts)
        more = [
            f"{label} {counts[label]:,} (it has {n:,})"
            for label, n in there.items()
            if counts[label] > n + made.get(label, 0)
        ]
        if more:
            said, doubt = (error, "") if what == "tested" else (warning, "")
            if "classes" in dataset.unconfirmed:
                said, doubt = warning, UNCONFIRMED
            text = f"more is {what} than {dataset.name} has: {some(more)}{doubt}"
            yield said(self, f"{reported.who}: {text}")


@plugin("patients-parted")
class PatientsParted:
    """A data set of patients, split by image.

    Cells of one patient are alike in stain, light and disease. Where they stand on both sides,
    a model that knows the patient scores like one that knows the disease.

    Do: keep each patient on one side; where the patients are not published, say so with every
    figure.

    Reference: Kaufman et al., Leakage in data mining, ACM TKDD 2012.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported, dataset in on_public_data(run):
            if reported.split == "image" and (dataset.patients or 0) > 1:
                of = f"{dataset.name} has images of {dataset.patients:,} patients"
                yield warning(self, f"{reported.who}: {of} and was split by image")


@plugin("augmented-before-split")
class AugmentedBeforeSplit:
    """A data set that was augmented before it was published.

    Its images are turned and mirrored copies of few. Unless the split keeps the copies of one
    picture together, the test holds pictures that were trained on.

    Do: split the originals, or say how copies were kept together.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported, dataset in on_public_data(run):
            if dataset.augmented_from and reported.split not in ("patient", "original"):
                tested = reported.test_total()
                some_ = f"{tested:,} images tested" if tested else "its images"
                text = f"{some_} of {dataset.name} are copies of {dataset.augmented_from:,} at most"
                yield warning(self, f"{reported.who}: {text}")


@plugin("balanced-unlike-set")
class BalancedUnlikeSet:
    """Equal counts of classes, of a data set whose classes are unequal.

    Images were left out, or copied, to make them equal. Accuracy and precision are then those of
    another mix than the set's, and copies may stand on both sides of the split.

    Do: say how the classes were made equal, and on which side of the split.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            dataset = find_dataset(reported.dataset) if reported.dataset else None
            there = counts_of(dataset.classes if dataset else (), reported.classes)
            name, stated = dataset.name if dataset else "", reported.tally("class_counts")
            sides = [("stated", stated, there, name)]
            sides.append(("tested", reported.test_supports(), *self._set(stated, there, name)))
            for what, counts, whole, of in sides:
                own = [n for label, n in counts.items() if label in whole]
                set_ = [whole[label] for label in counts if label in whole]
                if self._equal(own) and set_ and max(set_) >= _UNEQUAL * min(set_) > 0:
                    each = f"{min(own):,} to {max(own):,}" if min(own) < max(own) else f"{own[0]:,}"
                    has = f"{of} has {min(set_):,} to {max(set_):,}"
                    yield note(self, f"{reported.who}: {each} images of each class {what}; {has}")
                    break

    def _set(
        self, stated: dict[str, int], there: dict[str, int], name: str
    ) -> tuple[dict[str, int], str]:
        return (stated, "its set") if stated else (there, name)

    def _equal(self, counts: list[int]) -> bool:
        """But for one image, or two of a hundred."""
        return len(counts) > 1 and max(counts) - min(counts) <= max(1, max(counts) // 50)


_UNEQUAL = 1.2
"""From this ratio of the largest class to the smallest on, a set is not balanced."""


@plugin("test-above-its-share")
class AboveItsShare:
    """A test of more than half of the images, beside more training rows than the rest can give.

    Where images are augmented after the split, the test stays the part that was held out. A test
    that grew with the training rows holds copies of what was trained on.

    Do: split first, and augment the training side only.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            dataset = find_dataset(reported.dataset) if reported.dataset else None
            images = reported.count("images") or sum(reported.tally("class_counts").values())
            images = images or ((dataset.images or 0) if dataset else 0)
            tested = reported.test_total() or sum(reported.test_supports().values())
            others = [reported.tally(f"{side}_counts") for side in ("train", "validation")]
            rows = tested + sum(sum(counts.values()) for counts in others)
            made = sum(reported.tally("synthetic_counts").values())
            if folded(reported) or not images / 2 < tested <= images or rows <= images + made:
                continue
            text = f"{tested:,} of {images:,} images tested, beside {rows - tested:,} other rows"
            share = f"{100 * tested / rows:.0f} % of all rows are tested"
            grown = "as if the images were multiplied before they were split"
            yield warning(self, f"{reported.who}: {text}: {share}, {grown}")


@plugin("class-too-small")
class ClassTooSmall:
    """A row whose figures need more images than its class has.

    A rate of n images is a whole number over n: precision, recall and F1 of few digits can still
    need hundreds of images. Digits may have been rounded or cut off.

    Do: look which images were tested: copies, or another data set.

    Reference: Brown and Heathers, The GRIM test, Social Psychological and Personality Science 2017.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            if folded(reported) or reported.tally("synthetic_counts"):
                continue
            dataset = find_dataset(reported.dataset) if reported.dataset else None
            whole = counts_of(dataset.classes if dataset else (), reported.classes)
            unsure = "classes" in dataset.unconfirmed if dataset else False
            stated = reported.tally("class_counts")
            whole |= stated
            tested = reported.test_supports()
            for label, most in whole.items():
                row = {n: v for n, v in reported.of(label).items() if n in _ROW and not v.undefined}
                if label in tested or "recall" not in row or most > MOST_TRIED:
                    continue
                if fewest_images(row, most):
                    continue
                listed = ", ".join(f"{name} {value}" for name, value in row.items())
                text = f"{listed} of {label} print in no test of its {most:,} images or fewer"
                if least := fewest_images(row, min(10 * most, MOST_TRIED)):
                    text = f"{listed} of {label} need {least:,} images; it has {most:,} images"
                if least := fewest_images({n: v.or_cut() for n, v in row.items()}, most):
                    cut = f"{text} (where digits are cut off, {least:,} print so)"
                    yield note(self, f"{reported.who}: {cut}")
                elif unsure and label not in stated:
                    yield warning(self, f"{reported.who}: {text}{UNCONFIRMED}")
                else:
                    yield error(self, f"{reported.who}: {text}")


_ROW = ("recall", "precision", "f1")
