"""The one primitive: a posting moves goods between places, changes reservations with them, and happens once (DESIGN 6).

`book` is ONE statement for any number of lines. In this order, by data dependency:

1. the level rows are locked, ordered by (location_id, variant_id); a lock that had to wait sees the newest row;
2. the reservations to be changed are locked and compared with what the verb saw;
3. only if everything fits, the posting is inserted, unless its cause has been posted before;
4. only if it was inserted, levels, reservations, movements and costs follow. Levels are set from the locked rows: the statement's
   own snapshot may be older than the lock, and PostgreSQL checks constraints on the snapshot's row before it looks for a newer one.

When it does not fit, nothing is written, the level rows stay locked until the end of the transaction, and the levels are
answered, so that the verb can say what is missing, or read again under the lock and book something that fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from commerce import catalog
from commerce.infra.db import Tx
from commerce.infra.outbox import actor_record
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.stock import safety
from commerce.stock.schemas import Bucket, Cause, Movement, Owner, Reservation, ReservationState, StandsOn

BUCKETS: tuple[Bucket, ...] = (
    "available",
    "reserved",
    "committed",
    "quality_control",
    "damaged",
    "in_transit",
    "in_transit_committed",
)
LIMIT = 2**31 - 1
ATTEMPTS = 4
"""The first attempt of a verb locks the levels; from then on its reservations stand still, so a second one fits."""
EXPIRY = "reservation_expiry"
"""Kind of the cause that returns an expired reservation; the id is the reservation's."""

Spot = tuple[UUID, UUID]
"""(location_id, variant_id): the key of a level, and its place in the lock order."""


class Standing(msgspec.Struct, frozen=True):
    """A level as `book` found it under the lock, before it changed anything. Zero and not locked when there is no row."""

    available: int = 0
    reserved: int = 0
    committed: int = 0
    quality_control: int = 0
    damaged: int = 0
    in_transit: int = 0
    in_transit_committed: int = 0
    safety_stock: int = 0
    average: int | None = None
    """Moving average cost of the variant."""
    absent: bool = True
    """There was no row: what arrives there makes it."""
    tracking: str | None = None
    """Whose units have codes of their own; told only when `book` is asked."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A posting to be: its cause and its movements, in order."""

    cause: Cause
    movements: Sequence[Movement]
    reason: str | None = None
    business_date: date | None = None
    """Its own, when acts of several locations are booked together."""
    id: UUID = msgspec.field(default_factory=uuid7)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A reservation that changes with the posting, if it still is as `seen`."""

    seen: Reservation
    state: ReservationState
    bucket: StandsOn
    quantity_open: int
    quantity_lost: int
    quantity: int | None = None
    """Its own, when a part of it becomes a reservation of its own."""
    location_id: UUID | None = None
    """Where its goods are now, when they travelled."""
    expected_id: UUID | None = None
    """The plan that it stands on now."""


class NewReservation(msgspec.Struct, frozen=True, kw_only=True):
    """A reservation that begins with the posting; `lost` from the start when it is the broken part of another."""

    owner: Owner
    line_id: UUID
    location_id: UUID
    variant_id: UUID
    bucket: StandsOn
    quantity: int
    expires_at: datetime | None = None
    per_unit: int = 1
    expected_id: UUID | None = None
    lost: bool = False
    created_at: datetime | None = None
    """That of the reservation which it was a part of: its place in the queue."""

    @property
    def state(self) -> ReservationState:
        """The state that it begins in."""
        return "short" if self.lost else "reserved" if self.bucket == "reserved" else "committed"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`posted`: written by this call. `replayed`: this cause was posted before, nothing was written.
    Neither: it does not fit, nothing was written, see `levels`."""

    posted: bool
    replayed: bool
    levels: dict[Spot, Standing]
    posting_id: UUID | None = None
    """Of the first act, when it was posted."""


