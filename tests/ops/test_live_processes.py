"""Two processes of the API: what is changed through one is told on a screen of the other, within 200 ms at the median."""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx

from commerce.settings import Settings
from tests.conftest import ROOT
from tests.ops.test_whole import Stream
from tests.support import Shop, await_answer

CHANGES = 11
MEDIAN_SECONDS = 0.2


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """`commerce serve`, answering, on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "SECRET_KEY": settings.secret_key,
        "ENVIRONMENT": "test", "API_WORKERS": "1", "PORT": str(port), "LOG_LEVEL": "error", "WRITE_CONNECTIONS": "2",
        "READ_CONNECTIONS": "2",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "commerce", "serve"], cwd=ROOT, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        await_answer(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(20)


async def test_a_change_reaches_the_other_process_at_once(shop: Shop, settings: Settings) -> None:
    shopper, item = await shop.shopper("app"), await shop.item()
    took = await asyncio.to_thread(changes_told, settings, shopper.token or "", item.sku)
    print(f"cart to the screen of another process: median {statistics.median(took) * 1000:.0f} ms of {CHANGES}")
    assert statistics.median(took) <= MEDIAN_SECONDS


def changes_told(settings: Settings, token: str, sku: str) -> list[float]:
    """Seconds from the answer to each change until a screen at the other process has heard of it."""
    took = []
    with served(settings) as one, served(settings) as other, httpx.Client(base_url=one) as app:
        stream = Stream(other, "/v1/carts/current/events", token)
        assert stream.next()[:2] == ("cart", {"id": None, "version": 0, "state": "open"})
        for n in range(1, CHANGES + 1):
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4()), "If-Match": "*"}
            answer = app.put(f"/v1/carts/current/lines/{sku}", json={"quantity": n}, headers=headers)
            answered = time.monotonic()
            assert answer.status_code == 200, answer.text
            name, seen, at = stream.next()
            assert (name, seen["version"]) == ("cart", n)
            took.append(max(0.0, at - answered))
    assert stream.next()[0] == "bye"
    stream.close()
    return took
