"""Schemathesis on the whole OpenAPI, against a real server process: no failure, whatever is sent.

Each operation is called with a credential that its guard admits. Half of the valid cases are sent as generated, the other half
are about things that exist and succeed. `make contract` runs the same with more examples.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import load_all_checks
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
    SimpleCheckConfig,
)
from schemathesis.config._checks import MissingRequiredHeaderConfig
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.python._constants.orchestrator import make_constants_value_source

from commerce import parts
from commerce.app import create_app
from commerce.infra.health import ROUTES as HEALTH
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.contract.world import SEEN, Ground, World, lay_ground
from tests.support import Shop, await_answer

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "15"))
EXPECTED = ["2xx", "304", "400", "401", "403", "404", "409", "412", "422", "428", "429"]
"""What valid data may get beside success: a rule of the shop in the way is no violation of the schema."""
SKIPPED = {"follow_cart"}
"""Never-ending streams."""

NEVER = set[str]()
"""Operations that cannot succeed here."""

checks = ChecksConfig(
    missing_required_header=MissingRequiredHeaderConfig(
        expected_statuses=["400", "401", "403", "406", "415", "422", "428"]
    ),
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
ACCESS = {
    handler.operation_id: str(getattr(handler.guards[0], "access", "public"))
    for handler in [*HEALTH, *parts.routes()]
    if isinstance(getattr(handler, "operation_id", None), str)
}
OPERATIONS = [operation for operation in ACCESS if operation not in SKIPPED]


class Contract:
    """What the application promises, operation by operation; the test of one is built when its turn comes, as `schema.parametrize` does for
    all of them while the tests are collected, in every worker."""

    def __init__(self) -> None:
        settings = Settings(
            database_url="postgresql://nowhere/nothing", redis_url="redis://nowhere", secret_key="0" * 32
        )
        document = create_app(settings).openapi_schema.to_schema()
        self.document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
        self.schema = schemathesis.openapi.from_dict(self.document, config=config)
        self.feedback = FeedbackSources(constants_value_source=make_constants_value_source(self.schema))
        load_all_checks()

    def test_of(self, operation: str) -> Callable[..., None]:
        """The whole test of one operation: examples, coverage and what is generated."""
        found = self.schema.find_operation_by_id(operation)
        test: Callable[..., None] = build_operation_test(
            config=self.schema.config,
            operation=found,
            test_func=answers_as_told,
            given_kwargs={},
            feedback=self.feedback,
        )
        return test


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
async def ground(shop: Shop) -> Ground:
    return await lay_ground(shop)


@pytest.fixture(scope="session")
def server(settings: Settings, ground: Ground) -> Iterator[str]:
    """A real API process on the worker's clone."""
    port = free_port()
    lasting = msgspec.structs.replace(settings, access_token_seconds=7200)
    values = {key.upper(): str(value) for key, value in msgspec.structs.asdict(lasting).items() if value is not None}
    process = subprocess.Popen(
        [sys.executable, "-m", "commerce", "serve"],
        env={**os.environ, **values, "PORT": str(port), "LOG_LEVEL": "error"},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        await_answer(process, address)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


@pytest.fixture(scope="session")
def world(server: str, ground: Ground) -> Iterator[World]:
    world = World(server, ground)
    yield world
    world.http.close()


@pytest.fixture(scope="session")
def contract() -> Contract:
    made = Contract()
    # What stands now stays: the collector need not walk it again with every case.
    gc.collect()
    gc.freeze()
    return made


@pytest.fixture(autouse=True)
def success_is_reached(request: pytest.FixtureRequest, world: World) -> Iterator[None]:
    """Generated cases that only meet refusals prove little: each operation has succeeded at least once."""
    yield
    tried, world.tried = world.tried - NEVER, set()
    for operation in tried:
        reached = {status for status in world.statuses[operation] if status < 300}
        assert reached, f"{operation} only answered {sorted(world.statuses[operation])}"


def choose_existing(case: Any, operation: str, world: World) -> None:
    """Half of the cases are about things that exist."""
    generated = repr((case.path_parameters, case.query, case.body)).encode()
    if case.meta.generation.mode.is_negative or zlib.crc32(generated) % 2:
        return
    chosen = world.choose(operation, case.path, case)
    if chosen.path:
        case.path_parameters = {**(case.path_parameters or {}), **chosen.path}
    if chosen.query:
        case.query = {**(case.query or {}), **chosen.query}
    if isinstance(case.body, dict):
        case.body = world.replace(case.body) if chosen.body is None else case.body | chosen.body
    for approval in [name for name in case.headers or {} if name.startswith("Approval-")]:
        del case.headers[approval]  # nobody approves: the caller may do it himself
    if operation in world.recipes and "If-Match" in (case.headers or {}):
        if case.path.startswith(SEEN):
            case.headers["If-Match"] = "*"
        else:
            del case.headers["If-Match"]


@hypothesis_settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def answers_as_told(case: Any, server: str, world: World) -> None:
    operation = case.operation.definition.raw["operationId"]
    choose_existing(case, operation, world)
    headers = {"Authorization": f"Bearer {world.token(operation, ACCESS.get(operation, 'public'))}"}
    if case.meta.generation.mode.is_positive and "Idempotency-Key" in (case.headers or {}):
        headers["Idempotency-Key"] = str(uuid7())
        if case.path.startswith(SEEN):
            headers["If-Match"] = "*"
    if operation == "receive_message" and case.path_parameters.get("source") == world.source:
        headers |= world.sign(case.body)
    world.tried.add(operation)
    answer = case.call_and_validate(base_url=server, headers=headers, session=world.session)
    world.statuses[operation].add(answer.status_code)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation(operation: str, contract: Contract, server: str, world: World) -> None:
    contract.test_of(operation)(server=server, world=world)


def test_every_operation_is_tested(contract: Contract) -> None:
    told = [operation["operationId"] for path in contract.document["paths"].values() for operation in path.values()]
    assert sorted([*OPERATIONS, *SKIPPED]) == sorted(told)
