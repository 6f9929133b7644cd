"""Signed access tokens and key fingerprints: proof without a statement on hot reads (DESIGN 12)."""

from __future__ import annotations

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
    """A fresh random secret, readable by prefix: `pk_…` publishable key, `dk_…` device key, `rt_…` refresh token."""
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
    if actor.device:
        claims["dev"] = str(actor.device)
    if actor.location:
        claims["loc"] = actor.location
    if actor.permissions:
        claims["prm"] = {permission: list(held) for permission, held in actor.permissions.items()}
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
                device=UUID(claims["dev"]) if "dev" in claims else None,
                location=claims.get("loc"),
                permissions={p: tuple(held) for p, held in claims.get("prm", {}).items()},
            ),
            expires,
        )
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        return None
