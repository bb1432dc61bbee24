"""The generator of images of a class: fitted once for the same content, or read from a file.

A training of the same content is looked up in the cache, and one that was killed goes on there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from leukreg import (
    SILENT,
    DataError,
    Images,
    ImageSpec,
    Labels,
    Lineage,
    Progress,
    cache_area,
    clear_leftovers,
    derive,
    expanded,
    open_extractor,
    torch_session,
    write_file,
)
from leukreg_gan import training
from leukreg_gan.conditions import Conditions, Plan, count
from leukreg_gan.generator_file import (
    Card,
    check_fit,
    check_origin,
    digest_of,
    image_digests,
    read_archive,
    write_archive,
)
from leukreg_gan.learned_generator import LearnedGenerator
from leukreg_gan.snapshots import ImageMaker, made_images, noise_for
from leukreg_gan.training import CHECKPOINT, Job
from leukreg_gan.training_set import held_out

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

FILE = "generator.safetensors"
AREA = "generators"

Fitted = tuple[Mapping[str, "Tensor"], Card]


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images and, for each, its lineage."""

    pixels: NDArray[np.uint8]
    lineage: tuple[Lineage, ...]


class FittedGenerator:
    """Satisfies :class:`leukreg.ClassGenerator`."""

    def __init__(
        self,
        options: LearnedGenerator,
        image: ImageSpec,
        labels: Labels,
        targets: tuple[str, ...] | None,
    ) -> None:
        """``targets`` are the classes that will be asked for, where that is known."""
        self.options, self.image, self.labels, self.targets = options, image, labels, targets
        self.device: str = options.device
        if options.device == "auto":
            self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.made_by: tuple[ImageMaker, Plan, Card, Mapping[str, str]] | None = None

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
        origin: dict[str, str] = {}
        if self.options.weights is None:
            weights, card = self._trained(images, seed, folder, progress)
        else:
            path = expanded(self.options.weights)
            weights, card, origin = self._read(path, images)
            if folder is not None:
                write_archive(folder / FILE, self.options.family, weights, card)
            self._say(progress, f"images are made by {path} ({origin['trained on']})")
        try:
            plan = Plan.from_plain(card.plan)
            maker = self.options.image_maker(card, plan.width)
            maker.load_state_dict(dict(weights))
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the generator's weights do not fit its description: {error}"
            ) from error
        self.made_by = maker.to(self.device).eval(), plan, card, origin

    def check(self, images: Images, progress: Progress = SILENT) -> None:
        """Whether ``fit`` can begin on these rows; nothing is trained.

        Raises:
            DataError: A class cannot be learned from them, or the file of weights does not serve.
        """
        if self.options.weights is not None:
            self._read(expanded(self.options.weights), images)
        else:
            self._conditions(images, progress)

    def sample(self, label: str, n: int, seed: int) -> LabelledImages:
        """``n`` images of class ``label``; the same seed gives the same images.

        Raises:
            DataError: ``fit`` was not called, or it cannot make this class.
        """
        if self.made_by is None:
            raise DataError(f"{self.options.family}: fit comes before sample")
        maker, plan, card, extra = self.made_by
        rng = np.random.default_rng(derive(seed, label, "conditions"))
        vectors, words = plan.draw(label, n, rng)
        seeds = [derive(seed, label, number) for number in range(n)]
        noise = noise_for(seeds, card.latent, self.options.truncation)
        with torch_session(self.device, self.options.threads):
            pixels = made_images(maker, noise, vectors)
        lineage = tuple(
            Lineage(
                generator=self.options.family,
                seed=own,
                snapshot=card.snapshot,
                condition={**said, **extra},
            )
            for own, said in zip(seeds, words, strict=True)
        )
        return LabelledImages(pixels, lineage)

    def _say(self, progress: Progress, text: str) -> None:
        progress.say(f"{self.options.family}: {text}")

    def _conditions(self, images: Images, progress: Progress) -> Conditions:
        return self.options.conditions(images, self.labels, self.image, self.targets, progress)

    def _read(
        self, path: Path, images: Images
    ) -> tuple[Mapping[str, Tensor], Card, dict[str, str]]:
        """Weights and card of a file that may be used here, and what it says of its training."""
        weights, card = read_archive(path, self.options.family)
        said = f"{self.options.family}: {path}"
        check_fit(said, card, self.image.size, self.labels.names, self.targets)
        allowed = self.options.outside == "allow"
        return weights, card, {"weights": path.name, **check_origin(said, card, images, allowed)}

    def _trained(
        self, images: Images, seed: int, folder: Path | None, progress: Progress
    ) -> Fitted:
        """From the cache, or trained now; file, log and sample grids are copied to ``folder``."""
        job, card = self._job(images, seed, folder, progress)
        with _alone(job.folder, progress):
            known = self._known(job.folder / FILE, progress)
            found = known or _train(job, card, progress)
        if known is not None:
            # In no key: what this recipe says of the same images in other words.
            own = {name: getattr(card, name) for name in ("classes", "plan", "attribution")}
            found = known[0], replace(known[1], **own)
            self._say(
                progress,
                "these very images were trained on before with these options "
                f"({job.folder.name[:-20]}); the generator is used again, nothing is trained",
            )
        if folder is not None:
            _publish(job.folder, folder)
            write_archive(folder / FILE, self.options.family, *found)
        return found

    def _job(
        self, images: Images, seed: int, shown: Path | None, progress: Progress
    ) -> tuple[Job, Card]:
        """The training, in its place in the cache, and what can be said of it beforehand."""
        options, size = self.options, self.image.size
        conditions = self._conditions(images, progress)
        for note in conditions.notes:
            self._say(progress, note)
        pixels = conditions.pixels(images)
        digests = image_digests(pixels)
        home = len(conditions.rows)
        held = _held(images, conditions, digests[:home], seed)
        extractor = open_extractor(options.extractor) if len(held) else None
        job = Job(
            options=options,
            size=size,
            pixels=pixels,
            conditions=conditions,
            names=self.labels.names,
            held=held,
            features=None if extractor is None else extractor.features,
            extractor="" if extractor is None else f"{extractor.name}@{extractor.digest}",
            seed=seed,
            folder=Path(),
            shown=shown,
            device=self.device,
        )
        # Size and steps stand before the digest, so that a listing of the cache says what it holds.
        name = f"{options.family}-{size}px-{options.steps}-steps-{training_key(job)}"
        settings = options.settings(size)
        card = Card(
            classes=conditions.classes,
            plan=conditions.plan.plain(),
            size=size,
            channels=settings["channels"],
            latent=settings["latent"],
            settings=settings,
            seed=seed,
            extractor=job.extractor,
            images=count(conditions.labels, self.labels),
            donors=len(conditions.donors),
            pixels=tuple(sorted(digests[:home])),
            donor_pixels=tuple(sorted(digests[home:])),
            attribution=options.attribution,
        )
        return replace(job, folder=cache_area(AREA, costly=True) / name), card

    def _known(self, path: Path, progress: Progress) -> Fitted | None:
        if not path.exists():
            return None
        try:
            return read_archive(path, self.options.family)
        except DataError as error:
            self._say(progress, f"{error}; the generator is trained anew")
            return None


