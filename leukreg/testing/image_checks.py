"""Contract checks of what brings images in and prepares them."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import DataError, LeukregError
from leukreg.progress import SILENT
from leukreg.registry.plugin_call import taken
from leukreg.testing.examples import example_images
from leukreg.testing.option_checks import instance, of_plugin
from leukreg.types import ImageSpec, Labels, Lineage, Origin, Role, Samples

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["check_extractor", "check_generator", "check_preprocessing", "check_source"]


@of_plugin
def check_source(plugin: Any) -> None:
    """Rows with classes, files and ids that agree, listed the same way twice.

    Where patients have labels, each has one, and with weak labels their rows have it too.
    """
    own = instance(plugin)
    samples = own.build()
    assert isinstance(samples, Samples), "build must return leukreg.Samples"
    assert samples.rows, "lists no rows; raise DataError when there is nothing"
    assert len(set(samples.classes)) == len(samples.classes) >= 1, (
        f"classes must be listed once each, not {samples.classes}"
    )
    strange = {row.label for row in samples.rows} - set(samples.classes)
    assert not strange, f"labels {sorted(strange)} are not among its classes"
    faults = [*samples.patient_faults()]
    assert not faults, faults[0]
    files: dict[str, str] = {}
    for row in samples.rows:
        _check_row(row)
        assert files.setdefault(row.id, row.path) == row.path, (
            f"id {row.id!r} stands for two files; make ids unique"
        )
    assert own.build() == samples, "listing twice gives different rows; sort what is walked"


def _check_row(row: Any) -> None:
    assert row.id and not Path(row.id).is_absolute() and "\\" not in row.id, (
        f"id {row.id!r} should be a POSIX path below the root"
    )
    assert Path(row.path).is_file(), f"{row.path} is not a file"
    assert row.origin in typing.get_args(Origin), f"{row.origin!r} is no origin"
    assert row.split is None or row.split in typing.get_args(Role), f"{row.split!r} is no split"
    assert row.origin != "synthetic" or row.lineage is not None, (
        f"{row.id} is synthetic and has no lineage"
    )


@of_plugin
def check_generator(plugin: Any, size: int = 32, folder: Path | None = None) -> None:
    """Fits, then makes uint8 images with their lineage; the same seed makes the same images.

    ``targets`` and ``progress`` are passed where they are taken, as in a run; ``check`` is asked
    first where there is one; ``files`` gives paths.
    """
    import numpy as np

    own = instance(plugin)
    _check_files(own)
    images = example_images(size=size)
    labels = Labels(names=images.samples.classes, counts=tuple(images.samples.counts().values()))
    label = labels.names[1]

    def fitted() -> Any:
        made = _built(own, ImageSpec(size=size), labels, label)
        _check(made, images)
        _fit(made, images, folder)
        return made

    generator = fitted()
    first = generator.sample(label, 3, 11)
    assert (
        isinstance(first.pixels, np.ndarray)
        and first.pixels.dtype == np.uint8
        and first.pixels.shape == (3, size, size, 3)
    ), f"sample must return uint8 pixels of shape (3, {size}, {size}, 3)"
    _check_lineage(type(own).leukreg_name, first.lineage, {r.id for r in images.samples.rows})
    assert np.array_equal(generator.sample(label, 3, 11).pixels, first.pixels), (
        "the same seed makes other images"
    )
    assert not np.array_equal(generator.sample(label, 3, 12).pixels, first.pixels), (
        "another seed makes the very same images"
    )
    assert np.array_equal(fitted().sample(label, 3, 11).pixels, first.pixels), (
        "fitted again with the same seed it makes other images"
    )
    _check_refusal(generator)


def _check_files(own: Any) -> None:
    files = getattr(own, "files", None)
    if not callable(files):
        return
    try:
        named = list(files())
    except TypeError as error:
        raise AssertionError("files must give pathlib.Path, several or none") from error
    strange = [each for each in named if not isinstance(each, Path)]
    assert not strange, f"files must give pathlib.Path, not {strange[:1]}"


def _built(own: Any, image: ImageSpec, labels: Labels, label: str) -> Any:
    """Built as in a run: the classes that will be asked for are passed where they are taken."""
    more = taken(own.build, targets=(label,))
    default = inspect.signature(own.build).parameters["targets"].default if more else None
    assert default is None, "build must take 'targets' as None where nobody says them"
    try:
        return own.build(image, labels, **more)
    except Exception as error:
        if not more or isinstance(error, LeukregError):
            raise
        raise AssertionError(f"build fails with targets={(label,)}: {_said(error)}") from error


def _check(generator: Any, images: Any) -> None:
    """As before a run, where the generator has a ``check``: what it is fitted on passes."""
    check = getattr(generator, "check", None)
    if not callable(check):
        return
    try:
        check(images, **taken(check, progress=SILENT))
    except Exception as error:
        raise AssertionError(f"check fails where fit would not: {_said(error)}") from error


def _fit(generator: Any, images: Any, folder: Path | None) -> None:
    more = taken(generator.fit, progress=SILENT)
    try:
        generator.fit(images, 5, folder, **more)
    except Exception as error:
        if not more or isinstance(error, LeukregError):
            raise
        raise AssertionError(f"fit fails with a progress: {_said(error)}") from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _check_lineage(name: str, lineage: Any, ids: set[str]) -> None:
    assert (
        isinstance(lineage, tuple)
        and len(lineage) == 3
        and all(isinstance(each, Lineage) for each in lineage)
    ), "lineage must be a tuple of one leukreg.Lineage per image"
    for each in lineage:
        assert each.generator == name, f"lineage names {each.generator!r} as the generator"
        assert isinstance(each.seed, int), "lineage must carry the seed as an int"
        assert each.parent is None or each.parent in ids, (
            f"parent {each.parent!r} is no id of a training row"
        )


def _check_refusal(generator: Any) -> None:
    try:
        generator.sample("no-such-class", 1, 0)
    except DataError:
        return
    except Exception as error:
        raise AssertionError(
            f"raises {type(error).__name__} for a class it cannot make; raise DataError"
        ) from error


@of_plugin
def check_preprocessing(plugin: Any, size: int = 32) -> None:
    """uint8 RGB in and out, at the size asked for; each image by itself, the same each time.

    What it fits lies in buffers of fixed shapes, from which it can be set up again.
    """
    import torch

    own = instance(plugin)
    before = own.before(ImageSpec(size=size)) if hasattr(own, "before") else ImageSpec(size=size)
    assert isinstance(before, ImageSpec), "before must return leukreg.ImageSpec"
    module = own.build(ImageSpec(size=size))
    assert isinstance(module, torch.nn.Module), "build must return an nn.Module"
    assert not list(module.parameters()), "has parameters; what it learns must lie in buffers"
    module.eval()
    images = example_images(size=before.size)
    shapes = {name: value.shape for name, value in module.state_dict().items()}
    fit = getattr(module, "fit", None)
    if fit is not None:
        fit(images)
    state = module.state_dict()
    assert {name: value.shape for name, value in state.items()} == shapes, (
        "fit changes the names or shapes of its buffers; a fresh module could not load them"
    )
    draw = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (1, before.size, before.size, 3), generator=draw)
    flat = torch.full_like(noise, 255)
    strange = torch.cat([noise, flat, torch.zeros_like(flat)]).to(torch.uint8)
    pixels = torch.cat([torch.from_numpy(images.pixels(range(6))), strange])
    changed = _check_change(module, pixels, size)
    again = own.build(ImageSpec(size=size)).eval()
    again.load_state_dict(state)
    assert _run(again, pixels).equal(changed), "set up from its state it gives other images"
    _check_unfit(module, pixels)


def _check_change(module: nn.Module, pixels: Tensor, size: int) -> Tensor:
    import torch

    before = pixels.clone()
    changed = _run(module, pixels)
    assert isinstance(changed, torch.Tensor) and changed.dtype == torch.uint8, (
        "takes and returns uint8 batches"
    )
    wanted = (len(pixels), size, size, 3)
    assert tuple(changed.shape) == wanted, (
        f"{tuple(pixels.shape)} became {tuple(changed.shape)}, not {wanted}"
    )
    assert pixels.equal(before), "changes its input in place; work on a copy"
    assert _run(module, pixels).equal(changed), "gives another image the second time"
    alone = torch.cat([_run(module, one[None]) for one in pixels])
    assert alone.equal(changed), "an image alone comes out otherwise than among others"
    return changed


def _check_unfit(module: nn.Module, pixels: Tensor) -> None:
    import torch

    ask = getattr(module, "unfit", None)
    if ask is None:
        return
    found = ask(pixels)
    assert isinstance(found, torch.Tensor) and found.dtype == torch.bool and (found.ndim == 1), (
        "unfit must return a bool for each image"
    )
    assert _run(module, pixels)[found].equal(pixels[found]), (
        "changes images that it says it cannot work on"
    )


@of_plugin
def check_extractor(plugin: Any) -> None:
    """Features ``(b, dimensions)`` of uint8 images of any size, one image not touching another."""
    import torch

    own = instance(plugin)
    module = own.build()
    assert isinstance(module, torch.nn.Module), "build must return an nn.Module"
    dimensions = getattr(module, "dimensions", None)
    assert isinstance(dimensions, int) and dimensions > 0, (
        "the module needs 'dimensions', the number of its features"
    )
    assert not module.training, "the module must come in eval mode; call eval()"
    for size in (32, 48):
        _check_features(module, _images(size))
    _check_description(own)
    again = own.build()
    assert torch.equal(_run(again, _images(32)), _run(module, _images(32))), (
        "built twice it gives other features; its weights must not be drawn at random"
    )


def _check_features(module: nn.Module, images: Tensor) -> None:
    import torch

    before = images.clone()
    features = _run(module, images)
    expected = (len(images), int(module.dimensions))  # type: ignore[arg-type]
    assert isinstance(features, torch.Tensor) and tuple(features.shape) == expected, (
        f"{len(images)} images need features of shape {expected}, not "
        f"{tuple(getattr(features, 'shape', ()))}"
    )
    assert features.dtype == torch.float32, "features must be float32"
    assert features.isfinite().all(), "some features are not finite"
    assert images.equal(before), "changes its input in place; work on a copy"
    assert torch.allclose(_run(module, images[:1]), features[:1], rtol=1e-3, atol=1e-4), (
        "an image alone has other features than among others"
    )
    assert not torch.allclose(features[0], features[-1]), (
        "images of two classes have the same features"
    )


def _check_description(own: Any) -> None:
    facts = own.describe()
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in facts.items()), (
        "describe must return words by name"
    )
    digest = facts.get("digest", "")
    assert len(digest) >= 8 and set(digest) <= set("0123456789abcdef"), (
        "describe must hold 'digest', the hexadecimal digest of the weights"
    )
    assert own.describe() == facts, "describes itself differently the second time"


def _images(size: int) -> Tensor:
    import torch

    pixels = example_images(classes=2, per_class=1, size=size).pixels(range(2))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _run(module: nn.Module, images: Tensor) -> Tensor:
    import torch

    with torch.inference_mode():
        result: Tensor = module(images)
    return result
