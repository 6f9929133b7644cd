"""A temporary shop of the bench's own: durable PostgreSQL, Valkey, one API process, and the hello server beside it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from commerce import embedded
from commerce.embedded import Embedded, Urls

__all__ = ["ROOT", "BenchError", "Instance"]

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 8.0
POLL_SECONDS = 0.05
LOGS = ("migrate", "server", "hello")


class BenchError(Exception):
    """The bench cannot go on; the text is for the person at the terminal."""


class Instance:
    """Starts everything on entering, stops and deletes it on leaving. PostgreSQL syncs to disk, as in production.

    The API runs with one worker process, so that CPU per request can be compared with the hello server, and with
    LOG_LEVEL=warning. Relay and worker are not started: they would take CPU in PostgreSQL that no request asked for. With `keep`, what
    lies in the folder is used, and stays.
    """

    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        self.folder = folder
        self.keep = keep
        self.secret_key = secrets.token_hex(32)
        self.urls = Urls()
        self.url = ""
        self.hello_url = ""
        self._embedded: Embedded | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        if not self.keep:
            embedded.remove(self.folder)
        self._embedded = Embedded(self.folder, durable=True)
        try:
            self.urls = self._embedded.start()
            self._run_to_end("migrate", "commerce", "migrate")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_servers(self) -> None:
        """Start the API and the hello server and wait until both answer."""
        port, hello_port = _free_ports()
        self.url, self.hello_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{hello_port}"
        self._start("server", ["commerce", "serve"], PORT=str(port))
        self._start("hello", ["tests.bench.hello", str(hello_port)])
        self._wait("server", f"{self.url}/health/live")
        self._wait("hello", f"{self.hello_url}/")

    def pids(self) -> dict[str, int]:
        """The roots of the process trees that are measured: `server`, `hello`, `postgres`."""
        if self._embedded is None:
            raise BenchError("The bench's instance is not started.")
        return {"postgres": self._embedded.pids()["postgres"]} | {n: p.pid for n, p in self._processes.items()}

    def stop(self) -> None:
        """Stop the servers, then PostgreSQL and Valkey, and delete their data; a second Ctrl-C does not hurry it."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._stop()
        finally:
            signal.signal(signal.SIGINT, before)

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes = {}
        if self._embedded is not None:
            self._embedded.stop()
            self._embedded = None
            for name in LOGS:
                self._log(name).unlink(missing_ok=True)
            if not self.keep:
                embedded.remove(self.folder)

    @property
    def environment(self) -> dict[str, str]:
        """What the shop's processes get: production settings, one API process."""
        kept = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV") if name in os.environ
        }
        return kept | {
            "DATABASE_URL": self.urls.database_url,
            "REDIS_URL": self.urls.redis_url,
            "SECRET_KEY": self.secret_key,
            "ENVIRONMENT": "production",
            "CODE_DELIVERY_URL": "http://127.0.0.1:9/codes",
            "CODE_DELIVERY_SECRET": "nobody-is-sent-a-code",
            "API_WORKERS": "1",
            "RATE_LIMITS": "1000000",  # counted as ever, but the load of a bench comes from few addresses and people
            "LOG_LEVEL": "warning",
            "HOST": "127.0.0.1",
        }

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _run_to_end(self, name: str, *module: str) -> None:
        with self._log(name).open("wb") as log:
            done = subprocess.run(
                [sys.executable, "-m", *module],
                cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
            )  # fmt: skip
        if done.returncode != 0:
            raise BenchError(f"`{' '.join(module)}` failed:\n{self._tail(name)}")

    def _start(self, name: str, module: list[str], **more: str) -> None:
        with self._log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT, env=self.environment | more, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _wait(self, name: str, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if self._processes[name].poll() is not None:
                raise BenchError(f"The {name} process ended at its start:\n{self._tail(name)}")
            if time.monotonic() > deadline:
                raise BenchError(f"The {name} process did not answer in {START_SECONDS:.0f} s:\n{self._tail(name)}")
            time.sleep(POLL_SECONDS)

    def _tail(self, name: str, lines: int = 15) -> str:
        return "\n".join(self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def complaints(self, lines: int = 1) -> str:
        """The end of the API's log: empty unless it had something to warn of."""
        return self._tail("server", lines)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])
