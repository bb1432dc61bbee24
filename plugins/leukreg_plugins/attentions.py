"""Attentions: modules that reweigh the last feature map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

from leukreg import import_torchvision, plugin

if TYPE_CHECKING:
    from torch import nn


@plugin("cbam")
class Cbam:
    """CBAM: channel attention, then spatial attention (Woo et al., 2018)."""

    reduction: Annotated[int, Ge(1)] = 16
    """Channels per channel of the bottleneck between the two layers of the channel attention."""
    kernel: Literal[3, 5, 7, 9, 11] = 7
    """Side of the spatial attention's convolution, in cells of the feature map."""

    def build(self, channels: int) -> nn.Module:
        """A module that keeps the shape ``(b, channels, h, w)``."""
        import_torchvision()
        from timm.layers.cbam import CbamModule

        return CbamModule(
            channels,
            rd_channels=max(1, channels // self.reduction),
            spatial_kernel_size=self.kernel,
        )


@plugin("se")
class SqueezeExcitation:
    """Squeeze and excitation: channel attention (Hu et al., 2018)."""

    reduction: Annotated[int, Ge(1)] = 16
    """Channels per channel of the bottleneck."""

    def build(self, channels: int) -> nn.Module:
        """A module that keeps the shape ``(b, channels, h, w)``."""
        import_torchvision()
        from timm.layers.squeeze_excite import SEModule

        return SEModule(channels, rd_channels=max(1, channels // self.reduction))


@plugin("eca")
class EfficientChannelAttention:
    """ECA: channel attention by a convolution along the channels (Wang et al., 2020)."""

    kernel: Literal[3, 5, 7, 9, 11] | None = None
    """Neighbouring channels that weigh on each other; by default what the paper derives from the
    number of channels."""

    def build(self, channels: int) -> nn.Module:
        """A module that keeps the shape ``(b, channels, h, w)``."""
        import_torchvision()
        from timm.layers.eca import EcaModule

        if self.kernel is None:
            return EcaModule(channels)
        return EcaModule(kernel_size=self.kernel)


@plugin("timm")
class TimmAttention:
    """An attention of the timm library, by its name there, with timm's own options."""

    name: Literal[
        "cbam", "ceca", "eca", "ecam", "ese", "gc", "gca", "lambda", "lcbam", "nl", "se", "sk",
        "splat",
    ] = "gc"  # fmt: skip
    """"gc": global context (Cao et al., 2019), "gca" the same, added to the map; "nl": non-local
    (Wang et al., 2018); "lambda": lambda layer (Bello, 2021); "sk": selective kernels (Li et al.,
    2019); "splat": split attention (Zhang et al., 2022); "ese": effective squeeze and excitation
    (Lee and Park, 2020); "ceca", "ecam", "lcbam": variants of "eca" and "cbam" that pad in circles,
    have a layer more, and are lighter. timm's others must know the map's size, or take none."""

    def build(self, channels: int) -> nn.Module:
        """A module that keeps the shape ``(b, channels, h, w)``."""
        import_torchvision()
        from timm.layers.create_attn import create_attn

        module: nn.Module = create_attn(self.name, channels)  # type: ignore[no-untyped-call]
        return module
