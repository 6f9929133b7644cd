"""Verbs of `orders` that need no till: place, cancel, a new pickup code; what comes back, and who forgets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs, to_builtins

from commerce import carts, catalog, customers, fulfillment, locations, payments, prices, stock, transfers
from commerce.carts import OpenCart
from commerce.catalog import Variant
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import Money
from commerce.kernel.tags import ANY, Seen, mark_of
from commerce.kernel.text import Language
from commerce.locations import Location
from commerce.orders import books, sources
from commerce.orders.books import Order
from commerce.orders.drafts import Wanted, draft, totals
from commerce.orders.errors import (
    CartChanged,
    CartEmpty,
    ContactNeeded,
    FulfillmentNotOffered,
    LinesNotSellable,
    NotCancellable,
    NothingReady,
    OrderChanged,
    OrderNotAllowed,
    PickupNotOffered,
    TotalChanged,
    UnknownOrder,
    WantedLine,
)
from commerce.orders.events import (
    OrderCancelled,
    OrderCompleted,
    OrderedLine,
    OrderPartlyCancelled,
    OrderPlaced,
    OrderReturned,
    PickupCodeAsked,
)
from commerce.orders.numbers import new_number, read_number
from commerce.orders.schemas import (
    AdjustmentKind,
    CancelledView,
    CancelOrder,
    CodeRenewed,
    Contact,
    GiftView,
    LineForReturn,
    OrderForReturn,
    OrderView,
    PlaceOrder,
    Recipient,
)
from commerce.orders.tables import entries
from commerce.orders.views import order_view
from commerce.prices import Price

Announce = Callable[[str], Awaitable[None]]
"""Tells open screens that a topic has changed."""


class Charged(Struct, frozen=True, kw_only=True):
    """Prices other than the list's that were agreed for an order, by variant, in minor units of one whole unit, and their name."""

    prices: Mapping[UUID, int]
    kind: AdjustmentKind


class Drafted(Struct, frozen=True, kw_only=True):
    """An order to be, from a locked cart."""

    order: Order
    wanted: list[Wanted]
    location: Location
    places: Mapping[str, Location]
    promise: fulfillment.Promise
    cart_id: UUID
    at_device: bool


class ShelfShort(stock.InsufficientStock):
    """The shelf does not have it. What else can be said or done is looked up when no level is locked any more."""

    def __init__(self, refusal: stock.InsufficientStock, drafted: Drafted) -> None:
        super().__init__(refusal.short)
        self.drafted = drafted


async def place(
    tx: Tx,
    actor: Actor,
    *,
    command: PlaceOrder,
    currency: str,
    seen: Seen = ANY,
    charged: Charged | None = None,
    announce: Announce | None = None,
) -> OrderView:
    """Order what is in the open cart for collection in a store, paid there, off that store's shelf. `seen` is the cart's, from If-Match.

    Cart locked, lines priced from the list at this moment, goods committed at once, all in this transaction, whatever the
    number of lines. The goods are the last step before the commit, when the order is written: a level that everybody wants is locked
    no longer than that (decisions/0018). Raises CartEmpty, CartChanged, TotalChanged, LinesNotSellable, PickupNotOffered,
    FulfillmentNotOffered, ContactNeeded, stock.InsufficientStock; what carts.lock_open raises.
    """
    drafted = await _draft(tx, actor, command, currency, seen, charged)
    order, location = drafted.order, drafted.location
    pickup = _open(tx, actor, drafted, drafted.promise)
    await carts.close(tx, actor, drafted.cart_id, announce=announce)

    async def promise() -> None:
        try:
            await stock.promise(
                tx, actor, owner=stock.Owner("fulfillment", pickup.id), cause=stock.Cause("order_placed", pickup.id),
                business_date=location.business_date(tx.at),
                demands=[
                    stock.Demand(
                        line_id=line.id, location_id=location.id, variant_id=line.variant_id, quantity=line.quantity,
                        components=line.parts,
                    )
                    for line in order.lines
                ],
            )  # fmt: skip
        except stock.InsufficientStock as refusal:
            raise ShelfShort(refusal, drafted) from refusal

    tx.before_commit(promise)
    return _placed_view(drafted, command, pickup)


