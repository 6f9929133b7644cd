"""Schemathesis on the whole OpenAPI, against a real server process: no failure, whatever is sent.

Each operation is called with a credential that its guard admits. Half of the cases keep their generated path parameters, the
other half get those of things that exist. `make contract` runs the same with more examples.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
    SimpleCheckConfig,
)

from commerce import parts
from commerce.app import create_app
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.contract.world import World, build_world
from tests.support import Shop

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "15"))
EXPECTED = ["2xx", "400", "401", "403", "404", "409", "412", "422", "428", "429"]
"""What valid data may get beside success: a rule of the shop in the way is no violation of the schema."""
SKIPPED = {"follow_cart"}
"""Never-ending streams."""

checks = ChecksConfig(
    positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=EXPECTED),
    ignored_auth=SimpleCheckConfig(enabled=False),  # tests/house walks every operation with every kind of caller
    use_after_free=SimpleCheckConfig(enabled=False),
    ensure_resource_availability=SimpleCheckConfig(enabled=False),
)
config = SchemathesisConfig(
    projects=ProjectsConfig(
        default=ProjectConfig(
            checks=checks,
            generation=GenerationConfig(deterministic=True, max_examples=EXAMPLES, with_security_parameters=False),
        )
    )
)
document = create_app(
    Settings(database_url="postgresql://nowhere/nothing", redis_url="redis://nowhere", secret_key="0" * 32)
).openapi_schema.to_schema()
schema = schemathesis.openapi.from_dict(msgspec.json.decode(msgspec.json.encode(document)), config=config).exclude(
    operation_id=list(SKIPPED)
)
ACCESS = {
    handler.operation_id: str(getattr(handler.guards[0], "access", "public"))
    for handler in parts.routes()
    if isinstance(getattr(handler, "operation_id", None), str)
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
async def world(shop: Shop) -> World:
    return await build_world(shop)


@pytest.fixture(scope="session")
def server(settings: Settings, world: World) -> Iterator[str]:
    """A real API process on the worker's clone."""
    port = free_port()
    values = {key.upper(): str(value) for key, value in msgspec.structs.asdict(settings).items() if value is not None}
    process = subprocess.Popen(
        [sys.executable, "-m", "commerce", "serve"],
        env={**os.environ, **values, "PORT": str(port), "LOG_LEVEL": "error"},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                if httpx.get(f"{address}/health/live").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def choose_existing(case: Any, world: World) -> None:
    """Half of the cases name things that exist."""
    if case.path_parameters and zlib.crc32(repr(sorted(case.path_parameters.items())).encode()) % 2:
        for name in case.path_parameters:
            existing = world.existing(case.path, name)
            if existing is not None:
                case.path_parameters[name] = existing


@schema.parametrize()
@hypothesis_settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_operation(case: Any, server: str, world: World) -> None:
    choose_existing(case, world)
    operation = case.operation.definition.raw["operationId"]
    headers = {"Authorization": f"Bearer {world.token(ACCESS.get(operation, 'public'))}"}
    if case.method not in ("GET", "HEAD") and "Idempotency-Key" not in (case.headers or {}):
        headers["Idempotency-Key"] = str(uuid7())
    case.call_and_validate(base_url=server, headers=headers)
