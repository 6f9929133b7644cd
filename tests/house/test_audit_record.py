"""Every action of staff, devices and servers is in the audit record."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from commerce.infra import outbox
from tests.house.source import operations
from tests.house.test_handlers import Walk, our_guards

CUSTOMERS = {"shopper", "known_shopper", "buyer", "visitor"}
"""Guards of what a customer does. Staff pass them acting for him, and then each fact that comes of it is recorded
(`outbox.record`)."""
NO_ACTION = {
    "refresh_session": "a session goes on; its beginning is recorded",
    "sign_in_anonymously": "a shopper comes",
    "sign_in": "a shopper comes",
    "ask_code": "a code leaves; coming in with it is what counts",
    "add_my_contact": "a code leaves; the contact changes when it comes back",
    "set_my_password": "the customer himself alone",
    "remove_my_password": "the customer himself alone",
    "preview_return": "changes nothing",
    "compare_stock": "changes nothing",
    "dry_run_sourcing": "changes nothing",
}
"""Unsafe operations that leave no audit record, and why."""


def reaches(walk: Walk, start: FunctionType, targets: set[Any]) -> bool:
    """Whether a function or anything below it names one of the targets; what the targets name themselves does not count."""
    seen: set[FunctionType] = set()
    waiting = [start]
    while waiting:
        function = waiting.pop()
        if function in targets:
            return True
        if function not in seen and function is not outbox.record:
            seen.add(function)
            waiting.extend(walk.read[function].named)
    return False


def unsafe(app: Litestar) -> list[HTTPRouteHandler]:
    return [handler for handler in operations(app) if handler.http_methods - {"GET", "HEAD", "OPTIONS"}]


def test_every_unsafe_operation_leaves_a_record(app: Litestar) -> None:
    walk = Walk()
    silent = set()
    for handler in unsafe(app):
        function = inspect.unwrap(handler.fn)
        assert isinstance(function, FunctionType)
        walk.follow(function)
        access = str(getattr(our_guards(handler)[0], "access", "public"))
        targets: set[Any] = {outbox.audit, outbox.record} if access in CUSTOMERS else {outbox.audit}
        if not reaches(walk, function, targets):
            silent.add(str(handler.operation_id))
    assert silent == set(NO_ACTION)
