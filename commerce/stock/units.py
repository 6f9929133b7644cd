"""Units with a code of their own: serial numbers, marked goods. Where each was last seen, and with which order line it left.

An act that moves goods names the codes of those units that have one: all of them when goods are picked, go to a customer or come back
from one, as many as were read otherwise. Units follow the goods lazily: a unit that is picked or sold elsewhere than it was seen last is
there from then on, and one that nobody knew becomes known. The rows are locked after the levels, ordered by (variant_id, code), by the
ONE statement that moves all units of an act; there is none when no units have codes. A picking is no posting: it moves no goods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from commerce import catalog, locations
from commerce.infra.db import Tx
from commerce.infra.outbox import actor_record
from commerce.kernel.actor import Actor
from commerce.stock.errors import (
    CodesOfLine,
    NotYourStock,
    TooManyUnitCodes,
    UnitAlreadyHere,
    UnitCodeRepeated,
    UnitCodesNeeded,
    UnitCodesNotKept,
    UnitElsewhere,
    UnitNamed,
    UnitNotHere,
    UnitNotOut,
    UnitNotPicked,
    UnitOnRecord,
    UnitOnTheBooks,
    UnitTaken,
    UnknownUnit,
)
from commerce.stock.ledger import Found, Outcome, Picked
from commerce.stock.schemas import (
    NamedUnits,
    Owner,
    Part,
    Reservation,
    SoldUnit,
    UnitMoveView,
    UnitPlace,
    UnitsNamed,
    UnitView,
)

LONGEST = 200
HISTORY = 200
Key = tuple[UUID, str]
"""(variant_id, code)"""


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a variant that an act moves to a place, and the codes of those that were read."""

    variant_id: UUID
    quantity: int
    codes: Sequence[str]
    place: UnitPlace
    location_id: UUID | None = None
    line_id: UUID | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which units an act may move: `may` is a condition on the unit as it is kept (u) and as it would be (excluded)."""

    may: str
    unknown_from: UnitPlace | None = None
    """Where a unit comes from that nobody knew."""
    picks: bool = False


ARRIVES = Rule(may="u.location_id IS NULL", unknown_from="supplier")
MADE = Rule(may="u.location_id IS NULL", unknown_from="conversion")
MOVES = Rule(may="u.location_id IS NOT NULL")
PICKS = Rule(may="u.location_id IS NOT NULL AND u.picked_for IS NULL", picks=True)
HANDED_OVER = Rule(
    may="u.location_id IS NOT NULL AND (u.picked_for IS NULL OR (u.picked_for = :owner AND u.picked_line = excluded.line_id))"
)
PUT_BACK = Rule(may="u.picked_for = :owner")
TURNS_UP = Rule(may="false", unknown_from="customer")
COMES_BACK = Rule(may="u.place = 'customer' AND u.line_id = excluded.line_id", unknown_from="customer")

MOVE = """
WITH named AS MATERIALIZED (
    SELECT * FROM unnest(
        CAST(:variant_ids AS uuid[]), CAST(:codes AS text[]), CAST(:places AS text[]), CAST(:location_ids AS uuid[]), CAST(:lines AS uuid[])
    ) AS n(variant_id, code, place, location_id, line_id)
), moved AS (
    INSERT INTO stock.units AS u (variant_id, code, place, location_id, line_id, picked_for, picked_line, posting_id, changed_at)
    SELECT n.variant_id, n.code, n.place, n.location_id, CASE WHEN NOT CAST(:picks AS boolean) THEN n.line_id END,
        CASE WHEN CAST(:picks AS boolean) THEN CAST(:owner AS uuid) END, CASE WHEN CAST(:picks AS boolean) THEN n.line_id END,
        CAST(:posting_id AS uuid), CAST(:at AS timestamptz)
    FROM named n ORDER BY n.variant_id, n.code
    ON CONFLICT (variant_id, code) DO UPDATE SET place = excluded.place, location_id = excluded.location_id,
        line_id = coalesce(excluded.line_id, u.line_id), picked_for = excluded.picked_for, picked_line = excluded.picked_line,
        posting_id = excluded.posting_id, changed_at = excluded.changed_at, version = u.version + 1
    WHERE {may}
    RETURNING new.variant_id, new.code, new.version, new.place, new.location_id, new.picked_for,
        old.place AS from_place, old.location_id AS from_location_id, old.code IS NULL AS unknown
), told AS (
    INSERT INTO stock.unit_moves
        (variant_id, code, n, posting_id, from_place, from_location_id, to_place, to_location_id, line_id, picked_for, actor, occurred_at)
    SELECT m.variant_id, m.code, m.version, CAST(:posting_id AS uuid), coalesce(m.from_place, CAST(:unknown_from AS text)),
        m.from_location_id, m.place, m.location_id, n.line_id, m.picked_for, CAST(:actor AS jsonb), CAST(:at AS timestamptz)
    FROM moved m JOIN named n ON n.variant_id = m.variant_id AND n.code = m.code
)
SELECT variant_id, code, unknown FROM moved
"""
KNOWN = """
SELECT u.variant_id, u.code, u.place, u.location_id, u.line_id, u.picked_for, u.picked_line
FROM unnest(CAST(:variant_ids AS uuid[]), CAST(:codes AS text[])) AS n(variant_id, code)
JOIN stock.units u ON u.variant_id = n.variant_id AND u.code = n.code
"""
LEFT_WITH = """
SELECT m.variant_id, m.code, array_agg(m.line_id) AS lines
FROM unnest(CAST(:variant_ids AS uuid[]), CAST(:codes AS text[])) AS n(variant_id, code)
JOIN stock.unit_moves m ON m.variant_id = n.variant_id AND m.code = n.code AND m.to_place = 'customer'
GROUP BY m.variant_id, m.code
"""
UNNAMED = """
SELECT n.line_id, n.variant_id,
    coalesce(g.gone, 0) - coalesce(u.gone, 0) - (coalesce(g.back, 0) - coalesce(u.back, 0)) - coalesce(u.unknown, 0) AS left_over
