"""Training images among the scored ones: copies, splits, images from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from leukreg import Finding, RunRecord, Sample, percent, plugin, record
from leukreg_plugins.audits.finding import (
    counted,
    error,
    is_real,
    note,
    option,
    pictures,
    rows_trained_on,
    some,
    warning,
)
from leukreg_plugins.audits.published_table import published


@plugin("repeated-pixels")
class RepeatedPixels:
    """Identical pixels under several file names, or many near duplicates.

    Repeats make a data set look larger than it is: a picture four times over is one observation,
    and so is a picture beside its thumbnails.

    Do: keep one file of each picture (`duplicates = "drop"`), or leave folds'
    `duplicates = "together"` on.

    Reference: Barz and Denzler, Do we train on test data?, J. Imaging 2020.
    """

    many: float = 0.1
    """Share of files from which near duplicates are counted too."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        files: dict[str, set[str]] = defaultdict(set)
        for row in run.samples.rows:
            if is_real(row) and row.id in run.pixels:
                files[run.pixels[row.id]].add(row.id)
        repeated = [sorted(ids) for ids in files.values() if len(ids) > 1]
        total = sum(len(ids) for ids in files.values())
        if repeated:
            extra = total - len(files)
            text = f"{counted(extra, 'file')} ({percent(extra / total)}) repeat another's pixels"
            pair = f"such as {repeated[0][0]} = {repeated[0][1]}"
            yield warning(self, f"{text}, {pair}: {total:,} files are {len(files):,} pictures")
        number = pictures(run)
        shown = len({number[name] for ids in files.values() for name in ids})
        if total and len(files) - shown >= self.many * total:
            near = "near duplicates (smaller, compressed again, shifted) counted in"
            yield warning(self, f"{near}, {total:,} files show {shown:,} pictures")


@plugin("copies-dropped")
class CopiesDropped:
    """Copies that were left out, so that one file of each picture takes part.

    Which files are copies is leukreg's judgement: equal pixels, near duplicates, and chains of
    them. Copies under several labels are left out altogether, as nobody knows which label is right.

    Do: look at some of them; `facts.json` names all, with the file that was kept.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        gone = run.listing.dropped
        copies = [one for one in gone if one.kept is not None]
        if copies:
            pair = f"{copies[0].id} (kept: {copies[0].kept})"
            text = counted(len(copies), "copy of a picture", "copies of a picture")
            yield note(self, f"{text} left out, such as {pair}")
        if len(copies) < len(gone):
            other = next(one for one in gone if one.kept is None)
            text = f"{counted(len(gone) - len(copies), 'file')} left out whose copies have another"
            yield warning(self, f"{text} label, such as {other.id}")


@plugin("copies-across-split")
class CopiesAcrossSplit:
    """The same picture, or a near duplicate, on two sides of a split.

    What was trained on is recognised, not classified: the score says how well the model remembers.

    Do: split by picture (`duplicates = "together"`) and list each file once.

    Reference: Kapoor and Narayanan, Leakage and the reproducibility crisis, Patterns 2023.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        ids, number = [row.id for row in run.samples.rows], pictures(run)
        for side, say in (("test", error), ("validation", warning)):
            leaked: dict[int, str] = {}
            total: set[int] = set()
            for fold in run.folds:
                judged, trained = getattr(fold, side), set(fold.learned)
                seen = {number[ids[r]]: ids[r] for r in fold.learned}
                of = {r: seen[number[ids[r]]] for r in judged if number[ids[r]] in seen}
                leaked |= {r: copy for r, copy in of.items() if r not in trained}
                total.update(judged)
            if leaked:
                row, other = next(iter(leaked.items()))
                part = f"{len(leaked):,} of {len(total):,} {side} rows"
                share = f"({percent(len(leaked) / len(total))})"
                pair = f"such as {ids[row]} ~ {other}"
                yield say(self, f"{part} {share} have a copy among the training rows, {pair}")


@plugin("copies-disagree")
class CopiesDisagree:
    """Copies of one picture under different labels.

    One of the labels is wrong; where the copies are trained and tested on, no model can be right.

    Do: look at the pictures and correct or drop them.

    Reference: Northcutt, Athalye and Mueller, Pervasive label errors in test sets, NeurIPS 2021.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        number = pictures(run)
        labels: dict[int, dict[str, str]] = defaultdict(dict)
        for row in run.samples.rows:
            if is_real(row):
                labels[number[row.id]].setdefault(row.label, row.id)
        mixed = [ids for ids in labels.values() if len(ids) > 1]
        if mixed:
            example = " ~ ".join(f"{file} ({label})" for label, file in list(mixed[0].items())[:2])
            text = counted(len(mixed), "picture stands", "pictures stand")
            yield warning(self, f"{text} under more than one label, such as {example}")


@plugin("segmented-twins-apart")
class SegmentedTwinsApart:
    """A picture and its segmented version on two sides of a split.

    The public leukemia sets come as parallel trees of originals and segmented cells; a segmented
    cell in training gives its original in the test away, though no pixel agrees.

    Do: use one of the trees, or split by file name.
    """

    trees: tuple[str, ...] = ("original", "segmented")
    """Folder names of the parallel trees, lower case."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = run.samples.rows
        names = [self._name(row) for row in rows]
        apart: set[str] = set()
        for fold in run.folds:
            trained: dict[str, set[str]] = defaultdict(set)
            for key, tree in (names[r] for r in fold.learned):
                trained[key].add(tree)
            for r in (*fold.test, *fold.validation):
                key, tree = names[r]
                if trained[key] - {tree}:
                    apart.add(rows[r].id)
        if apart:
            text = f"{counted(len(apart), 'held-out picture')} have their other version"
            trees = f"({' or '.join(self.trees)})"
            yield error(self, f"{text} {trees} in training: {some(sorted(apart))}")

    def _name(self, row: Sample) -> tuple[str, str]:
        """The path without its tree, and the tree; the id alone where it lies in neither."""
        parts = row.id.split("/")
        for i, part in enumerate(parts[:-1]):
            if part.lower() in self.trees:
                rest = [*parts[:i], *parts[i + 1 :]]
                return "/".join(rest).rsplit(".", 1)[0].lower(), part.lower()
        return row.id, ""


