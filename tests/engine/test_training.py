from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import engine_fakes as fakes
import numpy as np
import pytest
import torch
from torch import nn

from leukreg.engine.checkpoints import FoldOutcome
from leukreg.engine.training import train_fold
from leukreg.errors import DataError, PluginError, PluginFault, Problems, RunError, TrainingError
from leukreg.recipe.model import LossSpec, Recipe
from leukreg.types import Fold, Labels

NO_VALIDATION = replace(fakes.fold(), validation=())


def train(recipe: Recipe, folder: Path, fold: Fold | None = None, **keys: Any) -> FoldOutcome:
    images = keys.pop("images", None) or fakes.images()
    return train_fold(recipe, fakes.LABELS, images, fold or fakes.fold(), folder, **keys)


def fresh(recipe: Recipe) -> dict[str, torch.Tensor]:
    from leukreg.engine.assembly import assemble

    return assemble(recipe, fakes.LABELS).state_dict()


def test_the_log_tells_what_was_done(tmp_path: Path) -> None:
    recipe = fakes.recipe(fakes.phase("head", epochs=3), fakes.phase("all", unfreeze="all"))
    outcome = train(recipe, tmp_path)
    assert [(log.phase, log.epoch, log.images) for log in outcome.epochs] == [
        ("head", 1, 25),
        ("head", 2, 25),
        ("head", 3, 25),
        ("all", 1, 25),
        ("all", 2, 25),
    ]
    assert all(log.lr[0] == 1e-2 and log.fold == 1 for log in outcome.epochs)
    assert all(0 <= (log.validation_accuracy or 0) <= 1 for log in outcome.epochs)
    head, everything = outcome.phases
    assert (head.unfrozen, head.changed, head.epochs) == ((), 6, 3)
    assert (len(everything.unfrozen), everything.changed) == (6, 15)
    assert (head.lr_first, head.lr_asked, head.stopped) == (1e-2, 1e-2, "all epochs done")
    assert head.best_epoch == 1 + np.argmin([log.validation_loss for log in outcome.epochs[:3]])
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".txt") == [
        "model.pt",
        "outcome.json",
    ]


def test_the_frozen_part_stays_as_it_was_built_statistics_included(tmp_path: Path) -> None:
    recipe = fakes.training(fakes.recipe(fakes.phase(unfreeze=1)), feature_views=0)
    before, after = fresh(recipe), fakes.model_weights(train(recipe, tmp_path).model_path)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith(("backbone.stages.2", "head"))}


def test_training_learns(tmp_path: Path) -> None:
    recipe = fakes.recipe(fakes.phase(unfreeze="all", epochs=12))
    outcome = train(recipe, tmp_path)
    assert (outcome.epochs[-1].validation_accuracy or 0) > 0.8
    assert outcome.epochs[-1].train_loss < outcome.epochs[0].train_loss


def test_a_finished_fold_returns_at_once(tmp_path: Path) -> None:
    recipe = fakes.recipe(augmentation=fakes.choice("augmentation", lambda image: fakes.flip))
    outcome = train(recipe, tmp_path)
    written = outcome.model_path.stat().st_mtime_ns
    again = train(recipe, tmp_path)
    assert again == outcome
    assert outcome.model_path.stat().st_mtime_ns == written


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(fakes.recipe(), tmp_path)
    with pytest.raises(RunError, match="belongs to another recipe"):
        train(fakes.recipe(seed=5), tmp_path)
    (tmp_path / "outcome.json").write_text("{")
    with pytest.raises(RunError, match="is damaged"):
        train(fakes.recipe(), tmp_path)


def test_a_loss_that_is_no_number_names_the_batch(tmp_path: Path) -> None:
    class Broken(nn.Module):
        steps = 0

        def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            Broken.steps += 1
            return nn.functional.cross_entropy(logits, targets) / (1 if Broken.steps < 3 else 0)

    recipe = fakes.recipe(loss=LossSpec(loss=fakes.choice("loss", lambda labels: Broken())))
    with pytest.raises(TrainingError) as caught:
        train(recipe, tmp_path)
    text = str(caught.value)
    assert "fold 2, phase 'head', epoch 1, batch 3: the loss is inf" in text
    assert text.count("/data/") == 8
    assert "and 1 more" in text


