"""Tables of `carts`: One open cart per shopper, in every channel."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    TypedColumns,
    Uuid,
    text,
)

from commerce.infra.tables import metadata


class CartColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    shopper_id = Column(Uuid, ForeignKey("auth.principals.id"))
    device_id = Column(Uuid, ForeignKey("auth.devices.id"))
    state = Column(Text, nullable=False)
    channel = Column(Text, nullable=False)
    merged_into = Column(Uuid, ForeignKey("carts.carts.id"))
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


carts = Table(
    "carts",
    metadata,
    CartColumns,
    CheckConstraint("state IN ('open', 'ordered', 'merged', 'expired')", name="state_known"),
    CheckConstraint("(shopper_id IS NULL) <> (device_id IS NULL)", name="one_owner"),
    Index(
        "uq_carts_shopper_id", "shopper_id", unique=True, postgresql_where=text("state = 'open' AND device_id IS NULL")
    ),
    Index("ix_carts_shopper_id_created_at", "shopper_id", "created_at"),
    postgresql_with={"fillfactor": "80"},
    schema="carts",
)
"""`version` counts every change of the cart and of its lines under the lock of this row; it is the ETag.

The loser of a merge points at the winner. A basket of a device has no shopper (no verb makes one yet).
"""


class LineColumns(TypedColumns):
    cart_id = Column(Uuid, ForeignKey("carts.carts.id"), primary_key=True)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    sku = Column(Text, nullable=False)
    quantity = Column(Integer, nullable=False)
    unit_price_seen = Column(BigInteger, nullable=False)
    added_at = Column(DateTime(timezone=True), nullable=False)
    added_channel = Column(Text, nullable=False)
    added_device = Column(Uuid)
    changed_at = Column(DateTime(timezone=True), nullable=False)


lines = Table(
    "lines",
    metadata,
    LineColumns,
    CheckConstraint("quantity > 0", name="quantity"),
    schema="carts",
)
"""One variant in a cart, with when, where and at which price it was last put.

`sku` is the variant's (a SKU never moves to another variant): a change finds its lines by it in the statement that locks the cart.
"""
