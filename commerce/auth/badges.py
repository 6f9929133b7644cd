"""Staff at a till: by badge, or by login and PIN. Worth something only at a device of a store where the member has a role."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from msgspec import Struct, convert

from commerce.auth import guesses, tokens
from commerce.auth.errors import (
    BadgeTaken,
    MayNotGrant,
    NotOfThisStore,
    PinTooSimple,
    TooManyAttempts,
    UnknownBadge,
    UnknownStaff,
    WrongBadge,
    WrongPin,
)
from commerce.auth.passwords import Verified
from commerce.auth.roles import must_hold
from commerce.auth.schemas import BadgeView, Colleague
from commerce.auth.service import Started, lock_member, lock_staff, start_staff_session
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

PIN_GUESSES, PIN_GUESSES_A_DAY, BADGE_GUESSES = 5, 15, 10
"""Wrong PINs of a member on a device in a quarter of an hour; of a member anywhere in a day; wrong badges on a device in a quarter."""
PINS_AT_DEVICE, PINS_AT_DEVICE_A_DAY = 30, 100
"""Wrong PINs of whomever on one device, in a quarter of an hour and in a day: who tries one PIN on every name of a store stops here."""


class PinProof(Struct, frozen=True, kw_only=True):
    """What a PIN is checked against, and under what its guesses are counted; nobody has neither member nor hash."""

    on_device: str
    in_a_day: str
    at_device: str
    at_device_a_day: str
    member: UUID | None
    hash: str | None

    def __repr__(self) -> str:
        return f"PinProof(member={self.member})"


def peppered(secret_key: str, member: UUID | None, pin: str) -> str:
    """What argon2 is given of a PIN: without the server key a copied table cannot be searched."""
    return tokens.keyed_hash(secret_key, "pin", f"{member}\0{pin}")


def badge_hash(secret_key: str, code: str) -> str:
    """Under what a badge is kept."""
    return tokens.keyed_hash(secret_key, "badge", code)


def refuse_simple(pin: str) -> None:
    """Raises PinTooSimple for one digit repeated and for a straight run."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    if len(steps) == 1 and steps <= {0, 1, 9}:
        raise PinTooSimple


PROOF = """
SELECT n.hash, s.id AS member
FROM auth.staff s JOIN auth.principals p ON p.id = s.id AND p.disabled_at IS NULL LEFT JOIN auth.pins n ON n.staff_id = s.id
WHERE s.login = :login
"""
RESTING = """
SELECT 1 FROM auth.attempts
WHERE (identity = :in_a_quarter AND failures >= :most AND first_at > :quarter)
   OR (identity = :in_a_day AND failures >= :most_a_day AND first_at > :day)
   OR (identity = :at_device AND failures >= :most_at_device AND first_at > :quarter)
   OR (identity = :at_device_a_day AND failures >= :most_at_device_a_day AND first_at > :day)
"""


async def pin_proof(
    tx: Tx, *, login: str, on_device: str, in_a_day: str, at_device: str, at_device_a_day: str
) -> PinProof:
    """What the PIN of this login is checked against. Raises TooManyAttempts, so that a resting one costs no hashing."""
    await _refuse_resting(tx, on_device, in_a_day, at_device=at_device, at_device_a_day=at_device_a_day)
    row = await tx.first(PROOF, login=login)
    return PinProof(
        on_device=on_device, in_a_day=in_a_day, at_device=at_device, at_device_a_day=at_device_a_day,
        member=row.member if row else None, hash=row.hash if row else None,
    )  # fmt: skip


async def _refuse_resting(
    tx: Tx, in_a_quarter: str, in_a_day: str, *, at_device: str | None = None, at_device_a_day: str | None = None
) -> None:
    resting = await tx.first(
        RESTING, in_a_quarter=in_a_quarter, in_a_day=in_a_day, most=PIN_GUESSES, most_a_day=PIN_GUESSES_A_DAY, at_device=at_device,
        at_device_a_day=at_device_a_day, most_at_device=PINS_AT_DEVICE, most_at_device_a_day=PINS_AT_DEVICE_A_DAY,
        quarter=tx.at - guesses.QUARTER, day=tx.at - guesses.DAY,
    )  # fmt: skip
    if resting is not None:
        raise TooManyAttempts(retry_after_seconds=int(guesses.QUARTER.total_seconds()))


