"""What a figure of patients rests on: how many there are, and whether a count does as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from leukreg import Finding, RunRecord, percent, plugin, record, rounded
from leukreg_plugins.audits.finding import counted, is_real, warning
from leukreg_plugins.audits.sample_size import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@plugin("few-patients")
class FewPatients:
    """A claim about patients that rests on few of them.

    Cells of a patient are no further patients: thousands of images of twenty patients are twenty
    cases, and an accuracy over them may be off by a fifth.

    Do: report the interval over patients, and test on more of them.

    Reference: Wilson, JASA 1927.
    """

    width: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Width of the 95 % interval of the share of right answers from which on it is reported."""
    least: Annotated[int, Ge(1)] = 10
    """Patients of a class at least."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        if run.patients is None or not len(run.patients.predictions):
            return
        rows = run.patients.predictions
        said = {}  # a patient that several folds answered for is one patient
        for one, label, answer in zip(
            rows.id, rows.label.tolist(), rows.answers.tolist(), strict=True
        ):
            said[one] = (label, label == answer)
        n, right = len(said), sum(hit for _, hit in said.values())
        low, high = wilson(right, n)
        counts = Counter(label for label, _ in said.values())
        few = [
            f"{counts[at]:,} {name}"
            for at, name in enumerate(rows.classes)
            if counts[at] < self.least
        ]
        if high - low > self.width or few:
            rare = f"; {', '.join(few)}" if few else ""
            yield warning(
                self,
                f"{right:,} of {counted(n, 'patient')} are answered rightly: the 95 % interval of"
                f" this share is {low:.2f} to {high:.2f}{rare}",
            )


@plugin("cell-count")
class CellCount:
    """The number of a patient's cells alone predicts the patient's label.

    How many cells were photographed follows from the person who did it, the day and the disease's
    name, and it is no property of a cell. What looks at the highest of many can follow it.

    A patient is classed by the threshold on the number of cells that divides the other patients
    best, in repeated five-fold cross-validation; the interval is over patients.

    Do: take as many cells of every patient, or show that answers hold on equal numbers.

    Reference: Geirhos et al., Shortcut learning in deep neural networks, 2020.
    """

    least: Annotated[int, Ge(5)] = 5
    """Patients a class needs to be probed."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        import numpy as np

        if run.patients is None or not run.samples.rows:
            return
        cells = Counter(str(row.patient) for row in run.samples.rows if is_real(row))
        labels = record.patient_labels_of(run.samples).labels
        known = Counter(labels[one] for one in cells)
        names = sorted(name for name, n in known.items() if n >= self.least)
        if len(names) < 2:
            return
        chosen = [one for one in sorted(cells) if labels[one] in names]
        x = np.array([cells[one] for one in chosen], dtype=np.float64)
        y = np.array([names.index(labels[one]) for one in chosen], dtype=np.int64)
        reached, low, high = reach(x, y, len(names))
        if low > 1 / len(names):
            yield warning(
                self,
                f"the number of cells alone predicts the label of {counted(len(x), 'patient')}:"
                f" balanced accuracy {percent(reached)} (95 % interval {rounded(low, 2)} to"
                f" {rounded(high, 2)}) where chance is {percent(1 / len(names))}",
            )


REPEATS, FOLDS, RESAMPLES = 5, 5, 400


def reach(x: NDArray[np.float64], y: NDArray[np.int64], k: int) -> tuple[float, float, float]:
    """Cross-validated balanced accuracy of a count ``(n,)`` for labels ``(n,)`` of ``k`` classes,
    and its 95 % interval over the patients."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold
    from sklearn.tree import DecisionTreeClassifier

    hit = np.zeros(len(y))
    for seed in range(REPEATS):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        for kept, held in folds.split(x[:, None], y):
            tree = DecisionTreeClassifier(
                max_leaf_nodes=max(2, k), class_weight="balanced", min_samples_leaf=2,
                random_state=0,
            )  # fmt: skip
            tree.fit(x[kept, None], y[kept])
            hit[held] += (tree.predict(x[held, None]) == y[held]) / REPEATS
    rng = np.random.default_rng(0)
    each = [hit[y == c] for c in range(k)]
    drawn = [np.mean([rng.choice(own, len(own)).mean() for own in each]) for _ in range(RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.mean([own.mean() for own in each])), float(low), float(high)
