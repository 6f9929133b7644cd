"""Who delivers a message: the Standard Webhooks signature of its body, and the keyed hash of a handle.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: `webhook-signature` holds one or more
`v1,<base64>` parted by spaces, each HMAC-SHA-256 over `id.timestamp.body`; the secret is `whsec_` and base64 of 24 to 64 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

TOLERANCE = timedelta(minutes=5)
OVERLAP = timedelta(hours=24)
"""So long the secret before is good after a new one was made."""
PREFIX = "whsec_"
MOMENT = re.compile(r"[0-9]{1,12}", re.ASCII)


def secret(secret_key: str, code: str, version: int) -> str:
    """The secret of a source, derived from the server key whenever it is needed: it is stored nowhere."""
    return PREFIX + base64.b64encode(_raw(secret_key, code, version)).decode()


def _raw(secret_key: str, code: str, version: int) -> bytes:
    return hmac.new(secret_key.encode(), f"webhook\0{code}\0{version}".encode(), hashlib.sha256).digest()


def sign(whole_secret: str, *, webhook_id: str, timestamp: str, body: bytes) -> str:
    """The `webhook-signature` of a body: what a sender does with his secret."""
    key = base64.b64decode(whole_secret.removeprefix(PREFIX))
    return f"v1,{base64.b64encode(_digest(key, webhook_id, timestamp, body)).decode()}"


def _digest(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()


def is_fresh(timestamp: str, at: datetime) -> bool:
    """Whether a `webhook-timestamp` (seconds since the epoch) is within five minutes of now."""
    if not MOMENT.fullmatch(timestamp):
        return False
    return abs(at.timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()


def is_genuine(
    secret_key: str,
    code: str,
    versions: Sequence[int],
    *,
    webhook_id: str,
    timestamp: str,
    signature: str,
    body: bytes,
) -> bool:
    """Whether one of the signatures is that of one of the valid secrets, compared in constant time."""
    given = []
    for part in signature.split(" ")[:8]:
        scheme, _, text = part.partition(",")
        if scheme == "v1":
            try:
                given.append(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                continue
    expected = [_digest(_raw(secret_key, code, version), webhook_id, timestamp, body) for version in versions]
    return any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in given)


def keyed_handle(secret_key: str, kind: str, handle: str) -> str:
    """The keyed hash that joins what one handle writes, and tells nobody which handle it is."""
    return hmac.new(secret_key.encode(), f"conversation\0{kind}\0{handle}".encode(), hashlib.sha256).hexdigest()


def lock_key(kind: str, value: str | UUID) -> int:
    """The number of the advisory lock of a person or a handle."""
    digest = hashlib.sha256(f"conversation\0{kind}\0{value}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
