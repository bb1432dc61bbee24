"""Open an extractor by name, and run images through it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leukreg.errors import LeukregError, PluginError, PluginFault
from leukreg.progress import SILENT, Progress
from leukreg.recipe.stranger import failed, is_outer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from leukreg.registry import Registry

BATCH = 64
"""Images that go through an extractor at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenExtractor:
    """A network that turns images into features, ready to work."""

    name: str
    """The plugin's name, such as "cells"."""
    digest: str
    """Digest of the weights, hexadecimal."""
    dimensions: int
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the extractor says of itself, its digest included."""
    module: nn.Module

    def __str__(self) -> str:
        return f"{self.name}@{self.digest[:12]}"

    def features(
        self, pixels: NDArray[np.uint8], progress: Progress = SILENT
    ) -> NDArray[np.float32]:
        """Features of images, shape ``(n, dimensions)``, on a GPU where there is one.

        Args:
            pixels: Shape ``(n, size, size, 3)``, RGB.

        Raises:
            PluginFault: The extractor failed, or broke its contract.
        """
        import numpy as np

        out = np.empty((len(pixels), self.dimensions), np.float32)
        with progress.task(f"Features by {self.name}", len(pixels)) as advance:
            for start in range(0, len(pixels), BATCH):
                part = pixels[start : start + BATCH]
                out[start : start + BATCH] = self._run(part)
                advance(len(part))
        return out

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        import numpy as np
        import torch

        device = _device()
        # Channels-last memory, which is what image arrays have; it is faster on a CPU, too.
        images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
        try:
            with torch.inference_mode():
                found = self.module.to(device)(images.to(device)).cpu()
        except LeukregError:
            raise
        except Exception as error:  # a stranger's network may raise anything
            if is_outer(error):
                raise
            who = f"extractor {self.name!r} failed on images of {pixels.shape[1]} px"
            raise PluginFault(failed(who, self.module, error)) from error
        self._check(found, len(pixels))
        values: NDArray[np.float32] = found.numpy()
        return values

    def _check(self, found: Tensor, n: int) -> None:
        if tuple(found.shape) != (n, self.dimensions):
            raise PluginFault(
                f"extractor {self.name!r} gives shape {tuple(found.shape)} for {n} images; it must "
                f"be ({n}, {self.dimensions}), since its 'dimensions' is {self.dimensions}"
            )
        if not bool(found.isfinite().all()):
            raise PluginFault(f"extractor {self.name!r} gives features that are not finite")


def open_extractor(text: str, registry: Registry | None = None) -> OpenExtractor:
    """The extractor that ``text`` names: ``cells``, ``inception:weights.pth``, ``run:runs/v6-...``.

    What stands after the colon goes to the plugin's option ``path``.

    Raises:
        PluginError: There is no such extractor, or it takes no argument.
        NotAvailable: Its weights are not on this machine.
    """
    name, colon, argument = text.partition(":")
    if registry is None:
        from leukreg.registry import installed

        registry = installed()
    cls = registry.get("extractor", name).cls
    return opened(_with_options(cls, name, argument if colon else None))


def opened(plugin: Any) -> OpenExtractor:
    """An extractor from the plugin's instance.

    Raises:
        PluginFault: It failed, or broke its contract.
        NotAvailable: Its weights are not on this machine.
    """
    name = str(type(plugin).leukreg_name)
    try:
        getattr(plugin, "ready", lambda: None)()
        module, facts = plugin.build(), dict(plugin.describe())
    except LeukregError:
        raise
    except Exception as error:  # a stranger's plugin may raise anything
        if is_outer(error):
            raise
        raise PluginFault(failed(f"extractor {name!r} failed", plugin, error)) from error
    dimensions = getattr(module, "dimensions", None)
    if not isinstance(dimensions, int) or dimensions < 1:
        raise PluginFault(f"extractor {name!r} needs 'dimensions', a positive int")
    if not facts.get("digest"):
        raise PluginFault(f"extractor {name!r} describes no 'digest' of its weights")
    module = module.eval().requires_grad_(False)
    return OpenExtractor(
        name=name, digest=str(facts["digest"]), dimensions=dimensions, facts=facts, module=module
    )


def _with_options(cls: Any, name: str, argument: str | None) -> Any:
    fields = {each.name: each for each in dataclasses.fields(cls)}
    if argument is not None:
        if "path" not in fields:
            raise PluginError(f"extractor {name!r} takes nothing after a colon; write {name!r}")
        if not argument:
            raise PluginError(f"extractor '{name}:' lacks a path after the colon")
        return cls(path=argument)
    missing = dataclasses.MISSING
    if any(each.default is each.default_factory is missing for each in fields.values()):
        raise PluginError(f"extractor {name!r} needs a path: write '{name}:PATH'")
    return cls()


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
