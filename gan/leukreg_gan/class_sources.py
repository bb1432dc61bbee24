"""The three ways to a class that has few real images, or none: options of the generator plugin."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, MinLen

from leukreg import Images, Labels, NotAvailable, expanded, require_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leukreg_gan.condition_plan import Group


Way = Literal["few", "donor", "attributes"]
Weight = Annotated[float, Gt(0)]
Described = str | tuple[str, ...] | dict[str, Weight]
"""One value, several that are equally likely, or a table of value and weight."""
Names = Annotated[tuple[str, ...], MinLen(1)]
STRICT = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True)
class Donor:
    """Images of the missing class from another source: the table ``donor``."""

    __pydantic_config__: ClassVar[Any] = STRICT

    root: str
    """The folder that holds the donors' class folders; relative to the working directory, ~
    expanded."""
    classes: dict[str, Names] | None = None
    """Class of the task to the folders below root that make it up; by default every folder that is
    called as a class of the task. Classes that are known at home too help: they teach what is the
    source and what is the class."""
    stain: Literal["match", "none"] = "match"
    """Match the donors' colours to the home training images (Reinhard et al., 2001), or leave
    them."""
    limit: Annotated[int, Ge(1)] | None = None
    """At most so many images per class, evenly spread over the sorted list."""

    def ready(self) -> None:
        """Raises NotAvailable when root is not there."""
        try:
            require_folder(self.root, "set synthesis.donor.root to where they are")
        except NotAvailable as error:
            raise NotAvailable(f"donor images: {error}") from None

    def folders(self) -> tuple[Path, ...]:
        """The folders that are read: those of the stated classes, or else all of root."""
        root = expanded(self.root).absolute()
        named = [root / name for names in (self.classes or {}).values() for name in names]
        # A disk may write a name in another of Unicode's forms: then all of root is looked at.
        return tuple(named) if named and all(path.is_dir() for path in named) else (root,)


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """A table of morphological attributes per image: the table ``attributes``."""

    __pydantic_config__: ClassVar[Any] = STRICT

    table: str | Names
    """CSV, TSV or Parquet with one image per row, or several of them; relative to the working
    directory, ~ expanded."""
    key: str = "img_name"
    """Column with the image's file name, with or without folders before it."""
    columns: Names | None = None
    """Columns that are attributes; by default every one but the key and class, label, path, patient
    and split."""
    describe: dict[str, dict[str, Described]] = field(default_factory=dict)
    """Class to its attributes: a value, a list of equally likely ones, or a table of value and
    weight. Attributes that are not described are drawn as the training images have them."""

    @property
    def tables(self) -> tuple[Path, ...]:
        """Where the tables lie."""
        named = (self.table,) if isinstance(self.table, str) else self.table
        return tuple(expanded(name).absolute() for name in named)

    def ready(self) -> None:
        """Raises NotAvailable when a table is not there, and names all that are not."""
        missing = [str(path) for path in self.tables if not path.is_file()]
        if missing:
            raise NotAvailable(
                f"tables of attributes that do not exist: {', '.join(missing)}; put them there or "
                "set synthesis.attributes.table to where they are"
            )


@dataclass(frozen=True, kw_only=True)
class ClassSources:
    """The way that a recipe chooses, and its options."""

    way: Way = "few"
    donor: Donor | None = None
    attributes: Attributes | None = None

    def ready(self) -> None:
        """Raises NotAvailable when the folder or table of the chosen way is not there."""
        if self.way == "donor" and self.donor is not None:
            self.donor.ready()
        if self.way == "attributes" and self.attributes is not None:
            self.attributes.ready()

    def files(self) -> tuple[Path, ...]:
        """The folder or tables of the chosen way."""
        if self.way == "donor" and self.donor is not None:
            return self.donor.folders()
        if self.way == "attributes" and self.attributes is not None:
            return self.attributes.tables
        return ()

    def contradictions(self) -> list[str]:
        """Options that do not go together, in words; what is stated and not read is one."""
        tables = {"donor": self.donor, "attributes": self.attributes}
        found = [
            f'the table {name} is stated, but way = "{self.way}" does not read it; set '
            f'way = "{name}", or {name} = false'
            for name, table in tables.items()
            if table is not None and name != self.way
        ]
        if self.way in tables and tables[self.way] is None:
            found.append(f'way = "{self.way}" needs {example(self.way, ())}')
        return found


def example(way: str, classes: Sequence[str]) -> str:
    """What to write in ``[synthesis]`` for a way to these classes."""
    names = [_toml_key(name) for name in classes] or ["CLASS"]
    if way == "donor":
        each = ", ".join(f'{name} = ["FOLDER"]' for name in names)
        return f'donor = {{ root = "DONORS", classes = {{ {each} }} }}'
    each = ", ".join(f'{name} = {{ ATTRIBUTE = "VALUE" }}' for name in names)
    return f'attributes = {{ table = "TABLE.csv", describe = {{ {each} }} }}'


def _toml_key(name: str) -> str:
    plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if plain else f'"{name}"'


def class_indices(images: Images, labels: Labels) -> NDArray[np.int64]:
    """The class of each row, an index into the task's classes."""
    import numpy as np

    position = {name: index for index, name in enumerate(labels.names)}
    return np.array([position[row.label] for row in images.samples.rows], np.int64)


def count(of: NDArray[np.int64], labels: Labels) -> dict[str, int]:
    """Rows per class, every class listed; ``of`` are class indices."""
    import numpy as np

    found = np.bincount(of, minlength=len(labels)).tolist()
    return dict(zip(labels.names, found, strict=True))


def unknown_classes(named: Iterable[str], known: Sequence[str], what: str) -> list[str]:
    """One sentence for each named class that the task does not have."""
    found = []
    for name in named:
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        found.append(f"there is no class {name!r}, which is {what}; {hint}")
    return found


def without_images(names: Sequence[str]) -> list[str]:
    """No training image, with the way "few"."""
    if not names:
        return []
    it = "it" if len(names) == 1 else "them"
    return [
        f'no training image shows {_named(names)}, and way = "few" learns a class from images of '
        f'it. Keep some in training, or add to [synthesis] either way = "donor" and '
        f"{example('donor', names)}, for images of {it} from another source, or "
        f'way = "attributes" and {example("attributes", names)}, to describe what no image shows'
    ]


def without_donors(names: Sequence[str]) -> list[str]:
    """No training image and no donor, with the way "donor"."""
    if not names:
        return []
    return [
        f"neither a training image nor a donor shows {_named(names)}; name the donors' folders: "
        f"{example('donor', names)}, keep some images in training, or describe what no image "
        f'shows: way = "attributes" and {example("attributes", names)}'
    ]


def without_description(
    names: Sequence[str], empty: Collection[str], groups: Sequence[Group]
) -> list[str]:
    """No training image with attributes and no description, with the way "attributes".

    Args:
        empty: Classes without any training image.
    """
    there = ", ".join(group.name for group in groups)
    return [
        f"{'no training image' if name in empty else 'no training image with attributes'} shows "
        f"class {name!r}, and it is not described; say what it looks like in "
        f"attributes.describe.{name}; the attributes are {there}"
        for name in names
    ]


def _named(names: Sequence[str]) -> str:
    text = " and ".join(repr(name) for name in names)
    return f"{'class' if len(names) == 1 else 'classes'} {text}"
