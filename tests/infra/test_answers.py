"""One statement for two questions, and one encoding for what is stored and sent."""

from __future__ import annotations

import msgspec
import pytest

from commerce import carts
from commerce.infra.db import PACKED_BYTES, Database, Question, Tx, forget_answers_naming
from commerce.kernel.ids import uuid7
from tests.support import Shop
from tests.support_statements import count_statements


async def test_two_questions_are_one_statement(db: Database) -> None:
    first = Question(
        "SELECT CAST(:n AS int) AS a, CAST(:word AS text) AS b", 2, {"n": 7, "word": "x"}, lambda a, b: (a, b)
    )
    other = Question("SELECT CAST(:n AS int) + 1 AS a", 1, {"n": 7}, lambda a: a)

    async def ask(tx: Tx) -> tuple[tuple[int, str], int]:
        return await tx.together(first, other)

    await db.read(ask)
    async with count_statements(db) as counted:
        assert await db.read(ask) == ((7, "x"), 8)
    assert len(counted) == 1, counted


async def test_an_answer_is_encoded_once_and_its_replay_is_the_same_bytes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, shopper = await shop.item(), await shop.shopper()
    encoded: list[carts.CartView] = []
    encode = carts.CartView.encoded

    def counted(view: carts.CartView) -> bytes:
        encoded.append(view)
        return encode(view)

    monkeypatch.setattr(carts.CartView, "encoded", counted)
    path, key = f"/v1/carts/current/lines/{item.sku}", str(uuid7())
    first = await shopper.put(path, {"quantity": 2}, key=key)
    assert (first.status_code, len(encoded)) == (200, 1)
    again = await shopper.put(path, {"quantity": 2}, key=key)
    assert (again.status_code, len(encoded)) == (200, 1)
    read = await shopper.get("/v1/carts/current")
    assert (read.content, len(encoded)) == (first.content, 2)
    assert again.content == first.content == msgspec.json.encode(encoded[0])
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["content-type"] == first.headers["content-type"] == "application/json"


STORED = "SELECT answer, packed FROM infra.idempotency_keys WHERE key = :key"


async def test_a_long_answer_is_stored_compressed_and_repeated_as_it_was(shop: Shop, db: Database) -> None:
    first = await shop.item()
    items = [first, *[await shop.item(product=first.product_id) for _ in range(11)]]
    shopper, key = await shop.shopper(), str(uuid7())
    lines = {"lines": [{"sku": item.sku, "quantity": 1} for item in items]}
    answer = await shopper.put("/v1/carts/current/lines", lines, key=key)
    assert answer.status_code == 200
    assert len(answer.content) > PACKED_BYTES

    async def stored(tx: Tx) -> tuple[str | None, bytes | None] | None:
        row = await tx.first(STORED, key=key)
        return (row.answer, row.packed) if row is not None else None

    found = await db.read(stored)
    assert found is not None
    assert found[0] is None
    assert found[1] is not None
    assert len(found[1]) < len(answer.content) / 3
    again = await shopper.put("/v1/carts/current/lines", lines, key=key)
    assert again.content == answer.content
    assert again.headers["etag"] == answer.headers["etag"]
    assert await db.write(forget_answers_naming, ["nobody-is-called-so"]) == 0
    assert await db.read(stored) == found
    assert await db.write(forget_answers_naming, ["nobody-is-called-so", items[3].sku]) == 1
    assert await db.read(stored) is None
