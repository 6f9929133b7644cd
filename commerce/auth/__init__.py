"""Who is asking: channels, principals, credentials, sessions, devices, API clients, staff; guards and permissions.

Owns the proof of identity and nothing about the person: a shopper is an opaque principal here, his profile is `customers`'.
Promises: everything is denied unless a guard says otherwise; a revocation holds everywhere within 5 s; no secret is stored:
keys as SHA-256, passwords as argon2id, access and refresh tokens not at all.
"""

from commerce.auth.clients import create_client
from commerce.auth.errors import (
    CodeReserved,
    CodeTaken,
    MayNotGrant,
    NotAtThisStore,
    NotYourLocation,
    RefreshTokenInvalid,
    RefreshTokenReused,
    TooManyAttempts,
    UnknownChannel,
    WrongPassword,
)
from commerce.auth.flow import identity, tokens_of
from commerce.auth.guards import (
    at_store,
    authenticate,
    buyer,
    caller,
    client,
    device,
    everywhere,
    known_shopper,
    public,
    shopper,
    signed_in,
    staff,
    staff_member,
    visitor,
)
from commerce.auth.keyring import KeyRing
from commerce.auth.origins import Origins
from commerce.auth.passwords import NewPassword, Password, Verified, hash_password, verify
from commerce.auth.queries import device_code, proof_of
from commerce.auth.schemas import Confidential, CreateChannel, DeviceName, RoleGrant, Tokens
from commerce.auth.service import (
    COUNTER,
    Proof,
    Started,
    create_channel,
    create_device,
    create_shopper,
    create_staff,
    end_sessions,
    erase_person,
    export_person,
    set_password,
    settle,
    start_session,
)
from commerce.auth.tokens import anonymous_shopper, derived_code

__all__ = [
    "COUNTER",
    "CodeReserved",
    "CodeTaken",
    "Confidential",
    "CreateChannel",
    "DeviceName",
    "KeyRing",
    "MayNotGrant",
    "NewPassword",
    "NotAtThisStore",
    "NotYourLocation",
    "Origins",
    "Password",
    "Proof",
    "RefreshTokenInvalid",
    "RefreshTokenReused",
    "RoleGrant",
    "Started",
    "Tokens",
    "TooManyAttempts",
    "UnknownChannel",
    "Verified",
    "WrongPassword",
    "anonymous_shopper",
    "at_store",
    "authenticate",
    "buyer",
    "caller",
    "client",
    "create_channel",
    "create_client",
    "create_device",
    "create_shopper",
    "create_staff",
    "derived_code",
    "device",
    "device_code",
    "end_sessions",
    "erase_person",
    "everywhere",
    "export_person",
    "hash_password",
    "identity",
    "known_shopper",
    "proof_of",
    "public",
    "set_password",
    "settle",
    "shopper",
    "signed_in",
    "staff",
    "staff_member",
    "start_session",
    "tokens_of",
    "verify",
    "visitor",
]