async def explain(tx: Tx, *, short: ShelfShort) -> None:
    """Name in the refusal the stores that have what is short, and the date when the chosen one could."""
    drafted = short.drafted
    short.members["lines"] = await _shortage(tx, short, drafted.order.lines, drafted.location)
    short.members["later"] = await sources.later_promise(
        tx, wanted=_to_source(drafted, tx.at), location=drafted.location
    )


async def place_by_plan(
    tx: Tx,
    actor: Actor,
    *,
    command: PlaceOrder,
    currency: str,
    seen: Seen = ANY,
    charged: Charged | None = None,
    announce: Announce | None = None,
) -> OrderView:
    """The same for what the shelf does not have: sent there from the places that the store may draw on, or out of what is announced.

    Raises what `place` raises.
    """
    drafted = await _draft(tx, actor, command, currency, seen, charged)
    order, location = drafted.order, drafted.location
    await carts.close(tx, actor, drafted.cart_id, announce=announce)
    owner_id = uuid7()
    try:
        secured = await sources.secure(
            tx, actor, owner_id=owner_id, wanted=_to_source(drafted, tx.at), location=location
        )
    except stock.InsufficientStock as refusal:
        refusal.members["lines"] = await _shortage(tx, refusal, order.lines, location)
        raise
    pickup = _open(tx, actor, drafted, secured.promise, owner_id, secured.state)
    fulfillment.store_plan(tx, order_id=order.id, n=1, plan=secured.plan, reason="placed")
    sources.send(
        tx, actor, order_number=order.number, owner_id=owner_id, secured=secured, lines=order.lines, location=location
    )
    return _placed_view(drafted, command, pickup)


async def _draft(
    tx: Tx, actor: Actor, command: PlaceOrder, currency: str, seen: Seen, charged: Charged | None
) -> Drafted:
    cart = await carts.lock_open(tx, actor, cart=str(command.cart) if command.cart is not None else "current")
    if cart is None or not cart.lines:
        raise CartEmpty
    for state in (seen, Seen(command.cart_version)):
        if not state.is_of(cart.version, mark_of(cart.id)):
            now = await carts.read(tx, actor, cart=str(cart.id), currency=currency)
            raise CartChanged(seen=state.version, version=cart.version, cart=now)
    store = store_of(command, cart)
    places = await locations.by_codes(tx, [code for code in {store, actor.location} if code])
    location, promise = pickup_at(places, store, tx.at)
    bought = places.get(actor.location) if actor.location else None
    wanted = await _priced(tx, cart, location, charged)
    lines = draft(wanted, bought_location_id=bought.id if bought else None)
    sums = totals(lines)
    currency = wanted[0].price.currency
    _same_total(command, Money(sums.total, currency), cart, lines)
    contact, language = await _contact(tx, actor, command, cart)
    recipient = command.recipient or _recipient(cart.checkout)
    order = Order(
        id=uuid7(), number=new_number(), kind="standard", state="placed", customer_id=cart.person, cart_id=cart.id,
        channel=actor.channel, device_id=actor.device, associate_id=actor.subject if actor.kind == "staff" else None, sales_credit_id=None,
        bought_location_id=bought.id if bought else None, sold="distance", language=language, currency=currency,
        subtotal=sums.subtotal, adjustment_total=sums.adjustment_total, total=sums.total, tax_total=sums.tax_total,
        contact=structs.asdict(contact), recipient=structs.asdict(recipient) if recipient else None,
        note=command.note or cart.checkout.note, gift=_gift(cart), placed_at=tx.at, lines=lines,
    )  # fmt: skip
    return Drafted(
        order=order,
        wanted=wanted,
        location=location,
        places=places,
        promise=promise,
        cart_id=cart.id,
        at_device=cart.device_id is not None,
    )


