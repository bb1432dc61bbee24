"""A run's models on changed test images: how much of each change they bear.

Each fold's model sees its own test rows, as in the run, so that nothing it learned from is scored.
What is measured stands in the run folder, change by change: a later call adds what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukreg.audit.rules import audit
from leukreg.data.image_store import ImageStore, open_images
from leukreg.engine.device import reseed, session
from leukreg.engine.inference import score_pixels
from leukreg.errors import DataError, LeukregError, NotAvailable, Problems
from leukreg.evaluate.bootstrap import percentiles, resampling
from leukreg.evaluate.calibration import calibrated, raw_of
from leukreg.evaluate.threshold import Cut, decide
from leukreg.predict.image_changes import CHANGES, Change, Known
from leukreg.predict.trained_run import Trained
from leukreg.progress import SILENT, Advance, Progress
from leukreg.record import RunRecord
from leukreg.registry import Registry, installed
from leukreg.runs.contents import write_stress
from leukreg.seeds import derive
from leukreg.stress_figures import Stress, StressChange, StressStep
from leukreg.synthesis.contact_sheet import Strip
from leukreg.text import nearest
from leukreg.types import Predictions, Score

Floats = NDArray[np.float64]
EACH = 100
"""Test images of a class that are changed, unless more are asked for."""
ENOUGH = 0.5
"""Share of the chosen images that must still be there."""


@dataclass(frozen=True, slots=True, eq=False)
class TestedRows:
    """Test rows of the run, fold after fold, in the order of its predictions."""

    places: NDArray[np.int64]
    """Their places in the predictions."""
    own: Predictions
    """What the run said of them."""
    store: ImageStore
    stored: NDArray[np.int64]
    """Their rows in the store."""
    of: int
    """Real test rows of the run."""
    lost: int


def chosen_changes(names: Sequence[str], result: RunRecord) -> tuple[Change, ...]:
    """The changes of these names, or all that the run can be asked about.

    Raises:
        LeukregError: There is no change of a name, or the run cannot be asked about it.
    """
    folds = len(result.folds)
    able = {one.name: one for one in CHANGES if one.towards != "fold" or folds > 1}
    for name in names:
        if name not in able:
            close = nearest(name, able)
            why = f"did you mean {close!r}?" if close else f"there are {', '.join(able)}"
            if name in {one.name for one in CHANGES}:
                why = "the run has one fold only"
            raise LeukregError(f"there is no change {name!r} to be made: {why}")
    return tuple(one for one in able.values() if not names or one.name in names)


def stress(
    trained: Trained,
    names: Sequence[str] = (),
    each: int = EACH,
    registry: Registry | None = None,
    progress: Progress = SILENT,
) -> RunRecord:
    """Measure the changes that the run folder has no figures of, and keep them there.

    Args:
        trained: The run.
        names: The changes; by default all.
        each: Test images of a class at most, evenly spread; 0 for all.
        registry: Where rules are found; by default all that are installed.
        progress: Told of images done.

    Returns:
        The run's record with its ``stress``, and what the audit finds in it.

    Raises:
        LeukregError: There is no such change, or earlier figures are of another number of images.
        NotAvailable: Too few of the test images are still there, unchanged.
        WriteError: The run folder cannot be written.
    """
    result = trained.result
    wanted = chosen_changes(names, result)
    before = result.stress
    if before is not None and before.each != each:
        many = f"{before.each} images of a class" if before.each else "all images"
        raise LeukregError(
            f"{result.folder}: was stressed with {many} before; ask for as many, or move its "
            "stress.json away"
        )
    known = {one.name for one in before.changes} if before else set()
    missing = [one for one in wanted if one.name not in known]
    if before is not None and not missing:
        # A kill may have come between the last figures and the rules.
        return _audited(trained, before, registry or installed())
    rows = _test_rows(trained, each, progress)
    if before is not None and (before.images, before.lost) != (len(rows.places), rows.lost):
        raise LeukregError(
            f"{result.folder}: was stressed on {before.images} images before, and now "
            f"{len(rows.places)} of them are there; move its stress.json away"
        )
    asked = _StressedModels(trained, rows)
    total = len(rows.places) * (1 + sum(len(one.levels) for one in missing))
    with session(trained.models[0].compute), progress.task("Changed images", total) as advance:
        plain = asked.answers(None, 0.0, advance)
        found = before or asked.untouched(plain, each)
        for change in missing:
            steps = tuple(asked.step(change, level, plain, advance) for level in change.levels)
            measured = StressChange(name=change.name, steps=steps)
            found = replace(found, changes=(*found.changes, measured))
            write_stress(result.folder, found)  # a kill costs one change
    return _audited(trained, found, registry or installed())


def _audited(trained: Trained, found: Stress, registry: Registry) -> RunRecord:
    """The record with the findings that there would not be without what was measured."""
    spec, earlier = trained.recipe.audit, trained.result.stress
    bare = replace(trained.result, stress=None)
    known, told = (audit(one, spec, registry) for one in (bare, replace(bare, stress=found)))
    new = tuple(one for one in told if one not in known)
    over = [one for one in known if one not in told]  # such as a waiver that had met nothing
    found = replace(found, findings=new)
    write_stress(bare.folder, found)
    stale = earlier.findings if earlier else ()
    kept = tuple(one for one in bare.findings if one not in stale and one not in over)
    return replace(bare, stress=found, findings=(*kept, *new))


def changed_samples(
    trained: Trained, names: Sequence[str], each: int, progress: Progress = SILENT
) -> list[Strip]:
    """For each change an image of one class, as it is and after every step, the classes by turns.

    Raises:
        LeukregError, NotAvailable: As :func:`stress`.
    """
    rows = _test_rows(trained, each, progress)
    asked, strips = _StressedModels(trained, rows), []
    labels = np.unique(rows.own.label).tolist()
    for number, change in enumerate(chosen_changes(names, trained.result)):
        part = np.flatnonzero(rows.own.label == labels[number % len(labels)])[:1]
        pixels = rows.store.pixels(rows.stored[part].tolist())
        known = asked.of(change, part)
        steps = [change.apply(pixels, level, known) for level in change.levels]
        said = ", ".join(change.said(level) for level in change.levels)
        strips.append(Strip(f"{change.name}: as it is, {said}", np.concatenate([pixels, *steps])))
    return strips


def _test_rows(trained: Trained, each: int, progress: Progress) -> TestedRows:
    result = trained.result
    tested = {(fold.index, row) for fold in result.folds for row in fold.test}
    own = result.predictions
    pairs = list(zip(own.fold.tolist(), own.row.tolist(), strict=True))
    real = [
        place
        for place, pair in enumerate(pairs)
        if pair in tested and own.origin[place] != "synthetic"
    ]
    chosen = [place for part in _by_class(own, real) for place in _spread(part, each)]
    there = [place for place in chosen if Path(own.path[place]).is_file()]
    try:
        store = _opened(trained, there, progress) if there else None
    except Problems:  # not one can be read
        store = None
    except DataError as error:  # such as a cache that cannot be written
        raise NotAvailable(str(error)) from error
    stored = {} if store is None else {s.id: row for row, s in enumerate(store.samples.rows)}
    kept = sorted(place for place in chosen if own.id[place] in stored)
    if store is None or len(kept) < max(1, ENOUGH * len(chosen)):
        raise NotAvailable(
            f"{len(kept)} of {len(chosen)} test images of {result.name} are still where they were, "
            "unchanged: too few to change them"
        )
    places = np.array(kept, dtype=np.int64)
    rows = np.array([stored[own.id[place]] for place in kept], dtype=np.int64)
    return TestedRows(places, own.take(places), store, rows, len(real), len(chosen) - len(kept))


def _opened(trained: Trained, places: Sequence[int], progress: Progress) -> ImageStore:
    """The images at these places, those left out that have changed since the run."""
    result = trained.result
    rows = dict.fromkeys(result.predictions.row[list(places)].tolist())
    listed = tuple(result.samples.rows[row] for row in rows)
    samples = replace(result.samples, rows=listed, broken=())
    store = open_images(samples, trained.recipe.read_image, "skip", progress)
    found = store.digests
    same = [
        place
        for place, row in enumerate(store.samples.rows)
        if result.pixels.get(row.id) in (None, found[row.id])
    ]
    return store.only(same)


def _by_class(own: Predictions, places: Sequence[int]) -> Iterator[list[int]]:
    for label in range(len(own.classes)):
        yield [place for place in places if own.label[place] == label]


def _spread(places: list[int], each: int) -> list[int]:
    count = min(len(places), each) if each else len(places)
    return [places[i * len(places) // count] for i in range(count)]


class _StressedModels:
    """The models, asked about the chosen rows as they are and changed."""

    def __init__(self, trained: Trained, rows: TestedRows) -> None:
        self.trained, self.rows = trained, rows
        self.seed = trained.recipe.seed
        count = trained.recipe.evaluate.bootstrap
        self.draws = resampling(rows.own, count, derive(self.seed, "stress"))
        known = _known(trained.result, rows.own, derive(self.seed, "stress"))
        recipe = trained.recipe
        seen = recipe.image.size / recipe.read_image.size
        self.known = {towards: replace(one, seen=seen) for towards, one in known.items()}

    def untouched(self, plain: Floats, each: int) -> Stress:
        """The figures on the images as they are, before any change."""
        own = raw_of(self.rows.own).probabilities
        figures, _ = self._figures(self._hits(plain))
        return Stress(
            images=len(self.rows.places),
            of=self.rows.of,
            lost=self.rows.lost,
            each=each,
            how=self.draws.says() if self.draws else "no intervals: too few images",
            scores=figures,
            difference=float(np.abs(plain - own).max()),
        )

    def step(self, change: Change, level: float, plain: Floats, advance: Advance) -> StressStep:
        """The figures on the images changed by this much."""
        hits = self._hits(self.answers(change, level, advance))
        scores, loss = self._figures(hits, self._hits(plain))
        return StressStep(level=level, said=change.said(level), scores=scores, loss=loss)

    def answers(self, change: Change | None, level: float, advance: Advance) -> Floats:
        """Probabilities ``(n, k)`` of the rows, each by its fold's model, not calibrated.

        Drawn and batched as the run's own predictions are, so that all of a fold's rows, as they
        are, get what the run said of them.
        """
        found = np.zeros((len(self.rows.places), len(self.rows.own.classes)))
        size = self.trained.recipe.training.batch_size
        for one in self.trained.models:
            mine = np.flatnonzero(self.rows.own.fold == one.fold)
            for start in range(0, len(mine), size):
                part = mine[start : start + size]
                pixels = self.rows.store.pixels(self.rows.stored[part].tolist())
                if change is not None:
                    pixels = change.apply(pixels, level, self.of(change, part))
                reseed(derive(self.seed, "fold", one.fold, "mc-dropout", start))
                spec = self.trained.recipe.evaluate
                found[part] = score_pixels(one.model, one.see(pixels), spec, one.compute)[0]
                advance(len(part))
        return found

    def of(self, change: Change, part: NDArray[np.int64]) -> Known:
        """What the change may know of these of the rows."""
        known = self.known[change.towards]
        return replace(
            known,
            ids=tuple(self.rows.own.id[place] for place in part.tolist()),
            fill=known.fill[part],
            own=known.own[part],
            other=known.other[part],
        )

    def _hits(self, raw: Floats) -> NDArray[np.bool_]:
        """Whether each row is answered rightly, with the run's temperatures and thresholds."""
        result = self.trained.result
        rows = replace(raw_of(self.rows.own), probabilities=raw)
        if heat := result.fitted.temperature_by_fold():
            rows = calibrated(rows, heat)
        answers = rows.answers
        if result.threshold is not None:
            cuts = {one.fold: one.threshold for one in result.fitted.thresholds}
            folds = {fold.index: cuts.get(fold.index, result.threshold) for fold in result.folds}
            answers = decide(
                rows, Cut(by_fold=folds, source="", why="", positive=self.trained.positive)
            )
        return np.asarray(answers == rows.label)

    def _figures(
        self, hits: NDArray[np.bool_], before: NDArray[np.bool_] | None = None
    ) -> tuple[tuple[Score, ...], Score]:
        """Scores with their intervals; and how much balanced accuracy was lost since before."""
        own, names = self.rows.own, self.rows.own.classes
        before = hits if before is None else before

        def measured(weights: Floats) -> Floats:
            now, then = (_rates(one, own.label, len(names), weights) for one in (hits, before))
            return np.concatenate([now, then[1:2] - now[1:2]])

        values = measured(np.ones((len(hits), 1)))[:, 0]
        drawn = np.empty((len(values), 0))
        if self.draws:
            drawn = np.concatenate([measured(each) for each in self.draws.weights()], axis=1)
        keys: list[tuple[str, str | None]] = [("accuracy", None), ("balanced_accuracy", None)]
        keys += [("sensitivity", name) for name in names]
        keys += [("balanced_accuracy_loss", None)]
        scores = [
            _score(name, label, value, draws)
            for (name, label), value, draws in zip(keys, values, drawn, strict=True)
        ]
        return tuple(scores[:-1]), scores[-1]


