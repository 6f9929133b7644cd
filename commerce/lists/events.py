"""What `lists` publishes: ids only. Versions of a list run from 1 without a gap; the last one says what became of it."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from commerce.kernel.events import Event


class ListEvent(Event, frozen=True, kw_only=True):
    """A fact about a list of a shopper."""

    aggregate: ClassVar[str] = "list"
    shopper_id: UUID


class ListCreated(ListEvent, frozen=True, kw_only=True):
    """A list was made; version 1 of it. `variant_ids`: what it was made with."""

    type: ClassVar[str] = "list.created"
    kind: str
    variant_ids: list[UUID]


class ListChanged(ListEvent, frozen=True, kw_only=True):
    """Lines were put, moved or removed; `variant_ids` names those."""

    type: ClassVar[str] = "list.changed"
    variant_ids: list[UUID]


class ListRenamed(ListEvent, frozen=True, kw_only=True):
    """A named list is called otherwise now."""

    type: ClassVar[str] = "list.renamed"


class ListShared(ListEvent, frozen=True, kw_only=True):
    """A list can be seen by its link, or otherwise than before."""

    type: ClassVar[str] = "list.shared"


class ListUnshared(ListEvent, frozen=True, kw_only=True):
    """The link of a list is void."""

    type: ClassVar[str] = "list.unshared"


class ListClaimed(ListEvent, frozen=True, kw_only=True):
    """A list of an anonymous shopper became an account's, `shopper_id`."""

    type: ClassVar[str] = "list.claimed"
    claimed_from: UUID


class ListMerged(ListEvent, frozen=True, kw_only=True):
    """The lines of a list went into another of the same kind, and it is gone."""

    type: ClassVar[str] = "list.merged"
    merged_into: UUID


class ListDeleted(ListEvent, frozen=True, kw_only=True):
    """A list is gone with its lines."""

    type: ClassVar[str] = "list.deleted"