def _open(
    tx: Tx,
    actor: Actor,
    drafted: Drafted,
    promise: fulfillment.Promise,
    owner_id: UUID | None = None,
    state: fulfillment.Coming = "open",
) -> fulfillment.Fulfillment:
    order, location = drafted.order, drafted.location
    pickup = fulfillment.open_pickup(
        tx, actor, order_id=order.id, order_number=order.number, location=location, promise=promise, id=owner_id, state=state,
        lines=[
            fulfillment.WorkLine(
                order_line_id=line.id, variant_id=line.variant_id, quantity=line.quantity, components=line.components or ()
            )
            for line in order.lines
        ],
    )  # fmt: skip
    books.begin(tx, actor, order)
    books.enter(
        tx, actor, order, "placed", {"total": order.total, "location": location.code, "cart_id": order.cart_id},
        OrderPlaced(
            aggregate_id=order.id, version=1, number=order.number, kind=order.kind, customer_id=order.customer_id,
            cart_id=order.cart_id, location_id=location.id, currency=order.currency, total=order.total,
            lines=ordered_lines(order),
        ),
    )  # fmt: skip
    if actor.kind != "shopper" and actor.on_behalf_of is None:
        outbox.audit(
            tx, actor, "order.placed", "order", order.id,
            after={"cart": order.cart_id, "customer": order.customer_id, "total": order.total, "location": location.code},
        )  # fmt: skip
    return pickup


def _placed_view(drafted: Drafted, command: PlaceOrder, pickup: fulfillment.Fulfillment) -> OrderView:
    """The answer; on a device's screen, of what is personal only what was typed there."""
    nothing = payments.OrderMoney(payments=[], refunds=[], receipts=[])
    view = order_view(drafted.order, [pickup], nothing, {place.id: place for place in drafted.places.values()})
    if not drafted.at_device:
        return view
    typed = command.contact if command.contact != Contact() else None
    return structs.replace(view, contact=typed, recipient=command.recipient, note=command.note, gift=None)


def _to_source(drafted: Drafted, at: datetime) -> list[sources.Wanted]:
    return [
        sources.Wanted(line=line, quantity=line.quantity, may_wait=want.variant.may_wait(at))
        for line, want in zip(drafted.order.lines, drafted.wanted, strict=True)
    ]


def ordered_lines(order: Order) -> list[OrderedLine]:
    """The lines as events name them."""
    return [
        OrderedLine(line_id=line.id, variant_id=line.variant_id, quantity=line.quantity, total=line.total)
        for line in order.lines
    ]


def pickup_at(places: Mapping[str, Location], code: str, at: datetime) -> tuple[Location, fulfillment.Promise]:
    """A store that takes orders for collection, and when its shelf could be ready. Raises PickupNotOffered."""
    location = places.get(code)
    if location is None:
        raise PickupNotOffered(location=code, reason="unknown", until=None)
    reason = location.refusal("pickup", at)
    if reason is not None:
        until = location.paused_until.isoformat() if reason == "paused" and location.paused_until else None
        raise PickupNotOffered(location=code, reason=reason, until=until)
    promise = fulfillment.pickup_promise(location, at)
    if promise is None:
        raise PickupNotOffered(location=code, reason="no_opening_hours", until=None)
    return location, promise


async def _priced(tx: Tx, cart: OpenCart, location: Location, charged: Charged | None) -> list[Wanted]:
    """What the cart's lines cost now. Two statements. Raises LinesNotSellable."""
    ids = [line.variant_id for line in cart.lines]
    variants = await catalog.variants(tx, ids)
    quoted = await prices.quote(
        tx, ids, at=tx.at, tax_classes=[variants[i].tax_class for i in ids], zone=location.tax_zone
    )
    wanted, refused = [], []
    for line in cart.lines:
        variant, price = variants[line.variant_id], quoted.get(line.variant_id)
        reason = _refusal(variant, price, line.quantity, tx.at)
        if price is None or reason is not None:
            refused.append({"sku": variant.sku, "reason": reason, "maximum": variant.maximum_per_order})
            continue
        wanted.append(
            Wanted(
                variant=variant, price=price, quantity=line.quantity,
                charged=charged.prices.get(variant.id) if charged else None,
                charged_as=charged.kind if charged else "shelf_price",
            )
        )  # fmt: skip
    if refused:
        raise LinesNotSellable(lines=refused)
    return wanted


