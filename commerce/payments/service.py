"""Verbs of payments. Each runs inside the transaction of the verb that moves the goods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from stdnum import luhn

from commerce import auth
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import Money
from commerce.locations import Location
from commerce.payments.errors import CardNumberRefused, OtherTenderRefused, RefundExceedsPayment, RegisterElsewhere
from commerce.payments.events import PaymentCaptured, PaymentRefunded, ReceiptIssued, RefundGiven
from commerce.payments.schemas import ReceiptKind, ReceiptLine, ReceiptRef, Refund, RefundPart, Tender, TenderKind
from commerce.payments.tables import payments, receipts, refunds

DIGIT_RUN = re.compile(r"\d(?:[ -]?\d)*", re.ASCII)


def counter(location: Location) -> str:
    """The register of a store's counter, for money taken or given without a till of ours."""
    return auth.COUNTER + location.code


async def take(
    tx: Tx, actor: Actor, *, order_id: UUID, tenders: Sequence[Tender], currency: str, location: Location,
    occurred_at: datetime | None = None,
) -> list[UUID]:  # fmt: skip
    """Record money taken in a store, authorized and captured at once; the payment ids, one per tender. Nothing is read.

    `occurred_at` is when it was taken, now when absent: a sale made offline reaches us later. Raises CardNumberRefused.
    """
    ids = []
    for tender in tenders:
        refuse_card_number(tender.reference)
        payment_id = uuid7()
        tx.queue(
            payments, id=payment_id, order_id=order_id, tender=tender.kind, authorized=tender.amount, captured=tender.amount,
            currency=currency, reference=tender.reference, location_id=location.id, device_id=actor.device,
            taken_by=actor.subject, taken_at=occurred_at or tx.at,
        )  # fmt: skip
        outbox.record(
            tx, actor,
            PaymentCaptured(
                aggregate_id=payment_id, version=1, order_id=order_id, tender=tender.kind, amount=tender.amount, currency=currency,
            ),
        )  # fmt: skip
        ids.append(payment_id)
    return ids


SPREAD = """
WITH locked AS MATERIALIZED (
    SELECT id, tender, captured - refunded AS room, currency FROM payments.payments WHERE order_id = :order
    ORDER BY id FOR NO KEY UPDATE
), ranked AS (
    SELECT id, tender, room, currency,
           :amount - coalesce(sum(room) OVER (ORDER BY tender <> :tender, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS rest
    FROM locked
), changed AS (
    UPDATE payments.payments p SET refunded = p.refunded + least(r.room, r.rest), version = p.version + 1
    FROM ranked r WHERE p.id = r.id AND least(r.room, r.rest) > 0
    RETURNING p.id, p.version, CAST(least(r.room, r.rest) AS bigint) AS part
)
SELECT r.id, r.tender, r.room, r.currency, c.part, c.version FROM ranked r LEFT JOIN changed c ON c.id = r.id ORDER BY r.id
"""
"""Spread a refund over the locked payments, those of the same tender first. One statement."""


async def refund(
    tx: Tx, actor: Actor, *, order_id: UUID, return_id: UUID | None, amount: int, currency: str, tender: TenderKind,
    reason: str, location: Location, reference: str | None = None,
) -> Refund:  # fmt: skip
    """Give `amount` minor units of an order's payments back at once, in cash or on a card terminal: from payments of that
    tender first. Locks the order's payments, by id. One statement.

    Money goes back the way it came: cash for what a card paid, or the reverse, is given by who holds `refunds.other_tender` at the
    store alone, or has it approved by one in the same request, and stands in the audit record
    by name. Raises RefundExceedsPayment when less than that is left,
    OtherTenderRefused, CardNumberRefused.
    """
    refuse_card_number(reference)
    if amount < 0:
        raise ValueError("a refund is not negative")
    if amount == 0:
        return Refund(amount=0, currency=currency, tender=tender, parts=())
    rows = await tx.rows(SPREAD, order=order_id, amount=amount, tender=tender)
    left = sum(row.room for row in rows)
    if left < amount:
        raise RefundExceedsPayment(left=Money(left, currency), wanted=Money(amount, currency))
    elsewhere = sum(row.part for row in rows if row.part is not None and row.tender != tender)
    if elsewhere:
        if actor.kind != "system" and not actor.allowed("refunds.other_tender", location.code):
            raise OtherTenderRefused(tender=tender, paid_otherwise=Money(elsewhere, currency))
        outbox.audit(
            tx, actor, "refund.other_tender", "order", order_id,
            after={"tender": tender, "amount": elsewhere, "currency": currency, "store": location.code},
        )  # fmt: skip
    parts = []
    for row in rows:
        if row.currency != currency:
            raise ValueError("a refund is in the currency of the payment")
        if row.part is None:
            continue
        refund_id = uuid7()
        tx.queue(
            refunds, id=refund_id, order_id=order_id, return_id=return_id, payment_id=row.id, tender=tender, amount=row.part,
            currency=currency, state="succeeded", reference=reference, reason=reason, location_id=location.id,
            given_by=actor.subject, approved_by=actor.approved_by, created_at=tx.at,
        )  # fmt: skip
        outbox.record(
            tx, actor,
            PaymentRefunded(
                aggregate_id=row.id, version=row.version, order_id=order_id, refund_id=refund_id, return_id=return_id,
                tender=tender, amount=row.part, currency=currency,
            ),
        )  # fmt: skip
        parts.append(RefundPart(id=refund_id, payment_id=row.id, amount=row.part))
    return Refund(amount=amount, currency=currency, tender=tender, parts=tuple(parts))


