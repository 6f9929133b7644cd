"""Forgetting by rule: what is older than its rule allows goes, a chunk in a transaction, so that it can be stopped and run again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from commerce import auth, carts, conversations, customers, orders
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import NIL, system
from commerce.kernel.errors import Problem
from commerce.people import queries, service
from commerce.people.errors import OpenOrders

log = structlog.get_logger()

CHUNK = 500
"""Rows that one transaction forgets."""


class Verb(Protocol):
    """Forgets a chunk of what is older; how many."""

    def __call__(self, tx: Tx, *, before: datetime, limit: int) -> Awaitable[int]: ...


Forget = Callable[[Database, datetime], Awaitable[int]]


def by_chunks(verb: Verb) -> Forget:
    """The verb again and again until nothing is left to forget."""

    async def forget(db: Database, before: datetime) -> int:
        forgotten = 0
        while True:
            count = await db.write(verb, before=before, limit=CHUNK)
            forgotten += count
            if count < CHUNK:
                return forgotten
            log.info("retention.progress", verb=verb.__name__, forgotten=forgotten)  # type: ignore[attr-defined]

    return forget


async def anonymous_carts(db: Database, before: datetime) -> int:
    """Open carts that nobody with a profile owns, by id."""
    forgotten, after = 0, NIL
    while True:
        chunk = await db.write(carts.forget_anonymous, system(), before=before, after=after, limit=CHUNK)
        forgotten += chunk.carts
        if chunk.last is None:
            return forgotten
        after = chunk.last
        log.info("retention.progress", verb="forget_anonymous", forgotten=forgotten)


async def guest_profiles(db: Database, before: datetime) -> int:
    """Guests who came here no more: each is erased like any person, unless something of his is open or he waits for an answer. One who
    cannot be erased now keeps nobody else."""
    forgotten, after = 0, NIL
    while True:
        guests = await db.read(customers.quiet_guests, before=before, after=after, limit=CHUNK)
        bought = await db.read(orders.last_placed, guests)
        for guest in guests:
            if guest in bought and bought[guest] >= before:
                continue
            try:
                forgotten += await db.write(service.erase_quiet, system(), customer=guest, before=before)
            except OpenOrders:
                continue
            except Problem as problem:
                log.warning("retention.not_erased", customer=str(guest), problem=problem.code)
        if len(guests) < CHUNK:
            return forgotten
        after = guests[-1]
        log.info("retention.progress", verb="erase", forgotten=forgotten)


async def forget_conversations(tx: Tx, *, before: datetime, limit: int) -> int:
    """What was said in a chunk of conversations that were closed before a moment; how many."""
    return await conversations.forget_before(tx, system(), before=before, limit=limit)


SUBJECTS: dict[str, Forget] = {
    "anonymous_carts": anonymous_carts,
    "guest_profiles": guest_profiles,
    "ended_sessions": by_chunks(auth.forget_sessions),
    "conversations": by_chunks(forget_conversations),
    "touches": by_chunks(customers.forget_touches),
}
"""How each kind of thing is forgotten; those that are fixed never are."""


async def keep_rules(db: Database, *, only: Collection[str] | None = None) -> dict[str, int]:
    """Forget everything that the rules say is old, or only some kinds of it: by subject, how many. Safe to be stopped at any moment and
    to run twice. A kind that fails keeps no other; what failed is raised in the end."""
    rules = await db.read(queries.rules)
    forgotten: dict[str, int] = {}
    failures: list[Exception] = []
    for rule in rules.items:
        forget = SUBJECTS.get(rule.subject)
        if forget is None or rule.days is None or (only is not None and rule.subject not in only):
            continue
        try:
            forgotten[rule.subject] = await forget(db, db.clock() - timedelta(days=rule.days))
        except Exception as failure:
            log.error("retention.failed", subject=rule.subject, error=repr(failure))
            failures.append(failure)
            continue
        log.info("retention.done", subject=rule.subject, days=rule.days, forgotten=forgotten[rule.subject])
    if failures:
        raise ExceptionGroup("retention", failures)
    return forgotten
