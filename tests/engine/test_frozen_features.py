from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import engine_fakes as fakes
import numpy as np
import pytest
import torch
from torch import nn

from leukreg.engine import frozen_features as features_module
from leukreg.engine import frozen_features as feeds_module
from leukreg.engine.assembly import assemble
from leukreg.engine.batches import Rows, rows_of
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import compute_for
from leukreg.engine.frozen_features import Prefix, compute_features, frozen_length, frozen_prefix
from leukreg.engine.training import train_fold
from leukreg.engine.unfreeze import chosen, train_mode, unfreeze
from leukreg.recipe.model import Recipe, TrainingSpec
from leukreg.record import FrozenFeatures

CPU = compute_for(TrainingSpec(device="cpu", threads=1))


def model_of(asked: Any = 0, **parts: Any) -> Classifier:
    model = assemble(fakes.recipe(model=fakes.model(**parts)), fakes.LABELS)
    model.set_channels_last(True)
    unfreeze(model, chosen(model, asked))
    train_mode(model)
    return model


def all_rows() -> Rows:
    return rows_of(fakes.images(), range(42), fakes.LABELS)


@pytest.mark.parametrize(
    ("asked", "attention", "last"),
    [
        (0, False, "head.1"),
        (0, True, "backbone.stages.2"),
        (1, False, "backbone.stages.1"),
        (0.4, False, "backbone.stages.0"),
        ("all", False, None),
    ],
)
def test_the_frozen_front_is_as_long_as_can_be(asked: Any, attention: bool, last: Any) -> None:
    build = fakes.choice("attention", lambda channels: nn.Conv2d(channels, channels, 1))
    chain = model_of(asked, **({"attention": build} if attention else {})).chain()
    length = frozen_length(chain)
    assert (chain[length - 1][0] if length else None) == last


def test_features_do_not_depend_on_the_batch() -> None:
    rows, model = all_rows(), model_of()
    prefix = frozen_prefix(model, rows.pixels(np.arange(8)), 8, CPU)
    assert prefix is not None
    whole = prefix(rows.pixels(np.arange(42)))
    order = np.random.default_rng(0).permutation(42)
    assert torch.equal(prefix(rows.pixels(order)), whole[torch.from_numpy(order)])
    for position in (0, 7, 41):
        assert torch.equal(prefix(rows.pixels(np.array([position])))[0], whole[position])


def test_a_network_that_looks_at_its_neighbours_is_run_image_by_image() -> None:
    class Neighbours(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.weight * x[:1]

    def build() -> nn.Module:
        return fakes.Backbone((8, 16), Neighbours())

    model = model_of(backbone=fakes.choice("backbone", build))
    rows = all_rows()
    prefix = frozen_prefix(model, rows.pixels(np.arange(8)), 8, CPU)
    assert prefix is not None
    assert prefix.chunk == 1


def test_stored_features_are_those_computed_now_in_value_and_layout() -> None:
    build = fakes.choice("attention", lambda channels: nn.Conv2d(channels, channels, 1))
    rows = all_rows()
    prefix = Prefix(tuple(model_of(attention=build).chain()[:4]), 8, CPU)
    order = np.array([4, 4, 30, 1, 17])
    stored = compute_features(prefix, rows).feed(0)(order)
    now = prefix(rows.pixels(order))
    assert torch.equal(stored, now)
    assert stored.stride() == now.stride()


def test_rows_of_one_file_share_features_and_large_ones_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_module, "IN_MEMORY", 0)
    images = fakes.images()
    samples = (*images.samples.rows, *images.samples.rows[:10])
    doubled = fakes.FakeImages(
        replace(images.samples, rows=samples), np.concatenate([images.array, images.array[:10]])
    )
    rows = rows_of(doubled, range(52), fakes.LABELS)
    prefix = frozen_prefix(model_of(), rows.pixels(np.arange(8)), 8, CPU)
    assert prefix is not None
    path = tmp_path / "features.bin"
    kept = compute_features(prefix, rows, views=2, augment=fakes.flip, path=path)
    assert kept.store.shape == (84, 16)
    assert path.stat().st_size == 84 * 16 * 4
    inputs = compute_features(prefix, rows).feed(0)(np.array([3, 45]))
    assert torch.equal(inputs[0], prefix(rows.pixels(np.array([3])))[0])
    assert torch.equal(inputs[1], inputs[0])


def test_views_differ_and_every_one_is_drawn() -> None:
    rows = all_rows()
    prefix = Prefix(tuple(model_of().chain()[:4]), 8, CPU)
    kept = compute_features(prefix, rows, views=3, augment=fakes.noise, seed=7)
    again = compute_features(prefix, rows, views=3, augment=fakes.noise, seed=7)
    assert torch.equal(kept.store, again.store)
    views = kept.store.view(3, 42, -1)
    assert not torch.equal(views[0], views[1])
    order = np.zeros(200, dtype=np.int64)
    drawn = kept.feed(1)(order)
    assert len(torch.unique(drawn.flatten(1), dim=0)) == 3
    assert torch.equal(drawn, kept.feed(1)(order))
    assert not torch.equal(drawn, kept.feed(2)(order))


def weights(
    recipe: Recipe, folder: Path
) -> tuple[dict[str, torch.Tensor], Mapping[str, FrozenFeatures]]:
    outcome = train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), folder)
    return fakes.model_weights(outcome.model_path), outcome.facts.features


@pytest.mark.parametrize("asked", [0, 1, 0.5])
@pytest.mark.parametrize("channels_last", ["yes", "no"])
def test_kept_features_train_to_the_same_bits_as_new_ones(
    tmp_path: Path, asked: Any, channels_last: Any
) -> None:
    phases = (fakes.phase("one", epochs=3, unfreeze=asked),)
    base = fakes.training(fakes.recipe(*phases), channels_last=channels_last)
    kept, kept_facts = weights(fakes.training(base, feature_views=1), tmp_path / "kept")
    anew, anew_facts = weights(fakes.training(base, feature_views=0), tmp_path / "anew")
    assert (kept_facts["one"].views, anew_facts["one"].views) == (1, 0)
    assert fakes.same(kept, anew)


@pytest.mark.parametrize(("asked", "views"), [(None, 2), (3, 0)])
def test_features_over_the_budget_are_computed_every_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Any, views: int
) -> None:
    one_view = 25 * 16 * 4
    monkeypatch.setattr(feeds_module, "BUDGET", 2 * one_view + 8 * 16 * 4)
    recipe = fakes.recipe(
        fakes.phase("one", epochs=4),
        augmentation=fakes.choice("augmentation", lambda i: fakes.flip),
    )
    _, facts = weights(fakes.training(recipe, feature_views=asked), tmp_path)
    assert facts["one"].views == views
    assert "are allowed" in facts["one"].why
    assert not list(tmp_path.glob("features*"))
