"""Layer-wise rates, averaged weights, mixed images and accumulated steps do what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import engine_fakes as fakes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from leukreg.engine.assembly import Criterion, assemble
from leukreg.engine.batches import Batch, Mixing
from leukreg.engine.checkpoints import FoldOutcome
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import Compute
from leukreg.engine.moving_average import Average
from leukreg.engine.trainer import Step, setup_trainer
from leukreg.engine.training import train_fold
from leukreg.engine.unfreeze import chosen, groups, unfreeze
from leukreg.errors import PluginFault
from leukreg.recipe.model import Recipe
from leukreg.types import Labels

CPU = Compute(device="cpu")
WEIGHTED = replace(fakes.LABELS, weights=(0.2, 1.0, 5.0))


def model() -> Classifier:
    return assemble(fakes.recipe(), fakes.LABELS)


def train(recipe: Recipe, folder: Path) -> FoldOutcome:
    return train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), folder)


def step_of(batches: list[Batch], criterion: Criterion, tail: nn.Module) -> Step:
    optimizer = torch.optim.SGD(tail.parameters(), lr=1.0)
    trainer = setup_trainer(tail, criterion, optimizer, fakes.adam(), CPU)
    trainer.run([tuple(batches)], max_epochs=1)
    step: Any = trainer.state.output
    assert isinstance(step, Step)
    return step


# learning rates


def test_every_stage_is_slower_than_the_one_behind_it() -> None:
    network = model()
    unfreeze(network, chosen(network, "all"))
    scales = {group["name"]: group["scale"] for group in groups(network, 0.5)}
    assert scales == {
        "backbone.stages.0": 0.125,
        "backbone.stages.1": 0.25,
        "backbone.stages.2": 0.5,
        "head": 1.0,
    }
    assert sum(len(g["params"]) for g in groups(network, 0.5)) == len([*network.parameters()])  # type: ignore[arg-type]
    unfreeze(network, chosen(network, 1))
    assert [group["name"] for group in groups(network, 0.5)] == ["backbone.stages.2", "head"]
    assert [group["name"] for group in groups(network)] == ["backbone", "head"]


def test_rates_of_layers_move_together_on_a_schedule(tmp_path: Path) -> None:
    def halved(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)

    schedule = fakes.choice("schedule", halved, "halved")
    phase = fakes.phase("all", unfreeze="all", layer_decay=0.1, schedule=schedule, epochs=1)
    (epoch,) = train(fakes.recipe(phase), tmp_path).epochs
    last = epoch.lr[-1]
    assert np.allclose(np.divide(epoch.lr, last), [1e-3, 1e-2, 1e-1, 1])
    assert last < 1e-2


def test_an_optimizer_that_forgets_which_layer_is_which_is_refused(tmp_path: Path) -> None:
    def forgetful(groups: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD([p for group in groups for p in group["params"]], lr=0.1)

    optimizer = fakes.choice("optimizer", forgetful, "forgetful")
    phase = fakes.phase("all", unfreeze="all", layer_decay=0.1, optimizer=optimizer)
    with pytest.raises(PluginFault, match=r"'forgetful' .* layer_decay needs them"):
        train(fakes.recipe(phase), tmp_path)


# accumulation


@pytest.mark.parametrize("labels", [fakes.LABELS, WEIGHTED])
@given(size=st.integers(1, 12), n=st.integers(1, 30), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_accumulated_batches_step_as_one_batch_of_all(
    labels: Labels, size: int, n: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    inputs, targets = torch.randn(n, 4, generator=draw), torch.randint(3, (n,), generator=draw)
    criterion = Criterion(fakes.choice("loss", fakes.loss), labels)
    tails = [nn.Linear(4, 3) for _ in range(2)]
    tails[1].load_state_dict(tails[0].state_dict())
    parts = torch.split(torch.arange(n), size)
    few = step_of([Batch(p.numpy(), inputs[p], targets[p]) for p in parts], criterion, tails[0])
    whole = step_of([Batch(np.arange(n), inputs, targets)], criterion, tails[1])
    assert few.loss == pytest.approx(whole.loss, rel=1e-5)
    assert few.weight == pytest.approx(whole.weight)
    assert torch.allclose(tails[0].weight, tails[1].weight, atol=1e-5)
    assert torch.equal(few.answers.targets, whole.answers.targets)


def test_steps_are_counted_not_batches(tmp_path: Path) -> None:
    asked = []

    def counting(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        asked.append(steps)
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))

    schedule = fakes.choice("schedule", counting, "counting")
    recipe = fakes.recipe(fakes.phase("head", epochs=2, schedule=schedule))
    outcome = train(fakes.training(recipe, accumulate=2), tmp_path)
    assert asked == [2 * 2]  # 25 rows are batches of 8, 8 and 9: in twos, two steps an epoch
    assert outcome.epochs[-1].images == 25


# mixing


def mixed(mixing: Mixing, n: int = 6, seed: int = 0) -> tuple[Batch, Batch]:
    torch.manual_seed(seed)
    images = torch.randint(256, (n, 3, 9, 7), dtype=torch.uint8)
    batch = Batch(np.arange(n), images, torch.arange(n))
    return batch, mixing(batch)


@pytest.mark.parametrize("seed", range(5))
def test_mixup_is_a_mean_of_two_images(seed: int) -> None:
    batch, made = mixed(Mixing(0.4, None), seed=seed)
    assert made.others is not None
    assert sorted(made.others.tolist()) == batch.targets.tolist()
    others = batch.inputs[made.others]
    wanted = made.share * batch.inputs + (1 - made.share) * others
    assert made.inputs.dtype == torch.uint8
    assert (made.inputs - wanted).abs().max() <= 0.5 + 1e-4


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_pastes_a_rectangle_and_weighs_by_its_area(seed: int) -> None:
    batch, made = mixed(Mixing(None, 1.0), seed=seed)
    assert made.others is not None
    others = batch.inputs[made.others]
    changed = (made.inputs != batch.inputs).any(0).any(0)
    pasted = round((1 - made.share) * changed.numel())
    ys, xs = changed.nonzero(as_tuple=True)
    if len(ys):
        box = (slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1))
        assert pasted == changed[box].numel()
        assert torch.equal(made.inputs[..., *box], others[..., *box])
    else:
        assert pasted == 0 or made.others.tolist() == batch.targets.tolist()


def test_both_take_turns() -> None:
    ways = set()
    for seed in range(20):
        batch, made = mixed(Mixing(5.0, 5.0), seed=seed)
        share = (made.inputs == batch.inputs).float().mean()
        ways.add("cutmix" if share > 0.2 else "mixup")
    assert ways == {"mixup", "cutmix"}


@given(seed=st.integers(0, 99), share=st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_the_loss_of_mixed_images_is_the_weighted_mean_over_soft_targets(
    seed: int, share: float
) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits, targets = torch.randn(8, 3, generator=draw), torch.randint(3, (8,), generator=draw)
    others = targets[torch.randperm(8, generator=draw)]
    criterion = Criterion(fakes.choice("loss", fakes.loss), WEIGHTED)
    tail = nn.Linear(3, 3)
    nn.init.eye_(tail.weight)
    nn.init.zeros_(tail.bias)
    found = step_of([Batch(np.arange(8), logits, targets, others, share)], criterion, tail)
    weights = torch.tensor(WEIGHTED.weights)
    soft = share * F.one_hot(targets, 3) + (1 - share) * F.one_hot(others, 3)
    each = -(soft * weights * logits.log_softmax(1)).sum(1)
    assert found.loss == pytest.approx(float(each.sum() / (soft * weights).sum()), rel=1e-4)


def test_a_phase_that_mixes_keeps_no_features_and_says_so(tmp_path: Path) -> None:
    recipe = fakes.recipe(
        fakes.phase("mixed", unfreeze=1, mixup=0.3, cutmix=1.0, epochs=3),
        fakes.phase("all", unfreeze="all"),
    )
    outcome = train(recipe, tmp_path / "one")
    assert outcome.facts.features["mixed"].views == 0
    assert "mixed anew" in outcome.facts.features["mixed"].why
    again = train(recipe, tmp_path / "two")
    assert fakes.same(
        fakes.model_weights(outcome.model_path), fakes.model_weights(again.model_path)
    )
    assert [e.train_loss for e in outcome.epochs] == [e.train_loss for e in again.epochs]


# averages


def test_an_average_follows_the_weights_by_its_decay() -> None:
    network = model()
    links = network.chain()[-2:]
    average = Average(links, 0.75)
    parameter = dict(network.named_parameters())["head.6.weight"]
    wanted = None
    for value in (1.0, 2.0, 4.0):
        nn.init.constant_(parameter, value)
        average.follow()
        wanted = value if wanted is None else 0.75 * wanted + 0.25 * value
    found = average.weights()["head.6.weight"]
    assert torch.allclose(found, torch.full_like(found, wanted))
    assert average.weights().keys() <= network.state_dict().keys()


def test_what_indexes_is_as_in_the_model_not_averaged() -> None:
    layer = nn.Linear(2, 2)
    layer.register_buffer("places", torch.arange(169))
    average = Average([("layer", layer)], 0.9)
    for _ in range(3):
        average.follow()
    assert torch.equal(average.weights()["layer.places"], torch.arange(169))


@pytest.mark.parametrize("restore_best", [True, False])
def test_the_average_is_what_is_validated_and_kept(tmp_path: Path, restore_best: bool) -> None:
    phase = fakes.phase("all", unfreeze="all", epochs=4, restore_best=restore_best)
    plain = train(fakes.recipe(phase), tmp_path / "plain")
    slow = train(fakes.recipe(replace(phase, ema=0.999)), tmp_path / "slow")
    start = {name: p.clone() for name, p in model().state_dict().items()}
    kept, moved = fakes.model_weights(slow.model_path), fakes.model_weights(plain.model_path)

    def far(weights: dict[str, torch.Tensor]) -> float:
        return max(
            float((weights[n].float() - start[n].float()).abs().max())
            for n in start
            if "weight" in n
        )

    assert 0 < far(kept) < 0.5 * far(moved)
    first = [outcome.epochs[0] for outcome in (plain, slow)]
    assert first[0].train_loss == first[1].train_loss
    assert first[0].validation_loss != first[1].validation_loss
    (log,) = slow.phases
    assert log.epochs == 4


def test_the_next_phase_begins_from_the_average(tmp_path: Path) -> None:
    one = fakes.phase("one", unfreeze="all", epochs=2, ema=0.9, restore_best=False)
    still = fakes.choice(
        "optimizer", lambda groups: torch.optim.SGD(groups, lr=0.0), "still", lr=0.0
    )
    alone = train(fakes.recipe(one), tmp_path / "alone")
    both = train(fakes.recipe(one, fakes.phase("two", optimizer=still)), tmp_path / "both")
    weights = [fakes.model_weights(outcome.model_path) for outcome in (alone, both)]
    names = [name for name in weights[0] if name.startswith("backbone")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in names)
