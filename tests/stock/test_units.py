"""Units with a code of their own: where each is, with which line it left, and that none is in two hands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import pytest

from commerce import catalog, stock
from commerce.catalog import tables as catalog_tables
from commerce.infra.db import Database, Tx
from commerce.kernel.errors import Problem
from commerce.kernel.ids import uuid7
from commerce.stock import units
from commerce.stock.schemas import UnitView
from tests.stock.shelves import demand, fresh, fulfillment, shelf
from tests.support import Item, Shop, Store, unique
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")
T = TypeVar("T")

GTIN = "04601234567893"
CRYPTO = "\x1d91EE06\x1d92TWFya2VkR29vZHNTaWduYXR1cmVPZkZvcnR5Rm91ckNoYXJz"


@pytest.fixture
async def store(shop: Shop) -> Store:
    return await shop.store()


@pytest.fixture
async def phone(shop: Shop) -> Item:
    return await shop.item(tracking="serial")


def codes(count: int) -> tuple[str, ...]:
    return tuple(unique("SN") for _ in range(count))


async def receive(
    shop: Shop, store: Store, item: Item, quantity: int, *named: str, cause: stock.Cause | None = None
) -> None:
    await shop.db.write(
        stock.receive, shop.system, cause=cause or fresh("receipt"), location_id=store.id,
        lines=[stock.ReceiptLine(variant_id=item.id, quantity=quantity, unit_cost=100, codes=named)],
    )  # fmt: skip


async def sell(
    shop: Shop, store: Store, item: Item, quantity: int, *named: str, line: UUID | None = None, cause: stock.Cause | None = None
) -> UUID:  # fmt: skip
    """The line that the units left with."""
    line = line or uuid7()
    await shop.db.write(
        stock.sell, shop.system, cause=cause or fresh("till_sale"), location_id=store.id,
        lines=[stock.SaleLine(line_id=line, variant_id=item.id, quantity=quantity, codes=named)],
    )  # fmt: skip
    return line


async def take_back(shop: Shop, store: Store, item: Item, line: UUID, quantity: int, *named: str, bucket: stock.ShelfBucket = "available") -> None:  # fmt: skip
    await shop.db.write(
        stock.take_back, shop.system, cause=fresh("return"), location_id=store.id,
        lines=[stock.TakeBackLine(variant_id=item.id, quantity=quantity, bucket=bucket, line_id=line, codes=named)],
    )  # fmt: skip


async def promised(shop: Shop, store: Store, item: Item, quantity: int) -> tuple[stock.Owner, UUID]:
    owner, line = fulfillment(), uuid7()
    await shop.db.write(
        stock.promise,
        shop.system,
        owner=owner,
        demands=[demand(store, item, quantity, line)],
        cause=fresh("order_placed"),
    )
    return owner, line


async def pick(
    shop: Shop, store: Store, item: Item, owner: stock.Owner, line: UUID, quantity: int, *named: str
) -> None:
    await shop.db.write(
        stock.pick_units, shop.system, owner=owner, location_id=store.id, tracked=[item.id],
        units=[stock.NamedUnits(line_id=line, variant_id=item.id, quantity=quantity, codes=named)],
    )  # fmt: skip


async def hand_over(shop: Shop, item: Item, owner: stock.Owner, lines: dict[UUID, int] | None, *named: str) -> None:
    await shop.db.write(
        stock.hand_over, shop.system, owner=owner, cause=fresh("hand_over"), lines=lines, codes={item.id: named}
    )


async def seen(shop: Shop, item: Item, code: str) -> UnitView:
    admin = await shop.staff("admin")
    return await shop.db.read(units.unit_of, admin.actor, sku=item.sku, code=code)


async def place_of(shop: Shop, item: Item, code: str) -> tuple[str, str | None]:
    view = await seen(shop, item, code)
    return view.place, view.location


async def refusal(work: Awaitable[Any]) -> tuple[int, str, list[dict[str, Any]]]:
    """Status, code and lines of what is refused."""
    with pytest.raises(Problem) as refused:
        await work
    return refused.value.status, refused.value.code, msgspec.to_builtins(refused.value.members["lines"])


async def known(db: Database, item: Item) -> list[str]:
    async def read(tx: Tx) -> list[str]:
        return [
            r.code for r in await tx.rows("SELECT code FROM stock.units WHERE variant_id = :v ORDER BY code", v=item.id)
        ]

    return await db.read(read)


@pytest.mark.parametrize(
    ("read", "kept"),
    [
        ("SN-0042", "SN-0042"),
        (" SN-0042\r\n", "SN-0042"),
        (f"01{GTIN}215Qbag!Vb", f"01{GTIN}215Qbag!Vb"),
        (f"]d201{GTIN}215Qbag!Vb", f"01{GTIN}215Qbag!Vb"),
        (f"\x1d01{GTIN}215Qbag!Vb{CRYPTO}", f"01{GTIN}215Qbag!Vb"),
        (f"01{GTIN}215Qbag!VbbagQ5" + CRYPTO.replace("\x1d", ""), f"01{GTIN}215Qbag!VbbagQ5"),
        (f"(01){GTIN}(21)5QbagVb(91)EE06", f"01{GTIN}215QbagVb"),
        (f"https://id.example.org/01/{GTIN}/21/5Q%2FbagVb?x=1", f"01{GTIN}215Q/bagVb"),
        (f"https://id.example.org/01/{GTIN}", f"https://id.example.org/01/{GTIN}"),
        ("01046012345678942155555", "01046012345678942155555"),
        ("AB\x1dCD", "ABCD"),
        ("]d2", "]d2"),
    ],
)
def test_a_label_is_one_unit_however_it_was_read(read: str, kept: str) -> None:
    assert catalog.unit_code(read) == kept


async def test_a_unit_from_the_supplier_to_the_customer_and_back(shop: Shop, store: Store, phone: Item) -> None:
    other = await shop.store()
    a, b = codes(2)
    await receive(shop, store, phone, 3, a, b)
    assert await place_of(shop, phone, a) == ("available", store.code)
    line = await sell(shop, store, phone, 1, a)
    assert await place_of(shop, phone, a) == ("customer", None)
    await take_back(shop, other, phone, line, 1, a, bucket="quality_control")
    view = await seen(shop, phone, a)
    assert (view.sku, view.code, view.place, view.location, view.line_id, view.picked_for, view.version) == (
        phone.sku, a, "quality_control", other.code, line, None, 3,
    )  # fmt: skip
    life = [
        (m.n, m.from_place, m.from_location, m.to_place, m.to_location, m.line_id, m.cause_kind) for m in view.history
    ]
    assert life == [
        (3, "customer", None, "quality_control", other.code, line, "return"),
        (2, "available", store.code, "customer", None, line, "till_sale"),
        (1, "supplier", None, "available", store.code, None, "receipt"),
    ]
    assert {m.actor["kind"] for m in view.history} == {"system"}
    again = await sell(shop, other, phone, 1, a)
    assert (await seen(shop, phone, a)).line_id == again
    assert await known(shop.db, phone) == sorted([a, b])


async def test_only_what_is_named_on_arrival_is_known_and_never_more_than_came(
    shop: Shop, store: Store, phone: Item
) -> None:
    a, b, c = codes(3)
    too_many = await refusal(receive(shop, store, phone, 2, a, b, c))
    assert too_many == (422, "too-many-unit-codes", [{"sku": phone.sku, "needed": 2, "given": 3}])
    twice = await refusal(receive(shop, store, phone, 2, a, f" {a}"))
    assert twice == (422, "unit-code-repeated", [{"sku": phone.sku, "code": a}])
    assert (await known(shop.db, phone), await shelf(shop.db, store, phone)) == ([], (0, 0, 0))
    await receive(shop, store, phone, 2, a)
    await receive(shop, store, phone, 5)
    other = await shop.store()
    here = await refusal(receive(shop, other, phone, 2, a, b))
    assert here == (409, "unit-already-here", [{"sku": phone.sku, "code": a}])
    assert await known(shop.db, phone) == [a]
    assert (await shelf(shop.db, store, phone), await shelf(shop.db, other, phone)) == ((7, 0, 0), (0, 0, 0))


async def test_goods_without_codes_have_none(shop: Shop, store: Store) -> None:
    shirt = await shop.item()
    owner, line = fulfillment(), uuid7()
    answer = (422, "unit-codes-not-kept", [{"sku": shirt.sku, "needed": 0, "given": 1}])
    assert await refusal(receive(shop, store, shirt, 2, "X1")) == answer
    await receive(shop, store, shirt, 2)
    assert await refusal(sell(shop, store, shirt, 1, "X1")) == answer
    assert await refusal(pick(shop, store, await shop.item(tracking="serial"), owner, line, 1)) != answer
    work = stock.pick_units
    picked = [stock.NamedUnits(line_id=line, variant_id=shirt.id, quantity=1, codes=("X1",))]
    assert (
        await refusal(shop.db.write(work, shop.system, owner=owner, location_id=store.id, tracked=[], units=picked))
        == answer
    )
    sold = await sell(shop, store, shirt, 1)
    assert await refusal(take_back(shop, store, shirt, sold, 1, "X1")) == answer
    assert (await shelf(shop.db, store, shirt), await known(shop.db, shirt)) == ((1, 0, 0), [])


@pytest.mark.parametrize("given", [0, 1, 3])
async def test_a_sale_names_every_unit(shop: Shop, store: Store, phone: Item, given: int) -> None:
    named = codes(given)
    await receive(shop, store, phone, 5)
    answer = await refusal(sell(shop, store, phone, 2, *named))
    assert answer == (422, "unit-codes-needed", [{"sku": phone.sku, "needed": 2, "given": given}])
    assert (await shelf(shop.db, store, phone), await known(shop.db, phone)) == ((5, 0, 0), [])


async def test_all_lines_are_named_that_need_codes(shop: Shop, store: Store, phone: Item) -> None:
    tablet, shirt = await shop.item(tracking="marked"), await shop.item()
    lines = [
        stock.SaleLine(line_id=uuid7(), variant_id=phone.id, quantity=1, codes=codes(1)),
        stock.SaleLine(line_id=uuid7(), variant_id=phone.id, quantity=2),
        stock.SaleLine(line_id=uuid7(), variant_id=tablet.id, quantity=1),
        stock.SaleLine(line_id=uuid7(), variant_id=shirt.id, quantity=1),
    ]
    status, code, named = await refusal(
        shop.db.write(stock.sell, shop.system, cause=fresh("till_sale"), location_id=store.id, lines=lines)
    )
    assert (status, code) == (422, "unit-codes-needed")
    assert named == [{"sku": phone.sku, "needed": 3, "given": 1}, {"sku": tablet.sku, "needed": 1, "given": 0}]


async def test_a_sold_unit_is_not_sold_again(shop: Shop, store: Store, phone: Item) -> None:
    a, b = codes(2)
    await receive(shop, store, phone, 3, a)
    line = await sell(shop, store, phone, 1, a)
    assert await refusal(sell(shop, store, phone, 2, b, a)) == (409, "unit-not-here", [{"sku": phone.sku, "code": a}])
    assert (await shelf(shop.db, store, phone), await known(shop.db, phone)) == ((2, 0, 0), [a])
    assert (await seen(shop, phone, a)).line_id == line


async def test_a_unit_that_nobody_knew_becomes_known_by_selling(shop: Shop, store: Store, phone: Item) -> None:
    (a,) = codes(1)
    await receive(shop, store, phone, 1)
    line = await sell(shop, store, phone, 1, a)
    view = await seen(shop, phone, a)
    assert (view.place, view.line_id) == ("customer", line)
    assert [(m.from_place, m.to_place) for m in view.history] == [(None, "customer")]


async def test_a_unit_follows_the_goods_to_where_it_is_read(shop: Shop, store: Store, phone: Item) -> None:
    (a,) = codes(1)
    elsewhere = await shop.store()
    await receive(shop, elsewhere, phone, 1, a)
    await receive(shop, store, phone, 1)
    owner, line = await promised(shop, store, phone, 1)
    await pick(shop, store, phone, owner, line, 1, a)
    view = await seen(shop, phone, a)
    assert (view.place, view.location, view.picked_for) == ("committed", store.code, owner.id)
    assert [(m.from_location, m.to_location, m.cause_kind) for m in view.history] == [
        (elsewhere.code, store.code, None), (None, elsewhere.code, "receipt"),
    ]  # fmt: skip


async def test_what_is_in_the_box_is_handed_over_and_nothing_else(shop: Shop, store: Store, phone: Item) -> None:
    a, b, c, d = codes(4)
    await receive(shop, store, phone, 5, a, b, c)
    owner, line = await promised(shop, store, phone, 2)
    colleague, his = await promised(shop, store, phone, 1)
    await pick(shop, store, phone, owner, line, 1, a)
    await pick(shop, store, phone, owner, line, 1, d)
    await pick(shop, store, phone, colleague, his, 1, c)
    for other in (b, c, "never seen"):
        answer = await refusal(hand_over(shop, phone, owner, None, a, other))
        assert answer == (409, "unit-not-picked", [{"sku": phone.sku, "code": other}])
    needed = await refusal(hand_over(shop, phone, owner, None, a))
    assert needed == (422, "unit-codes-needed", [{"sku": phone.sku, "needed": 2, "given": 1}])
    assert await shelf(shop.db, store, phone) == (2, 0, 3)
    await hand_over(shop, phone, owner, {line: 1}, d)
    assert await refusal(hand_over(shop, phone, owner, None, d)) == (
        409,
        "unit-not-here",
        [{"sku": phone.sku, "code": d}],
    )
    await hand_over(shop, phone, owner, {line: 1}, a)
    assert [await place_of(shop, phone, code) for code in (a, b, c, d)] == [
        ("customer", None), ("available", store.code), ("committed", store.code), ("customer", None),
    ]  # fmt: skip
    assert (await seen(shop, phone, d)).line_id == line
    assert await shelf(shop.db, store, phone) == (2, 0, 1)


async def test_what_was_picked_without_codes_is_handed_over_with_any(shop: Shop, store: Store, phone: Item) -> None:
    a, b = codes(2)
    await receive(shop, store, phone, 2, a)
    owner, line = await promised(shop, store, phone, 2)
    await hand_over(shop, phone, owner, {line: 2}, b, a)
    assert [(await seen(shop, phone, code)).line_id for code in (a, b)] == [line, line]


async def test_another_unit_replaces_one_that_is_gone_from_the_box(shop: Shop, store: Store, phone: Item) -> None:
    a, b = codes(2)
    await receive(shop, store, phone, 2, a, b)
    owner, line = await promised(shop, store, phone, 1)
    await pick(shop, store, phone, owner, line, 1, a)
    await sell(shop, store, phone, 1, a)
    assert (await seen(shop, phone, a)).picked_for is None
    await hand_over(shop, phone, owner, None, b)
    assert (await seen(shop, phone, b)).line_id == line


async def test_each_line_gets_its_own_units(shop: Shop, store: Store, phone: Item) -> None:
    a, b, c = codes(3)
    await receive(shop, store, phone, 3)
    owner, first, second = fulfillment(), uuid7(), uuid7()
    demands = [demand(store, phone, 2, first), demand(store, phone, 1, second)]
    await shop.db.write(stock.promise, shop.system, owner=owner, demands=demands, cause=fresh("order_placed"))
    await pick(shop, store, phone, owner, second, 1, b)
    await pick(shop, store, phone, owner, first, 1, c)
    refused = await refusal(hand_over(shop, phone, owner, {first: 2}, b, c))
    assert refused == (409, "unit-not-picked", [{"sku": phone.sku, "code": b}])
    await hand_over(shop, phone, owner, None, a, b, c)
    assert [(await seen(shop, phone, code)).line_id for code in (a, b, c)] == [first, second, first]


async def test_a_unit_lies_in_one_box(shop: Shop, store: Store, phone: Item) -> None:
    a, b, gone = codes(3)
    await receive(shop, store, phone, 4)
    await sell(shop, store, phone, 1, gone)
    owner, line = await promised(shop, store, phone, 2)
    other, his = await promised(shop, store, phone, 1)
    await pick(shop, store, phone, owner, line, 1, a)
    taken = (409, "unit-taken", [{"sku": phone.sku, "code": a}])
    assert await refusal(pick(shop, store, phone, owner, line, 1, a)) == taken
    assert await refusal(pick(shop, store, phone, other, his, 1, a)) == taken
    assert await refusal(pick(shop, store, phone, other, his, 2, b, gone)) == (
        409, "unit-not-here", [{"sku": phone.sku, "code": gone}],
    )  # fmt: skip
    assert await refusal(pick(shop, store, phone, other, his, 1)) == (
        422, "unit-codes-needed", [{"sku": phone.sku, "needed": 1, "given": 0}],
    )  # fmt: skip
    assert await known(shop.db, phone) == sorted([a, gone])


async def test_what_is_given_up_leaves_the_box_the_last_picked_first(shop: Shop, store: Store, phone: Item) -> None:
    a, b, c = codes(3)
    await receive(shop, store, phone, 3)
    owner, line = await promised(shop, store, phone, 3)
    for code in (a, b):
        await pick(shop, store, phone, owner, line, 1, code)
    give_up = shop.db.write
    await give_up(stock.release, shop.system, owner=owner, cause=fresh("fulfillment_cancelled"), lines={line: 1})
    assert [(await seen(shop, phone, code)).picked_for for code in (a, b)] == [owner.id, owner.id]
    await give_up(stock.release, shop.system, owner=owner, cause=fresh("fulfillment_cancelled"), lines={line: 1})
    assert [(await seen(shop, phone, code)).picked_for for code in (a, b)] == [owner.id, None]
    other, his = await promised(shop, store, phone, 2)
    await pick(shop, store, phone, other, his, 2, b, c)
    await give_up(stock.release, shop.system, owner=owner, cause=fresh("fulfillment_cancelled"))
    view = await seen(shop, phone, a)
    assert (view.place, view.location, view.picked_for) == ("available", store.code, None)
    assert [m.cause_kind for m in view.history] == ["fulfillment_cancelled", None]
    assert (await seen(shop, phone, b)).picked_for == other.id


async def test_only_what_left_with_this_line_comes_back_and_once(shop: Shop, store: Store, phone: Item) -> None:
    a, b, c = codes(3)
    await receive(shop, store, phone, 5, a, b, c)
    line, other = await sell(shop, store, phone, 2, a, b), await sell(shop, store, phone, 1, c)
    await receive(shop, store, phone, 1, "on the shelf")
    await take_back(shop, store, phone, line, 1, a)
    for code, reason in ((a, "back"), (c, "other_order"), ("on the shelf", "never"), ("never seen", "never")):
        answer = await refusal(take_back(shop, store, phone, line, 1, code))
        assert answer == (409, "unit-not-out", [{"sku": phone.sku, "code": code, "reason": reason}])
    assert await refusal(take_back(shop, store, phone, line, 1)) == (
        422, "unit-codes-needed", [{"sku": phone.sku, "needed": 1, "given": 0}],
    )  # fmt: skip
    assert await shelf(shop.db, store, phone) == (4, 0, 0)
    await take_back(shop, store, phone, line, 1, b, bucket="damaged")
    assert await place_of(shop, phone, b) == ("damaged", store.code)
    assert (await seen(shop, phone, c)).line_id == other
    assert "never seen" not in await known(shop.db, phone)


async def test_what_was_sold_before_codes_were_kept_can_come_back(shop: Shop, store: Store) -> None:
    item = await shop.item()
    await receive(shop, store, item, 3)
    line = await sell(shop, store, item, 2)

    async def track(tx: Tx) -> None:
        await tx.execute(
            catalog_tables.variants.update().where(catalog_tables.variants.c.id == item.id).values(tracking="serial")
        )

    await shop.db.write(track)
    a, b, c = codes(3)
    await take_back(shop, store, item, line, 1, a)
    assert [(m.from_place, m.to_place) for m in (await seen(shop, item, a)).history] == [("customer", "available")]
    await check(shop, item, line, b)
    refused = (409, "unit-not-out", [{"sku": item.sku, "code": code, "reason": "never"} for code in (b, c)])
    assert await refusal(take_back(shop, store, item, line, 2, b, c)) == refused
    assert await refusal(check(shop, item, line, b, c)) == refused
    await take_back(shop, store, item, line, 1, b)
    assert (await refusal(take_back(shop, store, item, line, 1, c)))[1] == "unit-not-out"


async def check(shop: Shop, item: Item, line: UUID, *named: str) -> None:
    await shop.db.read(
        stock.check_back, [stock.NamedUnits(line_id=line, variant_id=item.id, quantity=len(named), codes=named)]
    )


async def test_a_look_at_what_would_come_back_refuses_the_same(shop: Shop, store: Store, phone: Item) -> None:
    a, b, c = codes(3)
    await receive(shop, store, phone, 3, a, b, c)
    line = await sell(shop, store, phone, 1, a)
    await sell(shop, store, phone, 1, b)
    await check(shop, phone, line, a)
    for code, reason in ((b, "other_order"), (c, "never"), ("unseen", "never")):
        refused = await refusal(check(shop, phone, line, code))
        assert refused == (409, "unit-not-out", [{"sku": phone.sku, "code": code, "reason": reason}])
    assert await place_of(shop, phone, a) == ("customer", None)


async def test_a_posting_sent_again_moves_no_unit(shop: Shop, store: Store, phone: Item) -> None:
    a, b = codes(2)
    receipt, sale = fresh("receipt"), fresh("till_sale")
    for _ in range(2):
        await receive(shop, store, phone, 2, a, b, cause=receipt)
    line = await sell(shop, store, phone, 1, a, cause=sale)
    await sell(shop, store, phone, 1, a, line=line, cause=sale)
    assert [m.n for m in (await seen(shop, phone, a)).history] == [2, 1]
    assert await shelf(shop.db, store, phone) == (1, 0, 0)


async def test_a_bundle_names_the_units_of_its_components(shop: Shop, store: Store, phone: Item) -> None:
    a, b, c = codes(3)
    cable = await shop.item()
    await receive(shop, store, phone, 4)
    await receive(shop, store, cable, 4)
    kit = await shop.bundle({phone: 2, cable: 1})

    async def sold(named: tuple[str, ...], own: tuple[str, ...] = ()) -> UUID:
        line = uuid7()
        parts = (stock.Part(phone.id, 2, named), stock.Part(cable.id, 1))
        await shop.db.write(
            stock.sell, shop.system, cause=fresh("till_sale"), location_id=store.id,
            lines=[stock.SaleLine(line_id=line, variant_id=kit.id, quantity=1, components=parts, codes=own)],
        )  # fmt: skip
        return line

    assert await refusal(sold((a,))) == (422, "unit-codes-needed", [{"sku": phone.sku, "needed": 2, "given": 1}])
    assert await refusal(sold((a, b), (c,))) == (
        422,
        "unit-codes-not-kept",
        [{"sku": kit.sku, "needed": 0, "given": 1}],
    )
    line = await sold((a, b))
    assert [(await seen(shop, phone, code)).line_id for code in (a, b)] == [line, line]
    parts = (stock.Part(phone.id, 2, (b, c)), stock.Part(cable.id, 1))
    back = [stock.TakeBackLine(variant_id=kit.id, quantity=1, bucket="available", line_id=line, components=parts)]
    answer = await refusal(
        shop.db.write(stock.take_back, shop.system, cause=fresh("return"), location_id=store.id, lines=back)
    )
    assert answer == (409, "unit-not-out", [{"sku": phone.sku, "code": c, "reason": "never"}])


async def test_units_are_judged_made_into_others_and_sent_back(shop: Shop, store: Store, phone: Item) -> None:
    a, b = codes(2)
    opened = await shop.item(tracking="serial")
    await receive(shop, store, phone, 3, a, b)
    write, system = shop.db.write, shop.system
    await write(
        stock.move, system, cause=fresh("move"), location_id=store.id,
        lines=[stock.Regrade(variant_id=phone.id, quantity=2, from_bucket="available", to_bucket="damaged", codes=(a,))],
    )  # fmt: skip
    assert await place_of(shop, phone, a) == ("damaged", store.code)
    await write(
        stock.convert, system, cause=fresh("conversion"), location_id=store.id,
        takes=[stock.Portion(variant_id=phone.id, quantity=1, codes=(b,))],
        makes=[stock.Portion(variant_id=opened.id, quantity=1, codes=(b,))],
    )  # fmt: skip
    assert await place_of(shop, phone, b) == ("conversion", None)
    assert await place_of(shop, opened, b) == ("available", store.code)
    await write(
        stock.return_to_vendor, system, cause=fresh("vendor_return"), location_id=store.id,
        lines=[stock.Portion(variant_id=phone.id, quantity=1, bucket="damaged", codes=(a,))],
    )  # fmt: skip
    assert await place_of(shop, phone, a) == ("supplier", None)
    assert await refusal(sell(shop, store, phone, 1, a)) == (409, "unit-not-here", [{"sku": phone.sku, "code": a}])
    await receive(shop, store, phone, 1, a)
    assert await place_of(shop, phone, a) == ("available", store.code)


async def test_a_unit_of_another_variant_is_another_unit(shop: Shop, store: Store, phone: Item) -> None:
    tablet = await shop.item(tracking="serial")
    await receive(shop, store, phone, 1, "0042")
    await receive(shop, store, tablet, 1, "0042")
    await sell(shop, store, phone, 1, "0042")
    assert await place_of(shop, tablet, "0042") == ("available", store.code)


async def test_who_may_see_a_unit(shop: Shop, store: Store, phone: Item) -> None:
    (a,) = codes(1)
    await receive(shop, store, phone, 1, a)
    path = f"/v1/stock/{phone.sku}/units"
    here, elsewhere = (
        await shop.staff("associate", store.code),
        await shop.staff("associate", (await shop.store()).code),
    )
    found = await here.get(f"{path}/{a}")
    assert found.status_code == 200, found.text
    assert (found.json()["place"], found.json()["location"], found.headers["etag"]) == ("available", store.code, '"1"')
    assert (await here.get(f"{path}?code=]d2{a}")).json() == found.json()
    assert (await elsewhere.get(f"{path}/{a}")).status_code == 403
    missing = await here.get(f"{path}/nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/unknown-unit")
    assert (await (await shop.shopper()).get(f"{path}/{a}")).status_code == 403


@pytest.mark.parametrize("lines", [1, 20])
async def test_one_statement_for_all_units_and_none_without(shop: Shop, store: Store, phone: Item, lines: int) -> None:
    shirt = await shop.item()
    named = [codes(2) for _ in range(lines)]
    for item in (phone, shirt):
        await receive(shop, store, item, 100)

    def sold(item: Item, tracked: bool) -> Sequence[stock.SaleLine]:
        return [
            stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=2, codes=each if tracked else ())
            for each in named
        ]

    counted = {}
    for item, tracked in ((shirt, False), (phone, True)):
        async with count_statements(shop.db) as statements:
            await shop.db.write(
                stock.sell, shop.system, cause=fresh("till_sale"), location_id=store.id, lines=sold(item, tracked)
            )
            counted[tracked] = len(statements)
    assert counted[True] == counted[False] + 1 == 4


async def rush(*works: Awaitable[Any]) -> list[str]:
    async def outcome(work: Awaitable[Any]) -> str:
        try:
            await work
        except Problem as problem:
            return problem.code
        return "ok"

    return sorted(await asyncio.gather(*(outcome(work) for work in works)))


@pytest.mark.parametrize("seen_before", [True, False])
async def test_one_unit_sold_at_two_tills_at_once(shop: Shop, store: Store, phone: Item, seen_before: bool) -> None:
    (a,) = codes(1)
    other = await shop.store()
    await receive(shop, store, phone, 3, *([a] if seen_before else []))
    await receive(shop, other, phone, 3)
    assert await rush(*(sell(shop, place, phone, 1, a) for place in (store, other) * 4)) == [
        "ok",
        *["unit-not-here"] * 7,
    ]
    assert (await shelf(shop.db, store, phone))[0] + (await shelf(shop.db, other, phone))[0] == 5


async def test_one_unit_picked_for_two_orders_at_once(shop: Shop, store: Store, phone: Item) -> None:
    a, b = codes(2)
    await receive(shop, store, phone, 20)
    orders = [await promised(shop, store, phone, 2) for _ in range(6)]
    picks = [
        pick(shop, store, phone, owner, line, 2, *((a, f"{b}{n}") if n % 2 else (f"{b}{n}", a)))
        for n, (owner, line) in enumerate(orders)
    ]
    assert await rush(*picks) == ["ok", *["unit-taken"] * 5]


async def test_one_unit_brought_back_twice_at_once(shop: Shop, store: Store, phone: Item) -> None:
    a, b = codes(2)
    await receive(shop, store, phone, 3, a, b)
    line = await sell(shop, store, phone, 2, a, b)
    other = await shop.store()
    assert await rush(*(take_back(shop, place, phone, line, 1, a) for place in (store, other) * 3)) == [
        "ok", *["unit-not-out"] * 5,
    ]  # fmt: skip
    assert (await shelf(shop.db, store, phone))[0] + (await shelf(shop.db, other, phone))[0] == 2


async def test_the_same_codes_in_opposite_orders_do_not_block_each_other(shop: Shop, store: Store, phone: Item) -> None:
    named = codes(30)
    stores = [await shop.store() for _ in range(4)]
    for place in stores:
        await receive(shop, place, phone, 60)
    works: list[Callable[[], Awaitable[UUID]]] = [
        lambda place=place, n=n: sell(shop, place, phone, 30, *(named if n % 2 else named[::-1]))  # type: ignore[misc]
        for n, place in enumerate(stores)
    ]
    assert await rush(*(work() for work in works)) == ["ok", *["unit-not-here"] * 3]
