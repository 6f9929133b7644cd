"""Tables of `lists`: wish lists, named lists, what was saved for later."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class OwnerColumns(TypedColumns):
    shopper_id = Column(Uuid, ForeignKey("auth.principals.id"), primary_key=True)
    lists = Column(Integer, nullable=False)


owners = Table(
    "owners",
    metadata,
    OwnerColumns,
    CheckConstraint("lists BETWEEN 0 AND 50", name="lists"),
    schema="lists",
)
"""How many open lists a shopper has. The row is locked before a list is made, given away or deleted."""


class ListColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    shopper_id = Column(Uuid, ForeignKey("auth.principals.id"), nullable=False)
    kind = Column(Text, nullable=False)
    state = Column(Text, nullable=False)
    name = Column(Text, info={"personal": True})
    share_no = Column(Integer, server_default="0", nullable=False)
    shared_at = Column(DateTime(timezone=True))
    show_name = Column(Boolean, server_default="false", nullable=False)
    merged_into = Column(Uuid, ForeignKey("lists.lists.id"))
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


lists = Table(
    "lists",
    metadata,
    ListColumns,
    CheckConstraint("kind IN ('wish', 'named', 'saved_for_later')", name="kind_known"),
    CheckConstraint("state IN ('open', 'merged', 'deleted')", name="state_known"),
    CheckConstraint("(state = 'open' AND kind = 'named') = (name IS NOT NULL)", name="named"),
    CheckConstraint("(state = 'merged') = (merged_into IS NOT NULL)", name="merged"),
    CheckConstraint("shared_at IS NULL OR state = 'open'", name="shared"),
    Index("uq_lists_wish", "shopper_id", unique=True, postgresql_where=text("kind = 'wish' AND state = 'open'")),
    Index(
        "uq_lists_saved_for_later",
        "shopper_id",
        unique=True,
        postgresql_where=text("kind = 'saved_for_later' AND state = 'open'"),
    ),
    Index("ix_lists_shopper_id", "shopper_id"),
    schema="lists",
)
"""`version` counts every change of the list and of its lines under the lock of this row. The link that shares it is derived from the
id and `share_no`: the next number voids it. A list that is gone keeps its row, so that its events are about something."""


class LineColumns(TypedColumns):
    list_id = Column(Uuid, ForeignKey("lists.lists.id"), primary_key=True)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    sku = Column(Text, nullable=False)
    quantity = Column(Integer, nullable=False)
    unit_price_seen = Column(BigInteger)
    note = Column(Text, info={"personal": True})
    added_at = Column(DateTime(timezone=True), nullable=False)
    added_channel = Column(Text, nullable=False)
    added_device = Column(Uuid)
    gift = Column(JSONB, info={"personal": True})


lines = Table(
    "lines",
    metadata,
    LineColumns,
    CheckConstraint("quantity > 0", name="quantity"),
    schema="lists",
)
"""One variant on a list, with when, where and at which price it was added; without a price when it had none. What was saved out of a
cart keeps how it was wanted as a gift."""
