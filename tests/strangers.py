"""Distributions of strangers, laid out on disk as pip would leave them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from leukreg import registry


def install(
    folder: Path, distribution: str, source: str, *, version: str = "1.0", entry: str = ""
) -> str:
    """Write a one-module distribution below ``folder``; returns the module's name."""
    module = distribution.replace("-", "_")
    (folder / f"{module}.py").write_text(textwrap.dedent(source))
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )
    (info / "entry_points.txt").write_text(f"[leukreg]\n{entry or distribution} = {module}\n")
    return module


def entry_points(folder: Path) -> Iterable[metadata.EntryPoint]:
    """The leukreg entry points of the distributions below ``folder``, and no others."""
    for distribution in metadata.distributions(path=[str(folder)]):
        yield from distribution.entry_points.select(group="leukreg")


LOSS = '''
    from leukreg import hookimpl, plugin

    @plugin("{name}")
    class Stranger:
        """A loss by a stranger."""

        def build(self, labels):
            return None

    @hookimpl
    def leukreg_losses():
        return [Stranger]
'''

COMMAND = '''
    import click
    from leukreg import hookimpl

    @click.command("{name}")
    def stranger():
        """Say hello."""
        click.echo("hello")

    @hookimpl
    def leukreg_commands(cli):
        cli.add_command(stranger)
'''


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable folder for made-up distributions, and a cache of its own."""
    folder = tmp_path / "strangers"
    folder.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    registry.installed.cache_clear()
    yield folder
    registry.installed.cache_clear()
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
