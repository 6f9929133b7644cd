"""The feed: one order for all readers, nothing missed, ids and codes only."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from commerce import parts
from commerce.infra import outbox
from commerce.infra.db import Database, Tx
from commerce.kernel.events import Event
from commerce.kernel.ids import uuid7
from tests.support import Shop


class ThingSeen(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "test.thing_seen"
    aggregate: ClassVar[str] = "test"
    line: UUID


async def happen(tx: Tx, shop: Shop, aggregate: UUID, versions: range) -> None:
    for version in versions:
        outbox.record(tx, shop.system, ThingSeen(aggregate_id=aggregate, version=version, line=aggregate))


async def test_a_reader_follows_the_cursor_and_misses_nothing(db: Database, shop: Shop) -> None:
    reader = await shop.staff("back_office")
    await outbox.drain(db, parts.subscribers())
    start = 0
    while page := (await reader.get(f"/v1/events?after={start}&limit=200")).json()["items"]:
        start = page[-1]["sequence"]
    empty = (await reader.get(f"/v1/events?after={start}")).json()
    assert empty == {"items": [], "next_after": start}

    thing = uuid7()
    await db.write(happen, shop, thing, range(1, 4))
    assert (await reader.get(f"/v1/events?after={start}")).json()["items"] == []
    await outbox.drain(db, parts.subscribers())

    first = (await reader.get(f"/v1/events?after={start}&limit=2&type=test.thing_seen")).json()
    rest = (await reader.get(f"/v1/events?after={first['next_after']}&limit=2&type=test.thing_seen")).json()
    found = [*first["items"], *rest["items"]]
    assert [event["data"] for event in found] == [{"line": str(thing), "version": n} for n in (1, 2, 3)]
    assert [event["sequence"] for event in found] == [start + 1, start + 2, start + 3]
    assert {event["subject"] for event in found} == {f"test/{thing}"}
    assert {event["specversion"] for event in found} == {"1.0"}
    assert len({event["id"] for event in found}) == 3


async def test_only_who_may_read_events(shop: Shop) -> None:
    for caller, status in (
        (shop.anybody(), 401),
        (await shop.client(), 403),
        (await shop.staff("store_manager", "x"), 403),
    ):
        assert (await caller.get("/v1/events")).status_code == status


async def test_a_permission_at_one_store_does_not_open_the_whole_feed(shop: Shop) -> None:
    reader = await shop.staff("back_office", "some-store")
    assert (await reader.get("/v1/events")).status_code == 403