STANDS = """
SELECT 1 FROM auth.pins n JOIN auth.principals p ON p.id = n.staff_id AND p.disabled_at IS NULL
WHERE n.staff_id = CAST(:member AS uuid) AND n.hash = CAST(:hash AS text)
"""


async def settle_pin(tx: Tx, actor: Actor, *, proof: PinProof, verified: Verified) -> UUID:  # noqa: ARG001
    """Count a guess at a PIN and let it pass or not; whose PIN it was. The counts are taken after the hashing, under their rows, always in
    this order.

    Raises WrongPin (kept), TooManyAttempts.
    """
    await guesses.count(tx, proof.on_device, most=PIN_GUESSES)
    await guesses.count(tx, proof.in_a_day, most=PIN_GUESSES_A_DAY, window=guesses.DAY)
    await guesses.count(tx, proof.at_device, most=PINS_AT_DEVICE)
    await guesses.count(tx, proof.at_device_a_day, most=PINS_AT_DEVICE_A_DAY, window=guesses.DAY)
    stands = await tx.first(STANDS, member=proof.member, hash=proof.hash)
    if not verified.right or stands is None or proof.member is None:
        raise WrongPin
    await guesses.forget(tx, proof.on_device)
    for counted in (proof.in_a_day, proof.at_device, proof.at_device_a_day):
        await guesses.take_back(tx, counted)
    if verified.rehashed is not None:
        await tx.execute(
            "UPDATE auth.pins SET hash = :hash WHERE staff_id = :id", id=proof.member, hash=verified.rehashed
        )
    return proof.member


OF_BADGE = """
SELECT b.staff_id FROM auth.badges b JOIN auth.principals p ON p.id = b.staff_id AND p.disabled_at IS NULL
WHERE b.code_hash = :code_hash AND b.revoked_at IS NULL
"""


async def settle_badge(tx: Tx, actor: Actor, *, code_hash: str, on_device: str) -> UUID:  # noqa: ARG001
    """Count a badge shown at a device and let it pass or not; whose it is, his row locked. Raises WrongBadge (kept), TooManyAttempts."""
    await guesses.count(tx, on_device, most=BADGE_GUESSES)
    await lock_member(tx, await tx.scalar(OF_BADGE, code_hash=code_hash))
    member: UUID | None = await tx.scalar(OF_BADGE, code_hash=code_hash)
    if member is None:
        raise WrongBadge
    await guesses.take_back(tx, on_device)
    return member


async def sign_in_by_pin(tx: Tx, actor: Actor, *, proof: PinProof, verified: Verified, idle_seconds: int) -> Started:
    """A session on this device; whoever of the staff was signed in here is signed out.

    Raises WrongPin (kept), TooManyAttempts, NotAtThisStore.
    """
    await lock_member(tx, proof.member)
    member = await settle_pin(tx, actor, proof=proof, verified=verified)
    return await start_staff_session(tx, actor, member=member, proof="pin", idle_seconds=idle_seconds)


async def sign_in_by_badge(tx: Tx, actor: Actor, *, code_hash: str, on_device: str, idle_seconds: int) -> Started:
    """The same by a badge. Raises WrongBadge (kept), TooManyAttempts, NotAtThisStore."""
    member = await settle_badge(tx, actor, code_hash=code_hash, on_device=on_device)
    return await start_staff_session(tx, actor, member=member, proof="badge", idle_seconds=idle_seconds)


# --- badges ---


