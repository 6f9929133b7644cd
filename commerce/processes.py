"""`commerce up`: every process of one instance under one foreground command.

Order of start: embedded Valkey and PostgreSQL (those without a URL in the environment), migrations, the demonstration
retailer when the database is empty, then the API, the worker and the outbox relay. Order of stop: API, worker, relay,
Valkey, PostgreSQL. Every child has a session of its own, so that Ctrl-C reaches the supervisor alone.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import msgspec

from commerce.embedded import Embedded, EmbeddedError, write_private
from commerce.settings import Settings, SettingsError

__all__ = ["Commands", "Instance", "instance_environment", "running_instance", "up"]

READY_LIMIT_SECONDS = 60.0
STOP_LIMIT_SECONDS = 9.0
"""For everything together; what is left of the promised 10 s is for the interpreter itself."""
DATABASE_STOP_SECONDS = 2.0
"""Kept for PostgreSQL and Valkey, however long the children before them take."""
RESTART_DELAYS_SECONDS: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
STEADY_SECONDS = 60.0
"""A child that ran so long has earned its full number of restarts again."""
POLL_SECONDS = 0.1
MARK = "COMMERCE_INSTANCE"
PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "environ").exists()
SETTING_NAMES = tuple(known.name.upper() for known in msgspec.structs.fields(Settings))


def _verb(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "commerce", *words)


@dataclass(frozen=True, kw_only=True)
class Commands:
    """The programs of one instance as argument lists; an empty one is left out."""

    migrate: Sequence[str] = field(default_factory=lambda: _verb("migrate"))
    seed: Sequence[str] = field(default_factory=lambda: _verb("seed", "--if-empty"))
    serve: Sequence[str] = field(default_factory=lambda: _verb("serve"))
    work: Sequence[str] = field(default_factory=lambda: _verb("work"))
    relay: Sequence[str] = field(default_factory=lambda: _verb("relay"))
    credentials: Sequence[str] = field(default_factory=lambda: _verb("credentials"))


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A running instance as written to `instance.json` in its data folder, readable by the owner only."""

    url: str
    pid: int
    """Of the supervisor."""
    environment: dict[str, str]
    """DATABASE_URL, REDIS_URL, SECRET_KEY, HOST, PORT, DATA and every other setting given: enough for Settings."""
    processes: dict[str, int]
    """Process ids by name: api, worker, relay, valkey, postgres."""


def running_instance(data: Path) -> Instance | None:
    """The instance that runs on a data folder, or None when none does."""
    record = _read_record(data)
    if record is None or _birth_of(record.instance.pid) != record.birth:
        return None
    return record.instance


