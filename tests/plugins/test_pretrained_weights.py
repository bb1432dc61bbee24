"""Fetching weights from a hub, here a small one on this very machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from leukreg_plugins.pretrained_weights import HubWeights

from leukreg import NotAvailable

WEIGHTS = b"weights of a network" * 1000
FETCH = """
import sys
from leukreg import NotAvailable
from leukreg_plugins.pretrained_weights import HubWeights, sha256
hub = HubWeights(sys.argv[1])
assert hub.cached() is None
hub.ready()
try:
    path = hub.fetch()
    assert hub.cached() == path
    print(path.name, sha256(path))
except NotAvailable as error:
    print(error)
"""


class _Hub(BaseHTTPRequestHandler):
    """Serves ``owner/new`` in safetensors and ``owner/old`` as a pickle only."""

    def do_GET(self) -> None:
        self.do_HEAD()
        if self.path in self._there:
            self.wfile.write(WEIGHTS)

    def do_HEAD(self) -> None:
        found = self.path in self._there
        self.send_response(200 if found else 404)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(WEIGHTS)) if found else "0")
        digest = hashlib.sha256(WEIGHTS).hexdigest()
        self.send_header(*(("ETag", f'"{digest}"') if found else ("X-Error-Code", "EntryNotFound")))
        self.end_headers()

    _there = (
        "/owner/new/resolve/main/model.safetensors",
        "/owner/old/resolve/main/pytorch_model.bin",
    )

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("repository", "says"),
    [
        ("owner/new", f"model.safetensors {hashlib.sha256(WEIGHTS).hexdigest()}"),
        ("owner/old", f"pytorch_model.bin {hashlib.sha256(WEIGHTS).hexdigest()}"),
        ("owner/none", "it has none of the files model.safetensors, pytorch_model.bin"),
    ],
)
def test_weights_are_fetched_into_the_cache_or_their_absence_is_told(
    repository: str, says: str, hub: str, tmp_path: Path
) -> None:
    unset = {"HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}
    own = {name: value for name, value in os.environ.items() if name not in unset}
    own |= {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", FETCH, repository], env=own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


def test_a_connection_that_is_lost_is_no_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> str:
        raise LocalEntryNotFoundError("the connection broke off")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lost)
    monkeypatch.setattr(HubWeights, "ready", lambda _: None)
    with pytest.raises(NotAvailable, match="download failed: the connection broke off"):
        HubWeights("owner/lost").fetch()
