"""Who is asking: channels, principals, credentials, sessions, devices, API clients, staff; guards and permissions.

Owns the proof of identity and nothing about the person: a shopper is an opaque principal here, his profile is `customers`'.
Promises: everything is denied unless a guard says otherwise; a revocation holds everywhere within 5 s; no secret is stored.
"""

from commerce.auth.guards import (
    at_store,
    authenticate,
    caller,
    client,
    known_shopper,
    public,
    shopper,
    staff,
    staff_member,
)
from commerce.auth.keyring import KeyRing
from commerce.auth.tokens import derived_code

__all__ = [
    "KeyRing",
    "at_store",
    "authenticate",
    "caller",
    "client",
    "derived_code",
    "known_shopper",
    "public",
    "shopper",
    "staff",
    "staff_member",
]