def _refusal(variant: Variant, price: Price | None, quantity: int, at: datetime) -> str | None:
    if variant.maximum_per_order is not None and quantity > variant.maximum_per_order:
        return variant.refusal(at) or "over_maximum"
    return variant.refusal(at) or ("no_price" if price is None else None)


def _same_total(command: PlaceOrder, total: Money, cart: OpenCart, lines: Sequence[books.Line]) -> None:
    expected = Money(command.expected_total.amount, command.expected_total.currency)
    if expected == total:
        return
    seen = {line.variant_id: line.unit_price_seen for line in cart.lines}
    raise TotalChanged(
        expected=expected,
        total=total,
        lines=[
            {
                "sku": line.sku,
                "quantity": line.quantity,
                "unit_price_seen": Money(seen[line.variant_id], total.currency),
                "unit_price": Money(line.unit_price, total.currency),
                "total": Money(line.total, total.currency),
            }
            for line in lines
        ],
    )


def store_of(command: PlaceOrder, cart: OpenCart) -> str:
    """Where the order is collected: as the command says, else as all lines of the cart say. Raises FulfillmentNotOffered."""
    if command.pickup is not None and command.pickup.location is not None:
        return command.pickup.location
    wishes = [(line.sku, carts.wish_of(line, cart.checkout)) for line in cart.lines]
    stores = {wish.location if wish is not None and wish.method == "collect" else None for _, wish in wishes}
    store = stores.pop()
    if stores or store is None:
        raise FulfillmentNotOffered(
            lines=[
                WantedLine(sku=sku, method=wish.method if wish else None, location=wish.location if wish else None)
                for sku, wish in wishes
            ]
        )
    return store


def _recipient(checkout: carts.Checkout) -> Recipient | None:
    kept = checkout.recipient
    return Recipient(name=kept.name, phone=kept.phone) if kept is not None else None


def _gift(cart: OpenCart) -> dict[str, Any] | None:
    """The gift wish of the cart and of its lines, as it stands when it is ordered."""
    lines = {line.sku: line.gift for line in cart.lines if line.gift is not None}
    kept = cart.checkout.gift
    if kept is None and not lines:
        return None
    wish = GiftView(wrap=kept is not None and kept.wrap, message=kept.message if kept else None, lines=lines)
    return dict(to_builtins(wish))


async def _contact(tx: Tx, actor: Actor, command: PlaceOrder, cart: OpenCart) -> tuple[Contact, Language]:
    """Whom to reach, and in which language: as the command says, else the cart's checkout, else the profile of whoever has proven
    himself. One statement for a known shopper. Raises ContactNeeded."""
    given, kept = command.contact, cart.checkout.contact
    if kept is not None:
        given = Contact(name=given.name or kept.name, email=given.email or kept.email, phone=given.phone or kept.phone)
    language: Language = "ru"
    known = actor.known or actor.on_behalf_of is not None or cart.device_id is not None
    if known and cart.trusted and cart.person is not None:
        profile = await customers.contacts(tx, cart.person)
        given = Contact(
            name=given.name or profile.name, email=given.email or profile.email, phone=given.phone or profile.phone
        )
        language = "en" if profile.language == "en" else "ru"
    given = Contact(
        name=given.name,
        email=customers.email(given.email, field="contact.email") if given.email else None,
        phone=customers.phone(given.phone, field="contact.phone") if given.phone else None,
    )
    missing = [
        name for name, there in (("name", given.name), ("email or phone", given.email or given.phone)) if not there
    ]
    if missing:
        raise ContactNeeded(missing=", ".join(missing))
    return given, command.language or language


