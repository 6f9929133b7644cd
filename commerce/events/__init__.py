"""The feed for outside readers: every published fact, in the one order all readers see, after a cursor of theirs.

Owns nothing: the outbox is `infra`'s. Promises that a reader who comes back with his last cursor misses no event and meets none
twice, whatever committed late (DESIGN 9). An event carries ids and codes, never names, contacts or addresses.
"""

from commerce.events.schemas import CloudEvent, Feed

__all__ = ["CloudEvent", "Feed"]
