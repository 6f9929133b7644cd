"""Tables of `prices`: THE price list: one price per variant from a moment on; and the tax rates that apply to it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    Table,
    Text,
    TypedColumns,
    Uuid,
    func,
)

from commerce.infra.tables import metadata


class PriceColumns(TypedColumns):
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    valid_from = Column(DateTime(timezone=True), primary_key=True)
    amount = Column(BigInteger, nullable=False)
    currency = Column(Text, nullable=False)
    set_by = Column(Uuid, nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


prices = Table(
    "prices",
    metadata,
    PriceColumns,
    CheckConstraint("amount >= 0", name="amount"),
    schema="prices",
)


class TaxRateColumns(TypedColumns):
    tax_class = Column(Text, ForeignKey("catalog.tax_classes.code"), primary_key=True)
    zone = Column(Text, primary_key=True)
    valid_from = Column(DateTime(timezone=True), primary_key=True)
    basis_points = Column(Integer, nullable=False)


tax_rates = Table(
    "tax_rates",
    metadata,
    TaxRateColumns,
    CheckConstraint("basis_points BETWEEN 0 AND 10000", name="basis_points"),
    schema="prices",
)