FROM unnest(CAST(:lines AS uuid[]), CAST(:variant_ids AS uuid[])) AS n(line_id, variant_id)
LEFT JOIN LATERAL (
    SELECT sum(m.quantity) FILTER (WHERE m.to_place = 'customer') AS gone, sum(m.quantity) FILTER (WHERE m.from_place = 'customer') AS back
    FROM stock.movements m WHERE m.variant_id = n.variant_id AND m.line_id = n.line_id
) g ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE m.to_place = 'customer') AS gone, count(*) FILTER (WHERE m.from_place = 'customer') AS back,
        count(*) FILTER (WHERE m.from_place = 'customer' AND m.n = 1) AS unknown
    FROM stock.unit_moves m WHERE m.variant_id = n.variant_id AND m.line_id = n.line_id
) u ON true
"""
"""Units of a line that left before their codes were kept, less those of them that came back: below zero when one came back that never
left."""
ONE = """
SELECT u.variant_id, u.code, u.place, u.location_id, u.line_id, u.picked_for, u.changed_at, u.version
FROM stock.units u WHERE u.variant_id = :variant_id AND u.code = :code
"""
LIFE = """
SELECT m.n, m.from_place, m.from_location_id, m.to_place, m.to_location_id, m.line_id, m.picked_for, m.actor, m.occurred_at,
    p.cause_kind, p.cause_id
