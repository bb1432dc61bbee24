from __future__ import annotations

import shutil
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
from leukreg.engine.assembly import assemble
from leukreg.engine.batches import Augment, Rows, rows_of
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import compute_for
from leukreg.engine.frozen_features import compute_features
from leukreg.engine.frozen_prefix import Prefix, View, frozen_length, frozen_prefix
from leukreg.engine.inference import predict_rows
from leukreg.engine.training import train_fold
from leukreg.engine.unfreeze import chosen, train_mode, unfreeze
from leukreg.progress import Silent
from leukreg.recipe.model import EvaluateSpec, McDropoutSpec, Recipe, TrainingSpec, TtaSpec
from leukreg.record import FrozenFeatures
from leukreg.types import Fold

CPU = compute_for(TrainingSpec(device="cpu", threads=1))


def model_of(asked: Any = 0, **parts: Any) -> Classifier:
    model = assemble(fakes.recipe(model=fakes.model(**parts)), fakes.LABELS)
    model.set_channels_last(True)
    unfreeze(model, chosen(model, asked))
    train_mode(model)
    return model


def views_of(augment: Augment, count: int) -> list[View | None]:
    return [View(number, augment, b"") for number in range(count)]


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
    prefix = frozen_prefix(model.chain(), fakes.SIZE, 8, CPU)
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
    prefix = frozen_prefix(model.chain(), fakes.SIZE, 8, CPU)
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
    prefix = frozen_prefix(model_of().chain(), fakes.SIZE, 8, CPU)
    assert prefix is not None
    path = tmp_path / "features.bin"
    kept = compute_features(prefix, rows, views_of(fakes.flip, 2), path=path)
    assert kept.store.shape == (84, 16)
    assert path.stat().st_size == 84 * 16 * 4
    inputs = compute_features(prefix, rows).feed(0)(np.array([3, 45]))
    assert torch.equal(inputs[0], prefix(rows.pixels(np.array([3])))[0])
    assert torch.equal(inputs[1], inputs[0])


def test_views_differ_and_every_one_is_drawn() -> None:
    rows = all_rows()
    prefix = Prefix(tuple(model_of().chain()[:4]), 8, CPU)
    kept = compute_features(prefix, rows, views_of(fakes.noise, 3))
    again = compute_features(prefix, rows, views_of(fakes.noise, 3))
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
    monkeypatch.setattr(features_module, "BUDGET", 2 * one_view + 8 * 16 * 4)
    recipe = fakes.recipe(
        fakes.phase("one", epochs=4),
        augmentation=fakes.choice("augmentation", lambda i: fakes.flip),
    )
    _, facts = weights(fakes.training(recipe, feature_views=asked), tmp_path)
    assert facts["one"].views == views
    assert "are allowed" in facts["one"].why
    assert not list(tmp_path.glob("features*"))


def test_the_draw_of_a_view_depends_on_the_image_and_the_view_alone() -> None:
    rows = all_rows()
    prefix = Prefix(tuple(model_of().chain()[:4]), 8, CPU)
    views = views_of(fakes.noise, 2)
    whole = compute_features(prefix, rows, views).store.view(2, 42, -1)
    some = rows_of(fakes.images(), (7, 30, 2), fakes.LABELS)
    assert torch.equal(
        compute_features(prefix, some, views).store.view(2, 3, -1), whole[:, [7, 30, 2]]
    )


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images went through frozen layers, call by call."""
    counts: list[int] = []
    packed = Prefix.packed

    def counted(self: Prefix, images: torch.Tensor) -> torch.Tensor:
        counts.append(len(images))
        return packed(self, images)

    monkeypatch.setattr(Prefix, "packed", counted)
    return counts


def pretrained() -> fakes.Backbone:
    """The same weights whatever the recipe's seed."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return fakes.Backbone()


def folds_of(images: int, k: int) -> list[Fold]:
    folds = []
    for index in range(k):
        test = tuple(range(index, images, k))
        rest = [row for row in range(images) if row not in test]
        folds.append(
            Fold(index=index, train=tuple(rest[5:]), validation=tuple(rest[:5]), test=test)
        )
    return folds


