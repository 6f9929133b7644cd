"""`commerce up` as one foreground command: started, crashed, stopped with an open event stream."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commerce.embedded import remove
from commerce.processes import Instance, running_instance

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Shop:
    """A `commerce up` under test and what it printed."""

    process: subprocess.Popen[bytes]
    data: Path
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def await_text(self, words: str, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.02)

    def await_open(self) -> Instance:
        self.await_text("Ctrl-C stops everything.")
        instance = running_instance(self.data)
        assert instance is not None
        return instance


@pytest.fixture
def folder() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="commerce-test-"))
    parent.chmod(0o755)
    yield parent
    remove(parent / "data")
    shutil.rmtree(parent)


@contextlib.contextmanager
def opened(folder: Path, *kinds: str, port: int = 0, environment: dict[str, str] | None = None) -> Iterator[Shop]:
    output = folder / "output"
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
    command = [sys.executable, "-m", "tests.ops.stub", "up", str(folder / "data"), str(port), *kinds]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, cwd=REPOSITORY, env={**kept, **(environment or {})}
        )
    try:
        yield Shop(process, folder / "data", output)
    finally:
        with process:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def living(instance: Instance) -> list[str]:
    """Names of the instance's processes that still run, looked up by their start and not by pid alone."""
    found = []
    for name, pid in instance.processes.items():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(name)
    return found


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_in_order_with_an_event_stream_open(folder: Path, kind: signal.Signals) -> None:
    with opened(folder, f"durable={'yes' if kind == signal.SIGTERM else 'no'}") as shop:
        instance = shop.await_open()
        assert sorted(living(instance)) == ["api", "postgres", "relay", "valkey", "worker"]
        for words in (f"{instance.url}\n", f"{instance.url}/docs\n", "migrated\n", "seeded\n", "credentials: admin\n"):
            assert words in shop.text
        for child in ("api", "worker", "relay", "valkey", "postgres"):
            assert os.getsid(instance.processes[child]) == instance.processes[child]
        connection = http.client.HTTPConnection(instance.url.removeprefix("http://"), timeout=15)
        connection.request("GET", "/v1/events/stream")
        with contextlib.closing(connection), connection.getresponse() as stream:
            assert stream.readline() == b"event: beat\n"
            started = time.monotonic()
            shop.process.send_signal(kind)
            assert stream.read().endswith(b"event: bye\ndata: {}\n\n")
            assert shop.process.wait(15) == 0
        assert time.monotonic() - started < 10
        assert living(instance) == []
        assert running_instance(shop.data) is None
        assert not (shop.data / "instance.json").exists()


def test_a_child_that_does_not_stop_is_killed_within_the_time(folder: Path) -> None:
    with opened(folder, "work=stubborn") as shop:
        instance = shop.await_open()
        started = time.monotonic()
        shop.process.terminate()
        assert shop.process.wait(15) == 0
        assert 2 <= time.monotonic() - started < 10
        assert living(instance) == []


def test_a_child_that_ends_is_started_again(folder: Path) -> None:
    with opened(folder) as shop:
        before = shop.await_open()
        os.kill(before.processes["api"], signal.SIGKILL)
        shop.await_text("The API was ended by SIGKILL unexpectedly; it is started again in 0.5 s.")
        deadline = time.monotonic() + 60
        while (after := running_instance(shop.data)) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert after is not None
        assert after.processes["api"] != before.processes["api"]
        assert after.processes["worker"] == before.processes["worker"]


def test_a_worker_that_always_fails_is_explained_and_stops_the_rest(folder: Path) -> None:
    with opened(folder, "work=fail", "pause=0.1") as shop:
        assert shop.process.wait(90) == 1
        assert "The worker ended with code 3 again, after 2 restarts; everything is stopped." in shop.text
        assert running_instance(shop.data) is None


def test_what_a_killed_supervisor_leaves_is_cleared_at_the_next_start(folder: Path) -> None:
    with opened(folder, "durable=yes") as shop:
        first = shop.await_open()
        shop.process.kill()
        shop.process.wait()
        assert sorted(living(first)) == ["api", "postgres", "relay", "valkey", "worker"]
        assert running_instance(shop.data) is None
    port = int(first.environment["PORT"])
    started = time.monotonic()
    with opened(folder, "durable=yes", port=port) as shop:
        second = shop.await_open()
        assert time.monotonic() - started < 10
        assert living(first) == []
        assert second.url == first.url
        assert second.environment == first.environment
        with opened(folder) as third:
            assert third.process.wait(15) == 1
            assert f"Another instance (process {second.pid}) is running on the data folder {shop.data}" in third.text


def test_a_used_port_is_explained_before_anything_is_started(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with opened(folder, port=port) as shop:
            assert shop.process.wait(15) == 1
            assert shop.text.startswith(f"Port {port} on 127.0.0.1 is used by another program; choose another: PORT=")
            assert shop.text.count("\n") == 1
    assert not (folder / "data" / "postgres").exists()


def test_given_servers_and_key_are_used_and_none_is_started(folder: Path) -> None:
    given = {"DATABASE_URL": "postgresql://a:b@db/c", "REDIS_URL": "redis://cache/0", "SECRET_KEY": "k" * 32}
    with opened(folder, environment=given | {"CURRENCY": "GBP"}) as shop:
        instance = shop.await_open()
        assert sorted(instance.processes) == ["api", "relay", "worker"]
        assert {key: instance.environment[key] for key in given} == given
        assert instance.environment["CURRENCY"] == "GBP"
        assert sorted(file.name for file in shop.data.iterdir()) == ["instance.json", "lock"]
        assert (shop.data / "instance.json").stat().st_mode & 0o777 == 0o600


def test_a_stop_during_the_start_is_a_stop(folder: Path) -> None:
    with opened(folder, "serve=idle") as shop:
        shop.await_text("seeded")
        shop.process.terminate()
        assert shop.process.wait(10) == 0
        assert "is open" not in shop.text
