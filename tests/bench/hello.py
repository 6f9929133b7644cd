"""The floor of every request: a bare JSON answer from the same server with the same settings.

python -m tests.bench.hello PORT
"""

from __future__ import annotations

import sys

from granian import Granian
from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from litestar import Litestar, get

__all__ = ["app", "serve"]


@get("/", sync_to_thread=False)
def hello() -> dict[str, str]:
    """What the cheapest possible answer costs here."""
    return {"hello": "world"}


def app() -> Litestar:
    """The smallest application: one route, no middleware, no documentation."""
    return Litestar(route_handlers=[hello], openapi_config=None, logging_config=None)


def serve(port: int) -> None:
    """Serve it exactly as `commerce serve` serves the shop (a test compares the two)."""
    Granian(
        "tests.bench.hello:app",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=1,
        factory=True,
        respawn_failed_workers=True,
        workers_kill_timeout=4,
        backlog=2048,
        log_access=False,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
