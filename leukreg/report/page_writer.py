"""Writing a page without losing what somebody else wrote.

Beside the page lies a folder with its figures and tables, and in it an index of what leukreg wrote,
with digests: what was changed since is not ours any more.
"""

from __future__ import annotations

import hashlib
import json
import re
from html import unescape
from pathlib import Path

from leukreg.errors import LeukregError
from leukreg.files import writable, write_file
from leukreg.report.page import Page
from leukreg.runs.codec import write_json
from leukreg.text import visible

INDEX = "index.json"
_OF = re.compile(r'<meta name="leukreg-page" content="([^"]*)">')
Known = dict[str, list[str]]
"""Digests by name; more than one of a file that was being replaced."""
_HEAD = 20_000
"""Bytes of a file among which a page of ours says what it is of."""


def write_page(page: Page, path: Path) -> None:
    """Write a page and its files; an earlier page of the same run is replaced, nothing else.

    Raises:
        LeukregError: A file of somebody else, or one that was changed since leukreg wrote it, is in
            the way; nothing was written then.
    """
    folder = path.parent / page.folder
    data = page.html.encode("utf-8")
    known = _index(folder)
    _refuse(path, folder, page, known)  # all that is in the way, before anything is touched
    ours = {path.name: _digest(data)}
    ours |= {name: _digest(content) for name, content in page.files.items()}
    with writable(folder):
        folder.mkdir(exist_ok=True)
    # First what is there and what is to be: a kill leaves nothing that is taken for foreign.
    both = {name: [*known.get(name, ()), one] for name, one in ours.items()}
    write_json(folder / INDEX, {**known, **both})
    for name, content in page.files.items():
        write_file(folder / name, content)
    write_file(path, data)
    for name in known.keys() - ours.keys():
        if _is_ours(folder / name, known):
            (folder / name).unlink()
    write_json(folder / INDEX, {name: [one] for name, one in ours.items()})


def _refuse(path: Path, folder: Path, page: Page, known: Known) -> None:
    if not path.parent.is_dir():
        raise LeukregError(f"{path.parent}: there is no such folder; make it, or name another")
    faults = _faults_of_page(path, page, known)
    if folder.exists() and not folder.is_dir():
        faults.append(f"{folder}: is no folder, and the page's figures and tables go there")
    elif folder.is_dir():
        faults += [
            f"{folder / name}: is not as leukreg wrote it"
            for name, content in sorted(page.files.items())
            if (folder / name).exists() and not _is_ours(folder / name, known, content)
        ]
    if faults:
        advice = "nothing was written; move it away, or name another file with --out"
        raise LeukregError("\n".join([*faults, advice]))


def _faults_of_page(path: Path, page: Page, known: Known) -> list[str]:
    if path.is_dir():
        return [f"{path}: is a folder"]
    if not path.exists():
        return []
    with path.open("rb") as file:
        head = file.read(_HEAD).decode("utf-8", "replace")
    found = _OF.search(head)
    if found is None:
        return [f"{path}: exists and is no page of leukreg"]
    if unescape(found[1]) != visible(page.of):
        return [f"{path}: is the page of {unescape(found[1])}"]
    if path.name in known and not _is_ours(path, known, page.html.encode("utf-8")):
        return [f"{path}: was changed since leukreg wrote it"]
    return []


def _index(folder: Path) -> Known:
    """Digests by name of what leukreg wrote; a page's own name stands among them."""
    try:
        kept = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {
        name: [str(each) for each in (one if isinstance(one, list) else [one])]
        for name, one in kept.items()
        if Path(name).name == name
    }


def _is_ours(path: Path, known: Known, new: bytes | None = None) -> bool:
    """Whether a file is as we wrote it, or as we would: then an earlier writing was cut short."""
    if not path.is_file():
        return False
    data = path.read_bytes()
    return data == new or _digest(data) in known.get(path.name, ())


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
