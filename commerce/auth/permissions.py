"""What each role may do. A permission is `noun.verb`; a staff member holds it at the locations of his role."""

from __future__ import annotations

from collections.abc import Iterable

ASSOCIATE = frozenset(
    {
        "fulfillments.work",
        "sales.book",
        "returns.accept",
        "stock.read",
        "stock.receive",
        "stock.count",
        "stock.adjust",
        "orders.read",
        "receipts.read",
        "customers.read",
        "customers.write",
        "conversations.work",
    }
)
STORE_MANAGER = ASSOCIATE | {
    "stock.approve",
    "stock.transfer",
    "orders.cancel",
    "refunds.other_tender",
    "prices.override",
    "devices.pair",
    "staff.pins",
    "customers.act",
    "audit.read",
}
CALL_CENTER = frozenset(
    {
        "orders.read",
        "orders.cancel",
        "customers.read",
        "customers.write",
        "customers.act",
        "customers.merge",
        "conversations.work",
        "stock.read",
    }
)
BACK_OFFICE = frozenset(
    {
        "catalog.write",
        "prices.write",
        "locations.write",
        "stock.read",
        "stock.adjust",
        "stock.approve",
        "stock.count",
        "stock.plan",
        "stock.receive",
        "stock.transfer",
        "sourcing.write",
        "orders.read",
        "receipts.read",
        "events.read",
        "conversations.write",
    }
)
ADMIN = (
    STORE_MANAGER
    | CALL_CENTER
    | BACK_OFFICE
    | {
        "staff.write",
        "roles.write",
        "clients.write",
        "devices.write",
        "customers.export",
        "customers.erase",
        "retention.write",
    }
)

ROLES: dict[str, frozenset[str]] = {
    "associate": ASSOCIATE,
    "store_manager": STORE_MANAGER,
    "call_center": CALL_CENTER,
    "back_office": BACK_OFFICE,
    "admin": ADMIN,
}
PERMISSIONS: frozenset[str] = frozenset().union(*ROLES.values())
"""Every permission there is."""
DEVICES: dict[str, frozenset[str]] = {"till": frozenset({"sales.book", "stock.read"}), "kiosk": frozenset()}


def grants(roles: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """permission -> location codes, from (role, location code or `*`) pairs."""
    held: dict[str, set[str]] = {}
    for role, location in roles:
        for permission in ROLES[role]:
            held.setdefault(permission, set()).add(location)
    return {permission: tuple(sorted(locations)) for permission, locations in sorted(held.items())}
