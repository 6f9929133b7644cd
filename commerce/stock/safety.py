"""Safety stock: how many units other channels leave on a shelf, by rules whose most specific one wins.

A variant at a location > a variant everywhere > the deepest category at the location > the deepest category everywhere > the location.
What wins stands in the level row itself, so that selling reads no rules. A level gets it when it is made (`resolve`); when rules or
categories change, the change is noted in the same transaction and reaches its levels right behind it (`settle`), a chunk at a time in
the order of locks, by whoever comes first: the request that made it, or the periodic work that finishes what was left undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from commerce import catalog, locations
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Database, Once, Tx
from commerce.infra.outbox import Recorded
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.kernel.text import Code, Sku
from commerce.stock.errors import NotYourStock, SafetyScope
from commerce.stock.tables import safety_changes

CHUNK = 1000
AT_ONCE = 20
"""Chunks that a request waits for; a larger change goes on behind it."""
PAUSE = timedelta(milliseconds=10)
PATIENCE = 100
"""Pauses in a row for transactions that began before the change: some seconds are more than any of ours may last."""
NOWHERE = UUID(int=0)

Kind = Literal["spots", "variants", "locations", "everything"]
Step = Literal["done", "more", "wait"]

WANTED = """
given AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[])) AS g(location_id, variant_id)
), path AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:path_variants AS uuid[]), CAST(:path_codes AS text[]), CAST(:path_depths AS integer[]))
        AS p(variant_id, category_code, depth)
), candidate AS (
    SELECT g.location_id, g.variant_id, 5 AS rank, 0 AS depth, r.quantity
    FROM given g JOIN stock.safety_rules r ON r.location_id = g.location_id AND r.variant_id = g.variant_id
    UNION ALL
    SELECT g.location_id, g.variant_id, 4, 0, r.quantity
    FROM given g JOIN stock.safety_rules r ON r.location_id IS NULL AND r.variant_id = g.variant_id
    UNION ALL
    SELECT g.location_id, g.variant_id, 3, p.depth, r.quantity
    FROM given g JOIN path p ON p.variant_id = g.variant_id
    JOIN stock.safety_rules r ON r.location_id = g.location_id AND r.category_code = p.category_code
    UNION ALL
    SELECT g.location_id, g.variant_id, 2, p.depth, r.quantity
    FROM given g JOIN path p ON p.variant_id = g.variant_id
    JOIN stock.safety_rules r ON r.location_id IS NULL AND r.category_code = p.category_code
    UNION ALL
    SELECT g.location_id, g.variant_id, 1, 0, r.quantity
    FROM given g JOIN stock.safety_rules r ON r.location_id = g.location_id AND r.variant_id IS NULL AND r.category_code IS NULL
), wanted AS MATERIALIZED (
    SELECT g.location_id, g.variant_id, coalesce(best.quantity, 0) AS quantity
    FROM given g LEFT JOIN (
        SELECT DISTINCT ON (location_id, variant_id) location_id, variant_id, quantity
        FROM candidate ORDER BY location_id, variant_id, rank DESC, depth DESC
    ) best ON best.location_id = g.location_id AND best.variant_id = g.variant_id
)
"""
RESOLVE = f"""
WITH {WANTED}, locked AS MATERIALIZED (
    SELECT l.location_id, l.variant_id, w.quantity FROM stock.levels l
    JOIN wanted w ON w.location_id = l.location_id AND w.variant_id = l.variant_id
    WHERE l.safety_stock <> w.quantity ORDER BY l.location_id, l.variant_id FOR NO KEY UPDATE OF l
)
UPDATE stock.levels l SET safety_stock = k.quantity FROM locked k
WHERE l.location_id = k.location_id AND l.variant_id = k.variant_id
"""  # noqa: S608
RULES = """
SELECT EXISTS (SELECT FROM stock.safety_rules) AS given,
    EXISTS (SELECT FROM stock.safety_rules WHERE category_code IS NOT NULL) AS by_category
