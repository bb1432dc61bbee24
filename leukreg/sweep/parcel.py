"""A unit for a worker that sees none of the driver's folders.

What it reads goes with it: the recipe, its fold as far as it is, and once for all units with the
same images, these as they lie in the cache of pixels. What it wrote of its fold comes back. Weights
in files and images that a generator reads stay where they are: such units need the folders.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import DataError
from leukreg.files import digest_of, write_file
from leukreg.sweep.unit import Done, Unit, do_unit, key_of, opened

if TYPE_CHECKING:
    from leukreg.prepare import OpenedData
    from leukreg.recipe.model import Recipe

OF_RUN = ("recipe.json", "digests.json", "checksums.txt")
"""What a unit reads of its run's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What came of a unit, and the files that it left."""

    done: Done
    files: Mapping[str, bytes]
    """By their paths in the run's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentImages:
    """Opened images without their files: those of the cache of pixels, and where a row's lies."""

    opened: OpenedData
    contents: tuple[str, ...]
    """Of each row."""
    packs: Mapping[str, Mapping[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A unit with the files that it reads."""

    unit: Unit
    files: Mapping[str, bytes]

    @property
    def content(self) -> str:
        """Says which images it needs: units with the same need the same."""
        return key_of(_recipe(Path(self.unit.run)))

    def images(self) -> bytes:
        """These, in the driver that has them open."""
        data = opened(_recipe(Path(self.unit.run)))
        store = data.images
        packs = dict.fromkeys(pack for pack, _ in store.places)
        sent = SentImages(
            opened=replace(data, images=replace(store, places=())),
            contents=tuple(pack.facts[position].content for pack, position in store.places),
            packs={pack.folder.name: _files_in(pack.folder) for pack in packs},
        )
        return pickle.dumps(sent)

    def do(self, images: bytes) -> Returned:
        """Do the unit elsewhere, in a folder of the worker's cache that goes afterwards."""
        from leukreg.data.cache_folder import cache_area

        name = digest_of(f"{self.unit.run} {self.unit.fold}".encode())[:16]
        run = cache_area("sweeps") / name
        for path, data in self.files.items():
            (run / path).parent.mkdir(parents=True, exist_ok=True)
            write_file(run / path, data, sync=False)
        run.mkdir(exist_ok=True)
        unit = replace(self.unit, run=str(run), note=str(run / "note.txt"))
        done = do_unit(unit, images)
        left = dict(_left(unit))
        shutil.rmtree(run, ignore_errors=True)
        return Returned(done=done, files=left)

    def unpack(self, returned: Returned) -> Done:
        """Put what came back where a worker beside the driver would have left it.

        Raises:
            WriteError: It cannot be written.
        """
        run = Path(self.unit.run)
        for path, _ in [*_left(self.unit)]:
            if path not in returned.files:
                (run / path).unlink()
        for path, data in returned.files.items():
            (run / path).parent.mkdir(parents=True, exist_ok=True)
            write_file(run / path, data)
        return returned.done


def parcel_of(unit: Unit) -> Parcel:
    """A unit with what it reads, once its run's folder is there."""
    run = Path(unit.run)
    files = {name: (run / name).read_bytes() for name in OF_RUN if (run / name).is_file()}
    return Parcel(unit=unit, files={**files, **dict(_left(unit))})


def settled(recipe: Recipe, images: bytes) -> tuple[Recipe, OpenedData]:
    """Images that were sent, opened in this machine's cache, and the recipe with them in place of
    its source, whose files are elsewhere."""
    from leukreg.data.decode import decoder_version
    from leukreg.data.pixel_cache import PixelCache

    sent: SentImages = pickle.loads(images)
    cache = PixelCache(recipe.image.size, decoder_version())
    for name, files in sent.packs.items():
        cache.take_in(name, files)
    places = tuple(place for one in sent.contents if (place := cache.find(one)) is not None)
    if len(places) < len(sent.contents):
        raise DataError(f"{cache.folder} lost images that were sent to it; do the same again")
    data = replace(sent.opened, images=replace(sent.opened.images, places=places))
    source = replace(recipe.data.source, plugin=object())
    return replace(recipe, data=replace(recipe.data, source=source)), data


def _recipe(run: Path) -> Recipe:
    from leukreg.recipe import rebuild
    from leukreg.runs.codec import read_json

    return rebuild(read_json(run / "recipe.json"), run / "recipe.json")


def _left(unit: Unit) -> Iterator[tuple[str, bytes]]:
    run = Path(unit.run)
    tops = ("fold-*", "synthetic") if unit.fold is None else (f"fold-{unit.fold}",)
    for top in (folder for name in tops for folder in sorted(run.glob(name))):
        for name, data in _files_in(top).items():
            yield f"{top.name}/{name}", data


def _files_in(folder: Path) -> dict[str, bytes]:
    every = (path for path in sorted(folder.rglob("*")) if path.is_file())
    kept = [path for path in every if not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}
