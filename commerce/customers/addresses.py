"""Where a person wants things brought to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import convert, structs

from commerce.customers import families, identifiers
from commerce.customers.errors import StaleAddress, TooManyAddresses, UnknownAddressOfCustomer
from commerce.customers.families import Family
from commerce.customers.queries import ids_of
from commerce.customers.schemas import AddressesView, AddressView, SaveAddress
from commerce.customers.tables import addresses
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

MAXIMUM = 50
"""Addresses of one person, under all his profiles."""
COLUMNS = """a.id, a.profile_id AS customer_id, a.label, a.recipient, a.phone, a.country, a.region, a.city, a.street, a.house,
    a.postal_code, a.entrance, a.floor, a.apartment, a.intercom, a.comment, a.is_default, a.created_at, a.version"""
OF_FAMILY = f"""
SELECT {COLUMNS}, f.n
FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS f (id, n) JOIN customers.addresses a ON a.profile_id = f.id
ORDER BY a.is_default DESC, CASE WHEN a.is_default THEN f.n END, a.created_at DESC, a.id DESC
"""  # noqa: S608
NO_DEFAULT = """
UPDATE customers.addresses SET is_default = false, version = version + 1
WHERE profile_id = ANY(CAST(:ids AS uuid[])) AND is_default AND id <> :id
"""
CHANGE = """
UPDATE customers.addresses SET label = :label, recipient = :recipient, phone = :phone, country = :country, region = :region,
    city = :city, street = :street, house = :house, postal_code = :postal_code, entrance = :entrance, floor = :floor,
    apartment = :apartment, intercom = :intercom, comment = :comment, is_default = :is_default, version = version + 1
WHERE id = :id
"""
MOVE = """
UPDATE customers.addresses SET profile_id = :to, is_default = false, version = version + 1
WHERE id = ANY(CAST(:addresses AS uuid[])) AND profile_id = ANY(CAST(:ids AS uuid[])) RETURNING id
"""


async def of_family(tx: Tx, ids: Sequence[UUID]) -> list[AddressView]:
    """Addresses of a person given all his ids, the winner first: the default, then the newest. One statement.

    Two merged profiles may each have a default: the winner's counts.
    """
    found: list[AddressView] = []
    for row in await tx.rows(OF_FAMILY, ids=list(ids)):
        view = convert(dict(row), AddressView)
        if view.is_default and found:
            view = structs.replace(view, is_default=False)
        found.append(view)
    return found


async def mine(tx: Tx, actor: Actor) -> AddressesView:
    """The caller's addresses."""
    return AddressesView(items=await of_family(tx, await ids_of(tx, actor.person)))


async def one_of_mine(tx: Tx, actor: Actor, *, address: UUID) -> AddressView:
    """One of the caller's addresses. Raises UnknownAddressOfCustomer."""
    return _the_one(await of_family(tx, await ids_of(tx, actor.person)), address)


async def add(tx: Tx, actor: Actor, *, command: SaveAddress) -> AddressView:
    """One address more; the first is the default. Raises UnknownCustomer, TooManyAddresses, BadPhone."""
    family = await families.lock(tx, person=actor.person)
    there = await of_family(tx, family.ids)
    if len(there) >= MAXIMUM:
        raise TooManyAddresses(maximum=MAXIMUM)
    values = _values(command)
    values["is_default"] = command.is_default or not there
    address = uuid7()
    if values["is_default"] and there:
        await tx.execute(NO_DEFAULT, ids=family.ids, id=address)
    tx.queue(addresses, id=address, profile_id=family.id, **values, created_at=tx.at)
    family.changed(tx, actor, "addresses")
    return AddressView(id=address, customer_id=family.id, **values, created_at=tx.at, version=1)


async def change(
    tx: Tx, actor: Actor, *, address: UUID, command: SaveAddress, if_match: int | None = None
) -> AddressView:
    """An address as it shall be. Nothing different is no new version.

    Raises UnknownCustomer, UnknownAddressOfCustomer, StaleAddress, BadPhone.
    """
    family, before = await _lock(tx, actor, address, if_match)
    after = structs.replace(before, **_values(command))
    if after == before:
        return before
    if after.is_default:
        await tx.execute(NO_DEFAULT, ids=family.ids, id=address)
    await tx.execute(CHANGE, id=address, **_values(command))
    family.changed(tx, actor, "addresses")
    return structs.replace(after, version=before.version + 1)


async def remove(tx: Tx, actor: Actor, *, address: UUID, if_match: int | None = None) -> None:
    """Forget an address. Raises UnknownCustomer, UnknownAddressOfCustomer, StaleAddress."""
    family, _ = await _lock(tx, actor, address, if_match)
    await tx.execute("DELETE FROM customers.addresses WHERE id = :id", id=address)
    family.changed(tx, actor, "addresses")


async def move(tx: Tx, *, family: Family, to: Family, ids: Sequence[UUID]) -> list[UUID]:
    """Give addresses of one locked person to another; those that were his."""
    if not ids:
        return []
    return [row.id for row in await tx.rows(MOVE, addresses=list(ids), ids=family.ids, to=to.id)]


async def _lock(tx: Tx, actor: Actor, address: UUID, if_match: int | None) -> tuple[Family, AddressView]:
    family = await families.lock(tx, person=actor.person)
    before = _the_one(await of_family(tx, family.ids), address)
    if if_match is not None and if_match != before.version:
        raise StaleAddress(current_version=before.version)
    return family, before


def _the_one(found: Sequence[AddressView], address: UUID) -> AddressView:
    for view in found:
        if view.id == address:
            return view
    raise UnknownAddressOfCustomer


def _values(command: SaveAddress) -> dict[str, Any]:
    values = structs.asdict(command)
    if command.phone is not None:
        values["phone"] = identifiers.phone(command.phone)
    return values
