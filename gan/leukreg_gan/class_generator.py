"""The generator of images of a class: fitted once for the same content, or read from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leukreg import (
    SILENT,
    DataError,
    Images,
    Labels,
    Lineage,
    Progress,
    cache_area,
    derive,
    write_file,
)
from leukreg_gan.cgan import Settings
from leukreg_gan.cgan_networks import Generator
from leukreg_gan.checkpoint import Checkpoint
from leukreg_gan.condition_plan import Plan
from leukreg_gan.generator_file import (
    Card,
    check_fit,
    check_origin,
    digest_of,
    image_digests,
    outside,
    read_archive,
    training_key,
    write_archive,
)
from leukreg_gan.snapshots import made_images, noise_for
from leukreg_gan.training import Job, device_for, session
from leukreg_gan.training_set import held_out

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from leukreg_gan.conditions import Conditions
    from leukreg_gan.training import Trained


FILE = "generator.safetensors"
AREA = "generators"

Fitted = tuple[dict[str, "Tensor"], Card]


def fitted(
    key: str, folder: Path | None, job: Callable[[Path], Job], card: Card, progress: Progress
) -> Fitted:
    """The weights and card of the generator of this content: from the cache, or trained now.

    What belongs to a training lies in the cache below its key, so that any run can go on with it;
    file, log and sample grids are copied to ``folder``.

    Args:
        key: Digest of everything that decides the training; size and steps are put before it, so
            that a listing of the cache says what it holds.
        job: From the folder that the training lies in to the training.
        card: What is known of the generator before it is trained.

    Raises:
        TrainingError: A loss is no number.
        DataError: The cache or the folder cannot be written.
    """
    name = f"cgan-{card.size}px-{card.settings['steps']}-steps-{key}"
    home = cache_area(AREA, costly=True) / name
    found = _known(home / FILE, progress)
    if found is None:
        found = _trained(home, job(home), card, progress)
    else:
        weights, known = found
        # In no key: what this recipe says of the same images in other words.
        found = (
            weights,
            replace(known, classes=card.classes, plan=card.plan, attribution=card.attribution),
        )
        progress.say(
            f"cgan: these very images were trained on before with these options ({name[:-20]}); "
            "the generator is used again, nothing is trained"
        )
    if folder is not None:
        _publish(home, folder)
        write_archive(folder / FILE, *found)
    return found


def _known(path: Path, progress: Progress) -> Fitted | None:
    if not path.exists():
        return None
    try:
        return read_archive(path)
    except DataError as error:
        progress.say(f"cgan: {error}; the generator is trained anew")
        return None


def _trained(home: Path, job: Job, card: Card, progress: Progress) -> Fitted:
    from leukreg_gan.training import train

    trained = train(job, progress)
    complete = _complete(card, trained)
    write_archive(home / FILE, trained.weights, complete)
    Checkpoint(home / "last.pt").remove()
    return trained.weights, complete


def _complete(card: Card, trained: Trained) -> Card:
    state = trained.state
    line = next((each for each in state.lines if each.step == state.best_step), None)
    return replace(
        card,
        steps=state.best_step,
        kid=state.best,
        class_kid={} if line is None else dict(line.classes),
        stopped=state.stopped,
        snapshot=digest_of(trained.weights),
    )


def _publish(home: Path, folder: Path) -> None:
    """Copy what a reader wants to see; each file is whole or absent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Somebody may have cleared the cache meanwhile: the generator itself is in memory.
        for path in sorted(home.iterdir() if home.is_dir() else ()):
            if path.suffix in (".csv", ".png") and not path.name.startswith("."):
                write_file(folder / path.name, path.read_bytes())
    except OSError as error:
        raise DataError(f"{home} cannot be read: {error.strerror or error}") from error


NAME = "cgan"


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images and, for each, its lineage."""

    pixels: NDArray[np.uint8]
    lineage: tuple[Lineage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a generator is to be: the settings of its training and what stands beside them."""

    settings: Settings
    labels: Labels
    targets: tuple[str, ...] | None
    """The classes that will be asked for, where that is known."""
    conditions: Callable[..., Conditions]
    """Called with ``images`` and ``progress``; raises DataError where a class cannot be learned."""
    extractor: str
    device: str
    threads: int
    truncation: float
    attribution: str
    weights: Path | None
    """A trained generator to be used as it is."""
    outside: bool
    """Whether it may have been trained on images that are not in this fold."""


