"""Where synthetic images come from and where they went."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from leukreg import Finding, RunRecord, plugin
from leukreg_plugins.audits.finding import counted, error, is_real, option, some, warning


@plugin("synthetic-scored")
class SyntheticScored:
    """Synthetic rows in validation or test.

    A score on generated images says how well the model knows the generator, not the disease.

    Do: make synthetic images inside the training fold (`place = "training-fold"`).
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = run.samples.rows
        if not rows and option(run.recipe, "synthesis", "place") == "before-split":
            text = "the recipe makes synthetic images before the split"
            yield error(self, f"{text}: they are tested on")
        for side in ("test", "validation"):
            held = {r for fold in run.folds for r in getattr(fold, side)}
            made = [rows[r].label for r in held if not is_real(rows[r])]
            if made:
                labels = ", ".join(f"{n:,} {c}" for c, n in Counter(made).most_common())
                of = f"{len(made):,} of {len(held):,} {side} rows"
                yield error(self, f"{of} are synthetic ({labels})")


@plugin("parent-outside-fold")
class ParentOutsideFold:
    """A synthetic image in training whose parent, or whose generator's data, are not.

    An image made from a held-out one carries it into training.

    Do: fit and run the generator on the training fold only.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = run.samples.rows
        places: dict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            places[row.id].append(number)
        leaks: dict[str, str] = {}
        strangers: set[str] = set()
        for fold in run.folds:
            held, learned = {*fold.test, *fold.validation}, {*fold.learned}
            for row in (rows[r] for r in fold.train):
                lineage = row.lineage
                if lineage is None:
                    continue
                if lineage.fold not in (None, fold.index):
                    strangers.add(row.id)
                at = places.get(lineage.parent or "", [])
                if lineage.parent and (not learned.intersection(at) or held.intersection(at)):
                    leaks[row.id] = lineage.parent
        if leaks:
            child, parent = next(iter(leaks.items()))
            text = counted(len(leaks), "synthetic training image")
            pair = f"such as {child} from {parent}"
            yield error(self, f"{text} made from held-out or unknown parents, {pair}")
        if strangers:
            text = f"{counted(len(strangers), 'synthetic training image')} made by another fold's"
            yield error(self, f"{text} generator: {some(sorted(strangers))}")


@plugin("parent-of-other-label")
class ParentOfOtherLabel:
    """A synthetic image made from an image of another label.

    A warped benign cell called malignant teaches the warp, nothing of the disease.

    Do: make a class from images of that class, or leave it out.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = run.samples.rows
        labels = {row.id: row.label for row in rows if is_real(row)}
        pairs: Counter[tuple[str, str]] = Counter()
        for row in rows:
            if row.lineage is None:
                continue
            parent = row.lineage.parent_label or labels.get(row.lineage.parent or "")
            if parent is not None and parent != row.label:
                pairs[row.label, parent] += 1
        if pairs:
            text = ", ".join(f"{n:,} {made} from {of}" for (made, of), n in pairs.most_common(4))
            total = counted(sum(pairs.values()), "synthetic image")
            yield error(self, f"{total} made from another class: {text}")


@plugin("trained-elsewhere")
class TrainedElsewhere:
    """Synthetic images by a generator that has seen images outside the training fold.

    Tested images may be among those it has seen; what it makes then carries them into training, and
    a gate that looks at validation rows looks at rows it knows.

    Do: fit the generator inside the fold, or show that no tested image was among its own.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        said: Counter[str] = Counter()
        for row in {r for fold in run.folds for r in fold.train}:
            lineage = run.samples.rows[row].lineage
            # The condition in which a generator says what it was trained on.
            words = lineage.condition.get("trained on", "") if lineage else ""
            if "outside" in words:
                said[words] += 1
        for words, count in said.items():
            text = counted(count, "synthetic training image")
            yield warning(self, f"{text} by a generator trained elsewhere: {words}")
