from __future__ import annotations

from dataclasses import replace
from typing import Any

import engine_fakes as fakes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leukreg.engine.batches import (
    EpochBatches,
    bounds,
    checked,
    in_batches,
    on_device,
    pixel_feed,
    rows_of,
    sampled_order,
)
from leukreg.engine.device import Compute, compute_for
from leukreg.errors import DataError, PluginError
from leukreg.recipe.model import TrainingSpec

CPU = compute_for(TrainingSpec(device="cpu"))


@given(st.integers(1, 300), st.integers(1, 40))
def test_every_row_is_in_one_batch_and_none_is_alone(n: int, size: int) -> None:
    cut = bounds(n, size)
    assert [i for a, b in cut for i in range(a, b)] == list(range(n))
    lengths = [b - a for a, b in cut]
    assert all(length == size for length in lengths[:-1])
    assert max(lengths) <= size + 1
    if size > 1 and n > 1:
        assert min(lengths) > 1


def test_batches_carry_the_rows_they_name() -> None:
    images = fakes.images()
    rows = rows_of(images, (5, 9, 2, 7), fakes.LABELS)
    order = np.array([3, 0, 1, 2, 3, 3])
    parts = in_batches(order, rows, 4)
    batches = list(EpochBatches(parts, pixel_feed(rows, CPU), CPU))
    assert [len(batch.targets) for batch in batches] == [4, 2]
    inputs = torch.cat([batch.inputs for batch in batches])
    assert np.array_equal(inputs.permute(0, 2, 3, 1).numpy(), images.array[[7, 5, 9, 2, 7, 7]])
    assert torch.cat([batch.targets for batch in batches]).tolist() == [1, 2, 0, 2, 1, 1]
    assert rows.paths(batches[1].positions) == ["/data/pre-b/7.png"] * 2


def test_images_on_the_device_are_those_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(fakes.images(), (5, 9, 2, 7), fakes.LABELS)
    assert on_device(rows, CPU) is None, "a CPU has them in its memory"
    monkeypatch.setattr(Compute, "room", lambda self: 3 * fakes.SIZE**2 * len(rows))
    monkeypatch.setattr("leukreg.engine.batches.AT_ONCE", 3)
    kept, order = on_device(rows, CPU), np.array([3, 0, 1, 3])
    assert kept is not None
    read, there = pixel_feed(rows, CPU)(order), pixel_feed(rows, CPU, kept=kept)(order)
    assert torch.equal(read, there)
    assert read.stride() == there.stride()


def test_read_only_pixels_are_taken_too() -> None:
    images = fakes.images()
    images.array.setflags(write=False)

    class Views(fakes.FakeImages):
        def pixels(self, rows: Any) -> np.ndarray:
            return self.array[rows[0] : rows[-1] + 1]

    rows = rows_of(Views(images.samples, images.array), (0, 1, 2), fakes.LABELS)
    pixels = rows.pixels(np.arange(3))
    pixels.zero_()
    assert images.array[:3].any()


def test_groups_are_patients_fields_or_rows() -> None:
    images = fakes.images(4)
    samples = list(images.samples.rows)
    samples[2] = replace(samples[2], patient=None)
    samples[3] = replace(samples[3], patient=None, path="/field.jpg", box=(0, 0, 9, 9))
    table = replace(images.samples, rows=tuple(samples))
    rows = rows_of(fakes.FakeImages(table, images.array), (1, 2, 3), fakes.LABELS)
    assert rows.groups() == ["p0", "row 2", "/field.jpg"]


def test_an_unknown_label_is_named() -> None:
    labels = replace(fakes.LABELS, names=("benign", "pre-b"), counts=(0, 0))
    with pytest.raises(DataError, match=r"/data/pro-b/2.png: label 'pro-b'.*14 such rows"):
        rows_of(fakes.images(), range(42), labels)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda targets, groups, generator: [], "no rows at all"),
        (lambda targets, groups, generator: [0, 42], "position 42 of 42"),
        (lambda targets, groups, generator: [-1], "position -1 of 42"),
        (lambda targets, groups, generator: ["x"], "ValueError"),
    ],
)
def test_a_sampler_that_breaks_its_contract_is_named(build: Any, message: str) -> None:
    rows = rows_of(fakes.images(), range(42), fakes.LABELS)
    choice = fakes.choice("sampler", build, "odd")
    with pytest.raises(PluginError, match=rf"sampler 'odd' \(from fakes 1.0\).*{message}"):
        sampled_order(choice, rows, 1)


def test_a_sampler_that_asks_for_origins_is_told_them() -> None:
    rows = rows_of(fakes.images(), range(42), fakes.LABELS)
    told: list[list[str]] = []

    def build(targets: Any, groups: Any, generator: Any, origins: Any = None) -> list[int]:
        told.append(origins)
        return [0]

    sampled_order(fakes.choice("sampler", build, "odd"), rows, 1)
    assert told == [["real"] * 42]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda images: images.float(), "torch.float32"),
        (lambda images: images[..., :4], "must keep it"),
        (lambda images: None, "NoneType"),
        (lambda images: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_an_augmentation_that_breaks_its_contract_is_named(function: Any, message: str) -> None:
    augment = checked(function, fakes.choice("augmentation", None, "odd"))
    with pytest.raises(PluginError, match=f"augmentation 'odd'.*{message}"):
        augment(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