async def _shortage(
    tx: Tx, refusal: stock.InsufficientStock, lines: Sequence[books.Line], location: Location
) -> list[dict[str, Any]]:
    """The lines that are short, and for each the nearest stores that have as many. Two statements."""
    skus = {part.variant_id: part.sku for line in lines for part in line.components or ()} | {
        line.variant_id: line.sku for line in lines
    }
    near = await fulfillment.near_stores(
        tx,
        lacks=[fulfillment.Lack(short.variant_id, short.wanted, location.id) for short in refusal.short],
        places={location.id: location},
        bundles={line.variant_id: line.parts for line in lines if line.components},
    )
    return [
        {
            "sku": skus[short.variant_id],
            "location": location.code,
            "wanted": short.wanted,
            "left": short.left,
            "near": stores,
        }
        for short, stores in zip(refusal.short, near, strict=True)
    ]


async def owned(tx: Tx, actor: Actor, order: Order | None, number: str) -> Order:
    """The order, when it is the shopper's own, under any of his merged profiles. Raises UnknownOrder."""
    if order is None or order.customer_id is None:
        raise UnknownOrder(number=number)
    if order.customer_id != actor.person and order.customer_id not in await customers.ids_of_caller(tx, actor):
        raise UnknownOrder(number=number)
    return order


async def cancel(
    tx: Tx, actor: Actor, *, number: str, command: CancelOrder, version: int | None = None
) -> CancelledView:
    """Give up what is not handed over yet, for the customer: by himself, or by staff who may. The goods are free again.

    Raises UnknownOrder, OrderNotAllowed, OrderChanged, NotCancellable.
    """
    order = await books.lock(tx, number=read_number(number))
    if actor.kind == "shopper":
        order = await owned(tx, actor, order, number)
    elif not actor.allowed("orders.cancel"):
        raise OrderNotAllowed(permission="orders.cancel")
    if order is None:
        raise UnknownOrder(number=number)
    if version is not None and version != order.version:
        raise OrderChanged(seen=version, version=order.version)
    works = await fulfillment.lock_of_order(tx, order_id=order.id)
    places = await locations.by_ids(tx, sorted({work.location_id for work in works}))
    if actor.kind != "shopper" and not all(
        actor.allowed("orders.cancel", places[work.location_id].code) for work in works
    ):
        raise OrderNotAllowed(permission="orders.cancel")
    if order.state != "placed" or not order.outstanding:
        raise NotCancellable(state=order.state)
    actor = structs.replace(actor, reason=command.reason)
    asked = await tx.rows(OPEN_CHOICES, order=order.id) if is_asked(order, works) else []
    units: dict[UUID, int] = {}
    for row in asked:
        for line_id, quantity in row.units.items():
            units[UUID(line_id)] = units.get(UUID(line_id), 0) + quantity
    if asked:
        tx.defer(END_CHOICES, ids=[row.id for row in asked], at=tx.at)
    for work in works:
        await recall(tx, actor, work, None, command.reason)
    for work in works:
        await release(tx, actor, work, places[work.location_id], None, command.reason)
    for work in works:
        if work.live:
            given_up = fulfillment.cancel(tx, actor, fulfillment=work, reason="customer_cancelled")
            for line_id, quantity in given_up.items():
                units[line_id] = units.get(line_id, 0) + quantity
    give_up(tx, actor, order, units, command.reason)
    if actor.kind != "shopper":
        outbox.audit(
            tx, actor, "order.cancel", "order", order.id,
            before={"state": "placed"}, after={"state": order.state, "reason": command.reason},
        )  # fmt: skip
    return CancelledView(
        number=order.number, state=order.state, reason=command.reason, units=sum(units.values()), version=order.version
    )


