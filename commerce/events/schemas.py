"""What the feed answers: CloudEvents 1.0 in the JSON format."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

After = Annotated[int, Meta(ge=0, le=2**62, description="`next_after` of the last answer; 0 from the beginning")]
EventTypes = Annotated[str, Meta(max_length=100, pattern=r"^[a-z_]+\.[a-z_]+$", description="Such as order.placed")]


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
