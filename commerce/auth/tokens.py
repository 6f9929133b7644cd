"""Signed access tokens and key fingerprints: proof without a statement on hot reads (DESIGN 12)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from commerce.kernel.actor import Actor, ActorKind

ALGORITHM = "HS256"


def new_secret(prefix: str) -> str:
    """A fresh random secret, readable by prefix: `pk_…` publishable key, `dk_…` device key."""
    return f"{prefix}_{secrets.token_urlsafe(24)}"


def fingerprint(secret: str) -> str:
    """What is stored of a random secret: its SHA-256. Enough for 192 random bits; passwords take argon2 instead."""
    return hashlib.sha256(secret.encode()).hexdigest()


def derived_code(secret_key: str, challenge: UUID, counter: int) -> str:
    """Six digits of HMAC-SHA-256(server key, challenge id, counter): derived again at will, never stored (DESIGN 12).

    Dynamic truncation as in HOTP, RFC 4226 section 5.3.
    """
    digest = hmac.new(secret_key.encode(), challenge.bytes + counter.to_bytes(8, "big"), hashlib.sha256).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Of codes that people read and type: no vowels, so no words; nothing that looks like a digit (RFC 8628, 6.1)."""


def new_letters() -> str:
    """Eight random letters: 34 bits, enough for what lives minutes and is counted."""
    return "".join(secrets.choice(LETTERS) for _ in range(8))


def read_letters(text: str) -> str | None:
    """The eight letters that somebody typed, whatever the case and the dashes; None for any other text."""
    letters = text.upper().replace("-", "").replace(" ", "")
    return letters if len(letters) == 8 and set(letters) <= set(LETTERS) else None


def keyed_hash(secret_key: str, purpose: str, text: str) -> str:
    """HMAC-SHA-256 of a text that could be guessed: worthless without the server key, unlike a plain hash."""
    return hmac.new(secret_key.encode(), f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


def derived_key(secret_key: str, prefix: str, seed: str) -> str:
    """A key made from the server key and a seed: made again for a repeated request, never stored."""
    digest = hmac.new(secret_key.encode(), f"key\0{prefix}\0{seed}".encode(), hashlib.sha256).digest()
    return f"{prefix}_{base64.urlsafe_b64encode(digest[:24]).decode()}"


def refresh_token(secret_key: str, session: UUID, number: int) -> str:
    """The refresh token number `number` of a session: `rt_` and its id, number and HMAC. Only its number is stored."""
    body = session.bytes + number.to_bytes(4, "big")
    mac = hmac.new(secret_key.encode(), b"refresh\0" + body, hashlib.sha256).digest()
    return f"rt_{base64.urlsafe_b64encode(body + mac).rstrip(b'=').decode()}"


def read_refresh_token(secret_key: str, token: str) -> tuple[UUID, int] | None:
    """Session and number of a refresh token that is ours; None for any other text."""
    try:
        raw = base64.urlsafe_b64decode(token.removeprefix("rt_") + "==")
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 52:
        return None
    session, number = UUID(bytes=raw[:16]), int.from_bytes(raw[16:20], "big")
    if not hmac.compare_digest(refresh_token(secret_key, session, number).encode(), token.encode()):
        return None
    return session, number


def issue(actor: Actor, *, secret_key: str, at: datetime, seconds: int) -> str:
    """An access token that carries the actor for `seconds`."""
    claims: dict[str, Any] = {
        "sub": str(actor.subject),
        "knd": actor.kind,
        "chn": actor.channel,
        "exp": int((at + timedelta(seconds=seconds)).timestamp()),
        "iat": int(at.timestamp()),
    }
    if actor.known:
        claims["kwn"] = 1
    if actor.session:
        claims["sid"] = str(actor.session)
    if actor.client:
        claims["cli"] = str(actor.client)
    if actor.device:
        claims["dev"] = str(actor.device)
    if actor.location:
        claims["loc"] = actor.location
    if actor.on_behalf_of:
        claims["obo"] = str(actor.on_behalf_of)
        claims["rsn"] = actor.reason
    if actor.permissions:
        grouped: dict[tuple[str, ...], list[str]] = {}
        for permission, held in actor.permissions.items():
            grouped.setdefault(held, []).append(permission)
        claims["prm"] = [[list(held), permissions] for held, permissions in grouped.items()]
    return jwt.encode(claims, secret_key, algorithm=ALGORITHM)


def read(token: str, *, secret_key: str, at: datetime) -> tuple[Actor, int] | None:
    """The actor of an access token and when it expires (seconds since the epoch); None when forged, foreign or expired."""
    try:
        claims = jwt.decode(
            token,
            secret_key,
            algorithms=[ALGORITHM],
            options={"verify_exp": False, "verify_iat": False, "require": ["exp", "sub"]},
        )
        expires = int(claims["exp"])
        if expires <= at.timestamp():
            return None
        kind: ActorKind = claims["knd"]
        return (
            Actor(
                kind=kind,
                subject=UUID(claims["sub"]),
                channel=claims["chn"],
                known=bool(claims.get("kwn")),
                session=UUID(claims["sid"]) if "sid" in claims else None,
                client=UUID(claims["cli"]) if "cli" in claims else None,
                device=UUID(claims["dev"]) if "dev" in claims else None,
                location=claims.get("loc"),
                on_behalf_of=UUID(claims["obo"]) if "obo" in claims else None,
                reason=claims.get("rsn"),
                permissions={p: tuple(held) for held, permissions in claims.get("prm", []) for p in permissions},
            ),
            expires,
        )
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        return None
