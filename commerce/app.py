"""The API: `create_app(settings)` mounts each room's routes on one Litestar application."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import License
from litestar.static_files import create_static_files_router

from commerce import auth, parts
from commerce.documentation import Documentation, documentation_page, problem_instead_of_page
from commerce.infra import log
from commerce.infra.db import Database
from commerce.infra.delivery import Post, post_of
from commerce.infra.exchange import Exchange
from commerce.infra.health import ROUTES as HEALTH
from commerce.infra.http import (
    EXCEPTION_HANDLERS,
    Api,
    StrictRequest,
    actor_of,
    add_entity_tag,
    if_match_of,
    once_of,
    resolve_in_turn,
    seen_if_said,
    seen_of,
)
from commerce.infra.limits import Limits
from commerce.infra.live import Live
from commerce.infra.parameters import read_bounds
from commerce.kernel.actor import Actor
from commerce.kernel.clock import Clock, system_clock
from commerce.settings import Settings

MAX_BODY_BYTES = 2 * 1024 * 1024
GC_YOUNG = 20_000
"""New objects between two collections of the youngest; some tens of requests."""


def documentation_assets() -> Path:
    """The folder of Swagger UI's files, shipped inside a wheel so that the documentation works offline."""
    found = find_spec("swagger_ui")
    if found is None or found.origin is None:
        raise RuntimeError("swagger-ui-py is not installed: run `pip install -r requirements.lock`")
    return Path(found.origin).parent / "static"


def create_app(settings: Settings, *, clock: Clock = system_clock) -> Litestar:
    """The application of one process. Opens its pools at start-up and closes them after the last answer."""
    read_bounds()
    db = Database.open(settings, clock=clock, name="commerce-api")
    live = Live(settings.redis_url)
    delivery = post_of(settings)
    ring = auth.KeyRing(db, secret_key=settings.secret_key, token_seconds=settings.access_token_seconds)
    limits = Limits(settings)
    origins = auth.Origins(ring, limits)
    exchange = Exchange(limits, settings.redis_url)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        log.configure(settings)
        await live.open()
        await exchange.open()
        beside = [
            asyncio.create_task(ring.keep_fresh(), name="keyring"),
            asyncio.create_task(ring.keep_seen(), name="keyring-seen"),
        ]
        # What stands now stays for the life of the process: the collector need not walk it again with every burst of requests.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_YOUNG, 20, 50)
        try:
            with live.stopped_by_signal():
                yield
        finally:
            for task in beside:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await exchange.close()
            await live.close()
            await delivery.close()
            await db.close()

    def provide_db() -> Database:
        return db

    def provide_live() -> Live:
        return live

    def provide_limits() -> Limits:
        return limits

    def provide_stands() -> Callable[[Actor], bool]:
        return ring.stands

    def provide_delivery() -> Post:
        return delivery

    def provide_settings() -> Settings:
        return settings

    assets = create_static_files_router(
        path="/docs/assets", directories=[documentation_assets()], include_in_schema=False, html_mode=False
    )
    assets.guards = [auth.public]
    ours = [*HEALTH, *parts.routes()]
    if settings.environment in ("development", "test"):
        ours += parts.development_routes()
    app = Api(
        route_handlers=[*ours, documentation_page, assets],
        lifespan=[lifespan],
        state=State({"db": db, "live": live, "limits": limits, "ring": ring}),
        request_class=StrictRequest,
        middleware=[auth.authenticate(ring, limits, origins)],
        exception_handlers=EXCEPTION_HANDLERS,
        after_request=add_entity_tag,
        dependencies={
            "db": Provide(provide_db, sync_to_thread=False),
            "live": Provide(provide_live, sync_to_thread=False),
            "limits": Provide(provide_limits, sync_to_thread=False),
            "delivery": Provide(provide_delivery, sync_to_thread=False),
            "settings": Provide(provide_settings, sync_to_thread=False),
            "stands": Provide(provide_stands, sync_to_thread=False),
            "actor": Provide(actor_of, sync_to_thread=False),
            "once": Provide(once_of),
            "approved": Provide(auth.approved_of),
            "if_match": Provide(if_match_of, sync_to_thread=False),
            "seen": Provide(seen_of, sync_to_thread=False),
            "seen_if_said": Provide(seen_if_said, sync_to_thread=False),
        },
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=Documentation(
            title="commerce",
            version=version("commerce"),
            license=License(name="Apache-2.0", identifier="Apache-2.0"),
            use_handler_docstrings=True,
            handlers=ours,
            openapi_router=Router(
                "/schema", route_handlers=[], include_in_schema=False, after_request=problem_instead_of_page
            ),
            render_plugins=[JsonRenderPlugin()],
        ),
        debug=False,
        logging_config=None,
    )
    app.limits, app.origins = limits, origins
    resolve_in_turn(app)
    return app


def served() -> Litestar:
    """The factory that the server calls: settings from the environment."""
    return create_app(Settings.from_environment())
