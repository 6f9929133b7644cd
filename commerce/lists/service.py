"""Verbs of `lists`, inside a transaction. Every change of a list or its lines happens under the lock of the list's row.

Locks: the owner's row before a list is made, claimed or deleted, then lists by id, then the cart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from commerce import auth, carts, catalog
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import ANY, Seen, mark_of
from commerce.lists import queries, tables
from commerce.lists.errors import ListFull, ListWithoutName, StaleList, TooManyLists, UnknownList
from commerce.lists.events import (
    ListChanged,
    ListClaimed,
    ListCreated,
    ListDeleted,
    ListMerged,
    ListRenamed,
    ListShared,
    ListUnshared,
)
from commerce.lists.queries import NAMES, ONE, family_of, named
from commerce.lists.schemas import (
    MAX_LINES,
    MAX_LISTS,
    MAX_QUANTITY,
    CreateList,
    Kind,
    ListView,
    MergedList,
    MergedLists,
    MergeLists,
    PutListLine,
    RenameList,
    Shared,
    ShareList,
)
from commerce.lists.sharing import token_of
from commerce.lists.views import COLUMNS, LINE, Head, Line, empty_view, head_of, line_of, lines_of, view, view_of

LOCK = ONE + " FOR NO KEY UPDATE"
COUNT_UP = """
INSERT INTO lists.owners AS o (shopper_id, lists) VALUES (:owner, 1)
ON CONFLICT (shopper_id) DO UPDATE SET lists = o.lists + 1 WHERE o.lists < :most RETURNING lists
"""
COUNT_DOWN = "UPDATE lists.owners SET lists = lists - 1 WHERE shopper_id = :owner"
BUMP = """
UPDATE lists.lists SET version = version + 1, changed_at = CAST(:at AS timestamptz) WHERE id = CAST(:list AS uuid)
"""
RENAME = "UPDATE lists.lists SET name = :name, version = version + 1, changed_at = :at WHERE id = :list"
PUT_LINES = f"""
INSERT INTO lists.lines (list_id, {LINE})
SELECT CAST(:list AS uuid), * FROM unnest(
    CAST(:variant_id AS uuid[]), CAST(:sku AS text[]), CAST(:quantity AS integer[]), CAST(:unit_price_seen AS bigint[]),
    CAST(:note AS text[]), CAST(:added_at AS timestamptz[]), CAST(:added_channel AS text[]), CAST(:added_device AS uuid[]),
    CAST(:gift AS jsonb[]))
ON CONFLICT (list_id, variant_id) DO UPDATE SET quantity = excluded.quantity, note = excluded.note, gift = excluded.gift
"""  # noqa: S608
REMOVE_LINES = """
DELETE FROM lists.lines WHERE list_id = CAST(:list AS uuid) AND variant_id = ANY(CAST(:variants AS uuid[]))
"""
DELETE_LIST = """
WITH gone AS (DELETE FROM lists.lines WHERE list_id = :list)
UPDATE lists.lists SET state = 'deleted', name = NULL, shared_at = NULL, version = version + 1, changed_at = :at WHERE id = :list
"""
SHARE = """
UPDATE lists.lists SET shared_at = coalesce(shared_at, :at), show_name = :show_name, version = version + 1, changed_at = :at
WHERE id = :list RETURNING shared_at
"""
UNSHARE = """
UPDATE lists.lists SET shared_at = NULL, show_name = false, share_no = share_no + 1, version = version + 1, changed_at = :at
WHERE id = :list
"""
LOCK_OWNERS = """
INSERT INTO lists.owners AS o (shopper_id, lists) SELECT id, 0 FROM unnest(CAST(:owners AS uuid[])) AS id ORDER BY id
ON CONFLICT (shopper_id) DO UPDATE SET lists = o.lists RETURNING shopper_id, lists
"""
LOCK_ALL = f"""
SELECT {COLUMNS} FROM lists.lists WHERE shopper_id = ANY(CAST(:owners AS uuid[])) AND state = 'open'
ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608
ALL_LINES = f"""
SELECT list_id, {LINE} FROM lists.lines WHERE list_id = ANY(CAST(:lists AS uuid[])) ORDER BY added_at, sku
"""  # noqa: S608
CLAIM = "UPDATE lists.lists SET shopper_id = :owner, version = version + 1, changed_at = :at WHERE id = :list"
CLOSE_MERGED = """
WITH gone AS (DELETE FROM lists.lines WHERE list_id = :list)
UPDATE lists.lists SET state = 'merged', merged_into = :target, shared_at = NULL, version = version + 1, changed_at = :at
WHERE id = :list
"""
RECOUNT = """
UPDATE lists.owners o SET lists = (SELECT count(*) FROM lists.lists l WHERE l.shopper_id = o.shopper_id AND l.state = 'open')
WHERE o.shopper_id = ANY(CAST(:owners AS uuid[]))
"""
LOCK_ERASED = """
SELECT shopper_id FROM lists.owners WHERE shopper_id = ANY(CAST(:ids AS uuid[])) ORDER BY shopper_id FOR NO KEY UPDATE
"""
ERASE = """
WITH gone AS (DELETE FROM lists.lines WHERE list_id = ANY(CAST(:lists AS uuid[])))
UPDATE lists.lists SET state = 'deleted', name = NULL, shared_at = NULL, version = version + 1, changed_at = :at
WHERE id = ANY(CAST(:lists AS uuid[]))
"""
EXPORT = """
SELECT l.id, l.kind, l.name, l.shared_at, l.show_name, l.created_at, l.changed_at, n.sku, n.quantity, n.unit_price_seen,
       n.note, n.gift, n.added_at, n.added_channel
FROM lists.lists l LEFT JOIN lists.lines n ON n.list_id = l.id
WHERE l.state = 'open' AND l.shopper_id = ANY(CAST(:ids AS uuid[])) ORDER BY l.created_at, l.id, n.added_at, n.sku
"""