class CganGenerator:
    """Satisfies :class:`leukreg.ClassGenerator`."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._device = device_for(spec.device)
        self._network: Generator | None = None
        self._plan: Plan | None = None
        self._card: Card | None = None
        self._extra: Mapping[str, str] = {}

    def fit(
        self, images: Images, seed: int, folder: Path | None, progress: Progress = SILENT
    ) -> None:
        """Train on these rows, or take the generator that was trained on them before.

        ``folder`` gets the trained generator, a log and a sample grid for each snapshot; what a
        kill interrupts goes on from the cache. With ``weights`` nothing is trained.

        Raises:
            DataError: A class cannot be learned from these rows.
            TrainingError: A loss is no number.
        """
        if self._spec.weights is not None:
            self._open(self._spec.weights, images, folder, progress)
        else:
            self._train(images, seed, folder, progress)

    def check(self, images: Images, progress: Progress = SILENT) -> None:
        """Whether ``fit`` can begin on these rows; nothing is trained.

        Raises:
            DataError: A class cannot be learned from them, or the file of weights does not serve.
        """
        if self._spec.weights is not None:
            self._read(self._spec.weights, images)
        else:
            self._spec.conditions(images=images, progress=progress)

    def _read(
        self, path: Path, images: Images
    ) -> tuple[Mapping[str, Tensor], Card, dict[str, str]]:
        """Weights and card of a file that may be used here, and what it says of its training."""
        spec = self._spec
        weights, card = read_archive(path)
        check_fit(path, card, spec.settings.size, spec.labels.names, spec.targets)
        return weights, card, check_origin(path, card, outside(card, images), spec.outside)

    def _open(self, path: Path, images: Images, folder: Path | None, progress: Progress) -> None:
        weights, card, origin = self._read(path, images)
        if folder is not None:
            write_archive(folder / FILE, weights, card)
        self._take(weights, card, origin)
        progress.say(f"cgan: images are made by {path} ({origin['trained on']})")

    def _train(self, images: Images, seed: int, folder: Path | None, progress: Progress) -> None:
        spec = self._spec
        conditions = spec.conditions(images=images, progress=progress)
        for note in conditions.notes:
            progress.say(f"cgan: {note}")
        pixels = conditions.pixels(images)
        digests = image_digests(pixels[: len(conditions.rows)])
        held = _held(images, conditions, digests, seed)
        who, features = _features(spec.extractor, len(held))
        key = training_key(spec.settings, seed, pixels, conditions, held, who)
        card = Card(
            classes=conditions.classes,
            plan=conditions.plan.plain(),
            size=spec.settings.size,
            channels=spec.settings.channels,
            latent=spec.settings.latent,
            settings=asdict(spec.settings),
            seed=seed,
            extractor=who,
            images=_counted(conditions.labels, spec.labels.names),
            donors=len(conditions.donors),
            pixels=tuple(sorted(digests)),
            donor_pixels=tuple(sorted(image_digests(conditions.donors))),
            attribution=spec.attribution,
        )

        def job(home: Path) -> Job:
            return Job(
                settings=spec.settings,
                pixels=pixels,
                conditions=conditions,
                names=spec.labels.names,
                targets=conditions.classes,
                held=held,
                features=features,
                extractor=who,
                seed=seed,
                folder=home,
                shown=folder,
                device=self._device,
                threads=spec.threads,
            )

        weights, found = fitted(key, folder, job, card, progress)
        self._take(weights, found, {})

    def _take(self, weights: Mapping[str, Tensor], card: Card, extra: Mapping[str, str]) -> None:
        """Make images with these weights; ``extra`` is told by every image's lineage."""
        try:
            plan = Plan.from_plain(card.plan)
            width = sum(len(group.values) for group in plan.groups)
            network = Generator(card.size, width, card.channels, card.latent)
            network.load_state_dict(dict(weights))
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the generator's weights do not fit its description: {error}"
            ) from error
        self._network = network.to(self._device).eval()
        self._plan, self._card, self._extra = plan, card, extra

    def sample(self, label: str, n: int, seed: int) -> LabelledImages:
        """``n`` images of class ``label``; the same seed gives the same images.

        Raises:
            DataError: ``fit`` was not called, or it cannot make this class.
        """
        plan, card, network = self._plan, self._card, self._network
        if plan is None or card is None or network is None:
            raise DataError("cgan: fit comes before sample")
        rng = np.random.default_rng(derive(seed, label, "conditions"))
        vectors, words = plan.draw(label, n, rng)
        seeds = [derive(seed, label, number) for number in range(n)]
        noise = noise_for(seeds, card.latent, self._spec.truncation)
        with session(self._device, self._spec.threads):
            pixels = made_images(network, noise, vectors)
        lineage = tuple(
            Lineage(
                generator=NAME, seed=own, snapshot=card.snapshot, condition={**said, **self._extra}
            )
            for own, said in zip(seeds, words, strict=True)
        )
        return LabelledImages(pixels, lineage)


def _held(
    images: Images, conditions: Conditions, digests: Sequence[str], seed: int
) -> NDArray[np.int64]:
    """The rows that judge snapshots; what shows one patient, or one picture, stays together."""
    rows = [images.samples.rows[row] for row in conditions.rows]
    whose = {digest: row.patient for row, digest in zip(rows, digests, strict=True) if row.patient}
    groups = [row.patient or whose.get(d, d) for row, d in zip(rows, digests, strict=True)]
    return held_out(conditions.labels[: len(rows)].tolist(), groups, seed)


def _features(text: str, held: int) -> tuple[str, Callable[..., NDArray[np.float32]] | None]:
    """The extractor that snapshots are judged by, as files name it; none if nothing is held out."""
    if not held:
        return "", None
    from leukreg import open_extractor

    extractor = open_extractor(text)
    return f"{extractor.name}@{extractor.digest}", extractor.features


def _counted(labels: NDArray[np.int64], names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(labels, minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True)}