def give_back(
    tx: Tx, actor: Actor, *, return_id: UUID, amount: int, currency: str, tender: TenderKind, reason: str, location: Location,
    reference: str | None = None,
) -> UUID:  # fmt: skip
    """Give `amount` minor units for goods of a return whose sale is not known, so that no payment gives them; the refund's id.
    Queued: nothing is read or locked.

    Who may, the return says. Raises CardNumberRefused; ValueError for nothing to give.
    """
    refuse_card_number(reference)
    if amount <= 0:
        raise ValueError("a refund is more than nothing")
    refund_id = uuid7()
    tx.queue(
        refunds, id=refund_id, order_id=None, return_id=return_id, payment_id=None, tender=tender, amount=amount,
        currency=currency, state="succeeded", reference=reference, reason=reason, location_id=location.id,
        given_by=actor.subject, approved_by=actor.approved_by, created_at=tx.at,
    )  # fmt: skip
    outbox.record(
        tx, actor,
        RefundGiven(aggregate_id=refund_id, version=1, return_id=return_id, tender=tender, amount=amount, currency=currency),
    )  # fmt: skip
    return refund_id


NEXT_NUMBER = """
INSERT INTO payments.registers AS r (code, location_id, last_number) VALUES (:code, :location, 1)
ON CONFLICT (code) DO UPDATE SET last_number = r.last_number + 1 WHERE r.location_id = excluded.location_id
RETURNING r.last_number
"""


async def receipt(
    tx: Tx, actor: Actor, *, register: str, kind: ReceiptKind, order_id: UUID | None, return_id: UUID | None = None,
    location: Location, total: int, currency: str, lines: Sequence[ReceiptLine], tenders: Sequence[Tender],
    occurred_at: datetime | None = None,
) -> ReceiptRef:  # fmt: skip
    """Write the receipt of a money fact, with the register's next number: amounts are positive, `kind` says which way they
    went. The register's counter stays locked until the commit, so that a refusal leaves no gap. One statement.

    Only a refund for a return whose sale is not known is of no order. A register belongs to the store of its first receipt for good.
    `occurred_at` (now when absent) and the store's time zone make the business date. Raises RegisterElsewhere; ValueError when lines or
    tenders do not add up to `total`: the caller has checked them before.
    """
    if sum(line.total for line in lines) != total or sum(tender.amount for tender in tenders) != total:
        raise ValueError("lines and tenders of a receipt add up to its total")
    number = await tx.scalar(NEXT_NUMBER, code=register, location=location.id)
    if number is None:
        raise RegisterElsewhere(register=register, store=location.code)
    happened = occurred_at or tx.at
    receipt_id = uuid7()
    tx.queue(
        receipts, id=receipt_id, register=register, number=number, kind=kind, order_id=order_id, return_id=return_id,
        legal_entity=location.legal_entity, location_id=location.id, business_date=location.business_date(happened),
        total=total, currency=currency, lines=list(lines), tenders=list(tenders), fiscal=None, occurred_at=happened,
    )  # fmt: skip
    outbox.record(
        tx,
        actor,
        ReceiptIssued(
            aggregate_id=receipt_id,
            version=1,
            order_id=order_id,
            return_id=return_id,
            register=register,
            number=number,
            kind=kind,
        ),
    )
    return ReceiptRef(register=register, number=number)


def refuse_card_number(reference: str | None) -> None:
    """Raise CardNumberRefused when a run of 13 to 19 digits passes the card check (ISO/IEC 7812-1, Luhn)."""
    for run in DIGIT_RUN.findall(reference or ""):
        digits = re.sub(r"[ -]", "", run)
        if 13 <= len(digits) <= 19 and luhn.is_valid(digits):
            raise CardNumberRefused