class Held(msgspec.Struct, frozen=True):
    """A list whose row is locked, with its lines; version 0 when this transaction makes it."""

    head: Head
    lines: list[Line]

    @property
    def new(self) -> bool:
        """Whether it is still to be written."""
        return self.head.version == 0


async def create(tx: Tx, actor: Actor, *, command: CreateList, currency: str) -> ListView:
    """A list with a name; two may have the same. Raises TooManyLists."""
    owner = (await family_of(tx, actor))[0]
    await _count_up(tx, owner)
    made = _begun(tx, owner, "named", command.name)
    head = begin(tx, actor, made, variant_ids=[])
    return await view(tx, head, [], currency=currency)


async def rename(tx: Tx, actor: Actor, *, name: str, command: RenameList, currency: str, seen: Seen = ANY) -> ListView:
    """Call a named list otherwise. Raises UnknownList, ListWithoutName; StaleList when `seen` is not its version."""
    held = await hold(tx, actor, name=name, seen=seen, currency=currency)
    if held is None or held.head.kind != "named":
        raise ListWithoutName
    if held.head.name == command.name:
        return await view(tx, held.head, held.lines, currency=currency)
    await tx.execute(RENAME, list=held.head.id, name=command.name, at=tx.at)
    head = _next(tx, held.head, name=command.name)
    outbox.record(tx, actor, ListRenamed(**_of(head)))
    return await view(tx, head, held.lines, currency=currency)


async def delete(tx: Tx, actor: Actor, *, name: str, currency: str, seen: Seen = ANY) -> None:
    """Delete a list with its lines; its link is void. Raises UnknownList, StaleList."""
    row = await tx.first(ONE, family=await family_of(tx, actor), **named(name))
    if row is None:
        raise UnknownList(list=name)
    await tx.rows(LOCK_OWNERS, owners=[row.shopper_id])
    held = await hold(tx, actor, name=str(row.id), seen=seen, currency=currency)
    if held is None or held.head.shopper_id != row.shopper_id:
        raise UnknownList(list=name)
    await tx.execute(DELETE_LIST, list=row.id, at=tx.at)
    await tx.execute(COUNT_DOWN, owner=row.shopper_id)
    head = _next(tx, held.head)
    outbox.record(tx, actor, ListDeleted(**_of(head)))


