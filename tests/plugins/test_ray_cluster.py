"""What is refused before Ray is asked; units on a cluster: ``tests/sweep``."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from leukreg_plugins.ray_cluster import Ray, _refuse_silent

from leukreg.errors import NotAvailable


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "no Ray cluster answers at 127.0.0.1:"),
        (b"HTTP/1.1 400 Bad Request\r\n", "is no Ray cluster"),
        (bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), None),
    ],
)
def test_an_address_that_does_not_answer_as_ray_does_is_refused_soon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: bytes, words: str | None
) -> None:
    monkeypatch.setattr("leukreg_plugins.ray_cluster.SECONDS", 0.4)

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(ConnectionError):
            connection.sendall(answer)
            while connection.recv(100):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, listener)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        if words is None:
            _refuse_silent(address)
        else:
            with pytest.raises(NotAvailable, match=words):
                Ray(address=address).build(2, 1, tmp_path)
        served.result(timeout=60)


def test_what_is_no_address_and_gpus_that_are_not_there_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("leukreg_plugins.ray_cluster.devices", lambda: ("0",))
    with pytest.raises(NotAvailable, match="'nowhere' is none: say HOST:PORT"):
        Ray(address="nowhere").build(2, 1, tmp_path)
    with pytest.raises(NotAvailable, match="gpus = 2 asks for more GPUs than the 1 here"):
        Ray(gpus=2).build(2, 1, tmp_path)
