"""Verbs of `counts`. Every change of a count happens under the lock of its row; its lines and entries change under it too.

A variance is what was counted less what the books say for the moment of counting, as it happened: what is sold meanwhile does not
matter. It is reckoned when goods are entered, when the count is submitted, and once more before it is posted, so that a sale that
reaches the books late is not lost twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from stdnum import luhn

from commerce import catalog, locations, prices, stock
from commerce.counts import events, queries
from commerce.counts.errors import (
    AlreadyCounting,
    BeingCounted,
    BundleNotCounted,
    CountChanged,
    CountClosed,
    CountScope,
    CountTaskClosed,
    NothingCounted,
    NothingToCount,
    NotInCount,
    NotRecounted,
    OtherStoresCount,
    TooMuchToCount,
    UncountedLines,
    UnknownCountTask,
    UnknownInCount,
    WrongCountMoment,
    WrongCountStep,
)
from commerce.counts.queries import COLUMNS, LINE
from commerce.counts.schemas import (
    LIVE,
    ApproveCount,
    CancelCount,
    CountEntry,
    CountTaskView,
    CountView,
    DismissTask,
    EnterCount,
    EnteredView,
    Line,
    OpenCount,
    RecountLines,
    Session,
    State,
    TaskReason,
    Uncounted,
)
from commerce.counts.tables import sessions, steps
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.ids import uuid7
from commerce.kernel.money import MAX_MINOR, line_amount
from commerce.locations import Location

MOST = 10_000
"""Lines of one count: what one person still oversees."""
NAMED = 5
"""SKUs that a refusal names."""
LARGEST = 2_147_483_647

LOCK = f"SELECT {COLUMNS} FROM counts.sessions s WHERE s.number = :number FOR NO KEY UPDATE"  # noqa: S608
MY_LINES = f"""
SELECT {LINE} FROM counts.lines l
WHERE l.session_id = :session AND (CAST(:variants AS uuid[]) IS NULL OR l.variant_id = ANY(CAST(:variants AS uuid[])))
ORDER BY l.variant_id
"""  # noqa: S608
INSERT_LINES = """
INSERT INTO counts.lines (session_id, variant_id, location_id, live, round)
SELECT :session, w.variant_id, :location, true, :round FROM unnest(CAST(:variants AS uuid[])) AS w(variant_id) ORDER BY w.variant_id
ON CONFLICT (location_id, variant_id) WHERE live DO NOTHING RETURNING variant_id
"""
COUNTED_ELSEWHERE = """
SELECT l.variant_id, s.number FROM counts.lines l JOIN counts.sessions s ON s.id = l.session_id
WHERE l.location_id = :location AND l.live AND l.variant_id = ANY(CAST(:variants AS uuid[])) AND s.id <> :session
ORDER BY l.variant_id LIMIT 100
"""
TASK_VARIANTS = """
SELECT t.variant_id FROM counts.tasks t WHERE t.location_id = :location AND t.state = 'open' AND NOT EXISTS (
    SELECT FROM counts.lines l WHERE l.location_id = t.location_id AND l.variant_id = t.variant_id AND l.live)
ORDER BY t.opened_at, t.id LIMIT :most
"""
SPOTS = """
SELECT e.variant_id, e.spot, max(e.counted_at) AS counted_at FROM counts.entries e
WHERE e.session_id = :session AND e.round = :round AND e.stands AND e.variant_id = ANY(CAST(:variants AS uuid[]))
GROUP BY e.variant_id, e.spot
"""
SUPERSEDE = """
UPDATE counts.entries e SET stands = false
FROM unnest(CAST(:variants AS uuid[]), CAST(:spots AS text[])) AS w(variant_id, spot)
WHERE e.session_id = :session AND e.round = :round AND e.stands AND e.variant_id = w.variant_id AND e.spot = w.spot
"""
INSERT_ENTRIES = """
INSERT INTO counts.entries (id, session_id, variant_id, round, spot, quantity, counted_at, counted_by, device, version, stands)
SELECT w.id, :session, w.variant_id, :round, w.spot, w.quantity, w.counted_at, :counted_by, CAST(:device AS uuid), :version, w.stands
FROM unnest(CAST(:ids AS uuid[]), CAST(:variants AS uuid[]), CAST(:spots AS text[]), CAST(:quantities AS integer[]),
    CAST(:moments AS timestamptz[]), CAST(:stand AS boolean[])) AS w(id, variant_id, spot, quantity, counted_at, stands)