def instance_environment(data: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The own environment when it names a database, else with that of the instance running on a data folder.

    Raises SettingsError when there is neither.
    """
    if environ.get("DATABASE_URL"):
        return dict(environ)
    instance = running_instance(data)
    if instance is None:
        raise SettingsError(
            "No database: set DATABASE_URL, or start the embedded one with `make run` (or `commerce up`) in another terminal."
        )
    return {**environ, **instance.environment}


def up(
    *,
    data: Path,
    host: str,
    port: int,
    extra_environment: Mapping[str, str] | None = None,
    commands: Commands | None = None,
    durable: bool = True,
) -> int:
    """Run a whole instance in the foreground until SIGINT, SIGTERM or SIGHUP; answers the exit code.

    0 after an ordered stop, which takes at most 10 seconds; 1 when something could not be started or ended too often,
    explained in one sentence. Port 0 stands for any free one. `durable=False` is for throw-away instances: see
    `Embedded`. Must be called from the main thread.
    """
    return _Supervisor(
        data=data,
        host=host,
        port=port,
        extra_environment=extra_environment or {},
        commands=commands or Commands(),
        durable=durable,
    ).run()


class _Refused(Exception):
    """The instance cannot run on; the text is one sentence for the person at the terminal."""


class _Interrupted(Exception):
    """A stop was asked for before everything had started."""


@dataclass(frozen=True)
class _Record:
    instance: Instance
    birth: str
    mark: str


class _Child:
    """One long-running program: started in its own session, started again when it ends by itself."""

    def __init__(self, name: str, title: str, command: Sequence[str], stop_seconds: float) -> None:
        self.name = name
        self.title = title
        self.command = command
        self.stop_seconds = stop_seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.restart_at: float | None = None
        self.restarts = 0

    def start(self, environment: Mapping[str, str]) -> None:
        self.restart_at = None
        self.started_at = time.monotonic()
        self.process = _start(self.command, environment)

    def watch(self, environment: Mapping[str, str]) -> bool:
        """Start again what ended, after a pause; True when a new process runs. Raises _Refused after too many."""
        now = time.monotonic()
        if self.restart_at is not None:
            if now < self.restart_at:
                return False
            self.start(environment)
            return True
        if self.process is None or self.process.poll() is None:
            return False
        _kill_session(self.process.pid)
        how = _how_it_ended(self.process.returncode)
        if now - self.started_at > STEADY_SECONDS:
            self.restarts = 0
        if self.restarts == len(RESTART_DELAYS_SECONDS):
            raise _Refused(f"The {self.title} {how} again, after {self.restarts} restarts; everything is stopped.")
        delay = RESTART_DELAYS_SECONDS[self.restarts]
        self.restarts += 1
        self.restart_at = now + delay
        _say(f"The {self.title} {how} unexpectedly; it is started again in {delay:g} s.")
        return False

    def stop(self, *, deadline: float) -> None:
        if self.process is None:
            return
        _stop(self.process, seconds=max(0.2, min(self.stop_seconds, deadline - time.monotonic())))
        self.process = None


class _Supervisor:
    def __init__(
        self,
        *,
        data: Path,
        host: str,
        port: int,
        extra_environment: Mapping[str, str],
        commands: Commands,
        durable: bool,
    ) -> None:
        self.host = host
        self.port = port
        self.commands = commands
        self.given = {**os.environ, **extra_environment}
        self.extra_environment = dict(extra_environment)
        self.embedded = Embedded(data, durable=durable)
        self.stop_asked = False
        self.terminal = os.isatty(0) and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        self.environment: dict[str, str] = {}
        self.published: dict[str, str] = {}
        self.children: list[_Child] = []
        self.database_restarts: dict[str, list[float]] = {}
        """When each server was started again, as far as it counts."""
        self.mark = secrets.token_hex(8)

    @property
    def url(self) -> str:
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
        host = everywhere.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def record_file(self) -> Path:
        return self.embedded.data / "instance.json"

    def run(self) -> int:
        with self._signals():
            try:
                self._start()
                self._watch()
                code = 0
            except _Interrupted:
                code = 0
            except (_Refused, EmbeddedError) as error:
                if self.stop_asked:
                    code = 0
                else:
                    _say(str(error), error=True)
                    code = 1
            finally:
                self._stop()
            return code

    def _start(self) -> None:
        production = self.given.get("ENVIRONMENT") == "production"
        if production and not self.given.get("SECRET_KEY"):
            raise _Refused("ENVIRONMENT is production: give SECRET_KEY, at least 32 random characters, kept secret.")
        if production and not self.given.get("CODE_DELIVERY_URL"):
            raise _Refused(
                "ENVIRONMENT is production: give CODE_DELIVERY_URL and CODE_DELIVERY_SECRET, the service that sends one-time codes."
            )
        own = bool(self.given.get("DATABASE_URL"))
        self.embedded.claim()
        self._stop_leftovers()
        self.port = _free_port(self.host, self.port)
        database_url, redis_url = self.given.get("DATABASE_URL", ""), self.given.get("REDIS_URL", "")
        if not database_url or not redis_url:
            _say("Starting the embedded servers …")
            urls = self.embedded.start(postgres=not database_url, valkey=not redis_url)
            database_url, redis_url = database_url or urls.database_url, redis_url or urls.redis_url
        for note in self.embedded.notes:
            _say(note)
        self.published = {
            **{name: self.given[name] for name in SETTING_NAMES if name in self.given},
            **self.extra_environment,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": self.given.get("SECRET_KEY") or _persisted_key(self.embedded.data),
            "HOST": self.host,
            "PORT": str(self.port),
            "DATA": str(self.embedded.data),
        }
        if sys.stderr.isatty():
            self.published.setdefault("LOG_FORMAT", "console")
        self.environment = {**self.given, **self.published, MARK: self.mark}
        self._write_record()
        self._step("Bringing the database up to date …", "The migrations", self.commands.migrate)
        if production or own:
            _say(
                "No demonstration data are loaded into "
                + ("a production database." if production else "your own database.")
            )
        else:
            self._step("The demonstration retailer …", "Loading the demonstration data", self.commands.seed)
        for child in (
            _Child("api", "API", self.commands.serve, 5.0),
            _Child("worker", "worker", self.commands.work, 2.0),
            _Child("relay", "relay", self.commands.relay, 1.0),
        ):
            if child.command:
                self.children.append(child)
                child.start(self.environment)
        self._write_record()
        self._await_ready()
        _say(f"\nThe shop is open:  {self.url}\nDocumentation:     {self.url}/docs\n")
        if self.commands.credentials and not (production or own):
            process = _start(self.commands.credentials, self.environment)
            if self._await_end(process) != 0:
                _say("The credentials could not be printed; `commerce credentials` tries again.", error=True)
        _say("Ctrl-C stops everything.")

    def _watch(self) -> None:
        while not self.stop_asked:
            time.sleep(POLL_SECONDS)
            if self.terminal and not os.isatty(0):
                # The terminal is gone; `make` would wait for us and does not pass SIGHUP on.
                return
            self._restart_ended()

    def _restart_ended(self) -> None:
        changed = [child.name for child in self.children if child.watch(self.environment)]
        names = self.embedded.restart_ended()
        now = time.monotonic()
        for name in names:
            recent = [at for at in self.database_restarts.get(name, []) if now - at < STEADY_SECONDS]
            self.database_restarts[name] = [*recent, now]
            if len(recent) >= len(RESTART_DELAYS_SECONDS):
                raise _Refused(f"{name} ended too often; everything is stopped.")
            _say(f"{name} ended unexpectedly and was started again.")
        if changed or names:
            self._write_record()

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP_LIMIT_SECONDS
        if self.stop_asked and self.environment:
            _say("Stopping …")
        for child in self.children:
            child.stop(deadline=deadline - DATABASE_STOP_SECONDS)
        if self.environment:
            self.record_file.unlink(missing_ok=True)
        self.embedded.stop(within_seconds=max(DATABASE_STOP_SECONDS, deadline - time.monotonic()))
        if self.stop_asked and self.environment:
            _say("Stopped. The data are kept." if self.embedded.durable else "Stopped.")

    def _step(self, sentence: str, title: str, command: Sequence[str]) -> None:
        if not command:
            return
        _say(sentence)
        code = self._await_end(_start(command, self.environment))
        if code != 0:
            raise _Refused(f"{title} did not succeed ({_how_it_ended(code)}); the lines above say why.")

    def _await_end(self, process: subprocess.Popen[bytes]) -> int:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(POLL_SECONDS)
                if self.stop_asked:
                    raise _Interrupted
        finally:
            _stop(process, seconds=2.0)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_LIMIT_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            if self.stop_asked:
                raise _Interrupted
            self._restart_ended()
            status, text = _get(self.url, "/health/ready")
            if status == 200:
                return
            answer = text or answer
        raise _Refused(f"The API was not ready within {READY_LIMIT_SECONDS:.0f} seconds: {answer}.")

    def _write_record(self) -> None:
        pids = {child.name: child.process.pid for child in self.children if child.process is not None}
        record = {
            "url": self.url,
            "pid": os.getpid(),
            "birth": _birth_of(os.getpid()),
            "mark": self.mark,
            "environment": self.published,
            "processes": pids | self.embedded.pids(),
        }
        write_private(self.record_file, json.dumps(record, indent=2) + "\n")

    def _stop_leftovers(self) -> None:
        """End children that outlived a supervisor killed by force; the lock is ours, so none is running."""
        record = _read_record(self.embedded.data)
        if record is None:
            return
        left = _marked(record)
        for step, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, step)
            deadline = time.monotonic() + seconds
            while left and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS / 2)
                left = _marked(record)
        self.record_file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
            self.stop_asked = True
            self.embedded.cancel()

        kinds = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # left alone under nohup
            kinds.append(signal.SIGHUP)
        earlier = {kind: signal.signal(kind, ask_to_stop) for kind in kinds}
        try:
            yield
        finally:
            for kind, action in earlier.items():
                signal.signal(kind, action)


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        raise _Refused(f"`{' '.join(command)}` cannot be started ({error.strerror}).") from error


def _stop(process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """End a child politely, then by force, with everything it started in its session."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _kill_session(process.pid)


def _kill_session(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _say(text: str, *, error: bool = False) -> None:
    stream = sys.stderr if error else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:
        # The reader of a pipe is gone; an ordered stop matters more than the text.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


def _persisted_key(data: Path) -> str:
    path = data / "secret_key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_text(encoding="ascii").strip()
        if len(key) >= 32:
            return key
    key = secrets.token_urlsafe(48)
    write_private(path, key + "\n")
    return key


def _free_port(host: str, port: int) -> int:
    """The port, proven free, or any free one for 0. Raises _Refused with a sentence that helps."""
    try:
        return _bound(host, port)
    except socket.gaierror as error:
        raise _Refused(f"The host {host!r} is not known here; give another with HOST.") from error
    except OverflowError as error:
        raise _Refused(f"{port} is not a port; give one from 1 to 65535 with PORT.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = _next_free(host, port)
            raise _Refused(
                f"Port {port} on {host} is used by another program; choose another: PORT={other}."
            ) from error
        if error.errno == errno.EACCES:
            raise _Refused(f"Port {port} needs more rights than this user has; choose another: PORT=8000.") from error
        raise _Refused(f"Port {port} on {host} cannot be used: {error.strerror}.") from error


def _next_free(host: str, port: int) -> int:
    for candidate in range(port + 1, min(port + 50, 65_536)):
        with contextlib.suppress(OSError):
            return _bound(host, candidate)
    return _bound(host, 0)


def _bound(host: str, port: int) -> int:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])


def _get(url: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5.0)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, f"{response.status} {response.read(500).decode('utf-8', 'replace')}"
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def _read_record(data: Path) -> _Record | None:
    try:
        raw = json.loads((data / "instance.json").read_text(encoding="utf-8"))
        instance = Instance(
            url=str(raw["url"]),
            pid=int(raw["pid"]),
            environment={str(key): str(value) for key, value in raw["environment"].items()},
            processes={str(key): int(value) for key, value in raw["processes"].items()},
        )
        return _Record(instance, str(raw["birth"]), str(raw["mark"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _birth_of(pid: int) -> str:
    """Tells a process from a later one of the same id: its start, as the system words it; empty when it is gone."""
    if HAS_PROC:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""
        fields = text.rpartition(")")[2].split()
        return "" if fields[0] == "Z" else f"{boot} {fields[19]}"
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout.strip()


def _marked(record: _Record) -> list[int]:
    """Living processes that carry the instance's mark in their environment, whoever their parent is."""
    if not HAS_PROC:
        return [pid for name, pid in record.instance.processes.items() if _still_ours(name, pid)]
    wanted = f"{MARK}={record.mark}".encode()
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def _still_ours(name: str, pid: int) -> bool:
    if name in ("postgres", "valkey"):
        return False
    command = ["ps", "-o", "command=", "-p", str(pid)]
    return (
        "commerce"
        in subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    )