def test_a_step_that_fails_is_put_into_words(tmp_path: Path) -> None:
    def build(labels: Labels) -> nn.Module:
        return nn.CrossEntropyLoss(weight=torch.ones(5))

    recipe = fakes.recipe(loss=LossSpec(loss=fakes.choice("loss", build)))
    where = r"loss 'fake' \(from fakes 1.0\) fails on logits \(8, 3\): RuntimeError(.|\n)*"
    with pytest.raises(PluginFault, match=where + r"test_training.py:\d+"):
        train(recipe, tmp_path)


def test_a_loss_per_row_is_refused(tmp_path: Path) -> None:
    loss = fakes.choice("loss", lambda labels: nn.CrossEntropyLoss(reduction="none"))
    with pytest.raises(PluginError, match=r"gives shape \(8,\) for a batch of 8; it must give a"):
        train(fakes.recipe(loss=LossSpec(loss=loss)), tmp_path)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "A smaller training.batch_size"),
        (MemoryError(), "A smaller training.batch_size"),
        (ValueError("Expected more than 1 value per channel when training"), "batch_size = 2"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_no_plugin_is_blamed_for_what_the_machine_or_the_recipe_cannot(
    tmp_path: Path, error: Exception, hint: str
) -> None:
    class Failing(fakes.Backbone):
        def __init__(self) -> None:
            super().__init__()
            self.stages[0].register_forward_hook(self.fail)

        def fail(self, module: nn.Module, *_: Any) -> None:
            if module.training:
                raise error

    class Plugin:
        def build(self) -> nn.Module:
            return Failing()

    backbone = replace(fakes.choice("backbone", None), plugin=Plugin())
    recipe = fakes.recipe(fakes.phase(unfreeze="all"), model=fakes.model(backbone=backbone))
    with pytest.raises(TrainingError, match=hint):
        train(recipe, tmp_path)


def rising(monitored: str) -> Recipe:
    """A recipe that gets worse with every epoch after the first."""
    phase = fakes.phase(unfreeze="all", epochs=9, patience=2, optimizer=fakes.adam(3.0))
    return fakes.recipe(replace(phase, monitor=monitored))  # type: ignore[arg-type]


def test_patience_ends_a_phase_and_the_best_weights_return(tmp_path: Path) -> None:
    outcome = train(rising("validation_loss"), tmp_path)
    (phase,) = outcome.phases
    assert phase.stopped == "no improvement for 2 epochs"
    assert phase.epochs == len(outcome.epochs) == phase.best_epoch + 2
    shorter = replace(rising("validation_loss").phases[0], epochs=phase.best_epoch)
    best = train(fakes.recipe(shorter), tmp_path / "best").model_path
    assert fakes.same(fakes.model_weights(outcome.model_path), fakes.model_weights(best))


def test_the_last_weights_stay_where_the_recipe_wants_them(tmp_path: Path) -> None:
    phase = replace(rising("validation_loss").phases[0], epochs=9, patience=None)
    best = train(fakes.recipe(phase), tmp_path / "best")
    last = train(fakes.recipe(replace(phase, restore_best=False)), tmp_path / "last")
    assert best.phases[0].best_epoch < 9
    assert not fakes.same(
        fakes.model_weights(best.model_path), fakes.model_weights(last.model_path)
    )


def test_accuracy_is_better_when_higher(tmp_path: Path) -> None:
    phase = fakes.phase(unfreeze="all", epochs=8, monitor="validation_accuracy")
    outcome = train(fakes.recipe(phase), tmp_path)
    accuracies = [log.validation_accuracy for log in outcome.epochs]
    assert outcome.phases[0].best_epoch == 1 + int(np.argmax(accuracies))


def test_without_validation_rows_the_training_loss_decides(tmp_path: Path) -> None:
    outcome = train(fakes.recipe(fakes.phase(epochs=4)), tmp_path, NO_VALIDATION)
    assert {log.validation_loss for log in outcome.epochs} == {None}
    losses = [log.train_loss for log in outcome.epochs]
    assert outcome.phases[0].best_epoch == 1 + int(np.argmin(losses))
    with pytest.raises(DataError, match="needs validation rows"):
        train(rising("validation_accuracy"), tmp_path / "other", NO_VALIDATION)


def test_schedules_are_stepped_by_step_or_by_epoch(tmp_path: Path) -> None:
    def halving(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        assert steps == 6
        return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    def plateau(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.1, patience=0, threshold=1e9
        )

    def lrs(build: Any, name: str) -> list[float]:
        phase = fakes.phase(schedule=fakes.choice("schedule", build, name))
        return [log.lr[0] for log in train(fakes.recipe(phase), tmp_path / name).epochs]

    assert lrs(halving, "halving") == pytest.approx([1e-2 / 8, 1e-2 / 64])
    assert lrs(plateau, "plateau") == pytest.approx([1e-2, 1e-3])


def test_the_first_learning_rate_is_the_realised_one(tmp_path: Path) -> None:
    def warmup(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        return torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=steps)

    phase = fakes.phase(schedule=fakes.choice("schedule", warmup))
    (log,) = train(fakes.recipe(phase), tmp_path).phases
    assert (log.lr_first, log.lr_asked) == (pytest.approx(1e-3), 1e-2)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    def sgd(groups: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, lr=1.0)

    phase = fakes.phase(
        unfreeze="all", epochs=1, clip_norm=1e-3, optimizer=fakes.choice("optimizer", sgd)
    )
    before = fresh(fakes.recipe(phase))
    after = fakes.model_weights(train(fakes.recipe(phase), tmp_path).model_path)
    names = [name for name in before if name.endswith(("weight", "bias"))]
    moved = sum(float((after[n] - before[n]).square().sum()) for n in names) ** 0.5
    assert 0 < moved <= 3 * 1e-3 * 1.01


def test_weights_come_from_the_folds_training_rows(tmp_path: Path) -> None:
    seen: list[Labels] = []

    def loss(labels: Labels) -> nn.Module:
        seen.append(labels)
        return fakes.loss(labels)

    def weigh(labels: Labels) -> tuple[float, ...]:
        return tuple(1 / count for count in labels.counts)

    spec = LossSpec(
        loss=fakes.choice("loss", loss), class_weights=fakes.choice("class-weights", weigh)
    )
    fold = replace(fakes.fold(), train=(0, 1, 2, 3, 4, 5, 6, 9, 12))
    train(fakes.recipe(loss=spec), tmp_path, fold)
    assert seen[0].counts == (5, 2, 2)
    assert seen[0].weights == (0.2, 0.5, 0.5)
    bad = replace(spec, class_weights=fakes.choice("class-weights", lambda labels: (1, 2)))
    with pytest.raises(PluginError, match="one positive figure per class"):
        train(fakes.recipe(loss=bad), tmp_path / "bad")


@pytest.mark.parametrize(("spec", "high"), [("contract", 1.0), ("divided-twice", 1 / 255)])
def test_the_input_range_is_observed(tmp_path: Path, spec: Any, high: float) -> None:
    recipe = fakes.recipe(model=fakes.model(input=spec))
    seen = train(recipe, tmp_path).facts.input_range
    assert seen is not None
    low, top, *contract = seen
    assert (low, top) == (0.0, pytest.approx(high))
    assert contract == [0.0, 1.0]


def test_a_sampler_must_make_as_many_batches_every_epoch(tmp_path: Path) -> None:
    def growing(targets: Any, groups: Any, generator: torch.Generator) -> Any:
        return range(int(torch.randint(8, 25, (), generator=generator)))

    recipe = fakes.recipe(
        fakes.phase(epochs=9), sampler=fakes.choice("sampler", growing, "growing")
    )
    with pytest.raises(PluginError, match=r"'growing' .* makes . batches in epoch 1 and"):
        train(fakes.training(recipe, batch_size=6), tmp_path)


def test_impossible_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fold 2 has no training rows"):
        train(fakes.recipe(), tmp_path, replace(fakes.fold(), train=()))
    with pytest.raises(Problems, match="unfreezes nothing new"):
        train(fakes.recipe(fakes.phase("a"), fakes.phase("b")), tmp_path)


def test_it_tells_how_far_it_is(tmp_path: Path) -> None:
    from contextlib import contextmanager

    class Heard:
        def __init__(self) -> None:
            self.tasks: dict[str, list[Any]] = {}
            self.said: list[str] = []

        @contextmanager
        def task(self, title: str, total: int | None = None) -> Any:
            self.tasks[title] = [total, 0, ""]

            def advance(steps: int = 1, note: str = "") -> None:
                self.tasks[title][1] += steps
                self.tasks[title][2] = note or self.tasks[title][2]

            yield advance

        def say(self, text: str) -> None:
            self.said.append(text)

    heard = Heard()
    train(fakes.recipe(fakes.phase(epochs=5)), tmp_path, progress=heard)
    total, done, note = heard.tasks["fold 2, phase 'head'"]
    assert total == done == 15
    assert note.startswith("epoch 5/5 training loss ")
    assert "accuracy" in note
    assert heard.said[0].startswith("fold 2, phase 'head': all epochs done")