"""
TALLIES = """
SELECT e.variant_id, sum(e.quantity) AS counted, min(e.counted_at) AS first_at, max(e.counted_at) AS last_at
FROM counts.entries e JOIN counts.lines l ON l.session_id = e.session_id AND l.variant_id = e.variant_id AND l.round = e.round
WHERE e.session_id = :session AND e.stands
    AND (CAST(:variants AS uuid[]) IS NULL OR e.variant_id = ANY(CAST(:variants AS uuid[])))
GROUP BY e.variant_id
"""
CHANGE_LINES = """
UPDATE counts.lines l SET counted = w.counted, counted_at = w.counted_at, expected = w.expected, moved = w.moved, variance = w.variance,
    cost_amount = w.cost_amount, price_amount = w.price_amount, round = w.round, resolution = w.resolution, live = :live
FROM unnest(CAST(:variants AS uuid[]), CAST(:rounds AS integer[]), CAST(:counts AS integer[]), CAST(:moments AS timestamptz[]),
    CAST(:expected AS bigint[]), CAST(:moved AS bigint[]), CAST(:variances AS bigint[]), CAST(:costs AS bigint[]),
    CAST(:prices AS bigint[]), CAST(:resolutions AS text[]))
    AS w(variant_id, round, counted, counted_at, expected, moved, variance, cost_amount, price_amount, resolution)
WHERE l.session_id = :session AND l.variant_id = w.variant_id
"""
LET_GO = "UPDATE counts.lines SET live = false WHERE session_id = :session"
CHANGE_HEAD = """
UPDATE counts.sessions SET state = CAST(:state AS text), round = CAST(:round AS integer),
    round_began_at = CAST(:round_began_at AS timestamptz), submitted_at = CAST(:submitted_at AS timestamptz),
    closed_at = CAST(:closed_at AS timestamptz), uncounted = CAST(:uncounted AS text), version = CAST(:version AS integer)
