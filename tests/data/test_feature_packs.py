"""Features are kept whole, found again by their keys, and never taken for what they are not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from leukreg.data.cache_folder import cache_area, entries
from leukreg.data.feature_packs import FeaturePacks, key
from leukreg.files import writable
from leukreg.progress import Silent


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def keys_of(*names: str) -> list[bytes]:
    return [key(name.encode()) for name in names]


def filled(packs: FeaturePacks, *names: str) -> np.ndarray:
    features = np.arange(3 * len(names), dtype="f4").reshape(-1, 3) + len(names)
    packs.keep(keys_of(*names), features)
    return features


def found(packs: FeaturePacks, *names: str) -> tuple[np.ndarray, list[int]]:
    out = np.full((len(names), 3), -1, "f4")
    return out, packs.find(keys_of(*names), out).tolist()


def test_features_are_found_by_their_keys_also_by_others(cache: Path) -> None:
    one, other = FeaturePacks("frozen", "net", (3,)), FeaturePacks("frozen", "net", (3,))
    features = filled(one, "a", "b", "a")
    out, missing = found(other, "c", "b", "a")
    assert missing == [0]
    assert np.array_equal(out, [[-1] * 3, features[1], features[0]])
    (entry,) = entries()
    assert (entry.area, entry.name, entry.files) == ("frozen", "net", 1)


def test_any_key_is_found_again_zeros_at_its_end_too(cache: Path) -> None:
    keys = [bytes([n, *([0] * 15)]) for n in range(1, 4)]
    FeaturePacks("frozen", "net", (1,)).keep(keys, np.array([[1], [2], [3]], "f4"))
    out = np.zeros((3, 1), "f4")
    assert not len(FeaturePacks("frozen", "net", (1,)).find(keys, out))
    assert out.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 72])
def test_damage_is_said_and_goes(cache: Path, content: bytes) -> None:
    filled(FeaturePacks("frozen", "net", (3,)), "a", "b")
    (path,) = (cache / "frozen" / "net").glob("pack-*")
    path.write_bytes(content)
    told = Told()
    assert found(FeaturePacks("frozen", "net", (3,), progress=told), "a", "b")[1] == [0, 1]
    assert told.said == [f"{path}: features were damaged, and are computed again"]
    assert not path.exists()


def test_what_is_mapped_outlives_its_file(cache: Path) -> None:
    packs = FeaturePacks("frozen", "net", (3,))
    features = filled(packs, "a")
    assert found(packs, "a")[1] == []
    for path in (cache / "frozen" / "net").iterdir():
        path.unlink()
    out, missing = found(packs, "a")
    assert not missing
    assert np.array_equal(out, features)


def test_networks_that_were_not_used_for_longest_go_for_others(cache: Path) -> None:
    size = 2 * (16 + 12) + 16
    for place, name in enumerate(("old", "older", "new")):
        filled(FeaturePacks("frozen", name, (3,)), "a", "b")
        os.utime(cache / "frozen" / name, (1000, 1000 - 10 * (name == "older") + place))
    told = Told()
    packs = FeaturePacks("frozen", "mine", (3,), limit=3 * size + 1, progress=told)
    filled(packs, "a", "b")
    assert sorted(entry.name for entry in entries()) == ["mine", "new", "old"]
    filled(packs, *"abcdefghijkl")
    filled(packs, *"mnopqrstuvwx")
    assert len(told.said) == 1
    assert "more features are not kept" in told.said[0]
    assert found(packs, "a", "c")[1] == [1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_said_and_ends_nothing(cache: Path) -> None:
    told = Told()
    packs = FeaturePacks("frozen", "net", (3,), progress=told)
    cache_area("frozen").chmod(0o500)
    try:
        filled(packs, "a")
        filled(packs, "b")
    finally:
        cache_area("frozen").chmod(0o700)
    (said,) = told.said
    assert "cannot be written: Permission denied" in said
    assert "more features are not kept" in said


def test_a_full_disk_ends_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        with writable(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told = Told()
    packs = FeaturePacks("frozen", "net", (3,), progress=told)
    features = filled(packs, "a")
    with monkeypatch.context() as patched:
        patched.setattr("leukreg.data.feature_packs.write_file", full)
        filled(packs, "b", "c")
        filled(packs, "d")
    (said,) = told.said
    assert "No space left on device; make room (`leukreg cache clear`)" in said
    out, missing = found(packs, "a", "b")
    assert missing == [1]
    assert np.array_equal(out[:1], features)


WRITER = """
    import sys
    import numpy as np
    from leukreg.data.feature_packs import FeaturePacks, key
    packs = FeaturePacks("frozen", "net", (3,))
    print("ready", flush=True)
    sys.stdin.readline()
    rng = np.random.default_rng(0)
    for number in range(40):
        keys = [key(bytes([number, one])) for one in range(4)]
        features = rng.random((4, 3)).astype("f4")
        out = np.zeros((4, 3), "f4")
        packs.keep(keys, features)
        assert not len(packs.find(keys, out)), number
        assert np.array_equal(out, features), number
"""


def test_two_processes_that_keep_the_same_at_once_both_end_well(cache: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITER)]
    writers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        out, said = writer.communicate()
        assert (writer.returncode, out, said) == (0, b"", b"")
    told = Told()
    packs = FeaturePacks("frozen", "net", (3,), progress=told)
    keys = [key(bytes([number, one])) for number in range(40) for one in range(4)]
    out = np.zeros((len(keys), 3), "f4")
    assert not len(packs.find(keys, out))
    assert np.array_equal(out, np.random.default_rng(0).random((len(keys), 3)).astype("f4"))
    assert told.said == []
    assert len(list((cache / "frozen" / "net").iterdir())) == 40
