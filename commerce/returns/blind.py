"""Goods that come back without an order number or a receipt: nobody knows their sale.

No more is given back than the lowest price that the list had for them in the last days, with the tax of today: that much they have
cost, whenever they were bought since. A unit whose code tells its sale comes back by that sale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from commerce import catalog, customers, orders, payments, prices, stock
from commerce.catalog import Article
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import MAX_MINOR, Money, line_amount, tax_in
from commerce.locations import Location
from commerce.returns.errors import (
    AboveLowest,
    BlindReturnTooDear,
    GoodsNotTaken,
    GoodsRefused,
    LineRefused,
    RefundAboveLowest,
    ReturnApprovalNeeded,
    ReturnNotAccepted,
    SaleKnown,
    UnitSold,
    Untaken,
)
from commerce.returns.numbers import new_number
from commerce.returns.schemas import (
    AcceptBlindReturn,
    Assessed,
    BlindLine,
    BlindPreviewLine,
    BlindReturnPreview,
    PreviewBlindReturn,
    ReturnView,
)
from commerce.returns.service import DISPOSITIONS, counter_of, enter, receipt_line, units_of

PERMISSION = "returns.blind"
MOST = 1_000_000_000
"""Units of a variant in one return: what the books count with."""


class Brought(Struct, frozen=True, kw_only=True):
    """Goods that may be taken, in the order of the request, each with the most that may be given back for it."""

    lines: list[Assessed]
    most: list[int]
    since: datetime
    currency: str

    @property
    def total(self) -> int:
        """What is given back, in minor units."""
        return sum(line.refund for line in self.lines)


async def accept(
    tx: Tx, actor: Actor, *, code: str, command: AcceptBlindReturn, days: int, most: int | None
) -> ReturnView:
    """Take goods back over the counter of store `code` that nobody knows the sale of, and give back their lowest price of the last
    `days`, or the less that the clerk says: stock of THIS store, refund, receipt and the closed return in one transaction.

    `most` limits the whole return, in minor units. The caller, or who approves, holds `returns.blind` at the store; that is asked when
    nothing else is in the way. Locks the person, the register's counter, then stock levels. Raises StoreTakesNoReturns, GoodsNotTaken,
    prices.WrongCurrency, RefundAboveLowest, ReturnNotAccepted, SaleKnown, BlindReturnTooDear, ReturnApprovalNeeded,
    orders.NoSuchCustomer, payments.CardNumberRefused, payments.RegisterElsewhere, stock.LevelTooHigh, and of units with codes of their
    own stock.UnitCodesNeeded, stock.UnitCodesNotKept, stock.UnitCodeRepeated, stock.UnitOnRecord.
    """
    location = await counter_of(tx, code)
    brought = await _assess(tx, actor, location, command.lines, days=days, most=most)
    if command.customer is not None:
        await _hold(tx, command.customer)
    tender, reference = command.refund.tender, command.refund.reference
    payments.refuse_card_number(reference)
    if not actor.allowed(PERMISSION, location.code):
        raise ReturnApprovalNeeded(permission=PERMISSION, refund_total=Money(brought.total, brought.currency))
    return_id, total, currency = uuid7(), brought.total, brought.currency
    receipt = None
    if total > 0:
        payments.give_back(
            tx, actor, return_id=return_id, amount=total, currency=currency, tender=tender, reason="blind_return",
            location=location, reference=reference,
        )  # fmt: skip
        receipt = await payments.receipt(
            tx, actor, register=payments.counter(location), kind="refund", order_id=None, return_id=return_id,
            location=location, total=total, currency=currency, lines=[receipt_line(line) for line in brought.lines],
            tenders=[payments.Tender(kind=tender, amount=total, reference=reference)],
        )  # fmt: skip
    await stock.take_back_unsold(
        tx, actor, cause=stock.Cause("return", return_id), location_id=location.id,
        lines=[
            stock.TakeBackLine(
                variant_id=line.variant_id, quantity=line.quantity, bucket=DISPOSITIONS[line.condition][1], components=line.parts,
                codes=line.codes,
            )
            for line in brought.lines
        ],
        business_date=location.business_date(tx.at),
    )  # fmt: skip
    return enter(
        tx, actor, return_id=return_id, number=new_number(), order=None, customer=command.customer, location=location,
        currency=currency, total=total, tender=tender, receipt=receipt, assessed=brought.lines, blind_reason=command.reason,
        priced_since=brought.since,
    )  # fmt: skip


async def preview(
    tx: Tx, actor: Actor, *, code: str, command: PreviewBlindReturn, days: int, most: int | None
) -> BlindReturnPreview:
    """What `accept` would give back for these goods, with the same refusals, and whether somebody must approve it. Books nothing."""
    location = await counter_of(tx, code)
    brought = await _assess(tx, actor, location, command.lines, days=days, most=most)
    currency = brought.currency
    return BlindReturnPreview(
        store=location.code,
        lines=[
            BlindPreviewLine(
                n=line.n, sku=line.sku, title=line.title, quantity=line.quantity, ground=line.ground, condition=line.condition,
                disposition=DISPOSITIONS[line.condition][0], lowest_price=Money(line.unit_price, currency),
                most=Money(limit, currency), refund=Money(line.refund, currency), tax=Money(line.tax, currency),
                tax_basis_points=line.tax_basis_points,
            )
            for line, limit in zip(brought.lines, brought.most, strict=True)
        ],
        refund_total=Money(brought.total, currency), priced_since=brought.since,
        approval_needed=not actor.may(PERMISSION, location.code),
    )  # fmt: skip


async def _assess(
    tx: Tx, actor: Actor, location: Location, wanted: Sequence[BlindLine], *, days: int, most: int | None
) -> Brought:
    """Each line of the request with what is given back for it. Two statements, one more for units with codes."""
    by_sku, by_scan = await catalog.articles(
        tx,
        skus=[line.sku for line in wanted if line.sku],
        scans=[line.barcode for line in wanted if line.barcode],
    )
    found = [_article(line, by_sku, by_scan) for line in wanted]
    variants = {article.variant.id: article.variant for article in found if article}
    since = tx.at - timedelta(days=days)
    lowest = await prices.lowest(
        tx, list(variants), since=since, at=tx.at, tax_classes=[variant.tax_class for variant in variants.values()],
        zone=location.tax_zone,
    )  # fmt: skip
    lines: list[Assessed] = []
    limits: list[int] = []
    refused: list[GoodsRefused] = []
    units: Counter[UUID] = Counter()
    for index, (line, article) in enumerate(zip(wanted, found, strict=True)):
        price = lowest.get(article.variant.id) if article else None
        if article is None or price is None:
            reason: Untaken = "no_price"
            if article is None:
                reason = "unknown" if (line.sku is None) != (line.barcode is None) else "sku_or_barcode"
            refused.append(GoodsRefused(index=index, sku=line.sku, barcode=line.barcode, reason=reason))
            continue
        parts, strangers = stock.parts_named(article.variant.components, line.units)
        refused += [GoodsRefused(index=index, sku=sku, barcode=None, reason="not_in_bundle") for sku in strangers]
        quantity = line.quantity * article.quantity
        for part in parts or (stock.Part(article.variant.id, 1),):
            units[part.variant_id] += quantity * part.quantity
        limit = line_amount(price.amount, quantity, article.variant.quantity_scale)
        if sum(limits, limit) > MAX_MINOR or max(units.values()) > MOST:
            refused.append(GoodsRefused(index=index, sku=line.sku, barcode=line.barcode, reason="too_many"))
            continue
        limits.append(limit)
        lines.append(_assessed(index, line, article, quantity, price, limit, parts))
    if refused:
        raise GoodsNotTaken(lines=refused)
    currency = next(iter(lowest.values())).currency
    _refuse_more(wanted, lines, limits, currency, days)
    _refuse_excluded(lines, variants)
    await _refuse_known(tx, actor, lines, variants)
    brought = Brought(lines=lines, most=limits, since=since, currency=currency)
    if most is not None and brought.total > most:
        raise BlindReturnTooDear(most=Money(most, currency), wanted=Money(brought.total, currency))
    return brought


def _article(line: BlindLine, by_sku: Mapping[str, Article], by_scan: Mapping[str, Article]) -> Article | None:
    if (line.sku is None) == (line.barcode is None):
        return None
    return by_sku.get(line.sku) if line.sku else by_scan.get(line.barcode or "")


def _assessed(
    index: int, line: BlindLine, article: Article, quantity: int, price: prices.LowestPrice, limit: int,
    parts: tuple[stock.Part, ...],
) -> Assessed:  # fmt: skip
    variant = article.variant
    codes = tuple(line.codes)
    if not codes and variant.tracking is not None and line.barcode and catalog.unit_on_label(line.barcode):
        codes = (line.barcode,)
    refund = limit if line.refund is None else line.refund.amount
    return Assessed(
        order_line_id=None, variant_id=variant.id, n=index + 1, sku=variant.sku, title=variant.title, quantity=quantity,
        quantity_unit=variant.quantity_unit, quantity_scale=variant.quantity_scale, unit_price=price.amount, ground=line.ground,
        condition=line.condition, refund=refund, tax=tax_in(refund, price.tax_basis_points),
        tax_basis_points=price.tax_basis_points, left=0, note=line.note, components=variant.components, parts=parts, codes=codes,
    )  # fmt: skip


def _refuse_more(
    wanted: Sequence[BlindLine], lines: Sequence[Assessed], limits: Sequence[int], currency: str, days: int
) -> None:
    """Raises prices.WrongCurrency, RefundAboveLowest."""
    if any(line.refund is not None and line.refund.currency != currency for line in wanted):
        raise prices.WrongCurrency(currency=currency)
    above = [
        AboveLowest(index=index, sku=line.sku, wanted=Money(line.refund, currency), most=Money(limit, currency))
        for index, (line, limit) in enumerate(zip(lines, limits, strict=True))
        if line.refund > limit
    ]
    if above:
        raise RefundAboveLowest(days=days, lines=above)


def _refuse_excluded(lines: Sequence[Assessed], variants: Mapping[UUID, catalog.Variant]) -> None:
    """How long ago it was bought nobody knows; what is never taken back for a change of mind is not. Raises ReturnNotAccepted."""
    excluded = [
        LineRefused(n=line.n, sku=line.sku, ground=line.ground, reason="excluded", days=None)
        for line in lines
        if line.ground == "change_of_mind" and variants[line.variant_id].change_of_mind_days is None
    ]
    if excluded:
        raise ReturnNotAccepted(lines=excluded)


async def _refuse_known(
    tx: Tx, actor: Actor, lines: Sequence[Assessed], variants: Mapping[UUID, catalog.Variant]
) -> None:
    """Raises SaleKnown, and what stock.check_unknown does."""
    tracked = {variant.id for variant in variants.values() if variant.tracking is not None}
    skus = {variant.id: variant.sku for variant in variants.values()}
    for variant in variants.values():
        tracked |= {part.variant_id for part in variant.components if part.tracking is not None}
        skus |= {part.variant_id: part.sku for part in variant.components}
    known = await stock.check_unknown(tx, [unit for line in lines for unit in units_of(line)], tracked=tracked)
    if known:
        numbers = await orders.numbers_of_lines(tx, sorted({unit.line_id for unit in known}))
        shown = actor.may("orders.read")
        raise SaleKnown(
            lines=[
                UnitSold(
                    sku=skus[unit.variant_id],
                    code=unit.code,
                    order=numbers.get(unit.line_id) if shown else None,
                )
                for unit in known
            ]
        )


async def _hold(tx: Tx, person: UUID) -> None:
    """Lock the profiles of who brought it, so that nobody forgets him meanwhile. Raises orders.NoSuchCustomer."""
    try:
        await customers.lock_family(tx, person=person)
    except customers.UnknownCustomer as error:
        raise orders.NoSuchCustomer(customer=str(person)) from error