_NAMES = ", ".join(BUCKETS)
_DELTA = """
delta AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[]), {arrays})
        AS d(location_id, variant_id, {names})
), locked AS MATERIALIZED (
    SELECT {columns}, l.location_id, l.variant_id, l.safety_stock
    FROM stock.levels l JOIN delta d ON d.location_id = l.location_id AND d.variant_id = l.variant_id
    ORDER BY l.location_id, l.variant_id FOR NO KEY UPDATE OF l
)""".format(  # noqa: S608
    arrays=", ".join(f"CAST(:{bucket} AS integer[])" for bucket in BUCKETS),
    names=_NAMES,
    columns=", ".join(f"l.{bucket}" for bucket in BUCKETS),
)
_HELD = """
change AS MATERIALIZED (
    SELECT * FROM unnest(
        CAST(:change_ids AS uuid[]), CAST(:states_seen AS text[]), CAST(:opens_seen AS integer[]), CAST(:losts_seen AS integer[]),
        CAST(:states AS text[]), CAST(:buckets AS text[]), CAST(:opens AS integer[]), CAST(:losts AS integer[]),
        CAST(:quantities AS integer[]), CAST(:change_locations AS uuid[]), CAST(:change_plans AS uuid[]),
        CAST(:buckets_seen AS text[]), CAST(:locations_seen AS uuid[])
    ) AS c(id, state_seen, open_seen, lost_seen, state, bucket, quantity_open, quantity_lost, quantity, location_id, expected_id,
        bucket_seen, location_seen)
), held AS MATERIALIZED (
    SELECT r.id, r.state, r.quantity_open, r.quantity_lost, r.bucket, r.location_id FROM stock.reservations r JOIN change c ON c.id = r.id
    WHERE (SELECT count(*) FROM locked) >= 0
    ORDER BY r.id FOR NO KEY UPDATE OF r
)"""
_AS_SEEN = """
(SELECT count(*) FROM held h JOIN change c
    ON c.id = h.id AND c.state_seen = h.state AND c.open_seen = h.quantity_open AND c.lost_seen = h.quantity_lost
        AND c.bucket_seen = h.bucket AND c.location_seen = h.location_id)
    = (SELECT count(*) FROM change)"""