"""
PUT = """
WITH given AS (
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[]), CAST(:codes AS text[]),
        CAST(:quantities AS integer[])) AS g(id, location_id, variant_id, category_code, quantity)
), gone AS (
    DELETE FROM stock.safety_rules r USING given g WHERE g.quantity IS NULL
        AND (r.location_id, r.variant_id, r.category_code) IS NOT DISTINCT FROM (g.location_id, g.variant_id, g.category_code)
    RETURNING r.location_id, r.variant_id, r.category_code, r.quantity AS before
), put AS (
    INSERT INTO stock.safety_rules AS r (id, location_id, variant_id, category_code, quantity, changed_by, changed_at)
    SELECT id, location_id, variant_id, category_code, quantity, CAST(:actor AS jsonb), :at FROM given WHERE quantity IS NOT NULL
    ON CONFLICT (location_id, variant_id, category_code) DO UPDATE
        SET quantity = excluded.quantity, changed_by = excluded.changed_by, changed_at = excluded.changed_at
        WHERE r.quantity <> excluded.quantity
    RETURNING r.location_id, r.variant_id, r.category_code, old.quantity AS before, new.quantity AS after
)
SELECT true AS set, * FROM put UNION ALL SELECT false, *, NULL FROM gone
"""
LOCK_RULES = "LOCK TABLE stock.safety_rules IN SHARE ROW EXCLUSIVE MODE"
"""One who changes rules at a time; whoever reads them is not held up."""
WAITING = """
SELECT id, kind, scope, horizon, done_location_id, done_variant_id,
    CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS oldest
FROM stock.safety_changes ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""
SET_HORIZON = """
UPDATE stock.safety_changes SET horizon = CAST(CAST(pg_current_xact_id() AS text) AS bigint) WHERE id = :id
"""
"""Whoever made a level by the rules of before has begun to write before this transaction: its number is lower. When all such are
through, their levels are there to be seen, and whoever makes one from then on has read the rules of now."""
ADVANCE = (
    "UPDATE stock.safety_changes SET done_location_id = :location_id, done_variant_id = :variant_id WHERE id = :id"
)
SETTLED = "DELETE FROM stock.safety_changes WHERE id = :id"
ANY_WAITING = "SELECT EXISTS (SELECT FROM stock.safety_changes WHERE id = ANY(CAST(:ids AS uuid[])))"
OF_SCOPE: dict[str, str] = {
    kind: f"""
    SELECT l.location_id, l.variant_id FROM stock.levels l
    WHERE {condition} (l.location_id, l.variant_id) > (CAST(:location_id AS uuid), CAST(:variant_id AS uuid))
    ORDER BY l.location_id, l.variant_id LIMIT :limit
    """  # noqa: S608
    for kind, condition in (
        ("variants", "l.variant_id = ANY(CAST(:ids AS uuid[])) AND"),
        ("locations", "l.location_id = ANY(CAST(:ids AS uuid[])) AND"),
        ("everything", ""),
    )
}
LISTED = """
SELECT id, location_id, variant_id, category_code, quantity, changed_at FROM stock.safety_rules
WHERE (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
    AND (CAST(:location_ids AS uuid[]) IS NULL OR location_id IS NULL OR location_id = ANY(CAST(:location_ids AS uuid[])))
ORDER BY id LIMIT :limit
"""


class SafetyRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many units of a variant, or of each variant of a category, stay on the shelf of a location, or of every location without
    one; of each variant when neither is named. Null clears the rule, 0 is a rule too."""

    quantity: Annotated[int, Meta(ge=0, le=1_000_000)] | None
    location: Code | None = None
    sku: Sku | None = None
    category: Code | None = None


class SetSafety(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules to set or to clear; those that are not named stay as they are."""

    rules: Annotated[list[SafetyRule], Meta(min_length=1, max_length=500)]


class SafetySet(Struct, frozen=True, kw_only=True):
    """What became of the rules. `settled`: every level has it; otherwise the levels follow within a minute or two."""

    changed: int
    cleared: int
    unchanged: int
    settled: bool


class SafetyRuleView(Struct, frozen=True, kw_only=True):
    """A rule in force."""

    location: str | None
    sku: str | None
    category: str | None
    quantity: int
    changed_at: datetime


class _Written(Struct, frozen=True, kw_only=True):
    changed: int
    cleared: int
    unchanged: int
    changes: list[UUID]


async def put(db: Database, once: Once, actor: Actor, *, command: SetSafety) -> SafetySet:
    """Set and clear rules, all or none, and bring them to the levels, as far as that is done in a moment.

    Raises NotYourStock, UnknownLocation, UnknownSku, UnknownCategory, SafetyScope.
    """
    written = await db.write_once(once, _Written, write_rules, actor, command=command)
    await settle(db, most=AT_ONCE)
    settled = not written.changes or not await db.read(_waiting, written.changes)
    return SafetySet(
        changed=written.changed, cleared=written.cleared, unchanged=written.unchanged, settled=settled
    )  # fmt: skip


