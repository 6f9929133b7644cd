"""Reads of `lists`. Everybody reads only his own, those of profiles merged into his included; others' by their link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from commerce import carts, catalog, customers
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.lists.errors import UnknownList, UnknownSharedList
from commerce.lists.schemas import Kind, Lists, ListSummary, ListView, SharedListView
from commerce.lists.sharing import read_token
from commerce.lists.views import COLUMNS, Head, Line, empty_view, head_of, lines_of, shared_line, summary, view

NAMES: dict[str, Kind] = {"wish": "wish", "saved": "saved_for_later"}
ONE = f"""
SELECT {COLUMNS} FROM lists.lists
WHERE shopper_id = ANY(CAST(:family AS uuid[])) AND state = 'open'
  AND CASE WHEN CAST(:id AS uuid) IS NULL THEN kind = CAST(:kind AS text) ELSE id = CAST(:id AS uuid) END
ORDER BY array_position(CAST(:family AS uuid[]), shopper_id) LIMIT 1
"""  # noqa: S608
"""`wish` and `saved` of merged profiles: the winner's own first."""
ALL = f"""
SELECT {COLUMNS}, (SELECT count(*) FROM lists.lines n WHERE n.list_id = l.id) AS lines FROM lists.lists l
WHERE shopper_id = ANY(CAST(:family AS uuid[])) AND state = 'open'
ORDER BY array_position(ARRAY['wish', 'saved_for_later', 'named'], kind), name, id
"""  # noqa: S608
BY_LINK = f"SELECT {COLUMNS} FROM lists.lists WHERE id = :id AND state = 'open' AND shared_at IS NOT NULL"  # noqa: S608


async def family_of(tx: Tx, actor: Actor) -> list[UUID]:
    """Whose lists are the caller's, the winner of any merge first. No statement for an anonymous shopper."""
    return await customers.ids_of_caller(tx, actor)


def named(name: str) -> dict[str, Any]:
    """The parameters of ONE for a name or id in an address."""
    kind = NAMES.get(name)
    return {"kind": kind, "id": None if kind else UUID(name)}


async def mine(tx: Tx, actor: Actor) -> Lists:
    """All of the caller's lists, without lines."""
    return Lists(items=await summaries(tx, await family_of(tx, actor)))


async def summaries(tx: Tx, family: Sequence[UUID]) -> list[ListSummary]:
    """All lists of a family. One statement."""
    return [summary(row) for row in await tx.rows(ALL, family=list(family))]


async def read(tx: Tx, actor: Actor, *, name: str, currency: str) -> ListView:
    """One of the caller's lists, priced now; an empty view of version 0 for a wish list that was never begun. Raises UnknownList."""
    row = await tx.first(ONE, family=await family_of(tx, actor), **named(name))
    if row is None:
        if name in NAMES:
            return empty_view(NAMES[name])
        raise UnknownList(list=name)
    head = head_of(row)
    return await view(tx, head, await lines_of(tx, head.id), currency=currency)


async def by_link(tx: Tx, *, token: str, secret_key: str) -> tuple[Head, list[Line]]:
    """The list that a link shows. Raises UnknownSharedList."""
    read_ = read_token(secret_key, token)
    row = await tx.first(BY_LINK, id=read_[0]) if read_ is not None else None
    if read_ is None or row is None or row.share_no != read_[1]:
        raise UnknownSharedList
    return head_of(row), await lines_of(tx, row.id)


async def shared(tx: Tx, *, token: str, secret_key: str) -> SharedListView:
    """What the link shows to whoever has it. Raises UnknownSharedList."""
    head, lines = await by_link(tx, token=token, secret_key=secret_key)
    name = (await customers.contacts(tx, head.shopper_id)).name if head.show_name else None
    variants = await catalog.variants(tx, [line.variant_id for line in lines]) if lines else {}
    goods = await carts.goods_of(tx, variants.values())
    return SharedListView(
        kind=head.kind, name=head.name, from_name=name.split()[0] if name and name.strip() else None,
        lines=[shared_line(goods, line) for line in lines], changed_at=head.changed_at,
    )  # fmt: skip