_FITS = """
fits AS MATERIALIZED (
    SELECT bool_and({conditions}) AND {as_seen} AS yes
    FROM delta d LEFT JOIN locked l ON l.location_id = d.location_id AND l.variant_id = d.variant_id
), posting AS (
    INSERT INTO stock.postings (id, cause_kind, cause_id, actor, reason, occurred_at, business_date)
    SELECT p.id, p.cause_kind, p.cause_id, CAST(:actor AS jsonb), p.reason, :occurred_at, p.business_date
    FROM unnest(
        CAST(:act_ids AS uuid[]), CAST(:cause_kinds AS text[]), CAST(:cause_ids AS uuid[]), CAST(:reasons AS text[]),
        CAST(:business_dates AS date[])
    ) AS p(id, cause_kind, cause_id, reason, business_date), fits
    WHERE fits.yes
    ON CONFLICT (cause_kind, cause_id) DO NOTHING
    RETURNING id
), booked AS MATERIALIZED (
    SELECT count(*) AS acts, count(*) = cardinality(CAST(:act_ids AS uuid[])) AS yes FROM posting
), moved AS (
    INSERT INTO stock.movements
        (posting_id, n, variant_id, quantity, from_place, from_location_id, to_place, to_location_id, unit_cost, line_id, per_unit,
         occurred_at)
    SELECT m.posting_id, m.n, m.variant_id, m.quantity, m.from_place, m.from_location_id, m.to_place, m.to_location_id,
           CASE WHEN m.to_place = 'customer'
                THEN (SELECT c.average FROM stock.costs c WHERE c.variant_id = m.variant_id) ELSE m.unit_cost END,
           m.line_id, m.per_unit, :occurred_at
    FROM unnest(
        CAST(:move_postings AS uuid[]), CAST(:move_ns AS integer[]), CAST(:move_variants AS uuid[]), CAST(:move_quantities AS integer[]),
        CAST(:move_froms AS text[]), CAST(:move_from_locations AS uuid[]), CAST(:move_tos AS text[]), CAST(:move_to_locations AS uuid[]),
        CAST(:move_costs AS bigint[]), CAST(:move_lines AS uuid[]), CAST(:move_per_units AS integer[])
    ) AS m(posting_id, n, variant_id, quantity, from_place, from_location_id, to_place, to_location_id, unit_cost, line_id, per_unit),
        booked
    WHERE booked.yes
), changed AS (
    UPDATE stock.levels l SET {sums}
    FROM delta d JOIN locked k ON k.location_id = d.location_id AND k.variant_id = d.variant_id, booked
    WHERE booked.yes AND l.location_id = k.location_id AND l.variant_id = k.variant_id
)""".format(  # noqa: S608
    conditions="\n        AND ".join(
        [
            "coalesce(l.available, 0)::bigint + d.available BETWEEN"
            " CASE WHEN d.available < 0 AND CAST(:keep_safety AS boolean) THEN coalesce(l.safety_stock, 0) ELSE 0 END AND 2147483647",
            *(
                f"coalesce(l.{bucket}, 0)::bigint + d.{bucket} BETWEEN 0 AND 2147483647"
                for bucket in BUCKETS
                if bucket != "available"
            ),
        ]
    ),
    as_seen="{as_seen}",
    sums=", ".join(f"{bucket} = k.{bucket} + d.{bucket}" for bucket in BUCKETS),
)
_MADE = """
made AS (
    INSERT INTO stock.levels AS l (location_id, variant_id, {names})
    SELECT d.location_id, d.variant_id, {deltas} FROM delta d, booked
    WHERE booked.yes AND NOT EXISTS
        (SELECT FROM locked k WHERE k.location_id = d.location_id AND k.variant_id = d.variant_id)
    ORDER BY d.location_id, d.variant_id
    ON CONFLICT (location_id, variant_id) DO UPDATE SET {sums}
    RETURNING 1
)""".format(  # noqa: S608
    names=_NAMES,
    deltas=", ".join(f"d.{bucket}" for bucket in BUCKETS),
    sums=", ".join(f"{bucket} = l.{bucket} + excluded.{bucket}" for bucket in BUCKETS),
)
_CHANGED_RESERVATIONS = """
settled AS (
    UPDATE stock.reservations r
    SET state = c.state, bucket = c.bucket, quantity_open = c.quantity_open, quantity_lost = c.quantity_lost,
        quantity = c.quantity, location_id = c.location_id, expected_id = c.expected_id, changed_at = :at
    FROM change c, booked WHERE booked.yes AND r.id = c.id
)"""
_NEW_RESERVATIONS = """
begun AS (
    INSERT INTO stock.reservations (id, owner_kind, owner_id, line_id, location_id, variant_id, bucket, state,
        quantity, quantity_open, quantity_lost, per_unit, expected_id, expires_at, created_at, changed_at)
    SELECT n.id, n.owner_kind, n.owner_id, n.line_id, n.location_id, n.variant_id, n.bucket, n.state,
        n.quantity, CASE WHEN n.state = 'short' THEN 0 ELSE n.quantity END, CASE WHEN n.state = 'short' THEN n.quantity ELSE 0 END,
        n.per_unit, n.expected_id, n.expires_at, n.created_at, :at
    FROM unnest(
        CAST(:new_ids AS uuid[]), CAST(:new_owner_kinds AS text[]), CAST(:new_owner_ids AS uuid[]), CAST(:new_lines AS uuid[]),
        CAST(:new_locations AS uuid[]), CAST(:new_variants AS uuid[]), CAST(:new_buckets AS text[]), CAST(:new_quantities AS integer[]),
        CAST(:new_expiries AS timestamptz[]), CAST(:new_states AS text[]), CAST(:new_per_units AS integer[]),
        CAST(:new_plans AS uuid[]), CAST(:new_begins AS timestamptz[])
    ) AS n(id, owner_kind, owner_id, line_id, location_id, variant_id, bucket, quantity, expires_at, state, per_unit, expected_id,
        created_at), booked
    WHERE booked.yes
)"""
_COSTS = """
received AS (
    SELECT p.variant_id, sum(p.quantity) AS quantity, sum(p.quantity::numeric * p.unit_cost) AS value,
           (array_agg(p.posting_id ORDER BY p.posting_id DESC))[1] AS posting_id
    FROM unnest(CAST(:priced_variants AS uuid[]), CAST(:priced_quantities AS integer[]), CAST(:priced_costs AS bigint[]),
                CAST(:priced_postings AS uuid[])) AS p(variant_id, quantity, unit_cost, posting_id), booked
    WHERE booked.yes GROUP BY p.variant_id
), known AS (
    SELECT r.variant_id, r.quantity, r.value, (
        SELECT coalesce(sum(l.available::bigint + l.reserved + l.committed + l.quality_control + l.damaged
                            + l.in_transit + l.in_transit_committed), 0)
        FROM stock.levels l WHERE l.variant_id = r.variant_id)
        - coalesce((SELECT c.received FROM stock.costs c WHERE c.variant_id = r.variant_id), 0) AS before
    FROM received r
), averaged AS (
    INSERT INTO stock.costs AS c (variant_id, average, received, changed_at)
    SELECT k.variant_id, round(k.value / k.quantity), k.quantity, :at FROM known k WHERE {levels_first} ORDER BY k.variant_id
    ON CONFLICT (variant_id) DO UPDATE SET received = c.received + excluded.received, changed_at = excluded.changed_at,
        average = (
            SELECT round(((k.before + c.received) * c.average + k.value) / (k.before + c.received + k.quantity))
            FROM known k WHERE k.variant_id = c.variant_id)
    RETURNING c.variant_id, c.average
), told AS (
    INSERT INTO stock.cost_changes (variant_id, posting_id, average, changed_at)
    SELECT a.variant_id, r.posting_id, a.average, :occurred_at FROM averaged a JOIN received r ON r.variant_id = a.variant_id
)"""
"""Another receipt of the variant may have come in between the statement's snapshot and the lock on the cost row. Its units are not in
the on hand of the snapshot, but they are in `c.received`, read from the locked row: on hand - received (snapshot) + received (now)."""
_ANSWER = """
SELECT fits.yes AS fits, booked.acts, d.location_id, d.variant_id, {columns},
    coalesce(l.safety_stock, 0) AS safety_stock,
    (SELECT c.average FROM stock.costs c WHERE c.variant_id = d.variant_id) AS average, l.location_id IS NULL AS absent,
    {{tracking}} AS tracking
FROM fits, booked, delta d LEFT JOIN locked l ON l.location_id = d.location_id AND l.variant_id = d.variant_id
""".format(columns=", ".join(f"coalesce(l.{bucket}, 0) AS {bucket}" for bucket in BUCKETS))  # noqa: S608


