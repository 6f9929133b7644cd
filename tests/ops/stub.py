"""Stand-ins for the programs of an instance, so that the supervisor is tested apart from the application.

`up` supervises the others: `serve` answers /health/ready and keeps an event stream open, `idle` waits for SIGTERM,
`stubborn` ignores it, `fail` ends at once with code 3, `say` prints its words.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from commerce import processes
from commerce.processes import Commands, up


def stub(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.ops.stub", *words)


async def serve() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1]
        while (await reader.readline()).strip():
            pass
        if path == b"/v1/events/stream":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            while not stopping.is_set():
                writer.write(b"event: beat\ndata: {}\n\n")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), 0.1)
            writer.write(b"event: bye\ndata: {}\n\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, os.environ["HOST"], int(os.environ["PORT"]))
    await stopping.wait()
    server.close()
    await asyncio.sleep(0.3)


def idle() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        time.sleep(60)


def main(words: list[str]) -> int:
    match words:
        case ["up", data, port, *chosen]:
            kinds = dict(choice.split("=", 1) for choice in chosen)
            commands = Commands(
                migrate=stub("say", "migrated"),
                seed=stub("say", "seeded"),
                serve=stub(kinds.get("serve", "serve")),
                work=stub(kinds.get("work", "idle")),
                relay=stub("idle"),
                credentials=stub("say", "credentials:", "admin"),
            )
            if "pause" in kinds:
                processes.RESTART_DELAYS_SECONDS = (float(kinds["pause"]),) * 2
            durable = kinds.get("durable") == "yes"
            return up(data=Path(data), host="127.0.0.1", port=int(port), commands=commands, durable=durable)
        case ["serve"]:
            asyncio.run(serve())
        case ["idle"]:
            idle()
        case ["stubborn"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(60)
        case ["fail"]:
            return 3
        case ["say", *rest]:
            print(*rest, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
