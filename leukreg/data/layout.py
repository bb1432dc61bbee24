"""How a folder of images seems to be laid out, as recipe lines to copy; nothing is taken so."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from leukreg.data.walk import Parts, walk

_ID = re.compile(r"(?:[A-Za-z]+[ _-]?)?\d+[A-Za-z]?")
"""What ids of patients look like: p07, Patient 12, 0815, A3b."""
_IN_NAME = re.compile(r"([A-Za-z]*\d+)[_-]")
MOST = 60
"""Class folders that are written out."""
_SHARE = 0.8
"""Part of the folders that must look so for a layout to be proposed."""


def layout(root: Path) -> tuple[str, ...]:
    """What the layout seems to be, then the lines for ``[data]``; empty where nothing shows."""
    walked = walk(root)
    files = [walked.below(path) for path in walked.images]
    by_folder = [parts for parts in files if len(parts) > 1]
    first = Counter(parts[0] for parts in by_folder)
    inside = sorted({parts[1:-1] for parts in by_folder} - {()})
    if not first:
        return ()
    second = sorted({parts[0] for parts in inside})
    if _are_ids(list(first)) and len(first) > 1:
        if not inside:
            return tuple(_patients_alone(next(iter(first))))
        known = len(inside) <= MOST and not _are_ids([parts[-1] for parts in inside])
        return tuple(_patient_class(inside)) if known else ()
    if len(second) > 1 and _are_ids(second):
        return ("it looks like PATH/class/patient/image:", "patient_level = 1")
    return () if inside else tuple(_in_names(by_folder))


def _are_ids(names: Sequence[str]) -> bool:
    fit = sum(_ID.fullmatch(name) is not None for name in names)
    return fit >= _SHARE * len(names)


def _patient_class(inside: Sequence[Parts]) -> Iterator[str]:
    yield "it looks like PATH/patient/class/image:"
    yield "patient = '^([^/]+)/'"
    yield "[data.classes]"
    folders: dict[str, list[str]] = defaultdict(list)
    for parts in inside:
        folders[parts[-1]].append("/".join(("*", *parts)))
    for name, members in folders.items():
        key, value = (json.dumps(each, ensure_ascii=False) for each in (name, members))
        yield f"{key} = {value}"


def _patients_alone(example: str) -> Iterator[str]:
    yield "it looks like PATH/patient/image, and no folder says what class an image is;"
    yield f"write a table with the columns path, label and patient ({example}), and say:"
    yield 'use = "table"'
    yield 'path = "TABLE.csv"'


def _in_names(files: Sequence[Parts]) -> Iterator[str]:
    """Ids at the beginning of file names: several in each class, and several images of most."""
    ids = [(parts[0], match.group(1)) for parts in files if (match := _IN_NAME.match(parts[-1]))]
    patients = Counter(name for _, name in ids)
    in_class = Counter(label for label, _ in {*ids})
    if len(ids) < _SHARE * len(files) or 2 * len(patients) > len(ids):
        return
    if in_class and min(in_class.values()) > 1:
        yield f"file names begin with what may be patients ({len(patients):,} ids):"
        yield r"patient = '/([A-Za-z]*\d+)[_-][^/]*$'"
