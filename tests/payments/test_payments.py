"""Money in, money back, and never more back than came in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from commerce import locations, payments
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import Money
from commerce.payments import Refund, Tender
from tests.support import Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


def line(total: int, tax_basis_points: int = 2200) -> payments.ReceiptLine:
    return payments.ReceiptLine(
        title={"en": "Thing", "ru": "Вещь"}, sku="SKU-1", order_line_id=uuid7(), quantity=1, unit_price=total, total=total,
        tax=total * tax_basis_points // (10_000 + tax_basis_points), tax_basis_points=tax_basis_points,
    )  # fmt: skip


async def paid(shop: Shop, store: Store, *tenders: Tender, actor: Actor | None = None) -> UUID:
    """An order id with payments and their sale receipt."""
    order = uuid7()

    async def work(tx: Tx) -> None:
        location = await locations.one(tx, store.code)
        await payments.take(
            tx, actor or shop.system, order_id=order, tenders=tenders, currency="RUB", location=location
        )
        total = sum(tender.amount for tender in tenders)
        await payments.receipt(
            tx, actor or shop.system, register=payments.counter(location), kind="sale", order_id=order, location=location,
            total=total, currency="RUB", lines=[line(total)], tenders=tenders,
        )  # fmt: skip

    await shop.db.write(work)
    return order


async def test_money_that_was_taken_earlier_is_dated_so(shop: Shop, db: Database) -> None:
    store, orders = await shop.store(), (uuid7(), uuid7())
    clock.stand_at(now := clock())
    earlier = now - timedelta(days=3)

    async def work(tx: Tx) -> None:
        location = await locations.one(tx, store.code)
        for order, occurred_at in zip(orders, (earlier, None), strict=True):
            tenders = [Tender(kind="cash", amount=100)]
            await payments.take(
                tx, shop.system, order_id=order, tenders=tenders, currency="RUB", location=location, occurred_at=occurred_at
            )  # fmt: skip
            await payments.receipt(
                tx, shop.system, register=payments.counter(location), kind="sale", order_id=order, location=location,
                total=100, currency="RUB", lines=[line(100)], tenders=tenders, occurred_at=occurred_at,
            )  # fmt: skip

    await db.write(work)
    found = await db.read(payments.of_orders, orders)
    assert [found[order].payments[0].taken_at for order in orders] == [earlier, now]
    assert [found[order].receipts[0].occurred_at for order in orders] == [earlier, now]


async def give_back(
    shop: Shop,
    store: Store,
    order: UUID,
    amount: int,
    tender: payments.TenderKind = "cash",
    reference: str | None = None,
) -> Refund:
    async def work(tx: Tx) -> Refund:
        location = await locations.one(tx, store.code)
        refund = await payments.refund(
            tx, shop.system, order_id=order, return_id=None, amount=amount, currency="RUB", tender=tender,
            reason="return", location=location, reference=reference,
        )  # fmt: skip
        await payments.receipt(
            tx, shop.system, register=payments.counter(location), kind="refund", order_id=order, location=location,
            total=amount, currency="RUB", lines=[line(amount)], tenders=[Tender(kind=tender, amount=amount)],
        )  # fmt: skip
        return refund

    return await shop.db.write(work)


async def money_of(db: Database, order: UUID) -> payments.OrderMoney:
    return (await db.read(payments.of_orders, [order]))[order]


async def test_money_taken_is_captured_at_once_and_published(shop: Shop, db: Database) -> None:
    store = await shop.store()
    order = await paid(
        shop, store, Tender(kind="cash", amount=100_000), Tender(kind="card_terminal", amount=29_900, reference="RRN 012345678901")
    )  # fmt: skip
    money = await money_of(db, order)
    assert [(p.tender, p.captured, p.refunded) for p in money.payments] == [
        ("cash", Money(100_000, "RUB"), Money(0, "RUB")),
        ("card_terminal", Money(29_900, "RUB"), Money(0, "RUB")),
    ]
    assert (money.captured, money.refunded, money.refunds) == (129_900, 0, [])
    assert [(r.register, r.number, r.kind, r.total) for r in money.receipts] == [
        (f"counter-{store.code}", 1, "sale", Money(129_900, "RUB"))
    ]

    async def facts(tx: Tx) -> Sequence[tuple[object, ...]]:
        rows = await tx.rows(
            "SELECT type, version, payload ->> 'amount', payload ->> 'tender' FROM infra.outbox"
            " WHERE payload ->> 'order_id' = :order ORDER BY id",
            order=str(order),
        )
        return [tuple(row) for row in rows]

    assert await db.read(facts) == [
        ("payment.captured", 1, "100000", "cash"),
        ("payment.captured", 1, "29900", "card_terminal"),
        ("receipt.issued", 1, None, None),
    ]


async def test_refund_takes_from_payments_of_the_same_tender_first(shop: Shop, db: Database) -> None:
    store = await shop.store()
    order = await paid(
        shop, store, Tender(kind="cash", amount=500), Tender(kind="card_terminal", amount=700), Tender(kind="cash", amount=50)
    )  # fmt: skip
    refund = await give_back(shop, store, order, 900, "card_terminal", "slip 17")
    assert [part.amount for part in refund.parts] == [200, 700]
    money = await money_of(db, order)
    assert [(p.tender, p.refunded.amount) for p in money.payments] == [
        ("cash", 200),
        ("card_terminal", 700),
        ("cash", 0),
    ]
    assert [(r.tender, r.amount.amount, r.state) for r in money.refunds] == [
        ("card_terminal", 200, "succeeded"),
        ("card_terminal", 700, "succeeded"),
    ]
    assert [part.amount for part in (await give_back(shop, store, order, 350)).parts] == [300, 50]
    assert (await money_of(db, order)).refunded == 1250


async def test_nothing_owed_gives_nothing_back(shop: Shop, db: Database) -> None:
    store = await shop.store()
    order = await paid(shop, store, Tender(kind="cash", amount=500))
    assert await give_back(shop, store, order, 0) == Refund(amount=0, currency="RUB", tender="cash", parts=())
    assert (await money_of(db, order)).refunds == []


async def test_more_than_was_paid_is_refused_and_nothing_changes(shop: Shop, db: Database) -> None:
    store = await shop.store()
    order = await paid(shop, store, Tender(kind="cash", amount=500))
    await give_back(shop, store, order, 120)
    before = await money_of(db, order)
    with pytest.raises(payments.RefundExceedsPayment) as refused:
        await give_back(shop, store, order, 381)
    assert refused.value.members == {"left": Money(380, "RUB"), "wanted": Money(381, "RUB")}
    assert await money_of(db, order) == before
    with pytest.raises(payments.RefundExceedsPayment) as refused:
        await give_back(shop, store, uuid7(), 1)
    assert refused.value.members == {"left": Money(0, "RUB"), "wanted": Money(1, "RUB")}


async def test_refunds_at_once_never_exceed_the_payment(shop: Shop, db: Database) -> None:
    store = await shop.store()
    order = await paid(shop, store, Tender(kind="cash", amount=300), Tender(kind="card_terminal", amount=700))
    outcomes = await asyncio.gather(
        *(give_back(shop, store, order, 300) for _ in range(6)), return_exceptions=True
    )  # fmt: skip
    assert sum(isinstance(outcome, Refund) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, payments.RefundExceedsPayment) for outcome in outcomes) == 3
    money = await money_of(db, order)
    assert (money.captured, money.refunded) == (1000, 900)
    assert sorted(r.number for r in money.receipts) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "reference", ["4111111111111111", "4111 1111 1111 1111", "card 5555-5555-5555-4444", "378282246310005"]
)
async def test_a_card_number_is_refused_and_never_repeated(shop: Shop, db: Database, reference: str) -> None:
    store = await shop.store()
    with pytest.raises(payments.CardNumberRefused) as refused:
        await paid(shop, store, Tender(kind="card_terminal", amount=100, reference=reference))
    assert refused.value.members == {}
    assert reference not in str(refused.value)
    order = await paid(shop, store, Tender(kind="card_terminal", amount=100))
    with pytest.raises(payments.CardNumberRefused):
        await give_back(shop, store, order, 100, "card_terminal", reference)
    assert (await money_of(db, order)).refunded == 0


@pytest.mark.parametrize("reference", ["012345678901", "4111111111111112", "RRN 123 slip 77", "41111111111111111111"])
async def test_a_slip_reference_is_kept(shop: Shop, db: Database, reference: str) -> None:
    store = await shop.store()
    order = await paid(shop, store, Tender(kind="card_terminal", amount=100, reference=reference))

    async def kept(tx: Tx) -> object:
        return await tx.scalar("SELECT reference FROM payments.payments WHERE order_id = :order", order=order)

    assert await db.read(kept) == reference


async def test_the_database_itself_refuses_to_give_back_too_much(shop: Shop, db: Database) -> None:
    store = await shop.store()
    order = await paid(shop, store, Tender(kind="cash", amount=100))

    async def cheat(tx: Tx) -> None:
        await tx.execute("UPDATE payments.payments SET refunded = 101 WHERE order_id = :order", order=order)

    with pytest.raises(Exception, match="ck_payments_money"):
        await db.write(cheat)