def _rates(
    hits: NDArray[np.bool_], label: NDArray[np.int64], classes: int, weights: Floats
) -> Floats:
    """Accuracy, balanced accuracy and the sensitivity of each class, ``(2 + k, b)``.

    NaN where there is no row; a class of which the chosen rows have none is no part of the mean.
    """
    right = weights * hits[:, None]
    of = np.stack([weights[label == one].sum(0) for one in range(classes)])
    with np.errstate(invalid="ignore"):
        each = np.stack([right[label == one].sum(0) for one in range(classes)]) / of
        accuracy = right.sum(0) / weights.sum(0)
    return np.stack([accuracy, each[np.unique(label)].mean(0), *each])


def _score(name: str, label: str | None, value: float, draws: Floats) -> Score:
    if not np.isfinite(value):
        return Score(name=name, label=label, value=None, why="no image of this class")
    low, high = percentiles(draws) or (None, None)
    return Score(name=name, label=label, value=float(value), low=low, high=high)


def _known(result: RunRecord, own: Predictions, seed: int) -> Mapping[str, Known]:
    """What changes know of the rows, by what colours are moved towards.

    A class's colours are the mean over its training images, a fold's over its test images. The
    images of a class go to the other classes by turns.
    """
    statistics, samples, folds = result.statistics, result.samples, result.folds

    def mean(rows: Iterable[int]) -> Floats:
        each = [statistics[samples.rows[row].id][:6] for row in rows]
        return np.mean(each, axis=0) if each else np.full(6, np.nan)

    n, k = len(own), len(own.classes)
    fill, by_class, by_fold = np.zeros((n, 3)), np.zeros((2, n, 6)), np.zeros((2, n, 6))
    for place, fold in enumerate(folds):
        real = [row for row in fold.learned if samples.rows[row].origin != "synthetic"]
        of_class = [mean(r for r in real if samples.rows[r].label == one) for one in own.classes]
        there = [one for one in range(k) if np.isfinite(of_class[one]).all()]
        mine = own.fold == fold.index
        fill[mine] = mean(real)[:3]
        tests = [mean(other.test) for other in (fold, folds[(place + 1) % len(folds)])]
        by_fold[:, mine] = np.stack(tests)[:, None]
        for label in range(k):
            rows = np.flatnonzero(mine & (own.label == label))
            others = [one for one in there if one != label]
            if label not in there or not others:
                continue
            by_class[0, rows] = of_class[label]
            by_class[1, rows] = [of_class[others[i % len(others)]] for i in range(len(rows))]
    bare = Known(ids=(), seed=seed, fill=fill, own=by_class[0], other=by_class[1])
    return {"": bare, "class": bare, "fold": replace(bare, own=by_fold[0], other=by_fold[1])}
