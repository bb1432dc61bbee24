"""Distances between real and synthetic images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from annotated_types import Ge, Gt, Le

from leukreg import Evidence, Finding, percent, plugin
from leukreg_plugins.audits.generator.facts import number, tables
from leukreg_plugins.audits.told import found


@plugin("too-few-for-distance")
class TooFewForDistance:
    """Too few images for the distance that is reported.

    FID is biased upwards with few images, more so than most differences between generators; KID is
    unbiased but scatters.

    Do: use more images, or report KID with its spread.

    Reference: Binkowski et al., Demystifying MMD GANs, ICLR 2018.
    """

    fid: Annotated[int, Ge(2)] = 2048
    """Images on either side that an FID needs, where its number of features is not known; else
    twice as many as there are features."""
    kid: Annotated[int, Ge(2)] = 100
    """Images on either side that a KID needs."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            sizes = [n for n in (number(table, "real"), number(table, "fake")) if n is not None]
            features = number(table, "dimensions")
            fid = self.fid if features is None else 2 * features
            for distance, least in (("fid", fid), ("kid", self.kid)):
                if sizes and number(table, distance) is not None and min(sizes) < least:
                    yield found(
                        self,
                        "warning",
                        f"{name}: {distance.upper()} {number(table, distance):.4g} rests on"
                        f" {min(sizes):.0f} images; {least:,.0f} are needed",
                    )


@plugin("distances-differ")
class DistancesDiffer:
    """Distances that cannot be set beside those of the last run that differs in synthesis alone.

    A distance changes with the extractor, the image size and the number of images; a smaller one
    then says nothing of the generator.

    Do: compute both with the same extractor, image size and counts (`leukreg fidelity`).

    Reference: Parmar et al., On aliased resizing, CVPR 2022.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            other = table.get("compared_with")
            if not isinstance(other, Mapping):
                continue
            keys = ("extractor", "size", "real", "fake")
            differ = [
                f"{key} {table[key]} and {other[key]}"
                for key in keys
                if key in table and key in other and table[key] != other[key]
            ]
            if differ:
                beside = f"{name}: not to be compared with run {other.get('run')}"
                yield found(self, "note", f"{beside}: {', '.join(differ)}")


@plugin("low-coverage")
class LowCoverage:
    """Synthetic images that cover little of the real ones.

    A generator that repeats a few cells adds those few; the class's variety is missing.

    Do: train longer, on more images, or sample with less truncation.

    Reference: Naeem et al., Reliable fidelity and diversity metrics, ICML 2020.
    """

    least: Annotated[float, Gt(0), Le(1)] = 0.4
    """Coverage below which it is reported."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            value = number(table, "coverage")
            if value is not None and value < self.least:
                yield found(
                    self, "warning", f"{name}: the fakes cover {percent(value)} of the real images"
                )


@plugin("far-from-real")
class FarFromReal:
    """Synthetic images much farther from the real ones than these are from each other.

    The floor is the distance between two halves of the real images: what a perfect generator would
    reach. A classifier that is taught by images far above it learns something else than the class.

    Do: train the generator longer or on more images, or leave its images out.

    Reference: Binkowski et al., Demystifying MMD GANs, ICLR 2018.
    """

    most: Annotated[float, Gt(1)] = 10.0
    """KID, as a multiple of its floor, above which it is reported."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            ratio = number(table, "kid_ratio")
            if ratio is not None and ratio > self.most:
                kid, floor = number(table, "kid"), number(table, "floor_kid")
                both = "" if kid is None or floor is None else f" ({kid:.4g} against {floor:.4g})"
                yield found(self, "warning", f"{name}: KID is {ratio:.1f} times its floor{both}")
