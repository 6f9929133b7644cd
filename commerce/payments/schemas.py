"""Values and views of payments. Amounts inside the house are minor units of the order's currency; views say Money."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.kernel.money import Money
from commerce.kernel.text import NO_NUL

TenderKind = Literal["cash", "card_terminal"]
ReceiptKind = Literal["sale", "prepayment", "settlement", "refund", "correction"]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=NO_NUL,
        description="What the terminal's slip calls the operation (RRN or slip number); never a card number",
    ),
]
Register = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$",
        max_length=80,
        description="Code of the till, or `counter-` and the store's code",
    ),
]
ReceiptNumber = Annotated[int, Meta(ge=1, le=2**53, description="Counted from 1 without gaps, per register")]


class Tender(Struct, frozen=True, kw_only=True):
    """A part of a payment in one form of money: minor units, without the change given back."""

    kind: TenderKind
    amount: int
    reference: str | None = None


class ReceiptLine(Struct, frozen=True, kw_only=True):
    """One line of a receipt as sold: tax-inclusive `total` in minor units, the tax it contains and the rate. A charge has no SKU."""

    title: dict[str, str]
    quantity: int
    unit_price: int
    total: int
    tax: int
    tax_basis_points: int
    sku: str | None = None
    order_line_id: UUID | None = None
    quantity_unit: str | None = None
    quantity_scale: int = 0


class ReceiptRef(Struct, frozen=True, kw_only=True):
    """What a person reads from a receipt to find it again."""

    register: str
    number: int


class RefundPart(Struct, frozen=True, kw_only=True):
    """What one payment gave back of a refund."""

    id: UUID
    payment_id: UUID
    amount: int


class Refund(Struct, frozen=True, kw_only=True):
    """A refund, spread over the order's payments; the parts add up to `amount`. No parts when nothing was owed."""

    amount: int
    currency: str
    tender: TenderKind
    parts: tuple[RefundPart, ...]


class PaymentView(Struct, frozen=True, kw_only=True):
    """A payment of an order and what has been given back of it."""

    tender: TenderKind
    captured: Money
    refunded: Money
    taken_at: datetime


class RefundView(Struct, frozen=True, kw_only=True):
    """A refund of a part of one payment."""

    tender: TenderKind
    amount: Money
    state: Literal["pending", "succeeded", "failed"]
    return_id: UUID | None
    created_at: datetime


class ReceiptSummary(Struct, frozen=True, kw_only=True):
    """A receipt in a list: enough to ask for the whole of it."""

    register: str
    number: int
    kind: ReceiptKind
    total: Money
    occurred_at: datetime


class OrderMoney(Struct, frozen=True, kw_only=True):
    """Every money fact of one order, oldest first."""

    payments: list[PaymentView]
    refunds: list[RefundView]
    receipts: list[ReceiptSummary]

    @property
    def captured(self) -> int:
        """Minor units that came in."""
        return sum(payment.captured.amount for payment in self.payments)

    @property
    def refunded(self) -> int:
        """Minor units that were given back."""
        return sum(payment.refunded.amount for payment in self.payments)


class ReceiptLineView(Struct, frozen=True, kw_only=True):
    """One line of a receipt: `net` + `tax` = `total`, in the receipt's currency."""

    sku: str | None
    title: dict[str, str]
    quantity: int
    quantity_unit: str | None
    quantity_scale: int
    unit_price: Money
    total: Money
    net: Money
    tax: Money
    tax_basis_points: int


class TenderView(Struct, frozen=True, kw_only=True):
    """A form of money on a receipt."""

    kind: TenderKind
    amount: Money
    reference: str | None


class ReceiptView(Struct, frozen=True, kw_only=True):
    """A receipt as it was written. `fiscal` is filled by the fiscal service where there is one."""

    register: str
    number: int
    kind: ReceiptKind
    order_id: UUID | None
    """Null on the receipt of a return whose sale is not known."""
    return_id: UUID | None
    legal_entity: str
    business_date: date
    total: Money
    lines: list[ReceiptLineView]
    tenders: list[TenderView]
    fiscal: dict[str, Any] | None
    occurred_at: datetime
