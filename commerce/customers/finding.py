"""Finding customers, for staff: by an identifier or by the beginning of the name. That somebody looked is recorded."""

from __future__ import annotations

from typing import Any

from commerce.customers import identifiers
from commerce.customers.errors import OneCriterion
from commerce.customers.queries import PROFILES, customer_view
from commerce.customers.schemas import CustomerView
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor

BY_IDENTIFIER = """
SELECT i.profile_id AS id FROM customers.identifiers i
WHERE i.kind = :kind AND i.system = :system AND i.value = :value ORDER BY i.verified_at NULLS LAST, i.id DESC LIMIT :limit
"""
BY_NAME = """
SELECT id FROM customers.profiles
WHERE lower(name) ~>=~ lower(:start) AND lower(name) ~<~ (lower(:start) || :last) AND erased_at IS NULL
ORDER BY lower(name) USING ~<~, id LIMIT :limit
"""
"""A range in the order of the index: the pattern of a LIKE is not known when a statement is planned once for all."""
LAST = "\U0010ffff"
"""Sorts behind all that a name can go on with."""


async def find(
    tx: Tx,
    actor: Actor,
    *,
    email: str | None = None,
    phone: str | None = None,
    loyalty_card: str | None = None,
    device: str | None = None,
    external: tuple[str, str] | None = None,
    name_prefix: str | None = None,
    limit: int = 20,
) -> list[CustomerView]:
    """Customers by exactly one of e-mail, phone, loyalty card, device, (system, id) or the beginning of the name; each the winner of his
    merges.

    Who has verified it comes first, then guests and others who only claim it. Raises OneCriterion, BadEmail, BadPhone.
    """
    given = {
        "email": email, "phone": phone, "loyalty_card": loyalty_card, "device": device, "external": external,
        "name": name_prefix,
    }  # fmt: skip
    asked = [kind for kind, value in given.items() if value is not None]
    if len(asked) != 1:
        raise OneCriterion
    kind = asked[0]
    if name_prefix is not None:
        found = await tx.rows(BY_NAME, start=name_prefix.strip(), last=LAST, limit=limit)
    else:
        system, value = external or ("", email or phone or loyalty_card or device or "")
        system, value = identifiers.of_kind(kind=kind, value=value, system=system or None)
        found = await tx.rows(BY_IDENTIFIER, kind=kind, system=system, value=value, limit=limit)
    people = list(dict.fromkeys(row.id for row in found))
    rows = {row.id: row for row in await tx.rows(PROFILES, people=people)} if people else {}
    shown = [customer_view(row) for row in _in_order(rows, people)]
    for view in shown:
        outbox.audit(tx, actor, "customer.found", "customer", view.id, after={"by": kind})
    if not shown:
        outbox.audit(tx, actor, "customer.not_found", "search", kind)
    return shown


def _in_order(rows: dict[Any, Any], people: list[Any]) -> list[Any]:
    """Winners in the order in which they, or who was merged into them, were found."""
    winner_of = {one: row for row in rows.values() for one in (row.id, *(row.merged_ids or ()))}
    found = {winner_of[one].id: winner_of[one] for one in people if one in winner_of}
    return [row for row in found.values() if row.erased_at is None]
