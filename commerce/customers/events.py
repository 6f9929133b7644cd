"""Facts that `customers` publishes: ids and names of fields, never what is in them."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from commerce.kernel.events import Event


class CustomerSignedUp(Event, frozen=True, kw_only=True):
    """A shopper has an account now: version 1 of it, or a later one of a guest's profile."""

    type: ClassVar[str] = "customer.signed_up"
    aggregate: ClassVar[str] = "customer"
    language: str


class GuestNoted(Event, frozen=True, kw_only=True):
    """Somebody without an account has said how to reach him; version 1 of his profile."""

    type: ClassVar[str] = "customer.guest_noted"
    aggregate: ClassVar[str] = "customer"
    language: str


class CustomersMerged(Event, frozen=True, kw_only=True):
    """Two profiles are one person: the loser points at the winner. Published of both, each with its own version."""

    type: ClassVar[str] = "customer.merged"
    aggregate: ClassVar[str] = "customer"
    winner: UUID
    loser: UUID


class CustomersUnmerged(Event, frozen=True, kw_only=True):
    """They were two after all: the loser stands alone again. Published of both, each with its own version."""

    type: ClassVar[str] = "customer.unmerged"
    aggregate: ClassVar[str] = "customer"
    winner: UUID
    loser: UUID


class CustomerChanged(Event, frozen=True, kw_only=True):
    """A profile was changed: which fields."""

    type: ClassVar[str] = "customer.changed"
    aggregate: ClassVar[str] = "customer"
    fields: list[str]


class CustomerErased(Event, frozen=True, kw_only=True):
    """A profile lost everything that tells who it was."""

    type: ClassVar[str] = "customer.erased"
    aggregate: ClassVar[str] = "customer"
