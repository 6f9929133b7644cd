"""A cart goes from one screen to another with a short code, or an associate joins a customer's cart with it for a while."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from commerce import customers
from commerce.carts import tables
from commerce.carts.errors import (
    CartClosed,
    EmptyHandOff,
    NotForJoining,
    NothingToJoin,
    NotYourCart,
    OwnCart,
    TooManyClaims,
    UnknownGuest,
    WrongHandOffCode,
)
from commerce.carts.events import CartJoined, CartLeft
from commerce.carts.merging import Merging, bring, lines_in, lock_source
from commerce.carts.queries import MORE, head_of, mine
from commerce.carts.schemas import AskHandOff, CartView, ClaimCart, ClaimView, HandOffView, Head
from commerce.carts.service import Announce, goods_in, lock, refuse_other, tell, whose_is
from commerce.carts.views import shown
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import Seen

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word; nothing that looks like a digit. Eight of them: 2.5 * 10^10 codes."""
LENGTH = 8
LIFE = timedelta(minutes=2)
VISIT = timedelta(minutes=30)
"""How long an associate works on a cart he has joined."""
GUESSES = 5
"""Wrong codes of one caller that are answered within WINDOW."""
WINDOW = timedelta(minutes=15)

FORGET = "DELETE FROM carts.hand_offs WHERE cart_id = :cart AND claimed_at IS NULL"
COUNT_GUESS = """
INSERT INTO carts.claim_attempts AS a (principal_id, failures, first_at) VALUES (:caller, 1, :at)
ON CONFLICT (principal_id) DO UPDATE SET
    failures = CASE WHEN a.first_at <= :since THEN 1 ELSE a.failures + 1 END,
    first_at = CASE WHEN a.first_at <= :since THEN :at ELSE a.first_at END
RETURNING failures, first_at
"""
UNCOUNT = "DELETE FROM carts.claim_attempts WHERE principal_id = :caller"
FIND = (
    "SELECT id, cart_id, mode FROM carts.hand_offs WHERE code_hash = :hash AND claimed_at IS NULL AND expires_at > :at"
)
TAKE = """
UPDATE carts.hand_offs SET claimed_at = :at, claimed_by = :caller WHERE id = :id AND claimed_at IS NULL RETURNING id
"""
"""After the carts are locked: of two claims at once the second finds it taken."""
INTO = "UPDATE carts.hand_offs SET into_cart_id = CAST(:target AS uuid) WHERE id = CAST(:id AS uuid)"
LOCK_ONE = f"""
SELECT c.id AS cart_id, c.version, c.state, c.shopper_id, {MORE} FROM carts.carts c WHERE c.id = :cart FOR NO KEY UPDATE
"""  # noqa: S608
JOIN = """
INSERT INTO carts.guests AS g (id, cart_id, principal_id, channel, device_id, joined_at, until_at)
VALUES (:id, :cart, :caller, :channel, CAST(:device AS uuid), :at, :until)
ON CONFLICT (cart_id, principal_id) WHERE ended_at IS NULL
DO UPDATE SET joined_at = excluded.joined_at, until_at = excluded.until_at, channel = excluded.channel, device_id = excluded.device_id
RETURNING id, until_at
"""
LEAVE = """
UPDATE carts.guests SET ended_at = :at WHERE id = CAST(:guest AS uuid) AND cart_id = :cart AND ended_at IS NULL
RETURNING principal_id
"""
BUMP = f"""
UPDATE carts.carts c SET version = version + 1, changed_at = :at WHERE c.id = :cart
RETURNING c.id AS cart_id, c.version, c.state, c.shopper_id, {MORE}
"""  # noqa: S608


def fingerprint(code: str, secret_key: str) -> str:
    """The keyed hash under which a code is kept; whoever reads the table cannot try all codes."""
    return hmac.new(secret_key.encode(), f"hand-off:{code}".encode(), hashlib.sha256).hexdigest()


async def ask(tx: Tx, actor: Actor, *, cart: str, command: AskHandOff, secret_key: str) -> HandOffView:
    """A code for the caller's own cart, good once and for two minutes; the one before ends. Nothing of it is stored but a keyed hash.

    Raises EmptyHandOff, NothingToJoin, UnknownCart, CartClosed, NotYourCart, NoCartHere.
    """
    locked = await lock(tx, actor, cart=cart)
    if locked is None or (command.mode == "move" and not locked.lines):
        raise EmptyHandOff
    if command.mode == "join" and locked.head.shopper_id is None:
        raise NothingToJoin
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    await tx.execute(FORGET, cart=locked.head.id)
    tx.queue(
        tables.hand_offs, id=uuid7(), cart_id=locked.head.id, mode=command.mode, code_hash=fingerprint(code, secret_key),
        asked_by=actor.subject, created_at=tx.at, expires_at=tx.at + LIFE,
    )  # fmt: skip
    shown_code = f"{code[:4]}-{code[4:]}"
    return HandOffView(code=shown_code, qr=f"commerce:cart:{shown_code}", mode=command.mode, expires_at=tx.at + LIFE)