def training_key(job: Job) -> str:
    """Digest of everything that decides the trained generator, the machine apart."""
    told, options = job.conditions, job.options
    classes = sorted(told.classes)
    settings = options.settings(job.size)
    head = [options.algorithm, settings, job.seed, job.extractor, job.pixels.shape, classes]
    state = hashlib.blake2b(json.dumps(head, sort_keys=True).encode(), digest_size=16)
    # What a class is drawn with decides how snapshots are judged.
    draws = [told.plan.draw(name, 64, np.random.default_rng(0))[0] for name in classes]
    for array in (job.pixels, told.vectors, told.labels, job.held, *draws):
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def _held(
    images: Images, conditions: Conditions, digests: Sequence[str], seed: int
) -> NDArray[np.int64]:
    """The rows that judge snapshots; what shows one patient, or one picture, stays together."""
    rows = [images.samples.rows[row] for row in conditions.rows]
    whose = {digest: row.patient for row, digest in zip(rows, digests, strict=True) if row.patient}
    own = zip(rows, digests, strict=True)
    groups = [row.patient or row.field or whose.get(d, d) for row, d in own]
    return held_out(conditions.labels[: len(rows)].tolist(), groups, seed)


@contextmanager
def _alone(home: Path, progress: Progress) -> Iterator[None]:
    """The right to train a generator: of two runs that need the same, one waits for the other."""
    from filelock import FileLock, Timeout

    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{home} cannot be written: {error.strerror or error}") from error
    lock = FileLock(home / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with progress.task("Waiting for another process that trains the same generator"):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _train(job: Job, card: Card, progress: Progress) -> Fitted:
    weights, state = training.train(job, progress)
    line = next((each for each in state.lines if each.step == state.best_step), None)
    quality = None if line is None else line.quality
    complete = replace(
        card,
        steps=state.best_step,
        kid=state.best,
        class_kid={} if quality is None else dict(quality.classes),
        stopped=state.stopped,
        snapshot=digest_of(weights),
    )
    write_archive(job.folder / FILE, job.options.family, weights, complete)
    (job.folder / CHECKPOINT).unlink(missing_ok=True)
    clear_leftovers(job.folder)
    return weights, complete


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
