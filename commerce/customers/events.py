"""Facts that `customers` publishes: ids and names of fields, never what is in them."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from commerce.kernel.events import Event


class CustomerSignedUp(Event, frozen=True, kw_only=True):
    """A shopper has a profile now; version 1 of it."""

    type: ClassVar[str] = "customer.signed_up"
    aggregate: ClassVar[str] = "customer"
    language: str


class CustomerChanged(Event, frozen=True, kw_only=True):
    """A profile was changed by its owner: which fields."""

    type: ClassVar[str] = "customer.changed"
    aggregate: ClassVar[str] = "customer"
    fields: list[str]


class CustomerErased(Event, frozen=True, kw_only=True):
    """A profile lost everything that tells who it was."""

    type: ClassVar[str] = "customer.erased"
    aggregate: ClassVar[str] = "customer"


class ConsentSaid(msgspec.Struct, frozen=True, kw_only=True):
    """A channel and purpose, and whether it is consented to."""

    channel: str
    purpose: str
    granted: bool


class ConsentChanged(Event, frozen=True, kw_only=True):
    """A person has allowed something, or taken it back."""

    type: ClassVar[str] = "customer.consent_changed"
    aggregate: ClassVar[str] = "customer"
    changes: list[ConsentSaid]