async def put_line(
    tx: Tx, actor: Actor, *, name: str, sku: str, command: PutListLine, currency: str, seen: Seen = ANY
) -> ListView:
    """Set how many of a SKU a list holds. The first line makes the wish list or what is saved for later.

    Goods that are sold out or not sold at present may be wished for; what was never shown is unknown. Raises catalog.UnknownSku,
    UnknownList, StaleList, ListFull, TooManyLists.
    """
    held = await (hold_or_begin(tx, actor, kind=name) if name in NAMES else _existing(tx, actor, name))
    await _refuse_stale(tx, held, name, seen, currency)
    variants = await catalog.by_skus(tx, [*{line.sku for line in held.lines} | {sku}])
    old = next((line for line in held.lines if line.sku == sku), None)
    variant = variants.get(sku)
    if variant is None or (old is None and not variant.published):
        raise catalog.UnknownSku(sku=sku)
    if old is None and len(held.lines) >= MAX_LINES:
        raise ListFull(maximum=MAX_LINES)
    goods = await carts.goods_of(tx, variants.values())
    quote = goods.quotes.get(variant.id)
    note = command.note
    if old is not None:
        line = msgspec.structs.replace(old, quantity=command.quantity, note=old.note if note is UNSET else note)
    else:
        line = Line(
            variant_id=variant.id, sku=sku, quantity=command.quantity,
            unit_price_seen=quote.amount if quote is not None else None, note=None if note is UNSET else note,
            added_at=tx.at, added_channel=actor.channel, added_device=actor.device,
        )  # fmt: skip
    if line == old:
        return view_of(goods, held.head, held.lines, currency=currency)
    head = change(tx, actor, held, put=[line])
    after = [line if one.sku == sku else one for one in held.lines] if old is not None else [*held.lines, line]
    return view_of(goods, head, after, currency=currency)


async def remove_line(tx: Tx, actor: Actor, *, name: str, sku: str, currency: str, seen: Seen = ANY) -> ListView:
    """Take a SKU off a list; it need not be on it. Raises UnknownList, StaleList."""
    held = await hold(tx, actor, name=name, seen=seen, currency=currency)
    if held is None:
        return empty_view(NAMES[name])
    gone = [line for line in held.lines if line.sku == sku]
    head = change(tx, actor, held, remove=gone) if gone else held.head
    return await view(tx, head, [line for line in held.lines if line.sku != sku], currency=currency)


async def share(tx: Tx, actor: Actor, *, name: str, command: ShareList, secret_key: str) -> Shared:
    """Make a list seen by its link; the same link again as long as it is not revoked. Raises UnknownList."""
    held = await _existing(tx, actor, name)
    head = held.head
    if head.shared_at is None or head.show_name != command.show_name:
        at = await tx.scalar(SHARE, list=head.id, show_name=command.show_name, at=tx.at)
        head = _next(tx, head, shared_at=at, show_name=command.show_name)
        outbox.record(tx, actor, ListShared(**_of(head)))
    assert head.shared_at is not None  # noqa: S101
    return Shared(
        token=token_of(secret_key, head.id, head.share_no), show_name=head.show_name, shared_at=head.shared_at,
        version=head.version,
    )  # fmt: skip


async def unshare(tx: Tx, actor: Actor, *, name: str, currency: str) -> ListView:
    """Void the link of a list; it need not be shared. The next link is another. Raises UnknownList."""
    held = await _existing(tx, actor, name)
    head = held.head
    if head.shared_at is not None:
        await tx.execute(UNSHARE, list=head.id, at=tx.at)
        head = _next(tx, head, shared_at=None, show_name=False, share_no=head.share_no + 1)
        outbox.record(tx, actor, ListUnshared(**_of(head)))
    return await view(tx, head, held.lines, currency=currency)


