"""What the feed answers: CloudEvents 1.0 in the JSON format."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.kernel.text import NO_NUL

After = Annotated[int, Meta(ge=0, le=2**62, description="`next_after` of the last answer; 0 from the beginning")]
EventTypes = Annotated[str, Meta(max_length=100, pattern=r"^[a-z_]+\.[a-z_]+$", description="Such as order.placed")]


Action = Annotated[str, Meta(max_length=100, pattern=r"^[a-z_]+\.[a-z_]+$", description="Such as client.created")]
Target = Annotated[
    str, Meta(max_length=63, pattern=r"^[a-z_]+$", description="What was acted upon, such as client, order")
]
TargetId = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="Its id or code, as recorded")]


class AuditRecord(Struct, frozen=True, kw_only=True):
    """One action of staff, a device, a server or the application itself. Ids and codes only; never changed."""

    id: UUID
    action: str
    target: str
    target_id: str
    subject: UUID
    """Who: his principal."""
    subject_kind: str
    on_behalf_of: UUID | None
    """For whom: the customer."""
    approved_by: UUID | None
    """Who allowed what the subject alone may not."""
    reason: str | None
    """Why he acted for the customer."""
    channel: str
    device: UUID | None
    """Through what."""
    location: str | None
    """Where: the device's place, or the store whose door the request came through."""
    request_id: str | None
    before: Any
    after: Any
    occurred_at: datetime


class CloudEvent(Struct, frozen=True, kw_only=True):
    """One fact (CloudEvents 1.0.2, JSON event format). `sequence` is its place in the feed; `data.version` counts the
    changes of the `subject`."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = "/v1/events"
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: int
    data: dict[str, Any]


class Feed(Struct, frozen=True, kw_only=True):
    """Events after the cursor, oldest first. Ask again with `next_after`; an empty answer keeps it."""

    items: list[CloudEvent]
    next_after: int
