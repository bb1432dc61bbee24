"""Training images among the scored ones: copies, splits, images from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from leukreg import Finding, Fold, Reported, RunRecord, Sample, percent, plugin
from leukreg_plugins.audits.finding import found, is_real, option, pictures, plural, rows_of, some
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

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        files: dict[str, set[str]] = defaultdict(set)
        for row in rows_of(evidence):
            if is_real(row) and row.id in evidence.pixels:
                files[evidence.pixels[row.id]].add(row.id)
        repeated = [sorted(ids) for ids in files.values() if len(ids) > 1]
        total = sum(len(ids) for ids in files.values())
        if repeated:
            extra = sum(len(ids) - 1 for ids in repeated)
            pair = " = ".join(repeated[0][:2])
            yield found(
                self,
                "warning",
                f"{plural(extra, 'file')} ({percent(extra / total)}) repeat another's pixels,"
                f" such as {pair}: {total:,} files are {len(files):,} pictures",
            )
        number = pictures(evidence)
        shown = len({number[name] for ids in files.values() for name in ids})
        if total and len(files) - shown >= self.many * total:
            yield found(
                self,
                "warning",
                f"near duplicates (smaller, compressed again, shifted) counted in, {total:,} files"
                f" show {shown:,} pictures",
            )


@plugin("copies-dropped")
class CopiesDropped:
    """Copies that were left out, so that one file of each picture takes part.

    Which files are copies is leukreg's judgement: equal pixels, near duplicates, and chains of
    them. Copies under several labels are left out altogether, as nobody knows which label is right.

    Do: look at some of them; `facts.json` names all, with the file that was kept.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        gone = evidence.listing.dropped
        copies = [one for one in gone if one.kept is not None]
        if copies:
            pair = f"{copies[0].id} (kept: {copies[0].kept})"
            text = plural(len(copies), "copy of a picture", "copies of a picture")
            yield found(self, "note", f"{text} left out, such as {pair}")
        if len(copies) < len(gone):
            other = next(one for one in gone if one.kept is None)
            text = plural(len(gone) - len(copies), "file")
            named = f"{text} left out whose copies have another label, such as {other.id}"
            yield found(self, "warning", named)


@plugin("copies-across-split")
class CopiesAcrossSplit:
    """The same picture, or a near duplicate, on two sides of a split.

    What was trained on is recognised, not classified: the score says how well the model remembers.

    Do: split by picture (`duplicates = "together"`) and list each file once.

    Reference: Kapoor and Narayanan, Leakage and the reproducibility crisis, Patterns 2023.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        number = pictures(evidence)
        rows = rows_of(evidence)
        if not rows:
            return
        yield from self._between(evidence, rows, number, "test")
        yield from self._between(evidence, rows, number, "validation")

    def _between(
        self, evidence: RunRecord, rows: tuple[Sample, ...], number: dict[str, int], side: str
    ) -> Iterator[Finding]:
        leaked: dict[int, str] = {}
        total: set[int] = set()
        for fold in evidence.folds:
            judged = fold.test if side == "test" else fold.validation
            total.update(judged)
            leaked |= self._leaked(rows, number, fold, judged)
        if leaked:
            row, other = next(iter(leaked.items()))
            yield found(
                self,
                "error" if side == "test" else "warning",
                f"{len(leaked):,} of {len(total):,} {side} rows"
                f" ({percent(len(leaked) / len(total))}) have a copy among the training rows,"
                f" such as {rows[row].id} ~ {other}",
            )

    def _leaked(
        self, rows: tuple[Sample, ...], number: dict[str, int], fold: Fold, judged: tuple[int, ...]
    ) -> dict[int, str]:
        trained = set(fold.learned)
        seen = {number[rows[r].id]: rows[r].id for r in fold.learned}
        return {
            r: seen[number[rows[r].id]]
            for r in judged
            if r not in trained and number[rows[r].id] in seen
        }


@plugin("copies-disagree")
class CopiesDisagree:
    """Copies of one picture under different labels.

    One of the labels is wrong; where the copies are trained and tested on, no model can be right.

    Do: look at the pictures and correct or drop them.

    Reference: Northcutt, Athalye and Mueller, Pervasive label errors in test sets, NeurIPS 2021.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        number = pictures(evidence)
        labels: dict[int, dict[str, str]] = defaultdict(dict)
        for row in rows_of(evidence):
            if is_real(row):
                labels[number[row.id]].setdefault(row.label, row.id)
        mixed = [ids for ids in labels.values() if len(ids) > 1]
        if mixed:
            example = " ~ ".join(f"{file} ({label})" for label, file in list(mixed[0].items())[:2])
            text = plural(len(mixed), "picture stands", "pictures stand")
            yield found(self, "warning", f"{text} under more than one label, such as {example}")