async def merge(tx: Tx, actor: Actor, *, command: MergeLists, secret_key: str) -> MergedLists:
    """Bring the lists of an anonymous shopper, proven by his access token, to the caller: after he has signed in.

    Wish list goes into wish list (the greater quantity stays), saved into saved (quantities add up), named lists become his as they
    are. What does not fit stays with the anonymous shopper, and is told. Raises carts.NotAnonymous.
    """
    family = await family_of(tx, actor)
    stranger = await auth.anonymous_of_token(tx, actor, token=command.token, secret_key=secret_key, own=family)
    if stranger is None:
        raise carts.NotAnonymous
    if stranger in family:
        return MergedLists(merged=[], lists=await queries.summaries(tx, family))
    counts = {row.shopper_id: row.lists for row in await tx.rows(LOCK_OWNERS, owners=sorted({stranger, family[0]}))}
    heads = [head_of(row) for row in await tx.rows(LOCK_ALL, owners=[stranger, *family])]
    lines: dict[UUID, list[Line]] = {head.id: [] for head in heads}
    for row in await tx.rows(ALL_LINES, lists=list(lines)):
        lines[row.list_id].append(line_of(row))
    own: dict[Kind, Head] = {
        head.kind: head
        for owner in reversed(family) for head in heads if head.shopper_id == owner and head.kind != "named"
    }  # fmt: skip
    told = []
    room = MAX_LISTS - counts[family[0]]
    for head in heads:
        if head.shopper_id != stranger:
            continue
        target = own.get(head.kind)
        if target is not None:
            told.append(await _merge_into(tx, actor, head, lines[head.id], Held(target, lines[target.id])))
        elif room > 0:
            room -= 1
            told.append(await _claim(tx, actor, head, family[0]))
        else:
            told.append(_left_out(head, len(lines[head.id])))
    await tx.execute(RECOUNT, owners=[stranger, family[0]])
    await tx.flush()
    return MergedLists(merged=told, lists=await queries.summaries(tx, family))


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything kept here about a person, given all his ids (`customers.ids_of`): his lists with names, lines and notes."""
    found: dict[UUID, dict[str, Any]] = {}
    for row in await tx.rows(EXPORT, ids=list(ids)):
        one = found.setdefault(
            row.id,
            {
                "id": row.id, "kind": row.kind, "name": row.name, "shared_at": row.shared_at, "show_name": row.show_name,
                "created_at": row.created_at, "changed_at": row.changed_at, "lines": [],
            },
        )  # fmt: skip
        if row.sku is not None:
            one["lines"].append(
                {
                    "sku": row.sku, "quantity": row.quantity, "unit_price_seen": row.unit_price_seen, "note": row.note,
                    "gift": row.gift, "added_at": row.added_at, "added_channel": row.added_channel,
                }
            )  # fmt: skip
    return {"lists": list(found.values())}


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:
    """Delete a person's lists with their names, lines and notes; their links are void. Twice is once."""
    owners = [row.shopper_id for row in await tx.rows(LOCK_ERASED, ids=list(ids))]
    heads = [head_of(row) for row in await tx.rows(LOCK_ALL, owners=owners)]
    if not heads:
        return
    await tx.execute(ERASE, lists=[head.id for head in heads], at=tx.at)
    await tx.execute(RECOUNT, owners=owners)
    for head in heads:
        after = _next(tx, head)
        outbox.record(tx, actor, ListDeleted(**_of(after)))


async def hold(tx: Tx, actor: Actor, *, name: str, currency: str, seen: Seen = ANY) -> Held | None:
    """Lock one of the caller's lists until the transaction ends and read its lines; None for a wish list that was never begun. Three
    statements. Raises UnknownList for an id; StaleList when `seen` is not the version.
    """
    held = await _lock(tx, await family_of(tx, actor), name)
    if held is None and name not in NAMES:
        raise UnknownList(list=name)
    await _refuse_stale(tx, held, name, seen, currency)
    return held


async def hold_or_begin(tx: Tx, actor: Actor, *, kind: str) -> Held:
    """Like `hold` for `wish` and `saved`: where there is none yet a new one of version 0, which `change` writes. Raises TooManyLists."""
    family = await family_of(tx, actor)
    held = await _lock(tx, family, kind)
    if held is None:
        await _count_up(tx, family[0])
        held = await _lock(tx, family, kind)
        if held is None:
            return Held(_begun(tx, family[0], NAMES[kind]), [])
        await tx.execute(COUNT_DOWN, owner=family[0])
    return held


async def _lock(tx: Tx, family: Sequence[UUID], name: str) -> Held | None:
    row = await tx.first(LOCK, family=list(family), **named(name))
    return Held(head_of(row), await lines_of(tx, row.id)) if row is not None else None


async def _existing(tx: Tx, actor: Actor, name: str) -> Held:
    held = await _lock(tx, await family_of(tx, actor), name)
    if held is None:
        raise UnknownList(list=name)
    return held


async def _refuse_stale(tx: Tx, held: Held | None, name: str, seen: Seen, currency: str) -> None:
    """Raise StaleList, with the list as it is, when the caller saw another version."""
    head = held.head if held is not None and not held.new else None
    version = head.version if head is not None else 0
    if seen.is_of(version, mark_of(head.id if head is not None else None)):
        return
    if held is None or head is None:
        raise StaleList(seen=seen.version, version=0, list=empty_view(NAMES[name]))
    raise StaleList(seen=seen.version, version=version, list=await view(tx, head, held.lines, currency=currency))