def give_up(tx: Tx, actor: Actor, order: Order, units: Mapping[UUID, int], reason: str) -> None:
    """Cancel units by line of a locked order, and close it when nothing is left. Queued; stock is the caller's."""
    for line in order.lines:
        line.cancelled += units.get(line.id, 0)
    closed = books.settle(tx, order, reason)
    books.write(tx, order)
    named = {str(line_id): quantity for line_id, quantity in units.items()}
    head: dict[str, Any] = {"aggregate_id": order.id, "version": order.version, "number": order.number}
    if closed == "cancelled":
        books.enter(
            tx, actor, order, "cancelled", {"reason": reason, "units": named},
            OrderCancelled(**head, reason=reason, units=named),
        )  # fmt: skip
    else:
        facts = [OrderPartlyCancelled(**head, reason=reason, units=named)]
        done = [OrderCompleted(**head)] if closed else []
        books.enter(tx, actor, order, "partly_cancelled", {"reason": reason, "units": named}, *facts, *done)


async def release(
    tx: Tx,
    actor: Actor,
    work: fulfillment.Fulfillment,
    location: Location,
    units: Mapping[UUID, int] | None,
    reason: str,
) -> list[stock.GivenUp]:
    """Free what is still set aside for a fulfillment, or would be if it were not lost: all of it, or units by line. The last
    locks of a verb; two statements. Of some units it is known only now which of them were to be sent: four when goods may come."""
    given = await stock.give_up(
        tx, actor, owner=stock.Owner("fulfillment", work.id), cause=stock.Cause("fulfillment_cancelled", uuid7()), lines=units,
        last_at=location.id, reason=reason, business_date=location.business_date(tx.at),
    ) or []  # fmt: skip
    if units is not None and may_be_sent(work):
        await transfers.cancel_for_order(tx, actor, owner=work.id, lines=freight_of(given), reason=reason)
    return given


def freight_of(given: Sequence[stock.GivenUp]) -> list[transfers.OrderFreight]:
    """What need not be sent any more: what stood, or was lost, where it was to leave, and what travels."""
    return [
        transfers.OrderFreight(
            order_line_id=part.line_id, variant_id=part.variant_id, quantity=part.units,
            **({"line_id": part.expected_id} if part.bucket == "in_transit_committed" else {"source_id": part.location_id}),
        )
        for part in given
    ]  # fmt: skip


async def recall(
    tx: Tx, actor: Actor, work: fulfillment.Fulfillment, units: Mapping[UUID, int] | None, reason: str
) -> None:
    """What was to be sent for a fulfillment stays where it is, and what travels is nobody's: before its stock is released. Of some
    units by line only `release` finds out which. Two statements, none when nothing may come."""
    if not may_be_sent(work):
        return
    if units is None:
        await transfers.cancel_for_order(tx, actor, owner=work.id, reason=reason)
    else:
        await transfers.lock_for_order(tx, owner=work.id)


def may_be_sent(work: fulfillment.Fulfillment) -> bool:
    """Whether transfers may have something to bring for a fulfillment; of what it has lost, that can be at their source."""
    return work.coming or work.at_risk


def is_asked(order: Order, works: Sequence[fulfillment.Fulfillment]) -> bool:
    """Whether units are outstanding that are nobody's work: the customer is asked about them."""
    return order.outstanding > sum(line.outstanding for work in works for line in work.lines)


OPEN_CHOICES = "SELECT id, units FROM orders.choices WHERE order_id = :order AND state = 'open' ORDER BY id"
END_CHOICES = """
UPDATE orders.choices SET state = 'cancelled', answered_at = CAST(:at AS timestamptz) WHERE id = ANY(CAST(:ids AS uuid[]))
"""


