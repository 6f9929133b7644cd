"""Sales that have happened at a till. Physical facts: never refused for what the stock books say."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from commerce import carts, catalog, customers, fulfillment, locations, payments, prices, stock
from commerce.catalog import Article
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import Money
from commerce.kernel.text import Language
from commerce.locations import Location
from commerce.orders import books
from commerce.orders.books import Order
from commerce.orders.counter import mean_cost, receipt_line, register_of, tenders_for
from commerce.orders.drafts import Wanted, draft, totals
from commerce.orders.errors import (
    ApprovalNeeded,
    BadMoment,
    LineBelowList,
    NoSuchCustomer,
    SaleElsewhere,
    SaleIdReused,
    TooManyUnits,
    UnknownArticles,
)
from commerce.orders.events import OrderCompleted, SaleBooked
from commerce.orders.numbers import new_number
from commerce.orders.schemas import AdjustmentKind, BookSale, SaleLineIn, SaleView
from commerce.orders.service import ordered_lines

OLDEST = timedelta(days=90)
AHEAD = timedelta(minutes=5)
LIVE = timedelta(minutes=10)
"""A sale that reaches us later than this was made offline, by the prices that the till had then."""
MOST = 1_000_000_000
"""Units of a variant in one sale: what the books count with."""


async def book(
    tx: Tx,
    actor: Actor,
    *,
    code: str,
    command: BookSale,
    charged_as: AdjustmentKind | None = None,
    announce: carts.Announce | None = None,
) -> SaleView:
    """Book a sale that has happened: order, carry-out, stock, payment and receipt in one transaction.

    Dated, priced and taxed as of `occurred_at`, or of now when the till's clock is ahead of ours; a price charged that differs from
    the list's is a named adjustment (`charged_as`, else offline_price for a sale that comes late, else override for what staff
    charge below it, else shelf_price). Such an override needs `prices.override` at the store, the actor's own or the approver's; a
    sale that comes late has happened, as has one that the till itself books; the audit record names what staff sold so without leave.
    Neither missing stock nor a stopped sale refuses it.
    Units with codes of their own must be named, and none may have left before.
    A second booking of the id fails on the order's unique `client_sale_id`: `flow.book_sale` answers the first then.

    Raises BadMoment, UnknownArticles, TooManyUnits, ApprovalNeeded, NoSuchCustomer, WrongTender, AmountTooLarge,
    payments.CardNumberRefused, payments.RegisterElsewhere, stock.LevelTooHigh, stock.UnitCodesNeeded, stock.UnitCodesNotKept,
    stock.UnitCodeRepeated, stock.UnitNotHere.
    """
    if not tx.at - OLDEST <= command.occurred_at <= tx.at + AHEAD:
        raise BadMoment
    happened = min(command.occurred_at, tx.at)
    location = await locations.one(tx, code)
    late = tx.at - happened > LIVE
    wanted = await _priced(tx, command, location, charged_as or ("offline_price" if late else "shelf_price"), happened)
    if actor.kind == "staff" and charged_as is None and not late:
        wanted = _overridden(actor, code, wanted)
    unapproved = _unapproved(actor, code, wanted) if late else []
    basket = (
        await carts.close_sold(tx, actor, cart=command.cart, announce=announce) if command.cart is not None else None
    )
    customer = command.customer or (basket.customer_id if basket is not None else None)
    language = await _language(tx, customer)
    register = await register_of(tx, actor, location)
    lines = draft(wanted, bought_location_id=location.id)
    sums = totals(lines)
    currency = wanted[0].price.currency
    tenders = tenders_for(command.tenders, Money(sums.total, currency))
    associate = actor.subject if actor.kind == "staff" else None
    order = Order(
        id=uuid7(), number=new_number(), kind="till_sale", state="completed", customer_id=customer,
        cart_id=basket.id if basket is not None else None,
        client_sale_id=command.id, device_sequence=command.device_sequence, channel=actor.channel, device_id=actor.device,
        associate_id=associate, sales_credit_id=associate, bought_location_id=location.id, sold="on_premises", language=language,
        currency=currency, subtotal=sums.subtotal, adjustment_total=sums.adjustment_total, total=sums.total,
        tax_total=sums.tax_total, external_ids=command.external_ids, placed_at=happened, completed_at=happened, lines=lines,
    )  # fmt: skip
    work = fulfillment.carry_out(
        tx, actor, order_id=order.id, order_number=order.number, location=location, occurred_at=happened,
        lines=[
            fulfillment.WorkLine(
                order_line_id=line.id, variant_id=line.variant_id, quantity=line.quantity, components=line.components or ()
            )
            for line in lines
        ],
    )  # fmt: skip
    await payments.take(
        tx, actor, order_id=order.id, tenders=tenders, currency=currency, location=location, occurred_at=happened
    )
    receipt = await payments.receipt(
        tx, actor, register=register, kind="sale", order_id=order.id, location=location, total=sums.total, currency=currency,
        lines=[receipt_line(line, line.quantity, line.total, line.tax) for line in lines], tenders=tenders, occurred_at=happened,
    )  # fmt: skip
    sold = await stock.sell(
        tx, actor, cause=stock.Cause("till_sale", order.id), location_id=location.id, occurred_at=happened,
        business_date=location.business_date(happened),
        lines=[
            _goods(index, line, asked, tracked=want.variant.tracking is not None)
            for index, (line, asked, want) in enumerate(zip(lines, command.lines, wanted, strict=True))
        ],
    )  # fmt: skip
    by_id = {line.id: line for line in lines}
    for done in sold:
        line = by_id[done.line_id]
        line.unit_cost = mean_cost(line, done)
        line.handed_over += done.quantity
    for line in lines:
        line.handed_over, line.handed_over_at, line.fulfilled_location_id = line.quantity, happened, location.id
    books.begin(tx, actor, order)
    books.enter(
        tx, actor, order, "sold", _remarks(order, wanted, work.number, receipt) | {"sent": _sent(command)},
        SaleBooked(
            aggregate_id=order.id, version=1, number=order.number, customer_id=order.customer_id, location_id=location.id,
            currency=currency, total=order.total, lines=ordered_lines(order),
        ),
        OrderCompleted(aggregate_id=order.id, version=1, number=order.number),
        at=happened,
    )  # fmt: skip
    outbox.audit(
        tx, actor, "sale.book", "order", order.id,
        after={"sale": command.id, "total": order.total, "adjustment_total": order.adjustment_total}
        | ({"below_list": unapproved} if unapproved else {}),
    )  # fmt: skip
    return _view(order, command.id, receipt, already_booked=False)


def _goods(index: int, line: books.Line, asked: SaleLineIn, *, tracked: bool) -> stock.SaleLine:
    """A line as the stock room sells it, with the codes of its units. Raises UnknownArticles."""
    parts, strangers = stock.parts_named(line.components or (), asked.units)
    if strangers:
        raise UnknownArticles(
            lines=[{"index": index, "sku": sku, "barcode": None, "reason": "not_in_bundle"} for sku in strangers]
        )
    codes = asked.codes or (
        [asked.barcode] if tracked and asked.barcode and catalog.unit_on_label(asked.barcode) else []
    )
    return stock.SaleLine(
        line_id=line.id, variant_id=line.variant_id, quantity=line.quantity, components=parts, codes=tuple(codes)
    )


FIRST = """
SELECT o.number, o.total, o.tax_total, o.currency, o.placed_at, o.version, o.bought_location_id, o.customer_id, e.data
FROM orders.orders o JOIN orders.entries e ON e.order_id = o.id AND e.version = 1
WHERE o.client_sale_id = :sale
"""


async def is_booked(tx: Tx, *, sale: UUID) -> bool:
    """Whether a sale of this id is in the books. One statement."""
    found: bool = await tx.scalar("SELECT EXISTS (SELECT 1 FROM orders.orders WHERE client_sale_id = :sale)", sale=sale)
    return found


async def booked(tx: Tx, actor: Actor, *, code: str, command: BookSale) -> SaleView:  # noqa: ARG001
    """The sale that was booked under this id before, when it is the same sale.

    Raises SaleElsewhere when that was in another store, SaleIdReused when other goods, money, moment or customer were sent then.
    """
    location = await locations.one(tx, code)
    row = await tx.one(FIRST, sale=command.id)
    if row.bought_location_id != location.id:
        raise SaleElsewhere(sale=str(command.id))
    first, again = row.data["sent"], _sent(command)
    differs = [part for part in again if again[part] != first[part]]
    if row.customer_id != command.customer and (command.customer is not None or command.cart is None):
        differs.append("customer")
    if differs:
        raise SaleIdReused(sale=str(command.id), order=row.number, differs=differs)
    return SaleView(
        id=command.id, order_number=row.number, total=Money(row.total, row.currency),
        tax_total=Money(row.tax_total, row.currency), receipt=payments.ReceiptRef(**row.data["receipt"]),
        occurred_at=row.placed_at, already_booked=True, version=row.version,
    )  # fmt: skip


def _view(order: Order, sale_id: UUID, receipt: payments.ReceiptRef, *, already_booked: bool) -> SaleView:
    return SaleView(
        id=sale_id, order_number=order.number, total=order.money(order.total), tax_total=order.money(order.tax_total),
        receipt=receipt, occurred_at=order.placed_at, already_booked=already_booked, version=order.version,
    )  # fmt: skip


def _sent(command: BookSale) -> dict[str, str]:
    """What tells a sale sent again from another one, as it was sent: the catalog of today has no say in it."""
    return {
        "lines": fingerprint([_asked(line) for line in command.lines]),
        "tenders": fingerprint(command.tenders),
        "occurred_at": command.occurred_at.astimezone(UTC).isoformat(),
    }


def _asked(line: SaleLineIn) -> list[object]:
    goods: list[object] = [line.sku, line.barcode, line.quantity, line.unit_price]
    return [*goods, line.codes, line.units] if line.codes or line.units else goods


def fingerprint(part: object) -> str:
    """The same for the same input, and only for it."""
    return hashlib.sha256(msgspec.json.encode(part)).hexdigest()


async def _priced(
    tx: Tx, command: BookSale, location: Location, kind: AdjustmentKind, happened: datetime
) -> list[Wanted]:
    """The lines with their list prices of that moment. Two statements. Raises UnknownArticles, TooManyUnits."""
    by_sku, by_scan = await catalog.articles(
        tx,
        skus=[line.sku for line in command.lines if line.sku],
        scans=[line.barcode for line in command.lines if line.barcode],
    )
    found = [_article(line, by_sku, by_scan) for line in command.lines]
    variants = {article.variant.id: article.variant for article in found if article}
    quoted = await prices.quote(
        tx, list(variants), at=happened, tax_classes=[variant.tax_class for variant in variants.values()],
        zone=location.tax_zone,
    )  # fmt: skip
    wanted: list[Wanted] = []
    refused: list[dict[str, Any]] = []
    for index, (line, article) in enumerate(zip(command.lines, found, strict=True)):
        price = quoted.get(article.variant.id) if article else None
        if article is not None and price is not None and line.unit_price.currency == price.currency:
            quantity = line.quantity * article.quantity
            wanted.append(
                Wanted(
                    variant=article.variant,
                    price=price,
                    quantity=quantity,
                    charged=line.unit_price.amount,
                    charged_as=kind,
                )
            )
            continue
        reason = "no_price" if price is None else "currency"
        if article is None:
            reason = "unknown" if (line.sku is None) != (line.barcode is None) else "sku_or_barcode"
        refused.append({"index": index, "sku": line.sku, "barcode": line.barcode, "reason": reason})
    if refused:
        raise UnknownArticles(lines=refused)
    _refuse_beyond_counting(command, wanted)
    return wanted


def _unapproved(actor: Actor, code: str, wanted: Sequence[Wanted]) -> list[str]:
    """SKUs that staff say to have sold offline below the list price of that moment without leave: booked, and named to whoever looks."""
    if actor.kind != "staff" or actor.allowed("prices.override", code):
        return []
    return sorted(
        {want.variant.sku for want in wanted if want.charged is not None and want.charged < want.price.amount}
    )


def _overridden(actor: Actor, code: str, wanted: Sequence[Wanted]) -> list[Wanted]:
    """The lines, with what is charged below the list price named an override. Raises ApprovalNeeded."""
    below = {n for n, want in enumerate(wanted) if want.charged is not None and want.charged < want.price.amount}
    if below and not actor.allowed("prices.override", code):
        lines = [
            LineBelowList(
                index=n, sku=want.variant.sku, listed=Money(want.price.amount, want.price.currency),
                charged=Money(want.charged or 0, want.price.currency),
            )
            for n, want in enumerate(wanted) if n in below
        ]  # fmt: skip
        raise ApprovalNeeded(permission="prices.override", lines=lines)
    return [
        msgspec.structs.replace(want, charged_as="override") if n in below else want for n, want in enumerate(wanted)
    ]


def _refuse_beyond_counting(command: BookSale, wanted: Sequence[Wanted]) -> None:
    in_sale: Counter[UUID] = Counter()
    for want in wanted:
        in_sale[want.variant.id] += want.quantity
    beyond = [
        {
            "index": index, "sku": want.variant.sku, "barcode": line.barcode, "quantity": want.quantity,
            "in_sale": in_sale[want.variant.id],
        }
        for index, (line, want) in enumerate(zip(command.lines, wanted, strict=True))
        if in_sale[want.variant.id] > MOST
    ]  # fmt: skip
    if beyond:
        raise TooManyUnits(most=MOST, lines=beyond)


def _article(line: SaleLineIn, by_sku: Mapping[str, Article], by_scan: Mapping[str, Article]) -> Article | None:
    if (line.sku is None) == (line.barcode is None):
        return None
    return by_sku.get(line.sku) if line.sku else by_scan.get(line.barcode or "")


async def _language(tx: Tx, person: UUID | None) -> Language:
    """The language of the person that the sale counts for; Russian for somebody unknown. Raises NoSuchCustomer."""
    if person is None:
        return "ru"
    found = await customers.contacts(tx, person)
    if found.name is None and found.email is None and found.phone is None:
        raise NoSuchCustomer(customer=str(person))
    return "en" if found.language == "en" else "ru"


def _remarks(order: Order, wanted: Sequence[Wanted], number: str, receipt: payments.ReceiptRef) -> dict[str, Any]:
    """What the timeline says: goods that should not have been sold are noted, the sale has happened."""
    remarks: dict[str, Any] = {"total": order.total, "fulfillment": number, "receipt": receipt}
    stopped = sorted({want.variant.sku for want in wanted if want.variant.stop_sale_reason is not None})
    if stopped:
        remarks["stop_sale"] = stopped
    return remarks
