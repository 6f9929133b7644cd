"""Commands and views of `people`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce import carts, conversations, customers, orders, returns
from commerce.kernel.text import NO_NUL

EraseReason = Literal["customer_asked", "authority_asked", "made_in_error", "other"]
MoveReason = Literal["merged_in_error", "wrong_customer", "customer_asked", "other"]
"""Codes, not words: what is recorded and published with them is never forgotten."""
OrderNumber = Annotated[
    str, Meta(min_length=1, max_length=32, pattern=NO_NUL, description="4821-3059-1768, with any dashes and spaces")
]
Kind = Literal["order", "return", "cart", "conversation", "consent", "merge"]
"""What a timeline tells of."""


class OpenThings(Struct, frozen=True, kw_only=True):
    """What of a customer is not finished: for whoever picks up the phone."""

    orders: list[str]
    returns: list[str]
    carts: int
    conversations: list[str]


class CustomerCard(customers.CustomerView, frozen=True, kw_only=True):
    """A customer with everything that is kept of him but what he did."""

    addresses: list[customers.AddressView]
    consents: list[customers.ConsentView]
    """The newest word on each channel and purpose."""
    touches: customers.Touches
    open: OpenThings


class OrderTouches(Struct, frozen=True, kw_only=True):
    """What had brought the customer of an order here, first and last, when he placed it."""

    number: str
    first: customers.TouchView | None = None
    last: customers.TouchView | None = None


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing in a person's timeline; the member named like its kind tells it."""

    kind: Kind
    at: datetime
    id: UUID
    order: orders.OrderOfPerson | None = None
    touches: customers.Touches | None = None
    """Of an order: what had led to it."""
    returned: returns.ReturnOfPerson | None = None
    cart: carts.CartOfPerson | None = None
    conversation: conversations.PersonConversation | None = None
    """With the last that was said, and what is to be done next and when."""
    consent: customers.ConsentView | None = None
    merge: customers.MergeRecord | None = None


class PersonExport(Struct, frozen=True, kw_only=True):
    """Everything that is kept about a person: under the name of each room what that room keeps."""

    customer: UUID
    ids: list[UUID]
    """All the profiles that are this person; the first is the one that goes on."""
    exported_at: datetime
    rooms: dict[str, dict[str, Any]]


class EraseCustomer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a customer is erased."""

    reason: EraseReason


class ErasedView(Struct, frozen=True, kw_only=True):
    """A person of whom nothing is left but numbers in the books."""

    customer: UUID
    erased_at: datetime


class SetRetention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long something is kept from now on; null is for ever."""

    days: Annotated[int, Meta(ge=1, le=36_500)] | None


class RetentionView(Struct, frozen=True, kw_only=True):
    """For how many days after its last use a kind of thing is kept; null is for ever."""

    subject: str
    days: int | None
    fixed: bool
    """Whether it must be kept as long as the books are."""
    updated_at: datetime
    updated_by: UUID | None
    version: int


class RetentionRules(Struct, frozen=True, kw_only=True):
    """All rules by name."""

    items: list[RetentionView]


Records = Annotated[tuple[UUID, ...], Meta(max_length=100)]
ReturnNumbers = Annotated[tuple[returns.ReturnNumber, ...], Meta(max_length=100)]


class MoveRecords(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records of one customer that are another's, named one by one, and why."""

    to: UUID
    """The customer whose they are."""
    reason: MoveReason
    orders: Annotated[tuple[OrderNumber, ...], Meta(max_length=100)] = ()
    addresses: Records = ()
    identifiers: Records = ()
    conversations: Records = ()
    returns: ReturnNumbers = ()
    """Those whose sale nobody knows; an order's go with it."""


class MovedView(Struct, frozen=True, kw_only=True):
    """What has become another customer's; an order's returns went with it."""

    customer: UUID
    to: UUID
    orders: list[str]
    addresses: list[UUID]
    identifiers: list[UUID]
    conversations: list[UUID]
    returns: list[str]