@plugin("scored-training-rows")
class ScoredTrainingRows:
    """Evaluated rows that were trained on.

    A score on training rows measures memory; it bounds nothing on new images.

    Do: score the test rows only (`on = "test"`).
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        n, both = len(run.predictions), rows_trained_on(run)
        if both:
            share = percent(both / n)
            yield error(self, f"{both:,} of {n:,} scored rows ({share}) were trained on")
        elif not n and option(run.recipe, "evaluate", "on") == "all":
            yield error(self, "the recipe scores all rows, those trained on included")


@plugin("whole-set-scored")
class WholeSetScored:
    """A reported confusion matrix that holds the whole data set.

    With a training part taken off, a test cannot sum to all images: training rows were scored.

    Do: report the matrix of the held-out rows.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        k = option(run.recipe, "data", "folds", "k") or 1
        for reported in published(run):
            tested, train = reported.test_total(), reported.tally("train_counts")
            images = reported.count("images") or sum(reported.tally("class_counts").values())
            untrained = train and not any(train.values())  # as the report says itself
            # Pooled over k folds every image is tested once, and rightly so.
            folded = (reported.count("folds") or k) > 1
            if tested and tested == images and not folded and not untrained:
                what = "confusion matrix sums" if reported.confusion else "test counts sum"
                text = f"{reported.who}: the {what} to {tested:,}, the whole data set"
                yield error(self, f"{text}: the rows trained on were scored")


@plugin("validation-is-test")
class ValidationIsTest:
    """Validation rows that are test rows.

    The epoch, the learning rate and the threshold are then chosen on the rows that are scored.

    Do: give validation rows of their own (`validation = 0.15`).

    Reference: Cawley and Talbot, On over-fitting in model selection, JMLR 2010.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        shared = {r for f in run.folds for r in set(f.validation).intersection(f.test)}
        tested = {r for fold in run.folds for r in fold.test}
        if shared:
            how = "is" if shared == tested else "overlaps"
            part = f"{len(shared):,} of {len(tested):,} test rows watched in training"
            yield error(self, f"validation {how} the test: {part}")
        elif not run.folds and option(run.recipe, "data", "folds", "validation_is_test"):
            yield error(self, "the recipe watches the test rows during training")


@plugin("external-copies")
class ExternalCopies:
    """Images from elsewhere that are copies of training images.

    What was trained on is recognised, not classified: elsewhere is then no elsewhere.

    Do: score without them (`leukreg evaluate --leave-out-copies`), or take other images.

    Reference: Barz and Denzler, Do we train on test data?, J. Imaging 2020.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        origin = run.evaluated_from or record.External()
        copies = {**origin.copies.exact, **origin.copies.near}
        left_out = origin.copies_left_out
        if copies and not left_out:
            here, there = next(iter(copies.items()))
            part = f"{len(copies):,} of {counted(len(run.samples) or len(copies), 'image')}"
            text = f"{part} copy training images of {origin.run}"
            yield error(self, f"{text}, such as {here} ~ {there}")
        if left_out:
            yield note(self, f"{counted(left_out, 'copy', 'copies')} of training images left out")
        if origin.copies_unknown:
            text = "not all copies of training images could be looked for"
            yield warning(self, f"{text}: {origin.copies_unknown}")


@plugin("external-classes")
class ExternalClasses:
    """Classes that the run and the images from elsewhere do not share.

    Figures over classes of which there is no image say nothing of them.

    Do: map names with `--map OtherName=class`; compare the drops, which are on shared classes.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        origin = run.evaluated_from or record.External()
        if origin.missing:
            yield warning(self, f"no image from elsewhere shows {some(origin.missing, 6)}")
        if origin.unmapped:
            named = [f"{name} ({count:,})" for name, count in origin.unmapped.items()]
            total = counted(sum(origin.unmapped.values()), "image")
            text = f"{total} of classes that the run does not know left out"
            yield note(self, f"{text}: {some(named, 6)}")