@plugin("segmented-twins-apart")
class SegmentedTwinsApart:
    """A picture and its segmented version on two sides of a split.

    The public leukemia sets come as parallel trees of originals and segmented cells; a segmented
    cell in training gives its original in the test away, though no pixel agrees.

    Do: use one of the trees, or split by file name.
    """

    trees: tuple[str, ...] = ("original", "segmented")
    """Folder names of the parallel trees, lower case."""

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        rows = rows_of(evidence)
        names = [self._name(row) for row in rows]
        apart: set[str] = set()
        for fold in evidence.folds:
            trained: dict[str, set[str]] = defaultdict(set)
            for r in fold.learned:
                if names[r] is not None:
                    key, tree = names[r] or ("", "")
                    trained[key].add(tree)
            for r in (*fold.test, *fold.validation):
                key, tree = names[r] or ("", "")
                if trained.get(key, {tree}) - {tree}:
                    apart.add(rows[r].id)
        if apart:
            yield found(
                self,
                "error",
                f"{plural(len(apart), 'held-out picture')} have their other version"
                f" ({' or '.join(self.trees)}) in training: {some(sorted(apart))}",
            )

    def _name(self, row: Sample) -> tuple[str, str] | None:
        """The path without its tree, and the tree; None where it lies in neither."""
        parts = row.id.split("/")
        for i, part in enumerate(parts[:-1]):
            if part.lower() in self.trees:
                rest = [*parts[:i], *parts[i + 1 :]]
                return "/".join(rest).rsplit(".", 1)[0].lower(), part.lower()
        return None


@plugin("scored-training-rows")
class ScoredTrainingRows:
    """Evaluated rows that were trained on.

    A score on training rows measures memory; it bounds nothing on new images.

    Do: score the test rows only (`on = "test"`).
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        predictions = evidence.predictions
        if not predictions:
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

    def _asked(self, evidence: RunRecord) -> Iterable[Finding]:
        if option(evidence.recipe, "evaluate", "on") == "all":
            yield found(self, "error", "the recipe scores all rows, those trained on included")


@plugin("whole-set-scored")
class WholeSetScored:
    """A reported confusion matrix that holds the whole data set.

    With a training part taken off, a test cannot sum to all images: training rows were scored.

    Do: report the matrix of the held-out rows.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
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

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
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


@plugin("external-copies")
class ExternalCopies:
    """Images from elsewhere that are copies of training images.

    What was trained on is recognised, not classified: elsewhere is then no elsewhere.

    Do: score without them (`leukreg evaluate --leave-out-copies`), or take other images.

    Reference: Barz and Denzler, Do we train on test data?, J. Imaging 2020.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        origin = evidence.evaluated_from
        if origin is None:
            return
        copies = {**origin.copies.exact, **origin.copies.near}
        left_out = origin.copies_left_out
        if copies and not left_out:
            here, there = next(iter(copies.items()))
            total = len(evidence.predictions) or len(copies)
            yield found(
                self,
                "error",
                f"{len(copies):,} of {plural(total, 'image')} copy training images of"
                f" {origin.run}, such as {here} ~ {there}",
            )
        if left_out:
            yield found(
                self, "note", f"{plural(left_out, 'copy', 'copies')} of training images left out"
            )
        if origin.copies_unknown:
            yield found(
                self,
                "warning",
                f"not all copies of training images could be looked for: {origin.copies_unknown}",
            )


@plugin("external-classes")
class ExternalClasses:
    """Classes that the run and the images from elsewhere do not share.

    Figures over classes of which there is no image say nothing of them.

    Do: map names with `--map OtherName=class`; compare the drops, which are on shared classes.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        origin = evidence.evaluated_from
        if origin is None:
            return
        if origin.missing:
            yield found(self, "warning", f"no image from elsewhere shows {some(origin.missing, 6)}")
        if origin.unmapped:
            named = [f"{name} ({count:,})" for name, count in origin.unmapped.items()]
            total = plural(sum(origin.unmapped.values()), "image")
            yield found(
                self,
                "note",
                f"{total} of classes that the run does not know left out: {some(named, 6)}",
            )


RULES: list[type] = [
    RepeatedPixels,
    CopiesDropped,
    CopiesAcrossSplit,
    CopiesDisagree,
    SegmentedTwinsApart,
    ScoredTrainingRows,
    WholeSetScored,
    ValidationIsTest,
    ExternalCopies,
    ExternalClasses,
]
