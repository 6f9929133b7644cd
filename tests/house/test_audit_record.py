"""Every action of staff, devices and servers is in the audit record."""

from __future__ import annotations

import ast
import inspect
import typing
from types import FunctionType
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from commerce.infra import outbox
from tests.house.source import modules, operations
from tests.house.test_handlers import Walk, our_guards

CUSTOMERS = {"shopper", "known_shopper", "himself", "buyer", "basket_holder", "visitor"}
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
    "preview_blind_return": "changes nothing",
    "compare_stock": "changes nothing",
    "dry_run_sourcing": "changes nothing",
    "start_pairing": "a device waits; who lets it in, or denies it, is recorded",
    "claim_pairing": "the device that was let in fetches its key",
    "create_pass": "a code leaves; coming in with it is what counts",
    "claim_pass": "a shopper comes",
    "hand_off_cart": "a code leaves; what is done with it is recorded",
    "record_touch": "what brought a shopper here",
    "add_my_address": "the profile's event, which its locked family publishes, is recorded",
    "change_my_address": "the same",
    "remove_my_address": "the same",
    "erase_me": "`people` finds the rooms' verbs by name: that of `customers` records it",
    "erase_customer": "the same",
}
"""Unsafe operations that leave no audit record, or leave one that the walk does not see, and why."""


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


TELLING = {
    "email", "phone", "birthday", "contact", "recipient", "granted", "touches", "campaign", "handle", "text", "summary", "rooms",
}  # fmt: skip
"""Fields of views by which one learns about a person."""


def told(annotation: Any, seen: set[type]) -> set[str]:
    """The fields of a view and of all in it."""
    found: set[str] = set()
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct) and annotation not in seen:
        seen.add(annotation)
        for name, hint in typing.get_type_hints(annotation).items():
            found |= {name} | told(hint, seen)
    for inner in (typing.get_origin(annotation), *typing.get_args(annotation)):
        if inner is not None and not isinstance(inner, str):
            found |= told(inner, seen)
    return found


def test_every_read_about_a_person_leaves_a_record(app: Litestar) -> None:
    """What staff, devices or servers learn about a customer; what customers read of their own is theirs."""
    walk = Walk()
    silent: set[str] = set()
    recorded: set[str] = set()
    for handler in operations(app):
        access = str(getattr(our_guards(handler)[0], "access", "public"))
        if "GET" not in handler.http_methods or access in CUSTOMERS:
            continue
        function = inspect.unwrap(handler.fn)
        assert isinstance(function, FunctionType)
        if not told(typing.get_type_hints(function)["return"], set()) & TELLING:
            continue
        walk.follow(function)
        (recorded if reaches(walk, function, {outbox.audit}) else silent).add(str(handler.operation_id))
    assert silent == set()
    assert recorded >= {
        "find_customers", "read_customer", "read_customer_timeline", "read_consents", "export_customer", "get_order", "get_conversation",
        "read_order_touches",
    }  # fmt: skip


NEW = {
    "channel.created", "client.created", "conversation_source.create", "customer.identifier_added", "device.created", "device.paired",
    "location.create", "next_step.plan", "order.placed", "order.reordered", "refund.other_tender", "return.accept", "return.accept_blind", "sale.book",
    "staff.badge_issued", "staff.created", "staff.invited", "staff.reset_invited", "staff.signed_in", "stock.convert", "stock.import",
    "stock.move", "stock.receive", "stock.return_to_vendor", "stock.write_off", "transfer.create",
}  # fmt: skip
"""Actions that begin something, or book a document: nothing was there before."""
READS = {"customer.acted_for", "customer.exported", "customer.found", "customer.not_found"}
"""Actions that change nothing, beside those of `outbox.note_read`."""
UNTOLD = {
    "customer.erased": "what was is forgotten",
    "device.renamed": "what people call a device is free text",
    "session.ended": "it was live",
    "staff.password_changed": "a secret",
    "staff.password_reset": "a secret",
    "staff.pin_changed": "a secret",
    "staff.pin_set": "a secret",
    "staff.signed_out": "it was live",
    "staff.signed_out_everywhere": "they were live",
}
"""Actions whose past is no code and no id, or is said by their name."""


def test_every_record_of_a_change_says_what_was_before() -> None:
    """A call of `outbox.audit` names `before`, or its action is one of those above."""
    without: set[str] = set()
    for module in modules():
        for node in ast.walk(module.tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if not isinstance(node, ast.Call) or called not in ("outbox.audit", "audit"):
                continue
            if len(node.args) > 5 or any(keyword.arg == "before" for keyword in node.keywords):
                continue
            action = node.args[2]
            for one in (action.body, action.orelse) if isinstance(action, ast.IfExp) else (action,):
                told = PASSED_ON.get((module.name, ast.unparse(one)))
                without |= {ast.literal_eval(one)} if told is None else told
    assert without == NEW | READS | set(UNTOLD)


PASSED_ON: dict[tuple[str, str], set[str]] = {
    ("commerce.auth.service", "action"): {"device.created", "device.paired"},
    ("commerce.infra.outbox", "event.type"): set(),  # the event says what became of it, for whom staff acted
    ("commerce.infra.outbox", "action"): set(),  # `note_read`
}
"""Where an action is a parameter: what it can be."""