WHERE id = CAST(:id AS uuid)
"""
ASK = """
WITH asked AS (
    INSERT INTO counts.tasks AS t (id, location_id, variant_id, reason, quantity, state, opened_at, changed_at)
    SELECT w.id, :location, w.variant_id, :reason, w.quantity, 'open', :at, :at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:variants AS uuid[]), CAST(:quantities AS integer[])) AS w(id, variant_id, quantity)
    ORDER BY w.variant_id
    ON CONFLICT (location_id, variant_id) WHERE state = 'open' DO UPDATE SET changed_at = greatest(t.changed_at, excluded.changed_at),
        quantity = CAST(least(t.quantity::bigint + excluded.quantity, 2147483647) AS integer), version = t.version + 1
    RETURNING id, variant_id, version
), because AS (
    INSERT INTO counts.task_sources (task_id, event_id, reason, quantity, occurred_at)
    SELECT a.id, :event, :reason, w.quantity, :at FROM asked a
    JOIN unnest(CAST(:variants AS uuid[]), CAST(:quantities AS integer[])) AS w(variant_id, quantity) ON w.variant_id = a.variant_id
    RETURNING 1
)
SELECT id, variant_id, version FROM asked
"""
CLOSE_TASKS = """
UPDATE counts.tasks t SET state = 'counted', session_id = :session, closed_at = :at, version = t.version + 1
FROM (
    SELECT t.id FROM counts.tasks t
    JOIN unnest(CAST(:variants AS uuid[]), CAST(:moments AS timestamptz[])) AS w(variant_id, counted_at)
        ON w.variant_id = t.variant_id AND t.changed_at <= w.counted_at
    WHERE t.location_id = :location AND t.state = 'open' ORDER BY t.id FOR NO KEY UPDATE OF t
) done WHERE t.id = done.id RETURNING t.id, t.variant_id, t.version
"""
LOCK_TASK = "SELECT id, location_id, variant_id, state, version FROM counts.tasks WHERE id = :id FOR NO KEY UPDATE"
DISMISS = """
UPDATE counts.tasks SET state = 'dismissed', dismissed_because = :reason, closed_at = :at, version = version + 1 WHERE id = :id
"""


async def open_count(tx: Tx, actor: Actor, *, code: str, command: OpenCount, currency: str) -> CountView:
    """Begin to count at a location. A variant is in one live count of a location at most.

    Raises UnknownLocation, CountScope, UnknownInCount, BundleNotCounted, UnknownCategory, NothingToCount, TooMuchToCount,
    AlreadyCounting.
    """
    location = await locations.one(tx, code)
    variant_ids = await _scope(tx, location, command)
    session = Session(
        id=uuid7(), number=_new_number(), location_id=location.id, scope=command.scope, zone=command.zone,
        categories=list(dict.fromkeys(command.categories)), blind=command.blind, note=command.note, currency=currency,
        state="open", round=1, opened_at=tx.at, round_began_at=tx.at, submitted_at=None, closed_at=None, uncounted=None,
        version=1,
    )  # fmt: skip
    await tx.execute(
        sessions.insert(),
        id=session.id, number=session.number, location_id=session.location_id, scope=session.scope, zone=session.zone,
        categories=session.categories, blind=session.blind, purpose=session.note, currency=currency, state="open", round=1,
        opened_at=tx.at, round_began_at=tx.at, version=1,
    )  # fmt: skip
    await _add_lines(tx, session, variant_ids)
    _tell(tx, actor, session, "opened", {"variants": len(variant_ids), "tasks": command.tasks})
    outbox.record(
        tx, actor, events.CountOpened(**_named(session), scope=session.scope, variants=len(variant_ids))
    )  # fmt: skip
    _audit(tx, actor, session, "count.open", scope=session.scope, variants=len(variant_ids), blind=session.blind)
    return (await queries.views(tx, actor, [session], location))[0]


async def enter(tx: Tx, actor: Actor, *, code: str, number: str, command: EnterCount) -> EnteredView:
    """Add what somebody counted to the round. All of it, or nothing.

    Raises UnknownLocation, UnknownCount, OtherStoresCount, CountClosed, WrongCountStep, UnknownInCount, BundleNotCounted,
    NotInCount, WrongCountMoment, AlreadyCounting, LevelTooHigh.
    """
    _, session = await _lock(tx, code, number, "open", "recount")
    found = await _articles(tx, command.entries)
    await _check_in_count(tx, session, {variant.id: variant for variant, _ in found})
    tally: dict[tuple[UUID, str, datetime], int] = {}
    for entry, (variant, quantity) in zip(command.entries, found, strict=True):
        counted_at = entry.counted_at or tx.at
        if not session.round_began_at <= counted_at <= tx.at:
            raise WrongCountMoment(since=session.round_began_at.isoformat(), until=tx.at.isoformat())
        key = (variant.id, entry.spot or "", counted_at)
        tally[key] = tally.get(key, 0) + quantity
    if max(tally.values()) > LARGEST:
        raise stock.LevelTooHigh
    session.version += 1
    await _write_entries(tx, actor, session, tally, replace=command.replace)
    touched = sorted({variant_id for variant_id, _, _ in tally})
    lines = await _reckon(tx, session, touched)
    await _write_lines(tx, session, lines)
    _tell(tx, actor, session, "entered", {"round": session.round, "entries": len(tally), "variants": len(touched)})
    outbox.record(tx, actor, events.CountEntered(**_named(session), round=session.round, entries=len(tally)))
    _audit(tx, actor, session, "count.enter", round=session.round, entries=len(tally))
    _save(tx, session)
    return EnteredView(
        number=session.number, state=session.state, round=session.round, version=session.version,
        lines=await queries.line_views(tx, session, lines, shown=queries.sees_books(actor, session, code)),
    )  # fmt: skip


async def submit(
    tx: Tx, actor: Actor, *, code: str, number: str, tolerance_minor: int, expected: int | None = None
) -> CountView:
    """The counters are done. Posted at once when all was counted and nothing differs, or no more than `tolerance_minor` at cost.

    Raises UnknownLocation, UnknownCount, OtherStoresCount, CountChanged, CountClosed, WrongCountStep, NothingCounted,
    NotRecounted, LevelTooHigh, BelowZero.
    """
    location, session = await _as_seen(tx, code, number, "open", "recount", expected=expected)
    session.submitted_at = tx.at
    lines = await _reckon(tx, session)
    missing = [line for line in lines if line.counted is None]
    if len(missing) == len(lines):
        raise NothingCounted(number=number)
    if session.state == "recount":
        again = [line.variant_id for line in missing if line.round == session.round]
        if again:
            raise NotRecounted(skus=await _skus(tx, again))
    await _write_lines(tx, session, lines)
    session.state = "counted"
    session.version += 1
    varying = [line for line in lines if line.variance]
    _tell(
        tx, actor, session, "submitted",
        {"round": session.round, "counted": len(lines) - len(missing), "not_counted": len(missing)},
    )  # fmt: skip
    outbox.record(
        tx, actor,
        events.CountSubmitted(
            **_named(session), round=session.round, variances=len(varying), not_counted=len(missing)
        ),
    )  # fmt: skip
    _audit(tx, actor, session, "count.submit", round=session.round, not_counted=len(missing))
    if not missing and await _tolerable(tx, session, varying, tolerance_minor):
        await _close(tx, actor, session, location, lines, uncounted=None, reason=None, by="tolerance")
    _save(tx, session)
    return (await queries.views(tx, actor, [session], location))[0]


async def recount(
    tx: Tx, actor: Actor, *, code: str, number: str, command: RecountLines, expected: int | None = None
) -> CountView:
    """Have some of it counted once more, in a new round.

    Raises UnknownLocation, UnknownCount, OtherStoresCount, CountChanged, CountClosed, WrongCountStep, UnknownInCount, NotInCount.
    """
    location, session = await _as_seen(tx, code, number, "counted", expected=expected)
    known = await catalog.by_skus(tx, list(dict.fromkeys(command.skus)))
    _all_known(command.skus, known)
    wanted = {known[sku].id: known[sku].sku for sku in command.skus}
    lines = {line.variant_id: line for line in await _lines(tx, session, list(wanted))}
    foreign = [sku for variant_id, sku in wanted.items() if variant_id not in lines]
    if foreign:
        raise NotInCount(skus=_few(foreign))
    session.round += 1
    session.round_began_at = tx.at
    session.state = "recount"
    session.version += 1
    await _write_lines(tx, session, [Line(variant_id=variant_id, round=session.round) for variant_id in lines])
    _tell(
        tx, actor, session, "recount_asked",
        {"round": session.round, "variants": sorted(map(str, lines)), "reason": command.reason},
    )  # fmt: skip
    outbox.record(tx, actor, events.CountAgain(**_named(session), round=session.round, variants=len(lines)))
    _audit(tx, actor, session, "count.recount", round=session.round, variants=len(lines))
    _save(tx, session)
    return (await queries.views(tx, actor, [session], location))[0]


async def approve(
    tx: Tx, actor: Actor, *, code: str, number: str, command: ApproveCount, expected: int | None = None
) -> CountView:
    """Take the count for the truth: its variances are posted, once, and it is closed.

    Raises UnknownLocation, UnknownCount, OtherStoresCount, CountChanged, CountClosed, WrongCountStep, UncountedLines, BelowZero,
    LevelTooHigh.
    """
    location, session = await _as_seen(tx, code, number, "counted", expected=expected)
    lines = await _reckon(tx, session)
    missing = [line for line in lines if line.counted is None]
    if missing and command.uncounted is None:
        raise UncountedLines(count=len(missing), skus=await _skus(tx, [line.variant_id for line in missing]))
    await _close(
        tx, actor, session, location, lines,
        uncounted=command.uncounted if missing else None, reason=command.reason, by="approval",
    )  # fmt: skip
    _save(tx, session)
    return (await queries.views(tx, actor, [session], location))[0]


async def cancel(
    tx: Tx, actor: Actor, *, code: str, number: str, command: CancelCount, expected: int | None = None
) -> CountView:
    """Give a count up; the books stay as they are.

    Raises UnknownLocation, UnknownCount, OtherStoresCount, CountChanged, CountClosed.
    """
    location, session = await _as_seen(tx, code, number, *LIVE, expected=expected)
    before = session.state
    session.state = "cancelled"
    session.closed_at = tx.at
    session.version += 1
    await tx.execute(LET_GO, session=session.id)
    _tell(tx, actor, session, "cancelled", {"reason": command.reason})
    outbox.record(tx, actor, events.CountCancelled(**_named(session)))
    _audit(tx, actor, session, "count.cancel", before=before)
    _save(tx, session)
    return (await queries.views(tx, actor, [session], location))[0]


async def ask(
    tx: Tx, actor: Actor, *, location_id: UUID, wanted: Mapping[UUID, int], reason: TaskReason, event_id: UUID
) -> None:
    """Ask for a count of variants (and how many units are in question) because of an event. One open task for each: it is added
    to when there is one. One statement."""
    if not wanted:
        return
    ordered = sorted(wanted)
    rows = await tx.rows(
        ASK, location=location_id, reason=reason, event=event_id, at=tx.at, ids=[uuid7() for _ in ordered], variants=ordered,
        quantities=[wanted[variant_id] for variant_id in ordered],
    )  # fmt: skip
    for row in rows:
        kind = events.CountAsked if row.version == 1 else events.CountAskedAgain
        outbox.record(
            tx, actor,
            kind(
                aggregate_id=row.id, version=row.version, location_id=location_id, variant_id=row.variant_id, reason=reason
            ),
        )  # fmt: skip


async def dismiss(tx: Tx, actor: Actor, *, code: str, task_id: UUID, command: DismissTask) -> CountTaskView:
    """Decide that a task needs no count. Raises UnknownLocation, UnknownCountTask, OtherStoresCount, CountTaskClosed."""
    location = await locations.one(tx, code)
    row = await tx.first(LOCK_TASK, id=task_id)
    if row is None:
        raise UnknownCountTask
    if row.location_id != location.id:
        raise OtherStoresCount(number=str(task_id))
    if row.state != "open":
        raise CountTaskClosed(state=row.state)
    await tx.execute(DISMISS, id=task_id, reason=command.reason, at=tx.at)
    outbox.record(
        tx, actor,
        events.CountTaskDismissed(
            aggregate_id=task_id, version=row.version + 1, location_id=location.id, variant_id=row.variant_id
        ),
    )  # fmt: skip
    outbox.audit(
        tx, actor, "count_task.dismiss", "count_task", task_id, before={"state": "open"}, after={"state": "dismissed"}
    )
    return await queries.task(tx, task_id=task_id, location=location)


async def _scope(tx: Tx, location: Location, command: OpenCount) -> list[UUID]:
    _check_shape(command)
    wanted: dict[UUID, None] = {}
    if command.skus:
        known = await catalog.by_skus(tx, list(dict.fromkeys(command.skus)))
        _all_known(command.skus, known)
        _no_bundles(known.values())
        wanted |= dict.fromkeys(variant.id for variant in known.values())
    if command.scope == "category":
        await catalog.check_categories(tx, command.categories)
        inside = await catalog.variants_in(tx, command.categories)
        levels = await stock.levels(tx, variant_ids=inside, location_ids=[location.id])
        wanted |= dict.fromkeys(level.variant_id for level in levels)
    if command.tasks:
        rows = await tx.rows(TASK_VARIANTS, location=location.id, most=MOST + 1)
        wanted |= dict.fromkeys(row.variant_id for row in rows)
    if not wanted:
        raise NothingToCount(location=location.code)
    if len(wanted) > MOST:
        raise TooMuchToCount(variants=len(wanted), most=MOST)
    return sorted(wanted)


def _check_shape(command: OpenCount) -> None:
    needed, right = {
        "zone": ("`zone`, `skus`", command.zone is not None and bool(command.skus) and not command.categories),
        "category": ("`categories`", bool(command.categories) and not command.skus and command.zone is None),
        "list": (
            "`skus`",
            (bool(command.skus) or command.tasks) and command.zone is None and not command.categories,
        ),
    }[command.scope]
    if not right:
        raise CountScope(scope=command.scope, needed=needed)


async def _add_lines(tx: Tx, session: Session, variant_ids: Sequence[UUID]) -> None:
    made = await tx.rows(
        INSERT_LINES, session=session.id, location=session.location_id, round=session.round, variants=list(variant_ids)
    )
    if len(made) == len(variant_ids):
        return
    lacking = sorted(set(variant_ids) - {row.variant_id for row in made})
    rows = await tx.rows(COUNTED_ELSEWHERE, location=session.location_id, session=session.id, variants=lacking)
    if not rows:
        # The other count was closed between the two statements.
        raise Busy(retry_after_seconds=1)
    variants = await catalog.variants(tx, [row.variant_id for row in rows])
    raise AlreadyCounting(lines=[BeingCounted(sku=variants[row.variant_id].sku, count=row.number) for row in rows])


async def _lock(tx: Tx, code: str, number: str, *states: State) -> tuple[Location, Session]:
    location = await locations.one(tx, code)
    session = queries.the_one(await tx.first(LOCK, number=number), number=number, location=location)
    if session.state not in LIVE:
        raise CountClosed(number=number, state=session.state)
    if session.state not in states:
        raise WrongCountStep(number=number, state=session.state, needed=", ".join(states))
    return location, session


async def _as_seen(
    tx: Tx, code: str, number: str, *states: State, expected: int | None
) -> tuple[Location, Session]:  # fmt: skip
    """The count, locked, when it is still what the caller has seen."""
    location, session = await _lock(tx, code, number, *states)
    if expected is not None and expected != session.version:
        raise CountChanged(seen=expected, version=session.version)
    return location, session


async def _lines(tx: Tx, session: Session, variant_ids: Sequence[UUID] | None = None) -> list[Line]:
    rows = await tx.rows(MY_LINES, session=session.id, variants=None if variant_ids is None else list(variant_ids))
    return [Line(**row) for row in rows]


async def _articles(tx: Tx, entries: Sequence[CountEntry]) -> list[tuple[catalog.Variant, int]]:
    """What was counted, in the order of the entries. Raises UnknownInCount, BundleNotCounted."""
    by_sku, by_scan = await catalog.articles(
        tx,
        skus=[entry.sku for entry in entries if entry.sku],
        scans=[entry.barcode for entry in entries if entry.barcode and not entry.sku],
    )
    found: list[tuple[catalog.Variant, int]] = []
    unknown: list[str] = []
    for entry in entries:
        text = entry.sku or entry.barcode or ""
        hit = by_sku.get(text) if entry.sku else by_scan.get(text)
        if hit is None:
            unknown.append(text or "(neither sku nor barcode)")
        else:
            found.append((hit.variant, entry.quantity * hit.quantity))
    if unknown:
        raise UnknownInCount(unknown=", ".join(sorted(set(unknown))))
    _no_bundles(variant for variant, _ in found)
    return found


async def _check_in_count(tx: Tx, session: Session, variants: Mapping[UUID, catalog.Variant]) -> None:
    """Everything counted is part of this round; what turns up of a category without ever having had a level here joins it."""
    lines = {line.variant_id: line for line in await _lines(tx, session, list(variants))}
    joins, foreign = [], []
    for variant_id, variant in variants.items():
        line = lines.get(variant_id)
        if line is None and session.scope == "category" and set(variant.category_path) & set(session.categories):
            joins.append(variant_id)
        elif line is None or line.round != session.round:
            foreign.append(variant.sku)
    if foreign:
        raise NotInCount(skus=_few(foreign))
    if joins:
        await _add_lines(tx, session, joins)


async def _write_entries(
    tx: Tx, actor: Actor, session: Session, tally: Mapping[tuple[UUID, str, datetime], int], *, replace: bool
) -> None:
    """Entries add up, but at a named spot the later count stands."""
    last: dict[tuple[UUID, str], datetime] = {}
    for variant_id, spot, counted_at in tally:
        last[variant_id, spot] = max(counted_at, last.get((variant_id, spot), counted_at))
    rows = await tx.rows(
        SPOTS, session=session.id, round=session.round, variants=sorted({variant_id for variant_id, _ in last})
    )
    before = {(row.variant_id, row.spot): row.counted_at for row in rows}
    again = [spot for spot in last if spot in before and (replace or spot[1])]
    late = {spot for spot in again if not replace and before[spot] > last[spot]}
    gone = [spot for spot in again if spot not in late]
    if gone:
        await tx.execute(
            SUPERSEDE, session=session.id, round=session.round, variants=[spot[0] for spot in gone],
            spots=[spot[1] for spot in gone],
        )  # fmt: skip
    await tx.execute(
        INSERT_ENTRIES, session=session.id, round=session.round, counted_by=actor.subject, device=actor.device,
        version=session.version, ids=[uuid7() for _ in tally], variants=[key[0] for key in tally], spots=[key[1] for key in tally],
        quantities=list(tally.values()), moments=[key[2] for key in tally], stand=[key[:2] not in late for key in tally],
    )  # fmt: skip


async def _reckon(tx: Tx, session: Session, variant_ids: Sequence[UUID] | None = None) -> list[Line]:
    """The lines (all, or some) against the books: nothing is written. Six statements. Raises LevelTooHigh."""
    lines = await _lines(tx, session, variant_ids)
    tallies = {
        row.variant_id: row
        for row in await tx.rows(
            TALLIES, session=session.id, variants=None if variant_ids is None else list(variant_ids)
        )
    }
    if any(row.counted > LARGEST for row in tallies.values()):
        raise stock.LevelTooHigh
    moments: list[tuple[UUID, datetime]] = []
    for line in lines:
        tally = tallies.get(line.variant_id)
        for at in (tally.first_at, tally.last_at) if tally else (session.submitted_at or tx.at,) * 2:
            moments.append((line.variant_id, at))
    books = await stock.shelf_at(tx, location_id=session.location_id, moments=moments)
    for n, line in enumerate(lines):
        tally = tallies.get(line.variant_id)
        line.expected, line.moved = books[2 * n], books[2 * n + 1] - books[2 * n]
        line.counted = int(tally.counted) if tally else None
        line.counted_at = tally.last_at if tally else None
        line.variance = None if line.counted is None else line.counted - line.expected
    await _value(tx, lines)
    return lines


async def _value(tx: Tx, lines: Sequence[Line]) -> None:
    varying = [line.variant_id for line in lines if line.variance]
    variants = await catalog.variants(tx, varying)
    costs = await stock.average_costs(tx, varying)
    listed = await prices.listed(tx, varying, at=tx.at)
    for line in lines:
        line.cost_amount = line.price_amount = None if line.variance is None else 0
        if line.variance:
            scale = variants[line.variant_id].quantity_scale
            cost, price = costs.get(line.variant_id), listed.get(line.variant_id)
            line.cost_amount = None if cost is None else _bounded(line_amount(cost, line.variance, scale))
            line.price_amount = None if price is None else _bounded(line_amount(price.amount, line.variance, scale))


def _bounded(amount: int) -> int:
    return max(-MAX_MINOR, min(MAX_MINOR, amount))


async def _write_lines(tx: Tx, session: Session, lines: Sequence[Line], *, live: bool = True) -> None:
    await tx.execute(
        CHANGE_LINES, session=session.id, live=live, variants=[line.variant_id for line in lines],
        rounds=[line.round for line in lines], counts=[line.counted for line in lines],
        moments=[line.counted_at for line in lines], expected=[line.expected for line in lines],
        moved=[line.moved for line in lines], variances=[line.variance for line in lines],
        costs=[line.cost_amount for line in lines], prices=[line.price_amount for line in lines],
        resolutions=[line.resolution for line in lines],
    )  # fmt: skip


async def _tolerable(tx: Tx, session: Session, varying: Sequence[Line], tolerance_minor: int) -> bool:
    """Whether nobody has to approve the variances: there are none, or they are worth little, and the shelf still has them."""
    if not varying:
        return True
    worth = [line.cost_amount for line in varying]
    if tolerance_minor == 0 or None in worth or sum(abs(amount or 0) for amount in worth) > tolerance_minor:
        return False
    now = await stock.shelf_at(
        tx, location_id=session.location_id, moments=[(line.variant_id, tx.at) for line in varying]
    )
    return all(left + (line.variance or 0) >= 0 for left, line in zip(now, varying, strict=True))


async def _close(
    tx: Tx, actor: Actor, session: Session, location: Location, lines: Sequence[Line], *, uncounted: Uncounted | None,
    reason: str | None, by: str,
) -> None:  # fmt: skip
    """Post the variances and close: the tasks that were waiting for it are done. Stock last."""
    zeroed = [line for line in lines if line.counted is None and uncounted == "zero"]
    for line in zeroed:
        line.variance = -(line.expected or 0)
    if zeroed:
        await _value(tx, lines)
    for line in lines:
        if line.variance is None:
            line.resolution = "left"
        elif line.counted is None:
            line.resolution = "zeroed"
        else:
            line.resolution = "posted" if line.variance else "agrees"
    await _write_lines(tx, session, lines, live=False)
    session.state = "closed"
    session.closed_at = tx.at
    session.uncounted = uncounted
    session.version += 1
    deltas = {line.variant_id: line.variance for line in lines if line.variance}
    missing = -sum(delta for delta in deltas.values() if delta < 0)
    surplus = sum(delta for delta in deltas.values() if delta > 0)
    _tell(tx, actor, session, "posted", {"by": by, "variances": len(deltas), "uncounted": uncounted, "reason": reason})
    outbox.record(
        tx, actor, events.CountPosted(**_named(session), variances=len(deltas), missing=missing, surplus=surplus)
    )  # fmt: skip
    _audit(
        tx, actor, session, "count.approve" if by == "approval" else "count.close", before="counted", variances=len(deltas),
        missing=missing, surplus=surplus, uncounted=uncounted,
    )  # fmt: skip
    await _close_tasks(tx, actor, session, [line for line in lines if line.resolution != "left"])
    if deltas:
        await stock.count(
            tx, actor, cause=stock.Cause("count", session.id), location_id=location.id,
            lines=[stock.Counted(variant_id=variant_id, delta=delta) for variant_id, delta in deltas.items()],
            business_date=location.business_date(tx.at), reason=reason,
        )  # fmt: skip


async def _close_tasks(tx: Tx, actor: Actor, session: Session, lines: Sequence[Line]) -> None:
    """Tasks for what was counted; one that was asked for after its goods were counted stays open."""
    rows = await tx.rows(
        CLOSE_TASKS, session=session.id, location=session.location_id, at=tx.at,
        variants=[line.variant_id for line in lines],
        moments=[line.counted_at or session.submitted_at or tx.at for line in lines],
    )  # fmt: skip
    for row in rows:
        outbox.record(
            tx, actor,
            events.CountTaskDone(
                aggregate_id=row.id, version=row.version, location_id=session.location_id, variant_id=row.variant_id,
                count_id=session.id,
            ),
        )  # fmt: skip


def _all_known(skus: Sequence[str], known: Mapping[str, catalog.Variant]) -> None:
    unknown = [sku for sku in dict.fromkeys(skus) if sku not in known]
    if unknown:
        raise UnknownInCount(unknown=", ".join(unknown[:100]))


def _no_bundles(variants: Iterable[catalog.Variant]) -> None:
    bundles = sorted({variant.sku for variant in variants if variant.bundle})
    if bundles:
        raise BundleNotCounted(skus=", ".join(bundles[:100]))


async def _skus(tx: Tx, variant_ids: Sequence[UUID]) -> str:
    variants = await catalog.variants(tx, variant_ids)
    return _few([variants[variant_id].sku for variant_id in variant_ids])


def _few(skus: Sequence[str]) -> str:
    named = ", ".join(sorted(skus)[:NAMED])
    return named if len(skus) <= NAMED else f"{named}, … ({len(skus)})"


def _new_number() -> str:
    """`C-4821-3059-1768`: eleven random digits and a Luhn check digit, read aloud in fours."""
    body = f"{secrets.randbelow(10**11):011d}"
    digits = body + str(luhn.calc_check_digit(body))
    return f"C-{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def _named(session: Session) -> dict[str, Any]:
    return {
        "aggregate_id": session.id,
        "version": session.version,
        "number": session.number,
        "location_id": session.location_id,
    }


def _tell(tx: Tx, actor: Actor, session: Session, what: str, data: Mapping[str, Any]) -> None:
    tx.queue(
        steps, id=uuid7(), session_id=session.id, version=session.version, what=what, actor=outbox.actor_record(actor),
        data=dict(data), occurred_at=tx.at,
    )  # fmt: skip


def _save(tx: Tx, session: Session) -> None:
    """The head as it is; once in a transaction, before the commit."""
    tx.defer(
        CHANGE_HEAD, id=session.id, state=session.state, round=session.round, round_began_at=session.round_began_at,
        submitted_at=session.submitted_at, closed_at=session.closed_at, uncounted=session.uncounted, version=session.version,
    )  # fmt: skip


def _audit(tx: Tx, actor: Actor, session: Session, action: str, before: str | None = None, **after: Any) -> None:
    outbox.audit(
        tx, actor, action, "count", session.id, before={"state": before} if before else None,
        after={"state": session.state, **after},
    )  # fmt: skip
