"""Closings: the levels as the books had them at a position of the ledger, so that the audit and looks at the past stay fast.

A closing holds what every movement recorded up to its `position` adds up to; only levels that moved since the closing before are
written again. It is made a chunk of movements at a time, each chunk with its progress in one transaction, and can be stopped and gone
on with at any moment. No transaction that could still record something earlier is open when a position is chosen.

The past has two clocks: when something was booked (`recorded`), and when it happened (`occurred`): a sale that a till reports an hour
late is in the books of that later hour, and left the shelf in the earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from commerce.infra.db import Database, Tx
from commerce.stock.errors import NotPast
from commerce.stock.ledger import BUCKETS
from commerce.stock.schemas import Level

WhichClock = Literal["occurred", "recorded"]
CLOCKS: tuple[WhichClock, ...] = ("occurred", "recorded")

MARGIN = timedelta(hours=1)
"""How long ago a position lies at least: far longer than any transaction of ours may last."""
PERIOD = timedelta(days=1)
CHUNK = 1000
ROUNDS = 2
"""One to finish what was begun before, one of its own."""
INSTANT = timedelta(microseconds=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
NO_ID = UUID(int=2**128 - 1)
"""Greater than the id of any posting."""

NAMES = ", ".join(BUCKETS)
PARTS = ", ".join(
    f"CAST(sum(e.quantity) FILTER (WHERE e.place = '{bucket}') AS bigint) AS {bucket}" for bucket in BUCKETS
)
ENDS = """
CROSS JOIN LATERAL (
    VALUES (m.to_location_id, m.to_place, m.quantity::bigint), (m.from_location_id, m.from_place, -m.quantity::bigint)
) AS e(location_id, place, quantity)
"""

SETTLED = """
SELECT min(xact_start) FROM pg_stat_activity
WHERE datname = current_database() AND (backend_xid IS NOT NULL OR pid = pg_backend_pid())
"""
"""Everything recorded before this moment of the server's clock is committed, or never will be: whoever has written anything and is not
through began later. A transaction that has not written yet will record what it writes later than that."""
LAST = "SELECT number, position, made_at FROM stock.closings ORDER BY number DESC LIMIT 1"
BEGIN = """
INSERT INTO stock.closings (number, position, begun_at) VALUES (:number, :position, :at) ON CONFLICT DO NOTHING
"""
UNFINISHED = """
SELECT c.number, c.position, c.done_recorded_at, c.done_posting_id, c.done_n,
    (SELECT before.position FROM stock.closings before WHERE before.number = c.number - 1) AS after