def _recorded(rows: Sequence[Row], when: str) -> list[dict[str, Any]]:
    """The rules that a change touched, as they were or are; null: none."""
    return [
        {"location": row.location_id, "variant": row.variant_id, "category": row.category_code, "quantity": row[when]}
        for row in rows
    ]


async def write_rules(tx: Tx, actor: Actor, *, command: SetSafety) -> _Written:
    """Set and clear rules, and note which levels they reach. Raises like `put`."""
    for code in {rule.location or "*" for rule in command.rules}:
        if not actor.may("stock.plan", code):
            raise NotYourStock
    scopes = await _scopes(tx, command.rules)
    await tx.execute(LOCK_RULES)
    rows = await tx.rows(
        PUT, ids=[uuid7() for _ in scopes], location_ids=[scope[0] for scope in scopes], variant_ids=[scope[1] for scope in scopes],
        codes=[scope[2] for scope in scopes], quantities=[rule.quantity for rule in command.rules],
        actor=msgspec.json.encode(outbox.actor_record(actor)).decode(), at=tx.at,
    )  # fmt: skip
    changes = _note(tx, [(row.location_id, row.variant_id, row.category_code) for row in rows])
    changed = sum(row.set for row in rows)
    if rows:
        after = {
            "rules": len(scopes),
            "changed": changed,
            "cleared": len(rows) - changed,
            "quantities": _recorded(rows, "after"),
        }
        before = {"quantities": _recorded(rows, "before")}
        outbox.audit(tx, actor, "stock.plan_safety", "safety_rules", changes[0], before=before, after=after)
    return _Written(
        changed=changed, cleared=len(rows) - changed, unchanged=len(scopes) - len(rows), changes=changes
    )  # fmt: skip


Scope = tuple[UUID | None, UUID | None, str | None]
"""location, variant, category."""


async def _scopes(tx: Tx, rules: Sequence[SafetyRule]) -> list[Scope]:
    """Raises UnknownLocation, UnknownSku, UnknownCategory, SafetyScope."""
    places = await locations.by_codes(tx, list({rule.location for rule in rules if rule.location is not None}))
    variants = await catalog.by_skus(tx, list({rule.sku for rule in rules if rule.sku is not None}))
    await catalog.check_categories(tx, sorted({rule.category for rule in rules if rule.category is not None}))
    scopes: dict[Scope, None] = {}
    for n, rule in enumerate(rules):
        if rule.location is not None and rule.location not in places:
            raise locations.UnknownLocation(location=rule.location)
        if rule.sku is not None and rule.sku not in variants:
            raise catalog.UnknownSku(sku=rule.sku)
        if rule.sku is not None and rule.category is not None:
            raise SafetyScope(n=n, reason="names both a variant and a category")
        if rule.location is None and rule.sku is None and rule.category is None:
            raise SafetyScope(n=n, reason="names nothing")
        scope = (
            places[rule.location].id if rule.location is not None else None,
            variants[rule.sku].id if rule.sku is not None else None,
            rule.category,
        )
        if scope in scopes:
            raise SafetyScope(n=n, reason="stands twice")
        scopes[scope] = None
    return list(scopes)


def _note(tx: Tx, scopes: Sequence[Scope]) -> list[UUID]:
    """Queue what has to reach its levels. Of a category only the location is looked at: most of its goods are elsewhere in no time."""
    spots = [[str(location_id), str(variant_id)] for location_id, variant_id, _ in scopes if location_id and variant_id]
    variants = [str(variant_id) for location_id, variant_id, _ in scopes if variant_id and not location_id]
    places = {str(location_id) for location_id, variant_id, _ in scopes if location_id and not variant_id}
    everything = any(category and not location_id for location_id, _, category in scopes)
    wanted: list[tuple[Kind, list[Any]]] = (
        [("everything", [])]
        if everything
        else [("spots", spots), ("variants", variants), ("locations", sorted(places))]
    )
    return [_change(tx, kind, scope) for kind, scope in wanted if scope or kind == "everything"]


def _change(tx: Tx, kind: Kind, scope: Sequence[Any]) -> UUID:
    change_id = uuid7()
    tx.queue(safety_changes, id=change_id, kind=kind, scope=scope, changed_at=tx.at)
    return change_id


async def _waiting(tx: Tx, changes: list[UUID]) -> bool:
    found: bool = await tx.scalar(ANY_WAITING, ids=changes)
    return found


