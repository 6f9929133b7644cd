"""Tables of `carts`: One open cart per shopper, in every channel; baskets of devices; codes that hand a cart on, and who has joined one."""

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
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

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
    parked_at = Column(DateTime(timezone=True))
    label = Column(Text, info={"personal": True})
    customer_id = Column(Uuid, ForeignKey("auth.principals.id"))
    named_by = Column(Text)
    discreet = Column(Boolean, server_default="false", nullable=False)
    checkout = Column(JSONB, info={"personal": True})
    abandoned_version = Column(Integer)
    looked_at_version = Column(Integer)


carts = Table(
    "carts",
    metadata,
    CartColumns,
    CheckConstraint("state IN ('open', 'ordered', 'merged', 'expired')", name="state_known"),
    CheckConstraint("(shopper_id IS NULL) <> (device_id IS NULL)", name="one_owner"),
    CheckConstraint("named_by IN ('card', 'token', 'staff', 'hand_off')", name="named_by_known"),
    CheckConstraint(
        "(customer_id IS NULL) = (named_by IS NULL) AND (customer_id IS NULL OR device_id IS NOT NULL)", name="customer"
    ),
    CheckConstraint(
        "state = 'open' OR (checkout IS NULL AND label IS NULL AND parked_at IS NULL AND NOT discreet)",
        name="closed_forgets",
    ),
    Index(
        "uq_carts_shopper_id", "shopper_id", unique=True, postgresql_where=text("state = 'open' AND parked_at IS NULL")
    ),
    Index(
        "uq_carts_device_id", "device_id", unique=True, postgresql_where=text("state = 'open' AND parked_at IS NULL")
    ),
    Index(
        "ix_carts_device_id_changed_at",
        "device_id",
        "changed_at",
        postgresql_where=text("state = 'open' AND device_id IS NOT NULL"),
    ),
    Index("ix_carts_customer_id", "customer_id", postgresql_where=text("customer_id IS NOT NULL")),
    Index("ix_carts_changed_at", "changed_at", postgresql_where=text("state = 'open'")),
    Index(
        "ix_carts_untold",
        "changed_at",
        "id",
        postgresql_where=text(
            "state = 'open' AND shopper_id IS NOT NULL AND looked_at_version IS DISTINCT FROM version"
        ),
    ),
    Index("ix_carts_shopper_id_created_at", "shopper_id", "created_at"),
    postgresql_with={"fillfactor": "80"},
    schema="carts",
)
"""`version` counts every change of the cart and of its lines under the lock of this row; it is the ETag.

The loser of a merge or a hand-off points at the winner. A basket of a device has no shopper; `customer_id` is who is named on it.
`parked_at`: open, but not the owner's current one. `discreet`: its checkout came from somebody's phone, and the device's screen shows
only what is needed. `abandoned_version`: the version of which `cart.abandoned` has been told. `looked_at_version`: the version that lay
idle when it was decided whether to tell.
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
    added_by = Column(Uuid)
    wish = Column(JSONB, info={"personal": True})
    gift = Column(JSONB, info={"personal": True})


lines = Table(
    "lines",
    metadata,
    LineColumns,
    CheckConstraint("quantity > 0", name="quantity"),
    postgresql_with={"fillfactor": "85"},
    schema="carts",
)
"""One variant in a cart, with when, where and at which price it was last put.

`sku` is the variant's (a SKU never moves to another variant): a change finds its lines by it in the statement that locks the cart.
`added_by`: the member of staff who put it in. `wish`: how it is wanted, when otherwise than the cart.
"""


class HandOffColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    cart_id = Column(Uuid, ForeignKey("carts.carts.id"), nullable=False)
    mode = Column(Text, nullable=False)
    code_hash = Column(Text, nullable=False)
    asked_by = Column(Uuid, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    expires_at = Column(DateTime(timezone=True), nullable=False)
    claimed_at = Column(DateTime(timezone=True))
    claimed_by = Column(Uuid)
    into_cart_id = Column(Uuid, ForeignKey("carts.carts.id"))


hand_offs = Table(
    "hand_offs",
    metadata,
    HandOffColumns,
    UniqueConstraint("code_hash"),
    CheckConstraint("mode IN ('move', 'join')", name="mode_known"),
    CheckConstraint("(claimed_at IS NULL) = (claimed_by IS NULL)", name="claimed"),
    Index("ix_hand_offs_cart_id", "cart_id"),
    Index("ix_hand_offs_expires_at", "expires_at"),
    schema="carts",
)
"""Codes that hand a cart on, each used once: only their keyed hashes. Forgotten a day after their time, those that were used a month."""


class GuestColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    cart_id = Column(Uuid, ForeignKey("carts.carts.id"), nullable=False)
    principal_id = Column(Uuid, ForeignKey("auth.principals.id"), nullable=False)
    channel = Column(Text, nullable=False)
    device_id = Column(Uuid)
    joined_at = Column(DateTime(timezone=True), nullable=False)
    until_at = Column(DateTime(timezone=True), nullable=False)
    ended_at = Column(DateTime(timezone=True))


guests = Table(
    "guests",
    metadata,
    GuestColumns,
    CheckConstraint("until_at > joined_at", name="until"),
    Index("ix_guests_until_at", "until_at"),
    Index(
        "uq_guests_cart_id_principal_id",
        "cart_id",
        "principal_id",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("ix_guests_principal_id", "principal_id", postgresql_where=text("ended_at IS NULL")),
    schema="carts",
)
"""Staff who have joined a customer's cart, with his code, for a while. Forgotten a month after it."""


class ClaimAttemptColumns(TypedColumns):
    principal_id = Column(Uuid, primary_key=True)
    failures = Column(Integer, nullable=False)
    first_at = Column(DateTime(timezone=True), nullable=False)


claim_attempts = Table(
    "claim_attempts",
    metadata,
    ClaimAttemptColumns,
    CheckConstraint("failures > 0", name="failures_positive"),
    schema="carts",
)
"""Wrong codes of one caller."""