def change(tx: Tx, actor: Actor, held: Held, *, put: Iterable[Line] = (), remove: Iterable[Line] = ()) -> Head:
    """Write lines of a held list, one version on; the new head."""
    put, remove = list(put), list(remove)
    variant_ids = [line.variant_id for line in (*put, *remove)]
    if held.new:
        head = begin(tx, actor, held.head, variant_ids=variant_ids)
        for line in put:
            tx.queue(tables.lines, list_id=head.id, **msgspec.structs.asdict(line))
        return head
    tx.defer(BUMP, list=held.head.id, at=tx.at)
    if put:
        columns = {name: [getattr(line, name) for line in put] for name in Line.__struct_fields__}
        tx.defer(PUT_LINES, list=held.head.id, **columns)
    if remove:
        tx.defer(REMOVE_LINES, list=held.head.id, variants=[line.variant_id for line in remove])
    head = _next(tx, held.head)
    outbox.record(tx, actor, ListChanged(**_of(head), variant_ids=variant_ids))
    return head


def begin(tx: Tx, actor: Actor, made: Head, *, variant_ids: list[UUID]) -> Head:
    """Write a list that `hold` has made, as version 1."""
    head = msgspec.structs.replace(made, version=1)
    tx.queue(tables.lists, **msgspec.structs.asdict(head), state="open", merged_into=None)
    event = ListCreated(**_of(head), kind=head.kind, variant_ids=variant_ids)
    outbox.record(tx, actor, event)
    return head


async def _count_up(tx: Tx, owner: UUID) -> None:
    if await tx.first(COUNT_UP, owner=owner, most=MAX_LISTS) is None:
        raise TooManyLists(maximum=MAX_LISTS)


def _begun(tx: Tx, owner: UUID, kind: Kind, name: str | None = None) -> Head:
    return Head(
        id=uuid7(), shopper_id=owner, kind=kind, name=name, share_no=0, shared_at=None, show_name=False, version=0,
        created_at=tx.at, changed_at=tx.at,
    )  # fmt: skip


def _next(tx: Tx, head: Head, **values: Any) -> Head:
    return msgspec.structs.replace(head, version=head.version + 1, changed_at=tx.at, **values)


def _of(head: Head) -> dict[str, Any]:
    return {"aggregate_id": head.id, "version": head.version, "shopper_id": head.shopper_id}


async def _claim(tx: Tx, actor: Actor, head: Head, owner: UUID) -> MergedList:
    await tx.execute(CLAIM, list=head.id, owner=owner, at=tx.at)
    after = _next(tx, head, shopper_id=owner)
    outbox.record(tx, actor, ListClaimed(**_of(after), claimed_from=head.shopper_id))
    return MergedList(kind=head.kind, name=head.name, outcome="claimed", id=head.id, lines_left_out=0)


def _left_out(head: Head, lines: int) -> MergedList:
    return MergedList(kind=head.kind, name=head.name, outcome="left_out", id=head.id, lines_left_out=lines)


async def _merge_into(tx: Tx, actor: Actor, source: Head, lines: Sequence[Line], target: Held) -> MergedList:
    """The lines of a list into the caller's of the same kind; what does not fit stays where it was."""
    after = {line.sku: line for line in target.lines}
    put, rest = [], []
    for line in lines:
        old = after.get(line.sku)
        if old is None and len(after) >= MAX_LINES:
            rest.append(line)
            continue
        quantity = line.quantity
        if old is not None:
            both = max(old.quantity, quantity) if source.kind == "wish" else old.quantity + quantity
            quantity = min(both, MAX_QUANTITY)
        kept = old or line
        after[line.sku] = msgspec.structs.replace(
            kept, quantity=quantity, note=kept.note or line.note, gift=kept.gift or line.gift
        )
        put.append(after[line.sku])
    if put:
        change(tx, actor, target, put=put)
    if rest:
        moved = [line for line in lines if line not in rest]
        if moved:
            change(tx, actor, Held(source, list(lines)), remove=moved)
        return _left_out(target.head if moved else source, len(rest))
    await tx.execute(CLOSE_MERGED, list=source.id, target=target.head.id, at=tx.at)
    closed = _next(tx, source)
    event = ListMerged(**_of(closed), merged_into=target.head.id)
    outbox.record(tx, actor, event)
    return MergedList(kind=source.kind, name=source.name, outcome="merged", id=target.head.id, lines_left_out=0)
