"""Phases with bags: the backbone learns from patients, whose label is all that there is."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import engine_fakes as fakes
import numpy as np
import pytest
import torch
from leukreg_plugins.nn.pooling import AttentionPool
from sklearn.metrics import roc_auc_score
from torch import nn

from leukreg.engine.aggregation import aggregate
from leukreg.engine.bags import labelled_bags
from leukreg.engine.batches import rows_of
from leukreg.engine.checkpoints import FoldOutcome
from leukreg.engine.handlers import summary
from leukreg.engine.inference import predict_rows
from leukreg.engine.range_test import range_test
from leukreg.engine.training import fingerprint_of, train_fold
from leukreg.errors import PluginFault, TrainingError
from leukreg.recipe.model import PatientsSpec, PhaseSpec, Recipe
from leukreg.registry.plugin_call import Choice
from leukreg.types import Fold, Labels, Sample, Samples

CLASSES = ("ill", "well")
LABELS = Labels(names=CLASSES, counts=(0, 0))
SIZE = 12


class Attention:
    """The plugin."""

    reads = "features"

    def build(self, width: int, labels: Labels) -> nn.Module:
        return AttentionPool(width, 8, len(labels), 0.1)


def aggregated(plugin: Attention) -> PatientsSpec:
    choice = Choice(kind="aggregator", name="attention", plugin=plugin, owner="fakes 1.0")
    return PatientsSpec(aggregator=choice, optimizer=fakes.adam(), epochs=10)


class Blind(fakes.Backbone):
    """To begin with, a picture and the same mirrored at its diagonal have the same features."""

    def __init__(self) -> None:
        super().__init__((8, 8))
        with torch.no_grad():
            for block in self.stages:
                weight = block[0].weight
                weight.copy_((weight + weight.mT) / 2)


def smears(patients: int = 16, classes: tuple[str, ...] = CLASSES) -> fakes.FakeImages:
    """Patients of 1 to 5 cells with stripes; of the ill ones the first cell's lie across."""
    rng, rows, pictures = np.random.default_rng(3), [], []
    labels = {}
    for number in range(patients):
        name, label = f"p{number:02d}", classes[number % len(classes)]
        labels[name] = label
        for cell in range(1 + number // 2 % 5):
            stripes = np.zeros((SIZE, SIZE, 3)) + 90
            stripes[int(rng.integers(3)) :: 3] += 90
            picture = stripes.swapaxes(0, 1) if cell == 0 and label == classes[0] else stripes
            pictures.append(np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255))
            path = f"{name}/{cell}.png"
            rows.append(Sample(id=path, path=f"/data/{path}", label=label, patient=name))
    samples = Samples(rows=tuple(rows), classes=classes, weak=True, patient_labels=labels,
                      patient_classes=classes)  # fmt: skip
    return fakes.FakeImages(samples, np.stack(pictures).astype(np.uint8))


