from __future__ import annotations

from dataclasses import replace

import engine_fakes as fakes
import pytest
from torch import nn

from leukreg.engine.assembly import assemble
from leukreg.engine.unfreeze import chosen, layers, plan, touched, train_mode, trainable, unfreeze
from leukreg.errors import Problems
from leukreg.recipe.mistakes import Mark


def all_layers() -> list[str]:
    return [f"stages.{stage}.{part}" for stage in range(3) for part in range(2)]


@pytest.mark.parametrize(
    ("asked", "count"),
    [(0, 0), (0.0, 0), (1, 2), (2, 4), (3, 6), ("all", 6), (1.0, 6), (0.2, 2), (0.5, 3), (0.01, 1)],
)
def test_layers_are_counted_from_the_end(asked: int | float | str, count: int) -> None:
    model = assemble(fakes.recipe(), fakes.LABELS)
    assert layers(model) == all_layers()
    names = chosen(model, asked)  # type: ignore[arg-type]
    assert list(names) == all_layers()[6 - count :]
    unfreeze(model, names)
    free = {n for n, p in model.backbone.named_parameters() if p.requires_grad}
    assert {name.rpartition(".")[0] for name in free} == set(names)
    assert all(p.requires_grad for p in model.head.parameters())
    assert trainable(model) == sum(p.numel() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("asked", [4, -1, 1.5])
def test_what_there_is_not_cannot_train(asked: float) -> None:
    model = assemble(fakes.recipe(), fakes.LABELS)
    with pytest.raises(ValueError, match="unfreeze is"):
        chosen(model, asked)


def test_the_frozen_part_is_in_eval_mode() -> None:
    backbone = fakes.choice("backbone", lambda: fakes.Backbone((8, 8), nn.Dropout(0.5)))
    model = assemble(fakes.recipe(model=fakes.model(backbone=backbone)), fakes.LABELS)
    unfreeze(model, ("stages.1.0",))
    train_mode(model)
    conv, norm, relu = model.stages[1]
    assert not any(part.training for part in model.stages[0].modules())
    assert conv.training
    assert not norm.training
    assert relu.training
    assert not model.stages[2].training
    assert all(part.training for part in model.head.modules())
    assert "backbone.stages.1.0.weight" in touched(model)
    assert not [name for name in touched(model) if "running" in name and "backbone" in name]
    assert "head.3.running_mean" in touched(model)


def test_dropout_in_a_training_block_is_on_and_in_a_frozen_one_off() -> None:
    def build() -> nn.Module:
        backbone = fakes.Backbone((8, 8))
        for stage in backbone.stages:
            stage.append(nn.Dropout2d(0.5))
        return backbone

    spec = fakes.model(backbone=fakes.choice("backbone", build))
    model = assemble(fakes.recipe(model=spec), fakes.LABELS)
    unfreeze(model, chosen(model, 1))
    train_mode(model)
    assert [stage[3].training for stage in model.stages] == [False, True]


def test_the_plan_says_what_each_phase_trains() -> None:
    recipe = fakes.recipe(
        fakes.phase("head"),
        fakes.phase("last", unfreeze=0.2, optimizer=fakes.adam(1e-3)),
        fakes.phase("all", unfreeze="all", optimizer=fakes.choice("optimizer", None)),
    )
    head, last, everything = plan(recipe, fakes.LABELS)
    assert head.unfrozen == ()
    assert head.trainable == 16 * 12 + 12 + 24 + 12 * 3 + 3
    assert (last.unfrozen, last.lr) == (("stages.2.0", "stages.2.1"), 1e-3)
    assert last.trainable == head.trainable + 9 * 16 * 16 + 32
    assert everything.trainable == everything.total == head.total
    assert everything.lr is None


def test_phases_that_unfreeze_nothing_new_are_all_refused_with_their_place() -> None:
    recipe = fakes.recipe(
        fakes.phase("a", unfreeze=1),
        fakes.phase("b", unfreeze=0.3),
        fakes.phase("c", unfreeze=7),
    )
    places = {"phase.1.unfreeze": Mark("tiny.toml", 12), "phase.2": Mark("tiny.toml", 20)}
    recipe = replace(recipe, where=places)
    with pytest.raises(Problems) as caught:
        plan(recipe, fakes.LABELS)
    text = str(caught.value)
    assert "tiny.toml:12  phase 'b': unfreezes nothing new" in text
    assert "2 backbone layers, as phase 'a'" in text
    assert "tiny.toml:20  phase 'c': unfreeze is 7; the backbone has 3 stages" in text
    assert "2 problems" in text
