"""The token of a link: derived from the server's key, the list and the number of the sharing. Nothing of it is stored."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

PREFIX = "sl_"
MAC_BYTES = 16


def token_of(secret_key: str, list_id: UUID, share_no: int) -> str:
    """The token by which a list can be seen, until its `share_no` is another."""
    body = list_id.bytes + share_no.to_bytes(4, "big")
    mac = hmac.new(secret_key.encode(), b"shared list\0" + body, hashlib.sha256).digest()[:MAC_BYTES]
    return PREFIX + base64.urlsafe_b64encode(body + mac).decode()


def read_token(secret_key: str, token: str) -> tuple[UUID, int] | None:
    """List and number of a token that is ours; None for any other text."""
    try:
        raw = base64.urlsafe_b64decode(token.removeprefix(PREFIX))
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 20 + MAC_BYTES:
        return None
    list_id, share_no = UUID(bytes=raw[:16]), int.from_bytes(raw[16:20], "big")
    if not hmac.compare_digest(token_of(secret_key, list_id, share_no).encode(), token.encode()):
        return None
    return list_id, share_no
