"""The whole instance as `make run` starts it: real servers, the demonstration retailer, API, worker and relay."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from commerce.embedded import remove
from commerce.processes import SETTING_NAMES, Instance, running_instance
from tests.ops.test_up import REPOSITORY, Shop, living

ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES} | {
    "LOG_LEVEL": "warning"
}
OPEN = "Ctrl-C stops everything."
LAST = 6
"""Version of the cart, and quantity in it, after all changes."""


@pytest.fixture
def data() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="commerce-whole-"))
    parent.chmod(0o755)
    yield parent / "data"
    remove(parent / "data")
    shutil.rmtree(parent)


def commerce(data: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "commerce", "--data", str(data), *words]


@contextlib.contextmanager
def running(data: Path) -> Iterator[tuple[Shop, Instance]]:
    """`commerce up` on any free port, open for business."""
    output = data.parent / f"output-{uuid4().hex[:6]}"
    with output.open("wb") as file:
        process = subprocess.Popen(
            commerce(data, "up", "--port", "0"), stdout=file, stderr=subprocess.STDOUT, cwd=REPOSITORY, env=ENVIRONMENT
        )
    shop = Shop(process, data, output)
    try:
        shop.await_text(OPEN, seconds=300)
        instance = running_instance(data)
        assert instance is not None
        yield shop, instance
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


class Stream:
    """Server-sent events as they arrive, each with the moment of its arrival."""

    def __init__(self, address: str, path: str, token: str) -> None:
        self.connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers["content-type"].startswith("text/event-stream")
        self.arrived = queue.Queue[tuple[str, dict[str, Any], float] | None]()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        name, words = "", ""
        for line in iter(self.response.readline, b""):
            field, _, value = line.decode().rstrip("\r\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                words = value
            elif not field and name:
                self.arrived.put((name, json.loads(words), time.monotonic()))
                name, words = "", ""
        self.arrived.put(None)

    def next(self, seconds: float = 60.0) -> tuple[str, dict[str, Any], float]:
        found = self.arrived.get(timeout=seconds)
        assert found is not None, "the stream ended"
        return found

    def close(self) -> None:
        self.thread.join(5)
        assert not self.thread.is_alive()
        self.response.close()
        self.connection.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4()), "If-Match": "*"}


def test_a_day_of_the_whole_shop(data: Path) -> None:
    started = time.monotonic()
    with running(data) as (shop, instance):
        making = time.monotonic() - started
        assert sorted(living(instance)) == ["api", "postgres", "relay", "valkey", "worker"]
        listed = subprocess.run(
            commerce(data, "credentials", "--json"), capture_output=True, check=True, env=ENVIRONMENT
        )
        credentials = json.loads(listed.stdout)
        keys = {client["code"]: client["key"] for client in credentials["clients"]}
        with httpx.Client(base_url=instance.url) as app, httpx.Client(base_url=instance.url) as site:
            ready = site.get("/health/ready").json()
            assert (ready["status"], ready["database"], ready["valkey"], ready["migrations"]) == (
                "ok",
                True,
                True,
                True,
            )
            tokens = app.post("/v1/auth/anonymous", headers=bearer(keys["app"]), json={}).json()
            token = tokens["access_token"]
            assert site.get("/v1/catalog/products", headers=bearer(token)).json()["items"]
            cart = app.put("/v1/carts/current/lines/HDY101-BLK-50", json={"quantity": 1}, headers=bearer(token)).json()
            assert cart["version"] == 1

            stream = Stream(instance.url, f"/v1/carts/{cart['id']}/events", token)
            assert stream.next()[:2] == ("cart", {"id": cart["id"], "version": 1, "state": "open"})
            took = []
            for n in range(2, LAST + 1):
                asked = time.monotonic()
                changed = site.put(
                    f"/v1/carts/{cart['id']}/lines/HDY101-BLK-50", json={"quantity": n}, headers=bearer(token)
                )
                assert (changed.status_code, changed.json()["version"]) == (200, n)
                name, seen, at = stream.next()
                assert (name, seen) == ("cart", {"id": cart["id"], "version": n, "state": "open"})
                took.append(at - asked)
            assert statistics.median(took) < 1

        started = time.monotonic()
        shop.process.send_signal(signal.SIGTERM)
        assert stream.next()[0] == "bye"
        assert shop.process.wait(15) == 0
        assert time.monotonic() - started < 10
        stream.close()
        assert living(instance) == []
        assert running_instance(data) is None
        for words in ("Traceback", "refused to gracefully stop"):
            assert words not in shop.text

    started = time.monotonic()
    with running(data) as (shop, again):
        assert time.monotonic() - started < max(15, making)  # nothing is made again, however slow the machine is
        kept = httpx.get(f"{again.url}/v1/carts/current", headers=bearer(token)).json()
        assert (kept["id"], kept["version"]) == (cart["id"], LAST)
        assert [(line["sku"], line["quantity"]) for line in kept["lines"]] == [("HDY101-BLK-50", LAST)]
        audit = subprocess.run(commerce(data, "audit"), capture_output=True, check=False, env=ENVIRONMENT)
        assert audit.returncode == 0, audit.stdout.decode()
        shop.process.send_signal(signal.SIGINT)
        assert shop.process.wait(15) == 0
        assert living(again) == []
