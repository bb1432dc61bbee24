"""What is listed against what there is, and what had to be assumed on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from leukreg import Finding, RunRecord, alike, plugin
from leukreg_plugins.audits.finding import (
    counted,
    error,
    is_real,
    note,
    some,
    warning,
)
from leukreg_plugins.audits.published_table import published


@plugin("listed-wrongly")
class ListedWrongly:
    """Files listed more or less often than they exist.

    A pattern and a recursive pattern together list every file twice, and brackets in a folder's
    name are a character class that matches nothing: classes double or vanish without a word.

    Do: walk the folder, list every file once, and compare the counts with the disk's.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = [row for row in run.samples.rows if is_real(row)]
        times = Counter(row.id for row in rows)
        twice = {file: n for file, n in times.items() if n > 1}
        if twice:
            labels = Counter(row.label for row in {r.id: r for r in rows if r.id in twice}.values())
            listing = ", ".join(f"{n:,} of {label}" for label, n in labels.most_common(4))
            yield error(
                self,
                f"{counted(len(twice), 'file')} listed {max(twice.values())} times over"
                f" ({listing}): {len(rows):,} rows are {len(times):,} files",
            )
        listed = Counter(row.label for row in {r.id: r for r in rows}.values())
        there = run.listing.files_found
        lost = {c: (listed[c], n) for c, n in there.items() if listed[c] < n}
        if lost:
            text = ", ".join(f"{c}: {a:,} of {b:,}" for c, (a, b) in lost.items())
            yield error(self, f"fewer files listed than there are ({text})")


@plugin("files-passed-over")
class FilesPassedOver:
    """Files that lie among the images and are not listed.

    Images in a format that is not read, beside the class folders, or in folders that no class
    names take no part in the run, and its figures say nothing of them.

    Do: convert or move what is meant to be listed; look at the folder with `leukreg data`.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        listing = run.listing
        for say, passed in (
            (warning, listing.passed_over),
            (note, listing.passed_over_by_generator),
        ):
            for one in passed:
                if one.images:
                    yield say(self, f"files passed over: {one}")


@plugin("classes-alike")
class ClassesAlike:
    """Classes whose names differ only in case, spaces, hyphens or Unicode form.

    Two spellings of one class are learned as two, and every figure counts one taken for the other
    as a mistake.

    Do: merge them with data.classes, or give classes that are meant to be two clearer names.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for names in alike(run.samples.classes):
            listed = ", ".join(map(repr, names))
            text = f"classes that differ only in how they are written: {listed}"
            yield warning(self, text)


@plugin("absent-class")
class AbsentClass:
    """A class without real training or test images.

    A class of which no real image is trained on cannot be learned, and one that is not tested says
    nothing, whatever figure stands beside it.

    Do: add images of the class, or take it out of the task.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = run.samples.rows
        for side, where in (("train", "training"), ("test", "test")):
            lacking: dict[str, list[str]] = {}
            for fold in run.folds:
                there = {rows[r].label for r in getattr(fold, side) if is_real(rows[r])}
                for label in run.samples.classes:
                    if label not in there:
                        lacking.setdefault(label, []).append(str(fold.index + 1))
            if lacking:
                named = [
                    label if len(at) == len(run.folds) else f"{label} (fold {', '.join(at)})"
                    for label, at in lacking.items()
                ]
                yield error(self, f"no real {where} image of {some(named)}")


@plugin("class-counts-moved")
class ClassCountsMoved:
    """Class counts that moved between two versions.

    Figures of two versions are comparable only on the same images; a count that changed says that
    files were lost, added or listed twice between them.

    Do: find the files that came or went before comparing figures.
    """

    tolerance: float = 0.0
    """Relative change of a class's count that is let pass."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        if not run.samples:
            return
        now = Counter(row.label for row in run.samples.rows if is_real(row))
        compared = {f"{run.earlier.previous_run or 'an earlier version'} had":
                    run.earlier.previous_counts}  # fmt: skip
        # Rendered cells stand in for the reported images: their number says nothing.
        if not any(notice.what.split(".")[0] == "data" for notice in run.notices):
            for reported in published(run):
                compared[f"{reported.who} are"] = reported.tally("class_counts")
        for who, before in compared.items():
            moved = [c for c, n in before.items() if abs(now[c] - n) > self.tolerance * n]
            if moved:
                text = ", ".join(f"{c} {before[c]:,} -> {now[c]:,}" for c in moved)
                yield warning(self, f"class counts moved ({who} -> this run): {text}")


@plugin("files-read")
class FilesRead:
    """Choices made in reading files that do not say how they are to be read.

    What parts the cells of a table, which value is white, which picture of several counts, what
    lies behind transparent parts: where a file does not say, leukreg chooses, and another program
    may choose otherwise. All images should be read alike, those of later predictions too.

    Do: see whether a table is read right; look at some of the images; convert them to 8-bit RGB
    where they are not shown right.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for how in run.listing.assumed_of_list:
            yield note(self, how)
        for one in run.listing.readings:
            yield (warning if one.doubtful else note)(self, str(one))


@plugin("broken-plugin")
class BrokenPlugin:
    """A plugin that was installed could not be used.

    What its rules would have found, and its metrics measured, is not known.

    Do: mend or uninstall it (leukreg plugins); --strict refuses to run with it.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for fault in run.broken_plugins:
            yield warning(self, fault)
