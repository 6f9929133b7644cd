"""Idempotency keys are kept for 24 hours and no longer."""

from __future__ import annotations

from datetime import timedelta

from commerce.infra import tasks
from commerce.infra.db import Database, Once
from commerce.kernel.ids import uuid7
from tests.infra.test_db import Answer, add, done
from tests.support import clock, unique


async def test_a_key_is_forgotten_after_a_day(db: Database) -> None:
    key, claim = unique("w"), Once(uuid7(), "test", unique("key"), "same")
    await db.write_once(claim, Answer, add, key)
    clock.travel(timedelta(hours=23))
    await tasks.forget_keys(db)
    assert await db.write_once(claim, Answer, add, key) == Answer(key, 1)
    clock.travel(timedelta(hours=2))
    await tasks.forget_keys(db)
    assert await db.write_once(claim, Answer, add, key) == Answer(key, 2)
    assert await db.read(done, key) == 2
