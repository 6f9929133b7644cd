"""The price list: from a moment on, never in the past, one for all."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from commerce import prices
from commerce.infra.db import Database, Tx
from commerce.infra.importing import ErrorReport, Report
from commerce.kernel.actor import system
from commerce.kernel.errors import Busy
from commerce.prices import importing as price_import
from commerce.prices import service
from tests.orders.story import order_body, place, put
from tests.support import Client, Item, Shop, clock

SINCE = datetime(2020, 1, 1, tzinfo=UTC)


async def amounts(db: Database, item: Item, *moments: datetime) -> list[int | None]:
    found: list[int | None] = []
    for at in moments:
        quoted = await db.read(prices.quote, [item.id], at=at, tax_classes=["standard"], zone="RU")
        found.append(quoted[item.id].amount if item.id in quoted else None)
    return found


@pytest.fixture
async def office(shop: Shop) -> Client:
    return await shop.staff("back_office")


def change(item: Item, amount: int, valid_from: datetime | None = None, currency: str = "RUB") -> dict[str, object]:
    price: dict[str, object] = {"sku": item.sku, "amount": amount}
    if valid_from is not None:
        price["valid_from"] = valid_from.isoformat()
    return {"prices": [price], "currency": currency}


async def test_a_quote_is_the_newest_price_and_tax_rate_of_the_moment(shop: Shop, db: Database) -> None:
    item, cheap, unpriced = (
        await shop.item(price=129_900),
        await shop.item(price=5, tax_class="reduced"),
        await shop.item(price=None),
    )
    asked = [item.id, cheap.id, unpriced.id]
    quoted = await db.read(prices.quote, asked, at=clock(), tax_classes=["standard", "reduced", "standard"], zone="RU")
    assert set(quoted) == {item.id, cheap.id}
    assert quoted[item.id] == prices.Price(
        variant_id=item.id, amount=129_900, currency="RUB", valid_from=SINCE, tax_basis_points=2200
    )
    assert (quoted[cheap.id].amount, quoted[cheap.id].tax_basis_points) == (5, 1000)
    december = datetime(2025, 12, 31, 20, 59, 59, tzinfo=UTC)
    before = await db.read(prices.quote, [item.id], at=december, tax_classes=["standard"], zone="RU")
    assert before[item.id].tax_basis_points == 2000
    assert (
        await db.read(prices.quote, [item.id], at=SINCE - timedelta(seconds=1), tax_classes=["standard"], zone="RU")
        == {}
    )
    assert await db.read(prices.quote, [item.id], at=clock(), tax_classes=["standard"], zone="DE") == {}
    assert await db.read(prices.quote, [], at=clock(), tax_classes=[], zone="RU") == {}


async def test_a_price_changes_in_ten_seconds_or_later(shop: Shop, db: Database, office: Client, audited: None) -> None:
    item = await shop.item(price=1000)
    clock.stand_at(now := clock().replace(microsecond=0))
    soon, later = now + timedelta(seconds=10), now + timedelta(days=30)
    for amount, moment, added in ((900, None, 1), (800, later, 1), (800, later, 0)):
        answer = (await office.post("/v1/prices", change(item, amount, moment))).json()
        assert answer == {"set": added, "valid_from": soon.isoformat().replace("+00:00", "Z")}
    moments = (now, soon - timedelta(microseconds=1), soon, later - timedelta(seconds=1), later)
    assert await amounts(db, item, *moments) == [1000, 1000, 900, 900, 800]
    assert (await office.post("/v1/prices", change(item, 850, later))).json()["set"] == 1
    clock.stand_at(soon)
    history = (await office.get(f"/v1/prices/{item.sku}/history")).json()
    assert [(entry["price"]["amount"], entry["state"]) for entry in history["prices"]] == [
        (850, "scheduled"), (900, "current"), (1000, "past"),
    ]  # fmt: skip
    assert history["prices"][0]["set_by"] == str(office.actor.subject)
    assert history["prices"][2]["set_by"] is None


async def test_a_price_is_in_the_list_before_its_moment(
    shop: Shop, db: Database, office: Client, audited: None
) -> None:
    """A price that was set while an order was placed: the order is by the list of its moment, whoever commits first."""
    store, item, customer = await shop.store(), await shop.item(price=1000), await shop.shopper()
    await shop.stock(store, item, 5)
    await put(customer, (item, 1))
    written, go = asyncio.Event(), asyncio.Event()

    async def slowly(tx: Tx) -> None:
        await prices.set_prices(
            tx, system(), prices=[new(item.id, 2000, tx.at + prices.LEAD)], currency="RUB"
        )  # fmt: skip
        written.set()
        await go.wait()

    change_of_price = asyncio.create_task(db.write(slowly))
    await written.wait()
    placed = await customer.post("/v1/orders", order_body(store, 1000))
    assert placed.status_code == 201, placed.text
    go.set()
    await change_of_price
    clock.travel(prices.LEAD)
    assert await amounts(db, item, clock()) == [2000]


async def test_a_price_that_would_be_seen_too_late_is_not_set(shop: Shop, db: Database, office: Client) -> None:
    item = await shop.item(price=1000)

    async def late(tx: Tx, *, ahead: timedelta) -> int:
        await tx.execute("SELECT pg_sleep(0.2)")
        moment = tx.at + ahead
        return await prices.set_prices(tx, office.actor, prices=[new(item.id, 2000, moment)], currency="RUB")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "SPARE", prices.LEAD - timedelta(seconds=0.1))
        with pytest.raises(Busy):
            await db.write(late, ahead=prices.LEAD)
        assert await db.write(late, ahead=timedelta(seconds=20)) == 1
    assert await amounts(db, item, clock() + timedelta(seconds=12), clock() + timedelta(seconds=20)) == [1000, 2000]


async def test_what_was_in_force_is_never_changed_by_anybody(
    shop: Shop, db: Database, office: Client, audited: None
) -> None:
    store, item, customer = await shop.store(), await shop.item(price=1000), await shop.shopper()
    await shop.stock(store, item, 5)
    await place(customer, store, (item, 1))
    clock.stand_at(now := clock())
    for caller in (system(), system("import"), office.actor):
        for moment in (SINCE, SINCE + timedelta(days=1), now - timedelta(days=1), now, now + timedelta(seconds=9)):
            with pytest.raises(prices.PriceInPast) as refused:
                await db.write(
                    prices.set_prices, caller, prices=[new(item.id, 2000, moment)], currency="RUB"
                )  # fmt: skip
            assert refused.value.members == {"variants": [str(item.id)]}
    assert await amounts(db, item, now, now + timedelta(seconds=10)) == [1000, 1000]


async def test_the_first_prices_of_a_variant_are_told_at_once(shop: Shop, db: Database) -> None:
    item = await shop.item(price=None)
    clock.stand_at(now := clock())
    told = [
        new(item.id, 1, SINCE),
        new(item.id, 2, SINCE + timedelta(days=1)),
        new(item.id, 3, now + timedelta(days=1)),
    ]
    for expected in (3, 0):
        assert await db.write(prices.set_prices, system(), prices=told, currency="RUB") == expected
    twice = [[new(item.id, 9, SINCE + timedelta(days=2))], [new(item.id, 2, SINCE), new(item.id, 8, now)]]
    for more in twice:
        with pytest.raises(prices.PriceInPast):
            await db.write(prices.set_prices, system(), prices=more, currency="RUB")
    assert await amounts(db, item, SINCE, now, now + timedelta(days=1)) == [1, 2, 3]


async def test_two_that_tell_the_past_at_once(shop: Shop, db: Database) -> None:
    item = await shop.item(price=None)
    begun = asyncio.Barrier(2)

    async def tell(tx: Tx, *, amount: int, moment: datetime) -> int:
        await begun.wait()
        return await prices.set_prices(tx, system(), prices=[new(item.id, amount, moment)], currency="RUB")

    answers = await asyncio.gather(
        *(db.write(tell, amount=amount, moment=SINCE + timedelta(days=amount)) for amount in (1, 2)),
        return_exceptions=True,
    )
    found = await amounts(db, item, SINCE + timedelta(days=1), SINCE + timedelta(days=2))
    if answers[0] == 1 and isinstance(answers[1], prices.PriceInPast):
        assert found == [1, 1]
    else:  # the later one came first: the earlier one is before anything was sold
        assert (answers, found) == ([1, 1], [1, 2])


async def test_the_past_stays_as_it_was(shop: Shop, db: Database, office: Client) -> None:
    item = await shop.item(price=1000)
    clock.stand_at(now := clock())
    late = await office.post("/v1/prices", change(item, 1, now - timedelta(seconds=1)))
    assert (late.status_code, late.json()["type"], late.json()["variants"]) == (
        422,
        "/problems/price-in-past",
        [item.sku],
    )
    with pytest.raises(prices.PriceInPast):
        await db.write(
            prices.set_prices, office.actor, prices=[new(item.id, 1, now - timedelta(days=1))], currency="RUB"
        )
    with pytest.raises(prices.PriceInPast):
        await db.write(prices.set_prices, system(), prices=[new(item.id, 1, SINCE)], currency="RUB")
    assert await db.write(prices.set_prices, system(), prices=[new(item.id, 1000, SINCE)], currency="RUB") == 0
    assert await db.write(prices.set_prices, system(), prices=[], currency="RUB") == 0
    assert await amounts(db, item, now) == [1000]
    earlier = SINCE - timedelta(days=1)
    assert await db.write(prices.set_prices, system(), prices=[new(item.id, 7, earlier)], currency="RUB") == 1
    assert await amounts(db, item, earlier, SINCE) == [7, 1000]


def new(variant_id: UUID, amount: int, valid_from: datetime) -> prices.NewPrice:
    return prices.NewPrice(variant_id=variant_id, amount=amount, valid_from=valid_from)


async def test_what_is_refused(shop: Shop, db: Database, office: Client) -> None:
    item = await shop.item(price=1000)
    euros = await office.post("/v1/prices", change(item, 5, currency="EUR"))
    assert (euros.status_code, euros.json()["type"], euros.json()["currency"]) == (
        422,
        "/problems/wrong-currency",
        "RUB",
    )
    both = change(item, 5)
    both["prices"] = [{"sku": item.sku, "amount": 5}, {"sku": "NOTHING", "amount": 5}]
    unknown = await office.post("/v1/prices", both)
    assert (unknown.status_code, unknown.json()["sku"]) == (404, "NOTHING")
    for amount in (-1, 10**16, 1.5, "5"):
        body = {"prices": [{"sku": item.sku, "amount": amount}], "currency": "RUB"}
        assert (await office.post("/v1/prices", body)).status_code == 400
    local = await shop.staff("back_office", "somewhere")
    assert (await local.post("/v1/prices", change(item, 5))).json()["type"] == "/problems/whole-chain-only"
    assert (await (await shop.staff("store_manager")).post("/v1/prices", change(item, 5))).status_code == 403
    assert await amounts(db, item, clock()) == [1000]
    assert (await office.get("/v1/prices/NOTHING/history")).status_code == 404


async def run(db: Database, path: Path, *, dry_run: bool = False) -> tuple[Report, list[list[str]]]:
    out = io.StringIO()
    report = await price_import.run(
        db, system("import"), path, currency="RUB", dry_run=dry_run, errors=ErrorReport(out)
    )
    return report, list(csv.reader(io.StringIO(out.getvalue())))[1:]


async def test_a_file_of_prices(shop: Shop, db: Database, tmp_path: Path) -> None:
    item, other = await shop.item(price=1000), await shop.item(price=None)
    text = (
        "sku,amount,currency,valid_from\n"
        f"{other.sku},500,RUB,2024-01-01T00:00:00Z\n"
        f"{other.sku},600,RUB,\n"
        "NOTHING,500,RUB,\n"
        f"{item.sku},x,RUB,\n"
        f"{item.sku},5,EUR,\n"
        f"{item.sku},5,RUB,2020-01-01T00:00:00Z\n"
        f"{item.sku},5,RUB,2020-01-01T00:00:00\n"
        f"{item.sku},700,RUB,2099-01-01T00:00:00+03:00\n"
    )
    (path := tmp_path / "prices.csv").write_text(text)
    planned, _ = await run(db, path, dry_run=True)
    assert (planned.rows, await amounts(db, other, clock())) == (3, [None])
    report, faults = await run(db, path)
    assert sorted((int(line), field) for line, field, _ in faults) == [
        (4, "sku"), (5, "amount"), (6, "currency"), (7, "valid_from"), (8, "valid_from"),
    ]  # fmt: skip
    assert (report.rows, report.counts) == (3, {"prices set": 3, "unchanged": 0})
    assert await amounts(db, other, datetime(2024, 6, 1, tzinfo=UTC), clock()) == [500, 500]
    clock.travel(prices.LEAD)
    assert await amounts(db, other, datetime(2024, 6, 1, tzinfo=UTC), clock()) == [500, 600]
    assert await amounts(db, item, clock(), datetime(2098, 12, 31, 21, tzinfo=UTC)) == [1000, 700]
    (lines := tmp_path / "prices.ndjson").write_text(f'{{"sku":"{other.sku}","amount":650,"currency":"RUB"}}\n')
    assert (await run(db, lines))[0].counts == {"prices set": 1, "unchanged": 0}
