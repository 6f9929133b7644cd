"""Facts that a room publishes, in the past tense. They carry ids and codes, never names, contacts or addresses."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all events. `type` is stable and public (`order.placed`); `version` counts the aggregate's changes from 1."""

    type: ClassVar[str]
    aggregate: ClassVar[str]
    aggregate_id: UUID
    version: int
