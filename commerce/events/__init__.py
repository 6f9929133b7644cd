"""What happened, for readers: the feed of published facts, and the record of what staff and machines did.

Owns nothing: the outbox and the audit record are `infra`'s. Promises that a reader of the feed who comes back with his last cursor
misses no event and meets none twice, whatever committed late (DESIGN 9). Both carry ids and codes, never names, contacts or addresses.
"""

from commerce.events.schemas import AuditRecord, CloudEvent, Feed

__all__ = ["AuditRecord", "CloudEvent", "Feed"]