@lru_cache(maxsize=32)
def _statement(*, changes: bool, begins: bool, arrives: bool, costs: bool, tracked: bool) -> str:
    parts = [_DELTA]
    if changes:
        parts.append(_HELD)
    parts.append(_FITS.format(as_seen=_AS_SEEN if changes else "true"))
    if arrives:
        parts.append(_MADE)
    if changes:
        parts.append(_CHANGED_RESERVATIONS)
    if begins:
        parts.append(_NEW_RESERVATIONS)
    if costs:
        # PostgreSQL runs data-modifying parts in any order; a cost row must be locked after every level.
        parts.append(_COSTS.format(levels_first="(SELECT count(*) FROM made) >= 0" if arrives else "true"))
    return (
        "WITH " + ", ".join(parts) + _ANSWER.format(tracking=catalog.tracking_of("d.variant_id") if tracked else "NULL")
    )


def deltas(movements: Iterable[Movement]) -> dict[Spot, dict[str, int]]:
    """What the movements do to each level, summed, in the lock order."""
    sums: dict[Spot, dict[str, int]] = {}
    for movement in movements:
        for location_id, place, sign in (
            (movement.from_location_id, movement.from_place, -1),
            (movement.to_location_id, movement.to_place, 1),
        ):
            if location_id is not None:
                level = sums.setdefault((location_id, movement.variant_id), {})
                level[place] = level.get(place, 0) + sign * movement.quantity
    return dict(sorted(sums.items()))


