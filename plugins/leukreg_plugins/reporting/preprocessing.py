"""What every image went through before the network, and what became of some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leukreg import Picture, RunRecord, Section, plugin
from leukreg_plugins.audits.finding import counted


@plugin("preprocessed")
class Preprocessing:
    """What every image went through before the network, and some before and after."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        text = tuple(lines(result))
        if text:
            shown, title = pictures(result), "Preprocessing"
            yield Section(title=title, text=text, pictures=shown, order=58, page=12)


def lines(result: RunRecord) -> Iterator[str]:
    """A line for each step: what it was fitted on; and one where it left images as they are."""
    folds = [fold.preprocessing for fold in result.training.folds if fold.preprocessing]
    for steps in zip(*folds, strict=False):
        name, numbers = steps[0].use, sorted({step.fitted_on for step in steps})
        if not numbers[-1]:
            yield f"{name}: nothing to fit."
        else:
            spread = f"{numbers[0]:,} to {numbers[-1]:,}" if len(numbers) > 1 else f"{numbers[0]:,}"
            where = " of each fold" if len(steps) > 1 else ""
            yield f"{name}: fitted on {spread} training images{where}."
        unfit = max(step.unfit for step in steps)
        if unfit:
            worst = next(step for step in steps if step.unfit == unfit)
            share = f"{unfit:,} of {counted(worst.images, 'image')}"
            most = " at most (the worst fold)" if len(steps) > 1 else ""
            yield f"! {name} could not work on {share}{most} and left them as they are."


def pictures(result: RunRecord) -> tuple[Picture, ...]:
    """Training images of the first fold as they were read, each with what became of it."""
    found = []
    for before in sorted(result.folder.glob("fold-*/before-*.png")):
        after = before.with_name(before.name.replace("before", "after"))
        for path, caption in ((before, "as read"), (after, "as the model sees it")):
            name = path.relative_to(result.folder).as_posix()
            found.append(Picture(id=name, path=str(path), caption=(caption,)))
    return tuple(found)