async def claim(
    tx: Tx,
    actor: Actor,
    *,
    command: ClaimCart,
    secret_key: str,
    currency: str,
    default_policy: Merging = "sum",
    announce: Announce | None = None,
) -> ClaimView:
    """Use a code: its cart's lines come to the caller's current cart, or the caller, who is staff, joins it for half an hour.

    Of two at once one wins. Wrong codes are counted for each caller: five in a quarter of an hour are answered. Raises
    WrongHandOffCode (kept), TooManyClaims, CartClosed, OwnCart, NotForJoining, NoCartHere.
    """
    counted = await tx.one(COUNT_GUESS, caller=actor.subject, at=tx.at, since=tx.at - WINDOW)
    if counted.failures > GUESSES:
        rest = int((counted.first_at + WINDOW - tx.at).total_seconds()) + 1
        raise TooManyClaims(retry_after_seconds=max(1, rest))
    code = "".join(letter for letter in command.code.upper() if letter.isalpha())
    found = await tx.first(FIND, hash=fingerprint(code, secret_key), at=tx.at)
    if found is None:
        raise WrongHandOffCode(left=GUESSES - counted.failures)
    source = await (_lock_both(tx, actor, found) if found.mode == "move" else _lock_one(tx, actor, found))
    if await tx.first(TAKE, id=found.id, caller=actor.subject, at=tx.at) is None:
        raise WrongHandOffCode(left=GUESSES - counted.failures)
    if source.state != "open":
        raise CartClosed(cart=str(source.id), state=source.state)
    await tx.execute(UNCOUNT, caller=actor.subject)
    if found.mode == "join":
        return await _join(tx, actor, found, source, currency, announce)
    return await _move(tx, actor, found, source, command.policy or default_policy, currency, announce)


async def _lock_both(tx: Tx, actor: Actor, found: Row) -> Head:
    me = mine(actor)
    owners = {me.owner}
    if me.person is not None and actor.known:
        owners.update(await customers.ids_of(tx, me.person))
    people = [me.person] if me.person is not None else []
    source = await lock_source(tx, found.cart_id, people=people, device=me.device if me.person is None else None)
    assert source is not None  # noqa: S101
    if source.owner in owners:
        raise OwnCart
    return source


async def _lock_one(tx: Tx, actor: Actor, found: Row) -> Head:
    if actor.kind != "staff" or actor.on_behalf_of is not None:
        raise NotForJoining
    return head_of(await tx.one(LOCK_ONE, cart=found.cart_id, at=tx.at))


async def _move(
    tx: Tx, actor: Actor, found: Row, source: Head, policy: Merging, currency: str, announce: Announce | None
) -> ClaimView:
    incoming = await lines_in(tx, source.id)
    brought = await bring(
        tx, actor, source, incoming, policy=policy, currency=currency, announce=announce, by_hand_off=True
    )
    tx.defer(INTO, id=found.id, target=brought.view.id)
    _audit(tx, actor, "cart.claimed", source, {"state": "open"}, {"state": "merged", "into": brought.view.id})
    return ClaimView(mode="move", version=brought.view.version, cart=brought.view, lines=brought.lines)


async def _join(tx: Tx, actor: Actor, found: Row, source: Head, currency: str, announce: Announce | None) -> ClaimView:
    guest = await tx.one(
        JOIN, id=uuid7(), cart=source.id, caller=actor.subject, channel=actor.channel, device=actor.device, at=tx.at,
        until=tx.at + VISIT,
    )  # fmt: skip
    head = head_of(await tx.one(BUMP, cart=source.id, at=tx.at))
    outbox.record(
        tx, actor,
        CartJoined(
            aggregate_id=head.id, version=head.version, guest_id=guest.id, principal_id=actor.subject, **whose_is(head)
        ),
    )  # fmt: skip
    tx.defer(INTO, id=found.id, target=head.id)
    _audit(tx, actor, "cart.joined", head, None, {"guest": guest.id})
    view = await _view(tx, actor, head, currency, announce)
    return ClaimView(mode="join", version=view.version, cart=view, lines=[], until_at=guest.until_at)


async def end_visit(
    tx: Tx, actor: Actor, *, cart: str, guest: UUID, currency: str, seen: Seen, announce: Announce | None = None
) -> CartView:
    """End the visit of staff in a cart: the customer any, the guest his own. Raises UnknownGuest, UnknownCart, CartClosed,
    NotYourCart, StaleCart."""
    locked = await lock(tx, actor, cart=cart, by_guest=True)
    await refuse_other(tx, actor, locked, seen, currency)
    if locked is None:
        raise UnknownGuest(guest=str(guest))
    row = await tx.first(LEAVE, guest=guest, cart=locked.head.id, at=tx.at)
    if row is None:
        raise UnknownGuest(guest=str(guest))
    if mine(actor).person is None and row.principal_id != actor.subject:
        raise NotYourCart(cart=str(locked.head.id))
    head = head_of(await tx.one(BUMP, cart=locked.head.id, at=tx.at))
    outbox.record(
        tx, actor,
        CartLeft(
            aggregate_id=head.id, version=head.version, guest_id=guest, principal_id=row.principal_id, **whose_is(head)
        ),
    )  # fmt: skip
    _audit(tx, actor, "cart.left", head, {"guest": guest}, None)
    return await _view(tx, actor, head, currency, announce)


async def _view(tx: Tx, actor: Actor, head: Head, currency: str, announce: Announce | None) -> CartView:
    tell(tx, head.owner, announce)
    lines = await lines_in(tx, head.id)
    _, goods = await goods_in(tx, lines)
    return await shown(tx, actor, head, lines, goods, currency=currency)


def _audit(
    tx: Tx, actor: Actor, action: str, head: Head, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    if actor.kind in ("staff", "device"):
        outbox.audit(tx, actor, action, "cart", head.id, before=before, after=after)