async def issue(tx: Tx, actor: Actor, *, login: str, code_hash: str) -> BadgeView:
    """A badge for a member who holds nothing that the actor does not, as it opens all that he may.

    Raises UnknownStaff, MayNotGrant, BadgeTaken.
    """
    member, pairs = await lock_staff(tx, login)
    await must_hold(tx, actor, pairs, also="staff.pins")
    badge = uuid7()
    made = await tx.first(
        """
        INSERT INTO auth.badges (id, staff_id, code_hash, issued_at, issued_by) VALUES (:id, :staff, :code_hash, :at, :by)
        ON CONFLICT (code_hash) DO NOTHING RETURNING id
        """,
        id=badge, staff=member.id, code_hash=code_hash, at=tx.at, by=actor.subject,
    )  # fmt: skip
    if made is None:
        raise BadgeTaken
    outbox.audit(tx, actor, "staff.badge_issued", "staff", member.id, after={"badge": str(badge)})
    return BadgeView(id=badge, login=login, issued_at=tx.at, revoked_at=None)


BADGES = (
    "SELECT id, issued_at, revoked_at FROM auth.badges WHERE staff_id = :id ORDER BY issued_at DESC, id DESC LIMIT 100"
)
END_ON_DEVICES = """
UPDATE auth.sessions SET revoked_at = :at, revoked_reason = :reason
WHERE principal_id = :id AND device_id IS NOT NULL AND revoked_at IS NULL AND id IS DISTINCT FROM CAST(:own AS uuid)
"""


async def listed(tx: Tx, actor: Actor, *, login: str) -> list[BadgeView]:
    """The badges of a member, the last first, the revoked ones too. Raises UnknownStaff, MayNotGrant."""
    row = await tx.first("SELECT id FROM auth.staff WHERE login = :login", login=login)
    pairs = await tx.rows("SELECT role, location FROM auth.staff_roles WHERE staff_id = :id", id=row.id) if row else []
    if row is None:
        raise UnknownStaff(login=login)
    if not any(actor.may("staff.pins", pair.location) for pair in pairs):
        raise MayNotGrant(role=pairs[0].role, location=pairs[0].location)
    return [
        BadgeView(id=badge.id, login=login, issued_at=badge.issued_at, revoked_at=badge.revoked_at)
        for badge in await tx.rows(BADGES, id=row.id)
    ]


async def revoke(tx: Tx, actor: Actor, *, login: str, badge: UUID) -> BadgeView:
    """Let a badge open nothing any more, and end its member's sessions on devices. Raises UnknownStaff, UnknownBadge, MayNotGrant."""
    member, pairs = await lock_staff(tx, login)
    await must_hold(tx, actor, pairs, also="staff.pins")
    row = await tx.first(
        """
        UPDATE auth.badges SET revoked_at = coalesce(revoked_at, :at) WHERE id = :badge AND staff_id = :id
        RETURNING id, issued_at, revoked_at
        """,
        badge=badge, id=member.id, at=tx.at,
    )  # fmt: skip
    if row is None:
        raise UnknownBadge(login=login)
    if row.revoked_at == tx.at:
        await tx.execute(END_ON_DEVICES, id=member.id, at=tx.at, reason="badge_revoked", own=None)
        outbox.audit(
            tx, actor, "staff.badge_revoked", "staff", member.id,
            before={"badge": str(badge), "revoked": False}, after={"badge": str(badge), "revoked": True},
        )  # fmt: skip
    return BadgeView(id=row.id, login=login, issued_at=row.issued_at, revoked_at=row.revoked_at)


# --- PINs ---

SET = """
INSERT INTO auth.pins (staff_id, hash, set_at, set_by) VALUES (:id, :hash, :at, :by)
ON CONFLICT (staff_id) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at, set_by = excluded.set_by
"""


async def member_of(tx: Tx, *, login: str) -> UUID | None:
    """Whom a login names; nobody's is None. The PIN's hash is bound to him."""
    found: UUID | None = await tx.scalar("SELECT id FROM auth.staff WHERE login = :login", login=login)
    return found


async def set_pin(
    tx: Tx, actor: Actor, *, location: str, login: str, member: UUID | None, pin_hash: str, in_a_day: str
) -> None:
    """Give a member of this store a PIN, or another one: who holds nothing that the actor does not. His sessions on devices end.

    Raises UnknownStaff, NotOfThisStore, MayNotGrant.
    """
    found, pairs = await lock_staff(tx, login)
    if found.id != member or not any(held in ("*", location) for _, held in pairs):
        raise NotOfThisStore(login=login, location=location)
    await must_hold(tx, actor, pairs, also="staff.pins")
    await tx.execute(SET, id=found.id, hash=pin_hash, at=tx.at, by=actor.subject)
    await tx.execute(END_ON_DEVICES, id=found.id, at=tx.at, reason="pin_changed", own=None)
    await guesses.forget(tx, in_a_day)
    outbox.audit(tx, actor, "staff.pin_set", "staff", found.id)