FROM stock.closings c WHERE c.made_at IS NULL FOR NO KEY UPDATE OF c
"""
TAKE_IN = f"""
WITH taken AS MATERIALIZED (
    SELECT posting_id, n, recorded_at, variant_id, quantity, from_place, from_location_id, to_place, to_location_id
    FROM stock.movements
    WHERE recorded_at >= CAST(:since AS timestamptz) AND recorded_at <= CAST(:position AS timestamptz)
        AND (recorded_at, posting_id, n) > (CAST(:since AS timestamptz), CAST(:posting_id AS uuid), CAST(:n AS integer))
    ORDER BY recorded_at, posting_id, n LIMIT :chunk
), moved AS MATERIALIZED (
    SELECT e.location_id, m.variant_id, {PARTS}
    FROM taken m {ENDS} WHERE e.location_id IS NOT NULL GROUP BY e.location_id, m.variant_id
), replaced AS (
    UPDATE stock.closing_levels l SET until = :number FROM moved m
    WHERE l.location_id = m.location_id AND l.variant_id = m.variant_id AND l.until IS NULL AND l.closing < :number
    RETURNING l.location_id, l.variant_id, {", ".join(f"l.{bucket}" for bucket in BUCKETS)}
), put AS (
    INSERT INTO stock.closing_levels AS l (location_id, variant_id, closing, {NAMES})
    SELECT m.location_id, m.variant_id, :number, {", ".join(f"coalesce(r.{b}, 0) + coalesce(m.{b}, 0)" for b in BUCKETS)}
    FROM moved m LEFT JOIN replaced r ON r.location_id = m.location_id AND r.variant_id = m.variant_id
    ON CONFLICT (location_id, variant_id, closing) DO UPDATE SET {", ".join(f"{b} = l.{b} + excluded.{b}" for b in BUCKETS)}
)
SELECT recorded_at, posting_id, n, (SELECT count(*) FROM taken) AS taken
FROM taken ORDER BY recorded_at DESC, posting_id DESC, n DESC LIMIT 1
"""  # noqa: S608
"""A level that this closing has already has nothing to replace, and its row is added to; any other begins from the one it replaces."""
PROGRESS = """
UPDATE stock.closings SET done_recorded_at = :recorded_at, done_posting_id = :posting_id, done_n = :n, movements = movements + :taken
WHERE number = :number
"""
FINISH = "UPDATE stock.closings SET made_at = :at WHERE number = :number"


class Closing(Struct, frozen=True, kw_only=True):
    """The newest closing."""

    number: int
    position: datetime
    made: bool
    """By this call; otherwise it was there already."""
    movements: int
    """How many movements this call took in."""


class Begun(Struct, frozen=True, kw_only=True):
    """The newest closing, made or not, and whether this call began it."""

    number: int
    position: datetime
    now: bool


class Step(Struct, frozen=True, kw_only=True):
    """A chunk that was taken in."""

    movements: int
    last: bool


async def settled_until(tx: Tx) -> datetime:
    """Every movement recorded up to this moment is committed, and none will ever be recorded before it. One statement."""
    moment: datetime = await tx.scalar(SETTLED)
    return moment - INSTANT


def last_full_hour(at: datetime) -> datetime:
    """Up to where a closing made at a moment reaches."""
    return (at - MARGIN).replace(minute=0, second=0, microsecond=0)


async def begin(tx: Tx, *, until: datetime | None = None, every: timedelta = INSTANT) -> Begun:
    """Begin the next closing, up to `until` (the last full hour) or what is settled, when that lies at least `every` behind the last
    one and none is unfinished."""
    position = min(until or last_full_hour(tx.at), await settled_until(tx))
    last = await tx.first(LAST)
    if last is not None and (last.made_at is None or position - last.position < every):
        return Begun(number=last.number, position=last.position, now=False)
    number = 1 if last is None else last.number + 1
    now = await tx.execute(BEGIN, number=number, position=position, at=tx.at) == 1
    return Begun(number=number, position=position, now=now)


async def take_in(tx: Tx) -> Step | None:
    """Take a chunk of movements into the closing that is being made, and finish it after the last; None when none is being made."""
    row = await tx.first(UNFINISHED)
    if row is None:
        return None
    last = await tx.first(
        TAKE_IN, since=row.done_recorded_at or row.after or BEGINNING, posting_id=row.done_posting_id or NO_ID, n=row.done_n or 0,
        position=row.position, number=row.number, chunk=CHUNK,
    )  # fmt: skip
    taken = 0 if last is None else last.taken
    if last is not None:
        await tx.execute(
            PROGRESS, number=row.number, recorded_at=last.recorded_at, posting_id=last.posting_id, n=last.n, taken=taken
        )
    if taken < CHUNK:
        await tx.execute(FINISH, number=row.number, at=tx.at)
    return Step(movements=taken, last=taken < CHUNK)


async def close(
    db: Database, *, until: datetime | None = None, every: timedelta = INSTANT, tell: Callable[[int], None] | None = None
) -> Closing:  # fmt: skip
    """Make the next closing, or go on with one that was interrupted and then make the next; nothing when it is made already.

    `tell` is called after each chunk with the number of movements taken in so far.
    """
    movements, made = 0, False
    for _ in range(ROUNDS):
        begun = await db.write(begin, until=until, every=every)
        while (step := await db.write(take_in)) is not None:
            movements += step.movements
            made = True
            if tell is not None:
                tell(movements)
        if begun.now or not made:
            break
    return Closing(number=begun.number, position=begun.position, made=made, movements=movements)


async def close_daily(db: Database) -> None:
    """The periodic closing: once a day, for the last full hour."""
    await close(db, every=PERIOD)


def source(clock: WhichClock | None, *, by_variant: bool) -> str:
    """SQL of the levels of `:location_ids` (and `:variant_ids`) by (location_id, variant_id): as of `:at` by a clock, or now.

    Levels that had no goods may be absent. By `recorded`: the newest closing that was made by then, and what was booked after it. By
    `occurred`: what the closing counts and had not happened yet is taken off, and what had happened by then is added, whenever it was
    booked. What is booked within five minutes, and whatever is in the closing and lies in the past, needs no index of its own.
    """
    if clock is None:
        where = " AND l.variant_id = ANY(CAST(:variant_ids AS uuid[]))" if by_variant else ""
        return f"""
            SELECT l.location_id, l.variant_id, {", ".join(f"l.{b}::bigint AS {b}" for b in BUCKETS)}
            FROM stock.levels l WHERE l.location_id = ANY(CAST(:location_ids AS uuid[])){where}
        """  # noqa: S608
    position = "(SELECT coalesce(max(position), '-infinity') FROM base)"
    at = "CAST(:at AS timestamptz)"
    branches = {
        "recorded": [(1, f"m.recorded_at > {position} AND m.recorded_at <= {at}")],
        "occurred": [
            (1, f"m.recorded_at > {position} AND m.recorded_at <= {at} + interval '5 minutes' AND m.occurred_at <= {at}"),
            (
                1,
                f"m.recorded_at > {at} + interval '5 minutes' AND m.recorded_at - m.occurred_at > interval '5 minutes'"
                f" AND m.occurred_at <= {at}",
            ),
            (-1, f"m.occurred_at > m.recorded_at AND m.recorded_at <= {position} AND m.occurred_at > {at}"),
        ],
    }[clock]  # fmt: skip
    of_goods = " AND m.variant_id = ANY(CAST(:variant_ids AS uuid[]))" if by_variant else ""
    of_levels = " AND l.variant_id = ANY(CAST(:variant_ids AS uuid[]))" if by_variant else ""
    moved = " UNION ALL ".join(
        f"""
        SELECT e.location_id, m.variant_id, {", ".join(f"CASE e.place WHEN '{b}' THEN {sign} * e.quantity ELSE 0 END" for b in BUCKETS)}
        FROM stock.movements m {ENDS}
        WHERE {condition}{of_goods} AND e.location_id = ANY(CAST(:location_ids AS uuid[]))
        """  # noqa: S608
        for sign, condition in branches
    )
    return f"""
        WITH base AS MATERIALIZED (
            SELECT number, position FROM stock.closings WHERE made_at IS NOT NULL AND position <= {at} ORDER BY number DESC LIMIT 1
        )
        SELECT location_id, variant_id, {", ".join(f"CAST(sum({b}) AS bigint) AS {b}" for b in BUCKETS)}
        FROM (
            SELECT l.location_id, l.variant_id, {", ".join(f"l.{b}::bigint" for b in BUCKETS)}
            FROM base JOIN stock.closing_levels l ON l.closing <= base.number AND (l.until IS NULL OR l.until > base.number)
            WHERE l.location_id = ANY(CAST(:location_ids AS uuid[])){of_levels}
            UNION ALL {moved}
        ) AS part (location_id, variant_id, {NAMES})
        GROUP BY location_id, variant_id
    """  # noqa: S608


AS_OF: dict[tuple[WhichClock, bool], str] = {
    (clock, by_variant): f"""
        SELECT * FROM ({source(clock, by_variant=by_variant)}) AS past
        WHERE ({NAMES}) <> ({", ".join("0" for _ in BUCKETS)}) ORDER BY location_id, variant_id
    """  # noqa: S608
    for clock in CLOCKS
    for by_variant in (False, True)
}


def check_past(tx: Tx, at: datetime) -> None:
    """Raises NotPast: nobody knows the levels of a moment that has not come."""
    if at > tx.at:
        raise NotPast(at=at.isoformat(), now=tx.at.isoformat())


async def levels_as_of(
    tx: Tx,
    *,
    location_ids: Sequence[UUID],
    variant_ids: Sequence[UUID] | None = None,
    at: datetime,
    clock: WhichClock,
) -> list[Level]:
    """The levels of locations as they stood at a past instant, by (location_id, variant_id): by what had happened by then
    (`occurred`), or by what the books said then (`recorded`). One statement. Raises NotPast.

    A level without any goods is absent. What was set as safety stock then is not in the books: it is 0, and `ats` is `available`.
    """
    check_past(tx, at)
    binds: dict[str, Any] = {"location_ids": list(location_ids), "at": at}
    if variant_ids is not None:
        binds["variant_ids"] = list(variant_ids)
    rows = await tx.rows(AS_OF[clock, variant_ids is not None], binds)
    return [Level(**row, safety_stock=0, ats=row.available) for row in rows]
