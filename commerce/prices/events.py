"""Facts published by `prices`."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from commerce.kernel.events import Event


class PricesSet(Event, frozen=True, kw_only=True):
    """A price change was put into the list; each change is its own aggregate."""

    type: ClassVar[str] = "prices.set"
    aggregate: ClassVar[str] = "price_change"
    variant_ids: list[UUID]