FROM stock.unit_moves m LEFT JOIN stock.postings p ON p.id = m.posting_id
WHERE m.variant_id = :variant_id AND m.code = :code ORDER BY m.n DESC LIMIT :limit
"""


async def arrived(tx: Tx, actor: Actor, outcome: Outcome, namings: Sequence[Naming], *, made: bool = False) -> None:
    """Units that came from outside, or were made of others, stand where their goods do now. One statement, none without codes.

    Raises UnitCodesNotKept, TooManyUnitCodes, UnitCodeRepeated, UnitAlreadyHere.
    """
    named = await _some(tx, outcome, namings)
    refused = (await _move(tx, actor, MADE if made else ARRIVES, named, posting_id=outcome.posting_id)).refused
    if refused:
        raise UnitAlreadyHere(lines=await _named(tx, refused))


async def moved(tx: Tx, actor: Actor, outcome: Outcome, namings: Sequence[Naming]) -> None:
    """Units that were read go where their goods went. One statement, none without codes.

    Raises UnitCodesNotKept, TooManyUnitCodes, UnitCodeRepeated, UnitNotHere.
    """
    named = await _some(tx, outcome, namings)
    refused = (await _move(tx, actor, MOVES, named, posting_id=outcome.posting_id)).refused
    if refused:
        raise UnitNotHere(lines=await _named(tx, refused))


async def sold(tx: Tx, actor: Actor, outcome: Outcome, namings: Sequence[Naming]) -> None:
    """Units leave with their order lines, all of them named. One statement, none when no units have codes and none are named.

    Raises UnitCodesNotKept, UnitCodesNeeded, UnitCodeRepeated, UnitNotHere.
    """
    named = await _all(tx, outcome, namings)
    refused = (await _move(tx, actor, MOVES, named, posting_id=outcome.posting_id)).refused
    if refused:
        raise UnitNotHere(lines=await _named(tx, refused))


async def came_back(tx: Tx, actor: Actor, outcome: Outcome, namings: Sequence[Naming]) -> None:
    """Units that left with these order lines are back, all of them named. One statement, none when no units have codes and none are
    named; one more when nobody knew some of them: these can only be such as left with the line before codes were kept.

    Raises UnitCodesNotKept, UnitCodesNeeded, UnitCodeRepeated, UnitNotOut.
    """
    named = await _all(tx, outcome, namings)
    done = await _move(tx, actor, COMES_BACK, named, posting_id=outcome.posting_id)
    unknown = Counter((line_id, key[0]) for key in done.unknown if (line_id := named[key].line_id))
    left = await _left_unnamed(tx, unknown)
    wrong = [*done.refused, *(key for key in done.unknown if left.get((named[key].line_id, key[0]), -1) < 0)]
    if wrong:
        raise UnitNotOut(lines=await _elsewhere(tx, {key: named[key] for key in wrong}))


async def turned_up(tx: Tx, actor: Actor, outcome: Outcome, namings: Sequence[Naming]) -> None:
    """Units came from customers without a sale, all of them named: such as nobody knew. One statement, none when no units have codes
    and none are named.

    Raises UnitCodesNotKept, UnitCodesNeeded, UnitCodeRepeated, UnitOnRecord.
    """
    named = await _all(tx, outcome, namings)
    refused = (await _move(tx, actor, TURNS_UP, named, posting_id=outcome.posting_id)).refused
    if refused:
        known = {(row.variant_id, row.code): row for row in await tx.rows(KNOWN, **_keys(refused))}
        raise UnitOnRecord(lines=await _on_the_books(tx, known))


async def pick_units(
    tx: Tx, actor: Actor, *, owner: Owner, location_id: UUID, units: Sequence[NamedUnits], tracked: Iterable[UUID]
) -> None:
    """Somebody put these units into the box of an owner whose document is locked. `tracked` are the variants whose units have codes.

    One statement, none when there are no such. Raises UnitCodesNeeded, UnitCodesNotKept, UnitCodeRepeated, UnitNotHere, UnitTaken.
    """
    known = set(tracked)
    namings = [
        Naming(
            variant_id=unit.variant_id, quantity=unit.quantity, codes=unit.codes, place="committed", location_id=location_id,
            line_id=unit.line_id,
        )
        for unit in units if unit.variant_id in known or unit.codes
    ]  # fmt: skip
    if not namings:
        return
    await _refuse_unkept(tx, known, namings)
    await _refuse_incomplete(tx, namings)
    refused = (await _move(tx, actor, PICKS, await _read(tx, namings), owner=owner)).refused
    if refused:
        gone = await _gone(tx, refused)
        if gone:
            raise UnitNotHere(lines=await _named(tx, gone))
        raise UnitTaken(lines=await _named(tx, refused))


async def handed_over(
    tx: Tx,
    actor: Actor,
    outcome: Outcome,
    owner: Owner,
    found: Found,
    leaving: Sequence[tuple[Reservation, int]],
    codes: Mapping[UUID, Sequence[str]],
) -> None:
    """The units of a hand-over leave with their lines: those picked for them, and others only in place of such as were never picked by
    their code, or are gone. One statement, none when no units have codes and none are named.

    Raises UnitCodesNeeded, UnitCodesNotKept, UnitCodeRepeated, UnitNotHere, UnitNotPicked.
    """
    wanted: Counter[tuple[UUID, UUID]] = Counter()
    for held, quantity in leaving:
        wanted[held.variant_id, held.line_id] += quantity
    open_units: Counter[tuple[UUID, UUID]] = Counter()
    for held in found.reservations:
        open_units[held.variant_id, held.line_id] += held.quantity_open + held.quantity_lost
    tracked = {variant_id for (_, variant_id), standing in outcome.levels.items() if standing.tracking is not None}
    variants = sorted({variant_id for variant_id, _ in wanted} & tracked | {v for v, named in codes.items() if named})
    if not variants:
        return
    per_variant = [
        Naming(
            variant_id=variant_id, quantity=sum(n for key, n in wanted.items() if key[0] == variant_id),
            codes=codes.get(variant_id, ()), place="customer",
        )
        for variant_id in variants
    ]  # fmt: skip
    await _refuse_unkept(tx, tracked, per_variant)
    await _refuse_incomplete(tx, per_variant)
    picked = {(unit.variant_id, unit.code): unit.line_id for unit in found.picked}
    in_box = Counter((unit.variant_id, unit.line_id) for unit in found.picked)
    room = {key: max(0, open_units[key] - in_box[key]) for key in wanted}
    named, foreign = {}, []
    # Units from the box first: the others take the places that are left.
    for key, naming in sorted((await _read(tx, per_variant)).items(), key=lambda item: item[0] not in picked):
        lines = (
            [picked[key]] if key in picked else [line for (variant, line), n in room.items() if n and variant == key[0]]
        )
        line = next((line for line in lines if wanted[key[0], line]), None)
        if line is None:
            foreign.append(key)
            continue
        wanted[key[0], line] -= 1
        if key not in picked:
            room[key[0], line] -= 1
        named[key] = msgspec.structs.replace(naming, line_id=line)
    refused = (
        foreign or (await _move(tx, actor, HANDED_OVER, named, owner=owner, posting_id=outcome.posting_id)).refused
    )
    if refused:
        gone = await _gone(tx, refused)
        if gone:
            raise UnitNotHere(lines=await _named(tx, gone))
        raise UnitNotPicked(lines=await _named(tx, refused))


async def put_back(
    tx: Tx, actor: Actor, outcome: Outcome, owner: Owner, found: Found, given_up: Mapping[UUID, int]
) -> None:
    """What an owner has in its box beyond what is still set aside for it goes back to the shelf, the units picked last first.
    `given_up` are units by reservation. One statement, none when it has no units in its box."""
    if not outcome.posted or not found.picked:
        return
    kept: Counter[tuple[UUID, UUID]] = Counter()
    for held in found.reservations:
        kept[held.line_id, held.variant_id] += held.quantity_open + held.quantity_lost - given_up.get(held.id, 0)
    freed: list[Picked] = []
    for unit in found.picked:
        kept[unit.line_id, unit.variant_id] -= 1
        if kept[unit.line_id, unit.variant_id] < 0:
            freed.append(unit)
    named = {
        (unit.variant_id, unit.code): Naming(
            variant_id=unit.variant_id, quantity=1, codes=(), place="available", location_id=unit.location_id
        )
        for unit in freed
    }
    await _move(tx, actor, PUT_BACK, named, owner=owner, posting_id=outcome.posting_id)


async def check_back(tx: Tx, units: Sequence[NamedUnits]) -> None:
    """Refuse what `take_back` would for the codes of units that would come back. Two statements, one when none have codes.

    Raises UnitCodesNeeded, UnitCodesNotKept, UnitCodeRepeated, UnitNotOut.
    """
    variants = await catalog.variants(tx, sorted({unit.variant_id for unit in units}))
    tracked = {variant.id for variant in variants.values() if variant.tracking is not None}
    namings = [
        Naming(variant_id=unit.variant_id, quantity=unit.quantity, codes=unit.codes, place="available", line_id=unit.line_id)
        for unit in units
    ]  # fmt: skip
    if not tracked and not any(naming.codes for naming in namings):
        return
    await _refuse_unkept(tx, tracked, namings)
    await _refuse_incomplete(tx, [naming for naming in namings if naming.variant_id in tracked])
    named = await _read(tx, namings)
    known = {(row.variant_id, row.code): row for row in await tx.rows(KNOWN, **_keys(named))}
    wrong = [
        key
        for key, naming in named.items()
        if key in known and (known[key].place, known[key].line_id) != ("customer", naming.line_id)
    ]
    unknown: Counter[tuple[UUID, UUID]] = Counter()
    for key, naming in named.items():
        if key not in known and naming.line_id is not None:
            unknown[naming.line_id, key[0]] += 1
    left = await _left_unnamed(tx, unknown)
    wrong += [
        key
        for key, naming in named.items()
        if key not in known and naming.line_id and unknown[naming.line_id, key[0]] > left[naming.line_id, key[0]]
    ]
    if wrong:
        raise UnitNotOut(lines=await _elsewhere(tx, {key: named[key] for key in wrong}))


async def check_unknown(tx: Tx, units: Sequence[NamedUnits], *, tracked: Iterable[UUID]) -> list[SoldUnit]:
    """Refuse what `take_back_unsold` would for the codes of units that would come back; those that are with a customer are
    answered instead, with the line that they left with. `tracked` are the variants whose units have codes. One statement, none when
    there are no such.

    Raises UnitCodesNeeded, UnitCodesNotKept, UnitCodeRepeated, UnitOnRecord.
    """
    kept = set(tracked)
    namings = [
        Naming(variant_id=unit.variant_id, quantity=unit.quantity, codes=unit.codes, place="available")
        for unit in units if unit.variant_id in kept or unit.codes
    ]  # fmt: skip
    if not namings:
        return []
    await _refuse_unkept(tx, kept, namings)
    await _refuse_incomplete(tx, namings)
    named = await _read(tx, namings)
    known = {(row.variant_id, row.code): row for row in await tx.rows(KNOWN, **_keys(named))}
    wrong = {key: row for key, row in known.items() if row.place != "customer"}
    if wrong:
        raise UnitOnRecord(lines=await _on_the_books(tx, wrong))
    return [SoldUnit(variant_id=key[0], code=key[1], line_id=row.line_id) for key, row in known.items()]


async def unit_of(tx: Tx, actor: Actor, *, sku: str, code: str) -> UnitView:
    """Where a unit was last seen, and all that happened to it, for staff of a location that it was seen at. Four statements.

    Raises UnknownSku, UnknownUnit, NotYourStock.
    """
    variant_id = (await catalog.by_sku(tx, sku)).id
    code = catalog.unit_code(code)
    unit = await tx.first(ONE, variant_id=variant_id, code=code)
    if unit is None:
        raise UnknownUnit(sku=sku, unit=code)
    life = await tx.rows(LIFE, variant_id=variant_id, code=code, limit=HISTORY)
    seen_at = {row.from_location_id for row in life} | {row.to_location_id for row in life}
    places = await locations.by_ids(tx, sorted(place for place in seen_at if place is not None))
    codes = {place.id: place.code for place in places.values()}
    if not actor.may("stock.read", "*") and not any(actor.may("stock.read", place) for place in codes.values()):
        raise NotYourStock
    return UnitView(
        sku=sku, code=code, place=unit.place, location=codes.get(unit.location_id), line_id=unit.line_id, picked_for=unit.picked_for,
        changed_at=unit.changed_at, version=unit.version,
        history=[
            UnitMoveView(
                n=row.n, from_place=row.from_place, from_location=codes.get(row.from_location_id), to_place=row.to_place,
                to_location=codes.get(row.to_location_id), line_id=row.line_id, picked_for=row.picked_for, cause_kind=row.cause_kind,
                cause_id=row.cause_id, actor=row.actor, occurred_at=row.occurred_at,
            )
            for row in life
        ],
    )  # fmt: skip


def parts_named(
    components: Sequence[catalog.Component], named: Sequence[UnitsNamed]
) -> tuple[tuple[Part, ...], list[str]]:
    """The parts of a bundle with the codes of those units that are named by the SKUs of components, and SKUs that are none of these."""
    codes: dict[str, tuple[str, ...]] = {}
    for units in named:
        codes[units.sku] = (*codes.get(units.sku, ()), *units.codes)
    parts = tuple(Part(part.variant_id, part.quantity, codes.pop(part.sku, ())) for part in components)
    return parts, list(codes)


async def _all(tx: Tx, outcome: Outcome, namings: Sequence[Naming]) -> dict[Key, Naming]:
    """The units of an act that names all of them, none when it was booked before.

    Raises UnitCodesNotKept, UnitCodesNeeded, UnitCodeRepeated."""
    tracked = _tracked(outcome)
    if not outcome.posted or not (tracked or any(naming.codes for naming in namings)):
        return {}
    await _refuse_unkept(tx, tracked, namings)
    await _refuse_incomplete(tx, [naming for naming in namings if naming.variant_id in tracked])
    return await _read(tx, namings)


async def _some(tx: Tx, outcome: Outcome, namings: Sequence[Naming]) -> dict[Key, Naming]:
    """The units of an act that names those that were read, none when it was booked before.

    Raises UnitCodesNotKept, TooManyUnitCodes, UnitCodeRepeated."""
    if not outcome.posted or not any(naming.codes for naming in namings):
        return {}
    await _refuse_unkept(tx, _tracked(outcome), namings)
    wrong = [naming.variant_id for naming in namings if len(naming.codes) > naming.quantity]
    if wrong:
        raise TooManyUnitCodes(lines=await _counted(tx, wrong, namings))
    return await _read(tx, namings)


def _tracked(outcome: Outcome) -> set[UUID]:
    return {variant_id for (_, variant_id), standing in outcome.levels.items() if standing.tracking is not None}


async def _refuse_unkept(tx: Tx, tracked: set[UUID], namings: Sequence[Naming]) -> None:
    """Raises UnitCodesNotKept."""
    wrong = [naming.variant_id for naming in namings if naming.codes and naming.variant_id not in tracked]
    if wrong:
        lines = await _counted(tx, wrong, namings)
        raise UnitCodesNotKept(lines=[msgspec.structs.replace(line, needed=0) for line in lines])


async def _refuse_incomplete(tx: Tx, namings: Sequence[Naming]) -> None:
    """Raises UnitCodesNeeded."""
    wrong = [naming.variant_id for naming in namings if len(naming.codes) != naming.quantity]
    if wrong:
        raise UnitCodesNeeded(lines=await _counted(tx, wrong, namings))


async def _counted(tx: Tx, variant_ids: Iterable[UUID], namings: Sequence[Naming]) -> list[CodesOfLine]:
    """How many codes the units of these variants need, and how many were named."""
    wanted = list(dict.fromkeys(variant_ids))
    variants = await catalog.variants(tx, wanted)
    return [
        CodesOfLine(
            sku=variants[variant_id].sku, needed=sum(n.quantity for n in namings if n.variant_id == variant_id),
            given=sum(len(n.codes) for n in namings if n.variant_id == variant_id),
        )
        for variant_id in wanted
    ]  # fmt: skip


async def _read(tx: Tx, namings: Sequence[Naming]) -> dict[Key, Naming]:
    """The units that are named, each by its code as it is kept. Raises UnitCodeRepeated."""
    named: dict[Key, Naming] = {}
    repeated: dict[Key, None] = {}
    for naming in namings:
        for data in naming.codes:
            code = catalog.unit_code(data)
            if not (0 < len(code) <= LONGEST and code.isascii() and code.isprintable()):
                raise ValueError("a unit's code is printable ASCII")
            key = naming.variant_id, code
            if key in named:
                repeated[key] = None
            named[key] = naming
    if repeated:
        raise UnitCodeRepeated(lines=await _named(tx, list(repeated)))
    return named


class Done(msgspec.Struct, frozen=True):
    """What became of the units that an act named: those that may not move, and those that moved and nobody knew before."""

    refused: list[Key]
    unknown: list[Key]


async def _move(
    tx: Tx,
    actor: Actor,
    rule: Rule,
    named: Mapping[Key, Naming],
    *,
    owner: Owner | None = None,
    posting_id: UUID | None = None,
) -> Done:
    """Move units as far as the rule lets them; the caller refuses the act when it does not. One statement, none without units."""
    if not named:
        return Done([], [])
    rows = await tx.rows(
        MOVE.replace("{may}", rule.may), **_keys(named), places=[naming.place for naming in named.values()],
        location_ids=[naming.location_id for naming in named.values()], lines=[naming.line_id for naming in named.values()],
        picks=rule.picks, owner=owner.id if owner else None, posting_id=posting_id, at=tx.at, unknown_from=rule.unknown_from,
        actor=msgspec.json.encode(actor_record(actor)).decode(),
    )  # fmt: skip
    done = {(row.variant_id, row.code): row.unknown for row in rows}
    return Done([key for key in named if key not in done], [key for key, unknown in done.items() if unknown])


async def _left_unnamed(tx: Tx, lines: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID | None, UUID], int]:
    keys = list(lines)
    if not keys:
        return {}
    rows = await tx.rows(UNNAMED, lines=[line_id for line_id, _ in keys], variant_ids=[variant for _, variant in keys])
    return {(row.line_id, row.variant_id): int(row.left_over) for row in rows}


async def _elsewhere(tx: Tx, wrong: Mapping[Key, Naming]) -> list[UnitElsewhere]:
    """Why units cannot come back for their lines, without saying whose order one left with."""
    left_with = {(row.variant_id, row.code): row.lines for row in await tx.rows(LEFT_WITH, **_keys(wrong))}
    skus = await catalog.variants(tx, sorted({variant_id for variant_id, _ in wrong}))
    lines = []
    for (variant_id, code), naming in wrong.items():
        gone = left_with.get((variant_id, code), [])
        reason: Literal["never", "back", "other_order"] = "other_order" if gone else "never"
        if naming.line_id in gone:
            reason = "back"
        lines.append(UnitElsewhere(sku=skus[variant_id].sku, code=code, reason=reason))
    return lines


async def _on_the_books(tx: Tx, known: Mapping[Key, Any]) -> list[UnitOnTheBooks]:
    """Where the books say that units are, in words that name no place and no order."""
    skus = await catalog.variants(tx, sorted({variant_id for variant_id, _ in known}))
    lines = []
    for (variant_id, code), row in known.items():
        reason: Literal["in_stock", "gone", "sold"] = "gone" if row.location_id is None else "in_stock"
        if row.place == "customer":
            reason = "sold"
        lines.append(UnitOnTheBooks(sku=skus[variant_id].sku, code=code, reason=reason))
    return lines


async def _gone(tx: Tx, refused: Sequence[Key]) -> list[Key]:
    """Those of the units that are in no stock any more."""
    gone = {(row.variant_id, row.code) for row in await tx.rows(KNOWN, **_keys(refused)) if row.location_id is None}
    return [key for key in refused if key in gone]


async def _named(tx: Tx, keys: Sequence[Key]) -> list[UnitNamed]:
    variants = await catalog.variants(tx, sorted({variant_id for variant_id, _ in keys}))
    return [UnitNamed(sku=variants[variant_id].sku, code=code) for variant_id, code in keys]


def _keys(named: Iterable[Key]) -> dict[str, Any]:
    keys = list(named)
    return {"variant_ids": [variant_id for variant_id, _ in keys], "codes": [code for _, code in keys]}
