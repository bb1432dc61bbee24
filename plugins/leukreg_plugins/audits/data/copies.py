"""One picture under several names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from leukreg import Evidence, Finding, Fold, Sample, percent, plugin
from leukreg_plugins.audits.told import found, plural, some
from leukreg_plugins.audits.views import is_real, pictures, rows_of


@plugin("repeated-pixels")
class RepeatedPixels:
    """Identical pixels under several file names, or many near copies.

    Repeats make a data set look larger than it is: a picture four times over is one observation,
    and so is a picture beside its thumbnails.

    Do: keep one file of each picture (`duplicates = "drop"`), or leave folds'
    `duplicates = "together"` on.

    Reference: Barz and Denzler, Do we train on test data?, J. Imaging 2020.
    """

    many: float = 0.1
    """Share of files from which near copies are counted too."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
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
                f"near copies (smaller, compressed again, shifted) counted in, {total:,} files show"
                f" {shown:,} pictures",
            )


@plugin("copies-dropped")
class CopiesDropped:
    """Copies that were left out, so that one file of each picture takes part.

    Which files are copies is leukreg's judgement: equal pixels, near copies, and chains of them.
    Copies under several labels are left out altogether, as nobody knows which label is right.

    Do: look at some of them; `facts.json` names all, with the file that was kept.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        gone = evidence.facts.get("dropped", ())
        copies = [one for one in gone if one["kept"] is not None]
        if copies:
            pair = f"{copies[0]['id']} (kept: {copies[0]['kept']})"
            text = plural(len(copies), "copy of a picture", "copies of a picture")
            yield found(self, "note", f"{text} left out, such as {pair}")
        if len(copies) < len(gone):
            other = next(one for one in gone if one["kept"] is None)
            text = plural(len(gone) - len(copies), "file")
            named = f"{text} left out whose copies have another label, such as {other['id']}"
            yield found(self, "warning", named)


@plugin("copies-across-split")
class CopiesAcrossSplit:
    """The same picture, or a near copy, on two sides of a split.

    What was trained on is recognised, not classified: the score says how well the model remembers.

    Do: split by picture (`duplicates = "together"`) and list each file once.

    Reference: Kapoor and Narayanan, Leakage and the reproducibility crisis, Patterns 2023.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        number = pictures(evidence)
        rows = rows_of(evidence)
        if not rows:
            return
        yield from self._between(evidence, rows, number, "test")
        yield from self._between(evidence, rows, number, "validation")

    def _between(
        self, evidence: Evidence, rows: tuple[Sample, ...], number: dict[str, int], side: str
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

    def build(self, evidence: Evidence) -> Iterable[Finding]:
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

    def build(self, evidence: Evidence) -> Iterable[Finding]:
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
