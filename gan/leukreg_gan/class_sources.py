"""Where a class comes from that has few images or none: options of a generator that learns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, MinLen

from leukreg import (
    SILENT,
    DataError,
    Images,
    ImageSpec,
    Labels,
    NotAvailable,
    Progress,
    did_you_mean,
    expanded,
    require_folder,
)

if TYPE_CHECKING:
    from leukreg_gan.conditions import Conditions

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

    def files(self) -> tuple[Path, ...]:
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

    def ready(self) -> None:
        """Raises NotAvailable when a table is not there, and names all that are not."""
        missing = [str(path) for path in self.files() if not path.is_file()]
        if missing:
            raise NotAvailable(
                f"tables of attributes that do not exist: {', '.join(missing)}; put them there or "
                "set synthesis.attributes.table to where they are"
            )

    def files(self) -> tuple[Path, ...]:
        """Where the tables lie."""
        named = (self.table,) if isinstance(self.table, str) else self.table
        return tuple(expanded(name).absolute() for name in named)


@dataclass(frozen=True, kw_only=True)
class ClassSources:
    """The way that a recipe chooses to its classes, and the table that this way reads."""

    way: Way = "few"
    """How a class is learned that has few images or none: "few" from the images there are, "donor"
    from another source's images as well, "attributes" from its description."""
    donor: Donor | None = None
    """The other source, where way = "donor"."""
    attributes: Attributes | None = None
    """The table of attributes and what describes a class, where way = "attributes"."""

    @property
    def source(self) -> Donor | Attributes | None:
        """What the chosen way reads besides the training images."""
        return self._tables().get(self.way)

    def contradictions(self) -> list[str]:
        """Options that do not go together, in words; what is stated and not read is one."""
        found = [
            f'the table {name} is stated, but way = "{self.way}" does not read it; set '
            f'way = "{name}", or {name} = false'
            for name, table in self._tables().items()
            if table is not None and name != self.way
        ]
        if self.way != "few" and self.source is None:
            found.append(f'way = "{self.way}" needs {example(self.way, ())}')
        return found

    def conditions(
        self, images: Images, labels: Labels, image: ImageSpec,
        targets: Sequence[str] | None, progress: Progress = SILENT,
    ) -> Conditions:  # fmt: skip
        """What the images of a training fold are told to be, by the way that the recipe chooses.

        Args:
            targets: The classes that will be asked for. None: every class without a real image
                here, and of the others whatever the way can learn.

        Raises:
            DataError: A class cannot be learned, or the options do not fit the images: all mistakes
                at once.
            NotAvailable: The donors' folder or a table is not there.
            Problems: Donor images cannot be read.
        """
        from leukreg_gan.attributes import conditions_by_attributes
        from leukreg_gan.conditions import conditions_by_class
        from leukreg_gan.donor import conditions_with_donors

        faults = self.contradictions()
        faults += unknown_classes(targets or (), labels.names, "asked for")
        if not len(images):
            faults.append("there are no training images")
        refuse(faults)
        if isinstance(self.source, Donor):
            return conditions_with_donors(self.source, images, labels, image, targets, progress)
        if isinstance(self.source, Attributes):
            return conditions_by_attributes(self.source, images, labels, image, targets, progress)
        return conditions_by_class(images, labels, image, targets)

    def _tables(self) -> dict[str, Donor | Attributes | None]:
        return {"donor": self.donor, "attributes": self.attributes}


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


def in_words(names: Sequence[str]) -> str:
    """Such as "classes 'a' and 'b'"."""
    text = " and ".join(repr(name) for name in names)
    return f"{'class' if len(names) == 1 else 'classes'} {text}"


def unknown_classes(named: Iterable[str], known: Sequence[str], what: str) -> list[str]:
    """One sentence for each named class that the task does not have."""
    return [
        f"there is no class {name!r}, which is {what}; {did_you_mean(name, known)}"
        for name in named
        if name not in known
    ]


def refuse(faults: Sequence[str]) -> None:
    """Raises DataError with all of them, if there are any."""
    if faults:
        raise DataError("\n".join(f"synthesis: {fault}" for fault in faults))
