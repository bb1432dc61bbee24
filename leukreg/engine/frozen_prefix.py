"""The frozen front of a network: what it makes of an image is alike whatever batch it comes in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from leukreg.data.feature_packs import FeaturePacks, key
from leukreg.engine.batches import Augment
from leukreg.engine.classifier import Link, Normaliser, Pooled, run
from leukreg.engine.device import Compute, reseed
from leukreg.progress import SILENT, Advance, Progress
from leukreg.seeds import derive

STATELESS: tuple[type[nn.Module], ...] = (
    Normaliser,
    Pooled,
    nn.Identity,
    nn.Flatten,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AvgPool2d,
    nn.MaxPool2d,
    nn.ReLU,
    nn.GELU,
    nn.SiLU,
)
"""Modules that do the same in train and eval mode and have nothing to train."""
CACHED = 8 * 2**30
"""Bytes of features of all networks together that stay in the cache at most."""
AT_ONCE, BYTES_AT_ONCE = 256, 64 * 2**20
"""Images, and bytes of features, that are looked for in the cache, and kept there, at once."""


def _unheard(steps: int = 1, note: str = "") -> None:
    """Nobody asks how far it is."""


@dataclass(frozen=True, slots=True)
class View:
    """One augmented view of every image: its draw depends on the image and the view alone."""

    number: int
    augment: Augment
    augmentation: bytes
    """Digest of what ``augment`` does."""

    def key(self, image: bytes) -> bytes:
        """The key of the view of an image that has this key."""
        return key(image, self.augmentation, str(self.number).encode())

    def of(self, image: Tensor, known: bytes) -> Tensor:
        """The view of one uint8 image ``(3, size, size)`` that has the key ``known``."""
        reseed(derive(0, "view", self.number, known.hex()))
        return self.augment(image.unsqueeze(0).contiguous())[0]


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """Modules at the front of the model that do not change while a phase lasts.

    They run on chunks of exactly ``chunk`` images, a short one padded: a convolution's last bits
    may depend on the batch size, so with a fixed size an image has the same features in whatever
    batch it comes, and features kept from before are those that would be computed now.
    """

    links: tuple[Link, ...]
    chunk: int
    compute: Compute
    like: Tensor | None = None
    """Packed features of one image, for their shape and type."""
    network: bytes = b""
    """Digest of all that decides what becomes of an image."""
    packs: FeaturePacks | None = None
    """Where features are kept from fold to fold and from run to run."""
    dealt: bool = False
    """Whether others, who look for these features too, have been dealt other images."""

    def __call__(self, images: Tensor) -> Tensor:
        """Features of uint8 images ``(n, 3, size, size)``, ready for the rest of the model."""
        return self.unpack(self.packed(images))

    @torch.no_grad()
    def packed(self, images: Tensor) -> Tensor:
        """Features in the layout they are stored in: images first, densely packed."""
        with self.compute.autocast():
            parts = [self._chunk(part) for part in torch.split(images, self.chunk)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _chunk(self, images: Tensor) -> Tensor:
        n = len(images)
        if n < self.chunk:
            images = torch.cat([images, images[-1:].expand(self.chunk - n, -1, -1, -1)])
        features = run(self.links, images)
        if self.compute.channels_last and features.ndim == 4:
            features = features.permute(0, 2, 3, 1)
        return features.contiguous()[:n]

    def unpack(self, packed: Tensor) -> Tensor:
        """Stored features as the rest of the model takes them."""
        if self.compute.channels_last and packed.ndim == 4:
            return packed.permute(0, 3, 1, 2)
        return packed

    def opened(self, name: str, progress: Progress = SILENT) -> Prefix:
        """The same with its part of the cache.

        Raises:
            DataError: The cache cannot be made.
        """
        assert self.like is not None
        part, size = f"{name}-{self.network.hex()[:16]}", self.like.nbytes
        packs = FeaturePacks("frozen", part, (size,), "u1", CACHED, progress)
        return replace(self, packs=packs)

    def kept(
        self,
        images: Tensor,
        view: View | None = None,
        advance: Advance = lambda steps=1, note="": None,
    ) -> Tensor:
        """Packed features, on the CPU, of some images or of a view of them.

        Those that are not in the cache are computed, and kept there.
        """
        pixels = images.permute(0, 2, 3, 1).contiguous().numpy()
        known = [key(image.data) for image in pixels]
        keys = known if view is None else [view.key(one) for one in known]
        if self.packs is None or self.like is None:
            return self._computed(images, known, view, advance)
        out = self.like.new_empty((len(keys), *self.like.shape))
        stored = out.view(len(keys), -1).view(torch.uint8).numpy()
        missing = self.packs.find(keys, stored)
        with self.packs.alone() if len(missing) and not self.dealt else nullcontext():
            missing = self.packs.find(keys, stored) if len(missing) else missing
            advance(len(keys) - len(missing))
            if len(missing):
                at = torch.from_numpy(missing)
                lacking = [known[position] for position in missing]
                out[at] = self._computed(images[at], lacking, view, advance)
                self.packs.keep([keys[position] for position in missing], stored[missing])
        return out

    def _computed(
        self, images: Tensor, known: Sequence[bytes], view: View | None, advance: Advance
    ) -> Tensor:
        parts = []
        for start in range(0, len(images), self.chunk):
            part = self.compute.put(images[start : start + self.chunk])
            if view is not None:
                part = torch.stack(
                    [
                        view.of(*pair)
                        for pair in zip(part, known[start : start + len(part)], strict=True)
                    ]
                )
            parts.append(self.packed(part).cpu())
            advance(len(part))
        return torch.cat(parts)

    def at_once(self, views: int = 1) -> int:
        """Images whose features are asked for at once, in so many views: whole chunks."""
        bytes_ = 1 if self.like is None else self.like.nbytes * views
        return self.chunk * max(1, min(AT_ONCE, BYTES_AT_ONCE // bytes_) // self.chunk)


def frozen_length(chain: Sequence[Link]) -> int:
    """How many links at the front are frozen; 0 where nothing with parameters is among them."""
    length = 0
    for index, (_, module) in enumerate(chain):
        parameters = list(module.parameters())
        training = any(part.training for part in module.modules())
        if parameters and not training and not any(p.requires_grad for p in parameters):
            length = index + 1
        elif parameters or not isinstance(module, STATELESS):
            break
        elif length:
            length = index + 1
    return length


def frozen_prefix(
    chain: Sequence[Link], size: int, batch_size: int, compute: Compute
) -> Prefix | None:
    """The frozen front of a chain that begins with images, or None where there is none.

    It is tried on noise: where features turn out to depend on an image's place in the chunk,
    chunks of one are taken.

    Args:
        size: Pixels a side of the images.
    """
    links = tuple(chain[: frozen_length(chain)])
    if not links:
        return None
    draw = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (batch_size, 3, size, size), dtype=torch.uint8, generator=draw)
    noise = compute.put(noise.contiguous(memory_format=torch.channels_last))
    prefix = Prefix(links, batch_size, compute, network=_network(links, batch_size, compute, noise))
    if prefix.network not in _TRIED:
        straight, alone = prefix.packed(noise), prefix.packed(noise[-1:])
        turned = prefix.packed(noise.flip(0)).flip(0)
        placeless = torch.equal(straight, turned) and torch.equal(straight[-1:], alone)
        _TRIED[prefix.network] = batch_size if placeless else 1, alone[0].cpu()
    chunk, like = _TRIED[prefix.network]
    return replace(prefix, chunk=chunk, like=like)


_TRIED: dict[bytes, tuple[int, Tensor]] = {}
"""By network what came of trying it: it takes three batches, and every fold asks."""


def _network(links: Sequence[Link], chunk: int, compute: Compute, noise: Tensor) -> bytes:
    """Digest of all that decides the features of an image: code, weights, machine.

    Code and machine are in it by the very bits that become of an image.
    """
    device = torch.cuda.get_device_name() if compute.device == "cuda" else compute.device
    machine = (torch.__version__, device, compute.amp, compute.channels_last, compute.threads)
    parts: list[bytes | memoryview] = [repr((machine, chunk)).encode()]
    for name, module in links:
        parts.append(f"{name}: {module}".encode())
        parts += [bits_of(tensor) for tensor in (*module.parameters(), *module.buffers())]
    return key(*parts, bits_of(Prefix(tuple(links), 1, compute).packed(noise[:1])))


def bits_of(tensor: Tensor) -> memoryview:
    bits: memoryview = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
    return bits
