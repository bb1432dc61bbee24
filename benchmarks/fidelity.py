"""A fidelity check of 2,000 against 2,000 images, beside plain torch-fidelity.

Both use the extractor "cells" on the same images in memory, and compute FID, KID, precision and
recall; leukreg adds density, coverage, and the search for copies. Its second check against the same
real images finds their features and floor in the cache. Given the name of another extractor, that
is used.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ratio import paired, report
from scipy.ndimage import gaussian_filter

from leukreg import import_torchvision, open_extractor
from leukreg.synthesis.extractor import OpenExtractor
from leukreg.synthesis.fidelity import measure

N, SIZE = 2_000, 64
PAIRS = 2


def clouds(seed: int) -> NDArray[np.uint8]:
    """Smooth random pictures: distances between features of bare noise mean little."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=(N, SIZE, SIZE, 3)), (0, 4, 4, 0))
    pictures: NDArray[np.uint8] = (150 + 30 * noise / noise.std()).clip(0, 255).astype(np.uint8)
    return pictures


class InMemory(torch.utils.data.Dataset[torch.Tensor]):
    """Images as torch-fidelity takes them."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.images = torch.from_numpy(pixels).permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


def register(extractor: OpenExtractor) -> None:
    """The same network, as an extractor of torch-fidelity's."""
    import_torchvision()
    from torch_fidelity import register_feature_extractor
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase

    class Same(FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)
            self.network = extractor.module

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("all",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "all"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (self.network(images),)

    register_feature_extractor("same", Same)


def plain(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> dict[str, float]:
    """torch-fidelity by itself."""
    from torch_fidelity import calculate_metrics

    figures: dict[str, float] = calculate_metrics(
        input1=InMemory(fake),
        input2=InMemory(real),
        feature_extractor="same",
        fid=True,
        kid=True,
        prc=True,
        cuda=torch.cuda.is_available(),
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    return figures


def main(name: str) -> int:
    real, fake = clouds(seed=0), clouds(seed=1)
    extractor = open_extractor(name)
    register(extractor)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["LEUKREG_CACHE"] = cache
        first = measure(real, fake, extractor)
        found: list[Any] = []
        ratio = paired(
            lambda: found.append(measure(real, fake, extractor)),
            lambda: found.append(plain(real, fake)),
            pairs=PAIRS,
            warmup=0,
        )
    ours, theirs = found[-2:]
    print(f"by {extractor}, {N:,} against {N:,} images at {SIZE} px")
    print(f"first check, floor included: {first.seconds:.1f} s")
    print(f"FID {ours.fid:.6f} and {theirs['frechet_inception_distance']:.6f}")
    print(
        f"KID {ours.kid:.4f} (deviation over subsets {ours.kid_std:.4f}) and "
        f"{theirs['kernel_inception_distance_mean']:.4f}"
    )
    return 0 if report("second check / torch-fidelity", ratio, 0.6) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["cells"]))