def split(images: fakes.FakeImages) -> Fold:
    """A half of the patients trained on, a quarter watched, a quarter tested."""
    sides: list[list[int]] = [[], [], []]
    for row, sample in enumerate(images.samples.rows):
        sides[(0, 0, 1, 2)[int(str(sample.patient)[1:]) // 2 % 4]].append(row)
    train, validation, test = map(tuple, sides)
    return Fold(index=0, train=train, validation=validation, test=test)


def opened(name: str = "open", **keys: Any) -> PhaseSpec:
    return fakes.phase(name, **{"unfreeze": "all", "epochs": 3, "bags": 4, **keys})


def bag_recipe(*phases: PhaseSpec, **keys: Any) -> Recipe:
    parts = {
        "image": replace(fakes.recipe().image, size=SIZE),
        "model": fakes.model(backbone=fakes.choice("backbone", Blind, "blind")),
        "patients": aggregated(Attention()),
    }
    return fakes.recipe(*(phases or (opened(), fakes.phase("head"))), **{**parts, **keys})


def train(recipe: Recipe, folder: Path, images: Any = None, labels: Labels = LABELS) -> FoldOutcome:
    images = images or smears()
    return train_fold(recipe, labels, images, split(images), folder)


def auc(recipe: Recipe, folder: Path) -> float:
    """Over the test patients, by the fold's final aggregator."""
    images = smears(48)
    fold, outcome = split(images), train(recipe, folder, images)
    rows = (fold.test, fold.validation)
    predicted = [predict_rows(recipe, LABELS, outcome.model, images, r, 0) for r in rows]
    found = aggregate(recipe, LABELS, images, fold, lambda: outcome.model, folder, predicted)
    return float(roc_auc_score(found.scored.label == 0, found.scored.probabilities[:, 0]))


def test_what_frozen_features_have_lost_is_found_with_an_open_backbone(tmp_path: Path) -> None:
    head = fakes.phase("head", epochs=1)
    frozen = auc(bag_recipe(head), tmp_path / "frozen")
    phase = opened(epochs=8, optimizer=fakes.adam(3e-3))
    found = auc(bag_recipe(phase, head), tmp_path / "open")
    assert frozen < 0.6
    assert found > 0.95


def test_a_step_is_a_patient_by_some_cells_drawn_anew(tmp_path: Path) -> None:
    images = smears()
    made = replace(images.samples.rows[0], origin="synthetic")
    images = replace(images, samples=replace(images.samples, rows=(made, *images.samples.rows[1:])))
    rows = rows_of(images, range(len(images)), LABELS)
    bags = labelled_bags(rows)
    assert len(bags.cells) == 15  # p00 has one cell, and a synthetic one is nobody's
    epochs = [bags.drawn(2, seed) for seed in (1, 2, 1)]
    for parts in epochs:
        seen = [rows.groups()[cells[0]] for cells, _ in parts]
        assert sorted(seen) == sorted(set(seen))
        for cells, target in parts:
            (patient,) = {rows.groups()[position] for position in cells}
            whole = [s for s in images.samples.rows if s.patient == patient]
            assert len(set(cells.tolist())) == len(cells) == min(2, len(whole))
            assert target.tolist() == [CLASSES.index(whole[0].label)]
    one, two, again = [[cells.tolist() for cells, _ in parts] for parts in epochs]
    assert one == again != two
    assert [cells.tolist() for cells, _ in bags.first(2)][0:2] == [[1], [2, 3]]
    assert {len(cells) for cells, _ in bags.first(100)} == {1, 2, 3, 4, 5}


def test_only_the_backbone_moves_and_batch_norm_keeps_its_statistics(tmp_path: Path) -> None:
    still = fakes.choice("optimizer", lambda groups: torch.optim.SGD(groups, lr=0.0), "still")
    head = fakes.phase("head", epochs=1, optimizer=still)
    start, moved = (
        fakes.model_weights(train(bag_recipe(*phases), tmp_path / name).model_path)
        for name, phases in {"start": (head,), "moved": (opened(), head)}.items()
    )
    changed = {n.rpartition(".")[0] for n in start if not torch.equal(start[n], moved[n])}
    statistics = {n for n in start if "running" in n and not torch.equal(start[n], moved[n])}
    assert changed >= {f"backbone.stages.{stage}.{part}" for stage in (0, 1) for part in (0, 1)}
    assert {n.split(".")[0] for n in statistics} <= {"head"}  # by the phase that follows
    assert start.keys() == moved.keys()  # of the aggregator nothing is kept


def test_what_is_logged_is_of_patients(tmp_path: Path) -> None:
    outcome = train(bag_recipe(), tmp_path)
    by_phase = {log.phase: log for log in outcome.epochs}
    assert by_phase["open"].of_patients
    assert not by_phase["head"].of_patients
    images = smears()
    whose = [images.samples.rows[row].patient for row in split(images).train]
    assert by_phase["open"].images == sum(min(4, whose.count(one)) for one in set(whose))
    accuracy = by_phase["open"].validation_accuracy
    assert accuracy is not None
    assert summary(by_phase["open"]).endswith(" (of patients)")
    assert not summary(by_phase["head"]).endswith(" (of patients)")
    assert accuracy * 4 == pytest.approx(round(accuracy * 4))
    (open_, head) = outcome.phases
    assert open_.changed > 0
    assert open_.trainable != head.trainable


@pytest.mark.parametrize("classes", [("ill", "other", "well"), CLASSES])
@pytest.mark.parametrize("keys", [{"bags": 1}, {"bags": 999, "unfreeze": 1, "clip_norm": 1.0}])
def test_few_cells_many_and_several_classes(
    tmp_path: Path, classes: tuple[str, ...], keys: dict[str, Any]
) -> None:
    images, labels = smears(classes=classes), Labels(names=classes, counts=(0,) * len(classes))
    recipe = bag_recipe(opened(epochs=1, **keys), fakes.phase("head", epochs=1))
    outcome = train(recipe, tmp_path, images, labels)
    assert np.isfinite(outcome.epochs[0].train_loss)
    kept = outcome.facts.features["open"]
    assert kept.views == (1 if keys.get("unfreeze") == 1 else 0)


def long_recipe() -> Recipe:
    """Two phases in a row, with all that has a state."""
    decay = fakes.choice(
        "schedule",
        lambda optimizer, steps: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, [1e-2] * len(optimizer.param_groups), total_steps=steps
        ),
        "one-cycle",
    )
    recipe = bag_recipe(
        opened("last", unfreeze=1, schedule=decay, layer_decay=0.5),
        opened("all", ema=0.8, layer_decay=0.5),
        fakes.phase("head", epochs=1),
        augmentation=fakes.choice("augmentation", lambda image: fakes.noise, "noise"),
    )
    return fakes.training(recipe, accumulate=3)


def test_a_kill_at_any_epoch_changes_no_bit(tmp_path: Path) -> None:
    whole = train(long_recipe(), tmp_path / "whole")
    rng, deaths = random.Random(1), 0
    while True:
        try:
            resumed = train(
                long_recipe(), tmp_path / "resumed", fakes.Mortal(smears(), rng.randrange(15, 30))
            )
            break
        except fakes.Killed:
            deaths += 1
    assert deaths > 1
    assert fakes.same(*(fakes.model_weights(one.model_path) for one in (whole, resumed)))
    timeless = [[replace(e, seconds=0.0) for e in one.epochs] for one in (whole, resumed)]
    assert timeless[0] == timeless[1]
    assert whole.phases == resumed.phases


def test_a_second_phase_goes_on_with_the_aggregator_of_the_first(tmp_path: Path) -> None:
    built: list[int] = []

    class Counted(Attention):
        def build(self, width: int, labels: Labels) -> nn.Module:
            built.append(width)
            return super().build(width, labels)

    outcome = train(replace(long_recipe(), patients=aggregated(Counted())), tmp_path)
    assert built == [8]
    losses = [log.train_loss for log in outcome.epochs if log.of_patients]
    assert losses[3] < losses[0]


def test_the_rate_of_such_a_phase_can_be_tested(tmp_path: Path) -> None:
    images, phase = smears(), opened()
    recipe = bag_recipe(phase, fakes.phase("head"))
    found = range_test(recipe, LABELS, images, split(images), phase, tmp_path, steps=30)
    assert found.losses


def test_other_labels_of_patients_are_another_training() -> None:
    images = smears()
    others = replace(
        images.samples, patient_labels={**images.samples.patient_labels, "p00": "well"}
    )
    told = {
        fingerprint_of(recipe, LABELS, one, split(images))
        for recipe in (bag_recipe(), bag_recipe(opened(bags=3), fakes.phase("head")))
        for one in (images, replace(images, samples=others))
    }
    assert len(told) == 4


def test_a_class_without_training_patients_is_refused_before_the_first_step(tmp_path: Path) -> None:
    images = smears()
    rows = tuple(row for row in split(images).train if images.samples.rows[row].label == "well")
    fold = replace(split(images), train=rows)
    with pytest.raises(TrainingError, match="fold 1: no training patient is 'ill'"):
        train_fold(bag_recipe(), LABELS, images, fold, tmp_path)
    assert not (tmp_path / "last.pt").exists()


def test_an_aggregator_that_fails_on_the_way_is_named(tmp_path: Path) -> None:
    class Failing(AttentionPool):
        def forward(self, cells: torch.Tensor) -> torch.Tensor:
            if len(cells) > 2:
                raise ValueError("too many")
            return super().forward(cells)

    class Broken(Attention):
        def build(self, width: int, labels: Labels) -> nn.Module:
            return Failing(width, 8, 2, 0.0)

    with pytest.raises(PluginFault, match=r"phase 'open', epoch 1: .*'attention'.* failed"):
        train(bag_recipe(patients=aggregated(Broken())), tmp_path)