async def renew_code(tx: Tx, actor: Actor, *, number: str) -> CodeRenewed:
    """A new pickup code with five new attempts; the old one is void. Raises UnknownOrder, NothingReady."""
    order = await owned(tx, actor, await books.lock(tx, number=read_number(number)), number)
    works = await fulfillment.lock_of_order(tx, order_id=order.id)
    renewed = fulfillment.renew_codes(tx, actor, locked=works)
    if not renewed:
        raise NothingReady
    books.write(tx, order)
    books.enter(
        tx, actor, order, "pickup_code_renewed", {},
        PickupCodeAsked(aggregate_id=order.id, version=order.version, number=order.number),
    )  # fmt: skip
    return CodeRenewed(number=order.number, renewed=renewed, version=order.version)


async def for_return(
    tx: Tx, *, number: str | None = None, receipt: payments.ReceiptRef | None = None
) -> OrderForReturn:
    """Lock an order by its number or by one of its receipts, and tell what of it could come back.

    One statement, two by receipt. Raises UnknownOrder; payments.UnknownReceipt, also for one of no sale.
    """
    if number is not None:
        order = await books.lock(tx, number=read_number(number))
    elif receipt is not None:
        found = await payments.receipt_by_number(tx, receipt.register, receipt.number)
        if found.order_id is None:
            raise payments.UnknownReceipt
        order = await books.lock_by_id(tx, order_id=found.order_id)
    else:
        raise ValueError("an order is found by its number or by a receipt")
    if order is None:
        raise UnknownOrder(number=number or "")
    return OrderForReturn(
        id=order.id, number=order.number, kind=order.kind, state=order.state, sold=order.sold, customer_id=order.customer_id,
        currency=order.currency, language=order.language, placed_at=order.placed_at, version=order.version,
        lines=[
            LineForReturn(**{name: getattr(line, name) for name in LineForReturn.__struct_fields__}) for line in order.lines
        ],
    )  # fmt: skip


RETURNED = """
UPDATE orders.lines l SET returned = l.returned + w.quantity
FROM unnest(CAST(:ids AS uuid[]), CAST(:quantities AS integer[])) AS w(id, quantity) WHERE l.id = w.id
"""
NEXT_VERSION = "UPDATE orders.orders SET version = CAST(:version AS integer) WHERE id = CAST(:id AS uuid)"


async def record_return(
    tx: Tx, actor: Actor, *, order: OrderForReturn, quantities: Mapping[UUID, int], return_number: str
) -> int:
    """Units by line of an order locked by `for_return` came back; the order's new version. Queued."""
    version = order.version + 1
    units = {str(line_id): quantity for line_id, quantity in quantities.items()}
    tx.defer(NEXT_VERSION, id=order.id, version=version)
    tx.defer(RETURNED, ids=list(quantities), quantities=list(quantities.values()))
    tx.queue(
        entries, id=uuid7(), order_id=order.id, version=version, what="returned", actor=outbox.actor_record(actor),
        data={"return": return_number, "units": units}, occurred_at=tx.at,
    )  # fmt: skip
    outbox.record(
        tx, actor,
        OrderReturned(
            aggregate_id=order.id, version=version, number=order.number, return_number=return_number, units=units
        ),
    )  # fmt: skip
    return version


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything kept here about a person, given all his ids (`customers.ids_of`). One statement."""
    rows = await tx.rows(
        """
        SELECT number, kind, state, channel, placed_at, total, currency, contact, recipient, note, gift FROM orders.orders
        WHERE customer_id = ANY(CAST(:ids AS uuid[])) ORDER BY placed_at, id
        """,
        ids=list(ids),
    )
    return {"orders": [dict(row) for row in rows]}


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:  # noqa: ARG001
    """Forget contact, recipient, note and gift message in a person's orders; numbers, goods and money stay in the books. One statement."""
    await tx.execute(
        """
        UPDATE orders.orders SET contact = NULL, recipient = NULL, note = NULL, gift = NULL
        WHERE customer_id = ANY(CAST(:ids AS uuid[])) AND (contact, recipient, note, gift) IS DISTINCT FROM (NULL, NULL, NULL, NULL)
        """,
        ids=list(ids),
    )