OWN_LOGIN = "SELECT login FROM auth.staff WHERE id = :id"
OWN = """
SELECT (SELECT n.hash FROM auth.pins n WHERE n.staff_id = :id) AS pin,
    (SELECT w.hash FROM auth.passwords w WHERE w.principal_id = :id) AS password
"""


class OwnProof(Struct, frozen=True, kw_only=True):
    """What the PIN or password of now is checked against, and under what its guesses are counted: of his own in a quarter of an hour,
    wherever he is signed in, and with those of signing in in a day."""

    own: str
    in_a_day: str
    pin: str | None
    password: str | None

    def __repr__(self) -> str:
        return "OwnProof()"


async def own_login(tx: Tx, actor: Actor) -> str:
    """The actor's login, under which his guesses are counted."""
    login: str = (await tx.one(OWN_LOGIN, id=actor.subject)).login
    return login


async def own_proof(tx: Tx, actor: Actor, *, own: str, in_a_day: str) -> OwnProof:
    """What the actor's PIN or password of now is checked against. Raises TooManyAttempts, so that a resting one costs no hashing."""
    await _refuse_resting(tx, own, in_a_day)
    row = await tx.one(OWN, id=actor.subject)
    return OwnProof(own=own, in_a_day=in_a_day, pin=row.pin, password=row.password)


STILL = """
SELECT (SELECT n.hash FROM auth.pins n WHERE n.staff_id = :id) IS NOT DISTINCT FROM CAST(:pin AS text)
   AND (SELECT w.hash FROM auth.passwords w WHERE w.principal_id = :id) IS NOT DISTINCT FROM CAST(:password AS text)
"""


async def change_own_pin(tx: Tx, actor: Actor, *, proof: OwnProof, right: bool, pin_hash: str) -> None:
    """One's own PIN from now on, given the PIN or the password of now. His other sessions on devices end. Wrong ones count
    with those of signing in, too, as far as a day goes.

    Raises WrongPin (kept), TooManyAttempts.
    """
    await tx.execute("SELECT 1 FROM auth.staff WHERE id = :id FOR NO KEY UPDATE", id=actor.subject)
    await guesses.count(tx, proof.own, most=PIN_GUESSES)
    await guesses.count(tx, proof.in_a_day, most=PIN_GUESSES_A_DAY, window=guesses.DAY)
    if not right or not await tx.scalar(STILL, id=actor.subject, pin=proof.pin, password=proof.password):
        raise WrongPin
    await guesses.forget(tx, proof.own)
    await guesses.take_back(tx, proof.in_a_day)
    await tx.execute(SET, id=actor.subject, hash=pin_hash, at=tx.at, by=actor.subject)
    await tx.execute(END_ON_DEVICES, id=actor.subject, at=tx.at, reason="pin_changed", own=actor.session)
    outbox.audit(tx, actor, "staff.pin_changed", "staff", actor.subject)


COLLEAGUES = """
SELECT s.login, s.name, EXISTS (SELECT 1 FROM auth.pins n WHERE n.staff_id = s.id) AS has_pin,
    EXISTS (SELECT 1 FROM auth.badges b WHERE b.staff_id = s.id AND b.revoked_at IS NULL) AS has_badge
FROM auth.staff s JOIN auth.principals p ON p.id = s.id AND p.disabled_at IS NULL
WHERE EXISTS (SELECT 1 FROM auth.staff_roles r WHERE r.staff_id = s.id AND r.location = :location)
ORDER BY s.name, s.login LIMIT 200
"""


async def colleagues(tx: Tx, *, location: str) -> list[Colleague]:
    """Who has a role at this store, by name, at most two hundred: the list on the screen of a till."""
    return [convert(row, Colleague, from_attributes=True) for row in await tx.rows(COLLEAGUES, location=location)]