def trained(recipe: Recipe, fold: Fold, folder: Path) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    images, labels = fakes.images(), fakes.LABELS
    outcome = train_fold(recipe, labels, images, fold, folder / str(fold.index))
    rows = (*fold.validation, *fold.test)
    found = predict_rows(recipe, labels, outcome.model_path, images, rows, fold.index)
    return fakes.model_weights(outcome.model_path), found.probabilities


@pytest.mark.parametrize("augmented", [False, True])
def test_an_image_goes_through_frozen_layers_once_whatever_the_fold_and_run(
    tmp_path: Path, cache: Path, passed: list[int], augmented: bool
) -> None:
    choice = fakes.choice("augmentation", lambda image: fakes.noise) if augmented else None
    model = fakes.model(backbone=fakes.choice("backbone", pretrained, "pretrained"))
    recipe = fakes.recipe(fakes.phase("one", epochs=3), passes=4, augmentation=choice, model=model)
    trained(recipe, fakes.fold(), tmp_path / "zeroth")  # a network is tried once in a process
    shutil.rmtree(cache)
    views = 3 if augmented else 0
    passed.clear()
    for fold in folds_of(42, 3):
        trained(recipe, fold, tmp_path / "first")
    taught = {row for fold in folds_of(42, 3) for row in fold.train}
    networks = 2 * 3  # each fold asks twice, with one image of noise, which network it is
    assert sum(passed) == 42 + views * len(taught) + networks
    passed.clear()
    other = replace(recipe, seed=5, phases=(fakes.phase("other", epochs=4),))
    trained(other, folds_of(42, 3)[0], tmp_path / "second")
    assert sum(passed) == (23 if augmented else 0) + 2  # a fourth epoch asks for a fourth view


@pytest.mark.parametrize(
    "evaluate", [{}, {"mc_dropout": McDropoutSpec(passes=4)}, {"tta": TtaSpec()}]
)
def test_cold_and_warm_are_the_same_to_the_last_bit(
    tmp_path: Path, cache: Path, evaluate: dict[str, Any]
) -> None:
    recipe = fakes.recipe(
        fakes.phase("one", epochs=2),
        evaluate=EvaluateSpec(**evaluate),
        augmentation=fakes.choice("augmentation", lambda image: fakes.noise),
    )
    _, _, last = folds_of(42, 3)
    cold_weights, cold = trained(recipe, last, tmp_path / "cold")
    shutil.rmtree(cache)
    for number, fold in enumerate(folds_of(42, 3)):
        warm_weights, warm = trained(recipe, fold, tmp_path / str(number))
    assert fakes.same(cold_weights, warm_weights)
    assert np.array_equal(cold, warm)


def test_other_weights_and_other_augmentations_have_features_of_their_own(
    tmp_path: Path, cache: Path
) -> None:
    def run(name: str, change: Any, **more: Any) -> None:
        recipe = fakes.recipe(fakes.phase("one", epochs=1), **more)
        augmentation = fakes.choice("augmentation", lambda image: change, "same")
        recipe = replace(recipe, augmentation=augmentation)
        trained(recipe, fakes.fold(), tmp_path / name)

    def packs() -> tuple[int, int]:
        packs = [*(cache / "frozen").glob("*/pack-*")]
        return len(packs), len([one for one in (cache / "frozen").iterdir() if one.is_dir()])

    run("one", fakes.noise)
    before = packs()
    run("again", fakes.noise)
    assert packs() == before
    run("other code under the same name", fakes.flip)
    more, networks = packs()
    assert (more, networks) == (before[0] + 1, before[1])
    run("other weights", fakes.noise, seed=9)
    assert packs()[1] == networks + 1


def test_damaged_features_are_said_and_computed_again(tmp_path: Path, cache: Path) -> None:
    recipe = fakes.recipe(fakes.phase("one", epochs=1))
    whole = trained(recipe, fakes.fold(), tmp_path / "one")
    for path in (cache / "frozen").glob("*/pack-*"):
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
    told = Told()
    images, labels = fakes.images(), fakes.LABELS
    outcome = train_fold(recipe, labels, images, fakes.fold(), tmp_path / "two", told)
    assert any("features were damaged, and are computed again" in text for text in told.said)
    assert fakes.same(whole[0], fakes.model_weights(outcome.model_path))


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)
