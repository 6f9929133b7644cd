"""What a list looks like now: its lines beside what catalog, prices and stock say of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct, convert

from commerce import carts, catalog
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.money import Money
from commerce.lists.schemas import Kind, ListLineView, ListSummary, ListView, SharedLineView

COLUMNS = "id, shopper_id, kind, name, share_no, shared_at, show_name, version, created_at, changed_at"


class Head(Struct, frozen=True, kw_only=True):
    """A list without its lines."""

    id: UUID
    shopper_id: UUID
    kind: Kind
    name: str | None
    share_no: int
    shared_at: datetime | None
    show_name: bool
    version: int
    created_at: datetime
    changed_at: datetime


class Line(Struct, frozen=True, kw_only=True):
    """One variant on a list. `unit_price_seen`: minor units, when it was added."""

    variant_id: UUID
    sku: str
    quantity: int
    unit_price_seen: int | None
    note: str | None
    added_at: datetime
    added_channel: str
    added_device: UUID | None
    gift: carts.Gift | None = None
    """How it was wanted as a gift in the cart that it was saved from."""


LINE = ", ".join(Line.__struct_fields__)
LINES = f"SELECT {LINE} FROM lists.lines WHERE list_id = :list ORDER BY added_at, sku"  # noqa: S608


def head_of(row: Row) -> Head:
    """A head from a row of COLUMNS."""
    return Head(**dict(row))


async def lines_of(tx: Tx, list_id: UUID) -> list[Line]:
    """The lines of a list in the order they were added. One statement."""
    return [line_of(row) for row in await tx.rows(LINES, list=list_id)]


def line_of(row: Row) -> Line:
    """A line from a row that has LINE."""
    return convert({name: row[name] for name in Line.__struct_fields__}, Line)


async def view(tx: Tx, head: Head, lines: Sequence[Line], *, currency: str) -> ListView:
    """A list priced now: three statements, one more where something may be waited for; none without lines."""
    variants = await catalog.variants(tx, [line.variant_id for line in lines]) if lines else {}
    return view_of(await carts.goods_of(tx, variants.values()), head, lines, currency=currency)


def view_of(goods: carts.Goods, head: Head, lines: Sequence[Line], *, currency: str) -> ListView:
    """A list from what is known about its variants."""
    return ListView(
        id=head.id, kind=head.kind, name=head.name, version=head.version, shared=head.shared_at is not None,
        show_name=head.show_name, lines=[line_view(goods, line, currency) for line in lines],
        created_at=head.created_at, changed_at=head.changed_at,
    )  # fmt: skip


def empty_view(kind: Kind) -> ListView:
    """A wish list, or what is saved for later, before anything was put on it."""
    return ListView(
        id=None, kind=kind, name=None, version=0, shared=False, show_name=False, lines=[], created_at=None, changed_at=None
    )  # fmt: skip


def line_view(goods: carts.Goods, line: Line, currency: str) -> ListLineView:
    """A line with what it costs now and what it cost then."""
    variant = goods.variants[line.variant_id]
    offer = carts.offer_of(goods, variant, line.quantity)
    seen = Money(line.unit_price_seen, currency) if line.unit_price_seen is not None else None
    return ListLineView(
        sku=line.sku, variant_id=line.variant_id, product=variant.slug, title=variant.title, options=variant.options,
        option_texts=variant.option_texts, media=variant.media, quantity=line.quantity,
        quantity_unit=variant.quantity_unit, quantity_scale=variant.quantity_scale, unit_price=offer.price,
        unit_price_when_added=seen, price_change=_change(seen, offer.price), sellable=offer.refusal is None,
        reason=offer.refusal, availability=offer.band, available=offer.available, expected_on=offer.expected_on,
        maximum_per_order=variant.maximum_per_order, added_at=line.added_at, added_channel=line.added_channel,
        note=line.note, gift=line.gift,
    )  # fmt: skip


def shared_line(goods: carts.Goods, line: Line) -> SharedLineView:
    """A line as whoever has the link sees it."""
    variant = goods.variants[line.variant_id]
    offer = carts.offer_of(goods, variant, line.quantity)
    return SharedLineView(
        sku=line.sku, product=variant.slug, title=variant.title, options=variant.options,
        option_texts=variant.option_texts, media=variant.media, quantity=line.quantity,
        quantity_unit=variant.quantity_unit, quantity_scale=variant.quantity_scale, unit_price=offer.price,
        sellable=offer.refusal is None, reason=offer.refusal, availability=offer.band, expected_on=offer.expected_on,
        maximum_per_order=variant.maximum_per_order,
    )  # fmt: skip


def summary(row: Any) -> ListSummary:
    """A list without its lines, from a row of COLUMNS and the number of `lines`."""
    return ListSummary(
        id=row.id, kind=row.kind, name=row.name, version=row.version, shared=row.shared_at is not None, lines=row.lines,
        created_at=row.created_at, changed_at=row.changed_at,
    )  # fmt: skip


def _change(seen: Money | None, now: Money | None) -> Literal["lower", "higher"] | None:
    if seen is None or now is None or seen.amount == now.amount:
        return None
    return "lower" if now.amount < seen.amount else "higher"
