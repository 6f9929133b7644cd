"""Who acts, for whom, through what. Every verb takes an Actor; timeline, audit record and outbox read it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

ActorKind = Literal["public", "client", "shopper", "staff", "device", "system"]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """The caller of a verb, as authentication proved it. Locations are codes; `*` means all of them."""

    kind: ActorKind
    subject: UUID
    """The principal; for `system` the nil uuid."""
    channel: str
    """Code of the channel, from the credential, never from the request."""
    known: bool = False
    """A shopper with a profile; an anonymous one has none."""
    session: UUID | None = None
    client: UUID | None = None
    """The API client through which he comes: its limits and origins are his."""
    device: UUID | None = None
    location: str | None = None
    """Code of the location the device is bound to."""
    place: str | None = None
    """Code of the store whose door the request came through, of whom is bound to none."""
    permissions: dict[str, tuple[str, ...]] = {}
    """permission -> location codes it holds for."""
    on_behalf_of: UUID | None = None
    """The customer for whom staff act; never without a `reason`."""
    reason: str | None = None
    approved_by: UUID | None = None
    """Who allowed in this request what the actor alone may not."""
    approvals: dict[str, tuple[str, ...]] = {}
    """What that approver may: permission -> location codes."""
    request_id: str | None = None

    @property
    def person(self) -> UUID:
        """Whose cart, orders and profile are meant: the shopper's own, or those of the customer for whom staff act."""
        return self.on_behalf_of or self.subject

    def may(self, permission: str, location: str | None = None) -> bool:
        """Whether the actor holds a permission, at a location when one is named."""
        held = self.permissions.get(permission)
        if held is None:
            return self.kind == "system"
        return location is None or "*" in held or location in held

    def allowed(self, permission: str, location: str | None = None) -> bool:
        """Whether the actor holds a permission, or whoever approved this request does."""
        if self.may(permission, location):
            return True
        held = self.approvals.get(permission, ())
        return bool(held) and (location is None or "*" in held or location in held)


NIL = UUID(int=0)


def system(channel: str = "system") -> Actor:
    """The application itself: workers, imports, replays."""
    return Actor(kind="system", subject=NIL, channel=channel)