async def post(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    movements: Sequence[Movement],
    tracked: bool = False,
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> Outcome:
    """Book one act that touches no reservation. One statement; a cause that was posted before moves nothing."""
    act = Act(cause=cause, movements=movements, reason=reason)
    return await book(tx, actor, [act], tracked=tracked, occurred_at=occurred_at, business_date=business_date)


async def book(
    tx: Tx,
    actor: Actor,
    acts: Sequence[Act],
    *,
    changes: Sequence[Change] = (),
    begins: Sequence[NewReservation] = (),
    keep_safety: bool = False,
    tracked: bool = False,
    occurred_at: datetime | None = None,
    business_date: date | None = None,
) -> Outcome:
    """Book acts together with what they do to reservations, all or nothing, in one statement.

    `keep_safety` refuses to take `available` below the safety stock: what other channels promise; `tracked` also asks whose units
    have codes of their own. `occurred_at` is when it
    happened (default: the transaction's time), `business_date` the location's own date (default: that of UTC). An act that only
    changes reservations is a posting without movements; acts that neither move nor change anything leave no trace.
    """
    movements = [(act.id, n, movement) for act in acts for n, movement in enumerate(act.movements, 1)]
    sums = deltas(movement for _, _, movement in movements)
    touched = {(change.seen.location_id, change.seen.variant_id) for change in changes}
    plans = {(new.location_id, new.variant_id) for new in begins if new.bucket == "promised"}
    touched |= plans
    if not touched <= sums.keys():
        # A reservation changes under the lock of its level, even when nothing moves there.
        sums = dict(sorted(({spot: {} for spot in touched} | sums).items()))
    if not sums:
        return Outcome(posted=True, replayed=False, levels={})
    if any(abs(change) > LIMIT for level in sums.values() for change in level.values()):
        return Outcome(posted=False, replayed=False, levels=dict.fromkeys(sums, Standing(available=LIMIT)))
    # A level that loses something must exist already; one that only gains may have to be made.
    arrives = bool(plans) or any(level and min(level.values()) >= 0 for level in sums.values())
    priced = [
        (posting_id, m)
        for posting_id, _, m in movements
        if m.from_place in ("supplier", "conversion") and m.unit_cost is not None
    ]
    happened = occurred_at or tx.at
    values: dict[str, Any] = {
        "location_ids": [location_id for location_id, _ in sums],
        "variant_ids": [variant_id for _, variant_id in sums],
        **{bucket: [level.get(bucket, 0) for level in sums.values()] for bucket in BUCKETS},
        "keep_safety": keep_safety,
        "actor": msgspec.json.encode(actor_record(actor)).decode(),
        "occurred_at": happened,
        "business_dates": [act.business_date or business_date or happened.astimezone(UTC).date() for act in acts],
        "act_ids": [act.id for act in acts],
        "cause_kinds": [act.cause.kind for act in acts],
        "cause_ids": [act.cause.id for act in acts],
        "reasons": [act.reason for act in acts],
        "move_postings": [posting_id for posting_id, _, _ in movements],
        "move_ns": [n for _, n, _ in movements],
        "move_variants": [m.variant_id for _, _, m in movements],
        "move_quantities": [m.quantity for _, _, m in movements],
        "move_froms": [m.from_place for _, _, m in movements],
        "move_from_locations": [m.from_location_id for _, _, m in movements],
        "move_tos": [m.to_place for _, _, m in movements],
        "move_to_locations": [m.to_location_id for _, _, m in movements],
        "move_costs": [m.unit_cost for _, _, m in movements],
        "move_lines": [m.line_id for _, _, m in movements],
        "move_per_units": [m.per_unit for _, _, m in movements],
    }
    if changes or begins or priced:
        values["at"] = tx.at
    if changes:
        ordered = sorted(changes, key=lambda change: change.seen.id)
        values |= {
            "change_ids": [change.seen.id for change in ordered],
            "states_seen": [change.seen.state for change in ordered],
            "opens_seen": [change.seen.quantity_open for change in ordered],
            "losts_seen": [change.seen.quantity_lost for change in ordered],
            "buckets_seen": [change.seen.bucket for change in ordered],
            "locations_seen": [change.seen.location_id for change in ordered],
            "states": [change.state for change in ordered],
            "buckets": [change.bucket for change in ordered],
            "opens": [change.quantity_open for change in ordered],
            "losts": [change.quantity_lost for change in ordered],
            "quantities": [change.seen.quantity if change.quantity is None else change.quantity for change in ordered],
            "change_locations": [change.location_id or change.seen.location_id for change in ordered],
            "change_plans": [change.expected_id or change.seen.expected_id for change in ordered],
        }
    if begins:
        values |= {
            "new_ids": [uuid7() for _ in begins],
            "new_owner_kinds": [new.owner.kind for new in begins],
            "new_owner_ids": [new.owner.id for new in begins],
            "new_lines": [new.line_id for new in begins],
            "new_locations": [new.location_id for new in begins],
            "new_variants": [new.variant_id for new in begins],
            "new_buckets": [new.bucket for new in begins],
            "new_quantities": [new.quantity for new in begins],
            "new_expiries": [new.expires_at for new in begins],
            "new_states": [new.state for new in begins],
            "new_per_units": [new.per_unit for new in begins],
            "new_plans": [new.expected_id for new in begins],
            "new_begins": [new.created_at or tx.at for new in begins],
        }
    if priced:
        values |= {
            "priced_variants": [m.variant_id for _, m in priced],
            "priced_quantities": [m.quantity for _, m in priced],
            "priced_costs": [m.unit_cost for _, m in priced],
            "priced_postings": [posting_id for posting_id, _ in priced],
        }
    statement = _statement(
        changes=bool(changes), begins=bool(begins), arrives=arrives, costs=bool(priced), tracked=tracked
    )
    rows = await tx.rows(statement, values)
    fits, written = rows[0].fits, rows[0].acts
    if 0 < written < len(acts):
        raise RuntimeError(f"only {written} of {len(acts)} postings of one act were new")
    outcome = Outcome(
        posted=written == len(acts),
        replayed=fits and written == 0,
        levels={(row.location_id, row.variant_id): Standing(*row[4:]) for row in rows},
        posting_id=acts[0].id if written else None,
    )
    made = [spot for spot, level in outcome.levels.items() if level.absent] if outcome.posted and arrives else []
    if made:
        await safety.resolve(tx, made)
    return outcome


MAKE = """
INSERT INTO stock.levels AS l (location_id, variant_id)
SELECT d.location_id, d.variant_id FROM unnest(CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[])) AS d(location_id, variant_id)
ORDER BY d.location_id, d.variant_id
ON CONFLICT (location_id, variant_id) DO UPDATE SET available = l.available WHERE false
RETURNING l.location_id, l.variant_id
"""
"""Makes the levels that are not there, and locks all of them, in one ordered pass; those that are there are not written."""
LOCK = """
SELECT l.location_id, l.variant_id, l.available, l.reserved, l.committed, l.quality_control, l.damaged, l.in_transit,
    l.in_transit_committed, l.safety_stock, false AS absent
FROM unnest(CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[])) AS d(location_id, variant_id)
JOIN stock.levels l ON l.location_id = d.location_id AND l.variant_id = d.variant_id
ORDER BY l.location_id, l.variant_id FOR NO KEY UPDATE OF l
"""
POSTED = """
SELECT p.cause_id FROM unnest(CAST(:ids AS uuid[])) AS d(id)
JOIN stock.postings p ON p.cause_kind = :kind AND p.cause_id = d.id
"""


async def lock(tx: Tx, spots: Iterable[Spot]) -> dict[Spot, Standing]:
    """Lock levels in order and read what is on the shelf for sale. Two statements.

    A level that does not exist is made, empty: what is not there cannot be locked, and somebody else would fill it meanwhile.
    """
    keys = sorted(set(spots))
    made = await tx.rows(MAKE, location_ids=[key[0] for key in keys], variant_ids=[key[1] for key in keys])
    if made:
        await safety.resolve(tx, [(row.location_id, row.variant_id) for row in made])
    rows = await tx.rows(LOCK, location_ids=[key[0] for key in keys], variant_ids=[key[1] for key in keys])
    return {
        (row.location_id, row.variant_id): Standing(
            row.available,
            row.reserved,
            row.committed,
            row.quality_control,
            row.damaged,
            row.in_transit,
            row.in_transit_committed,
            row.safety_stock,
            None,
            False,
        )
        for row in rows
    }


async def posted_of(tx: Tx, kind: str, ids: Sequence[UUID]) -> set[UUID]:
    """Which causes of a kind have been posted."""
    return {row.cause_id for row in await tx.rows(POSTED, kind=kind, ids=list(ids))}


RESERVATION = """
SELECT r.id, r.owner_kind, r.owner_id, r.line_id, r.location_id, r.variant_id, r.bucket, r.state,
       r.quantity, r.quantity_open, r.quantity_lost, r.expires_at, r.created_at, r.per_unit, r.expected_id, known.posted
FROM (SELECT EXISTS (SELECT FROM stock.postings WHERE cause_kind = :cause_kind AND cause_id = :cause_id) AS posted) known
"""
OF_OWNER = f"""
SELECT held.*, (
    SELECT jsonb_agg(jsonb_build_object(
        'variant_id', u.variant_id, 'code', u.code, 'line_id', u.picked_line, 'location_id', u.location_id) ORDER BY u.changed_at, u.code)
    FROM stock.units u WHERE u.picked_for = :owner_id
) AS picked
FROM ({RESERVATION} LEFT JOIN stock.reservations r ON r.owner_kind = :owner_kind AND r.owner_id = :owner_id) held
ORDER BY held.created_at, held.id
"""  # noqa: S608
ON_LEVELS = (
    RESERVATION  # noqa: S608
    + """
LEFT JOIN (
    SELECT r.* FROM unnest(CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[])) AS d(location_id, variant_id)
    JOIN stock.reservations r ON r.location_id = d.location_id AND r.variant_id = d.variant_id AND r.quantity_open > 0
) r ON true
ORDER BY r.created_at DESC, r.id DESC
"""
)
EXPIRED_ON_LEVELS = (
    RESERVATION  # noqa: S608
    + """
LEFT JOIN (
    SELECT r.* FROM unnest(CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[])) AS d(location_id, variant_id)
    JOIN stock.reservations r ON r.location_id = d.location_id AND r.variant_id = d.variant_id AND r.quantity_open > 0
    WHERE r.state = 'reserved' AND r.expires_at <= :at
) r ON true
ORDER BY r.expires_at, r.id
"""
)


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """A unit in an owner's box."""

    variant_id: UUID
    code: str
    line_id: UUID
    location_id: UUID


class Found(msgspec.Struct, frozen=True):
    """Reservations, and whether the cause has been posted, on one snapshot."""

    posted: bool
    reservations: list[Reservation]
    picked: list[Picked] = []
    """Units with codes that lie in the owner's box, those picked first before."""


def reservation(row: Any) -> Reservation:
    """A row of `RESERVATION`."""
    return Reservation(
        id=row.id,
        owner=Owner(row.owner_kind, row.owner_id),
        line_id=row.line_id,
        location_id=row.location_id,
        variant_id=row.variant_id,
        bucket=row.bucket,
        state=row.state,
        quantity=row.quantity,
        quantity_open=row.quantity_open,
        quantity_lost=row.quantity_lost,
        expires_at=row.expires_at,
        created_at=row.created_at,
        per_unit=row.per_unit,
        expected_id=row.expected_id,
    )


def _found(rows: Sequence[Any]) -> Found:
    return Found(rows[0].posted, [reservation(row) for row in rows if row.id is not None])


async def of_owner(tx: Tx, owner: Owner, cause: Cause) -> Found:
    """All reservations of an owner, live or not, oldest first, and the units picked for it. Nothing is locked."""
    rows = await tx.rows(OF_OWNER, cause_kind=cause.kind, cause_id=cause.id, owner_kind=owner.kind, owner_id=owner.id)
    picked = msgspec.convert(rows[0].picked or [], list[Picked])
    return msgspec.structs.replace(_found(rows), picked=picked)


async def on_levels(tx: Tx, spots: Iterable[Spot], cause: Cause) -> Found:
    """Live reservations on some levels, newest first. Exact under the lock that `book` left behind."""
    keys = sorted(spots)
    return _found(
        await tx.rows(
            ON_LEVELS, cause_kind=cause.kind, cause_id=cause.id,
            location_ids=[key[0] for key in keys], variant_ids=[key[1] for key in keys],
        )
    )  # fmt: skip


async def expired_on_levels(tx: Tx, spots: Iterable[Spot], cause: Cause) -> Found:
    """Expired reservations on some levels that nobody has swept, longest expired first."""
    keys = sorted(spots)
    return _found(
        await tx.rows(
            EXPIRED_ON_LEVELS, cause_kind=cause.kind, cause_id=cause.id, at=tx.at,
            location_ids=[key[0] for key in keys], variant_ids=[key[1] for key in keys],
        )
    )  # fmt: skip


def expiry(held: Reservation, business_date: date | None = None) -> tuple[Act, Change]:
    """An expired reservation goes back to `available`, with its own posting; `business_date` is its location's."""
    movement = Movement(
        variant_id=held.variant_id,
        quantity=held.quantity_open,
        from_place="reserved",
        from_location_id=held.location_id,
        to_place="available",
        to_location_id=held.location_id,
        line_id=held.line_id,
        per_unit=held.per_unit,
    )
    act = Act(cause=Cause(EXPIRY, held.id), movements=[movement], business_date=business_date)
    change = Change(
        seen=held,
        state="expired",
        bucket=held.bucket,
        quantity_open=0,
        quantity_lost=held.quantity_lost + held.quantity_open,
    )
    return act, change