async def settle(db: Database, *, most: int | None = None) -> bool:
    """Bring every change of rules or categories to its levels, in at most so many chunks; whether all is done."""
    chunks = patience = 0
    while most is None or chunks < most:
        step = await db.write(settle_chunk)
        if step == "done":
            return True
        if step == "wait":
            patience += 1
            if patience > PATIENCE:
                return False
            await asyncio.sleep(PAUSE.total_seconds())
            continue
        chunks, patience = chunks + 1, 0
    return False


async def settle_chunk(tx: Tx) -> Step:
    """Bring the oldest change that nobody else is at to its next thousand levels; `done` when there is none."""
    change = await tx.first(WAITING)
    if change is None:
        return "done"
    if change.horizon is None:
        await tx.execute(SET_HORIZON, id=change.id)
        return "more"
    if change.oldest < change.horizon:
        return "wait"
    if change.kind == "spots":
        spots = [(UUID(location_id), UUID(variant_id)) for location_id, variant_id in change.scope]
    else:
        binds: dict[str, Any] = {
            "location_id": change.done_location_id or NOWHERE, "variant_id": change.done_variant_id or NOWHERE, "limit": CHUNK,
        }  # fmt: skip
        if change.kind != "everything":
            binds["ids"] = [UUID(each) for each in change.scope]
        rows = await tx.rows(OF_SCOPE[change.kind], binds)
        spots = [(row.location_id, row.variant_id) for row in rows]
    if spots:
        await resolve(tx, spots, cleared=True)
    if change.kind == "spots" or len(spots) < CHUNK:
        await tx.execute(SETTLED, id=change.id)
    else:
        await tx.execute(ADVANCE, id=change.id, location_id=spots[-1][0], variant_id=spots[-1][1])
    return "more"


async def resolve(tx: Tx, spots: Iterable[tuple[UUID, UUID]], *, cleared: bool = False) -> None:
    """Write what the rules say into the levels at (location, variant), locked in order: of levels that have just been made, in the
    transaction that makes them. One statement when there is no rule at all (unless some were `cleared`); two, or three with
    categories."""
    keys = sorted(set(spots))
    rules = await tx.one(RULES)
    if not keys or not (rules.given or cleared):
        return
    paths = await catalog.category_paths(tx, list({key[1] for key in keys})) if rules.by_category else {}
    steps = [(variant_id, code, depth) for variant_id, path in paths.items() for depth, code in enumerate(path)]
    await tx.execute(
        RESOLVE, location_ids=[key[0] for key in keys], variant_ids=[key[1] for key in keys],
        path_variants=[step[0] for step in steps], path_codes=[step[1] for step in steps], path_depths=[step[2] for step in steps],
    )  # fmt: skip


async def product_saved(tx: Tx, event: Recorded) -> None:
    """Its variants may be in another category now."""
    if (await tx.one(RULES)).by_category:
        variants = await catalog.variants_of_product(tx, event.aggregate_id)
        if variants:
            _change(tx, "variants", [str(variant_id) for variant_id in variants])


async def category_moved(tx: Tx, _event: Recorded) -> None:
    """What was said of the categories above it holds for other goods now."""
    if (await tx.one(RULES)).by_category:
        _change(tx, "everything", [])


async def settle_left_over(db: Database) -> None:
    """The periodic work: what changed with the catalog, and what a request left undone."""
    await settle(db)


async def listing(tx: Tx, actor: Actor, *, limit: int, cursor: str | None) -> Page[SafetyRuleView]:
    """The rules in force that concern the reader's locations, the oldest first. Four statements at most. Raises BadCursor."""
    after = decode_cursor(cursor, UUID)[0] if cursor else None
    own: list[UUID] | None = None
    if not actor.may("stock.read", "*"):
        held = await locations.by_codes(tx, actor.permissions.get("stock.read", ()))
        own = [place.id for place in held.values()]
    rows = await tx.rows(LISTED, after=after, location_ids=own, limit=limit + 1)
    places = await locations.by_ids(tx, [row.location_id for row in rows if row.location_id is not None])
    variants = await catalog.variants(tx, [row.variant_id for row in rows if row.variant_id is not None])
    return page_of(
        rows,
        limit,
        lambda row: SafetyRuleView(
            location=places[row.location_id].code if row.location_id is not None else None,
            sku=variants[row.variant_id].sku if row.variant_id is not None else None,
            category=row.category_code,
            quantity=row.quantity,
            changed_at=row.changed_at,
        ),
        lambda row: (row.id,),
    )
