"""What may happen to the chain. Each act asks for something that people would ask for where they stand, looks at what came of it, and
tells `Goods`. Refusals that may come are named; any other is a failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from commerce import auth, counts, stock, supply
from commerce import parts as product
from commerce.carts import service as putting
from commerce.carts.schemas import CartView, PutLines, PutSku
from commerce.counts import service as counting
from commerce.counts.schemas import (
    CancelCount,
    CountEntry,
    CountTaskView,
    CountView,
    DismissTask,
    EnteredView,
    RecountLines,
)
from commerce.fulfillment import rules
from commerce.fulfillment import service as work
from commerce.fulfillment.schemas import CheckedView, Pick, Scan, StoreFulfillmentView
from commerce.fulfillment.sourcing import Options
from commerce.infra.connections import Row
from commerce.infra.outbox import Periodic
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import ANY
from commerce.orders import counter, flow, rejections
from commerce.orders import service as ordering
from commerce.orders.schemas import (
    Amount,
    AnswerChoice,
    BookSale,
    CancelFulfillment,
    CancelledView,
    CancelOrder,
    ChoiceAnswered,
    Collect,
    Contact,
    FulfillmentCancelledView,
    FulfillmentRejectedView,
    HandOverView,
    PickupChoice,
    PlaceOrder,
    RejectFulfillment,
    SaleLineIn,
    SaleView,
    TenderIn,
)
from commerce.orders.schemas import Units as OrderUnits
from commerce.returns import service as taking_back
from commerce.returns.schemas import AcceptReturn, RefundBy, ReturnLine, ReturnView
from commerce.stock import adjusting, safety
from commerce.stock.schemas import (
    ApproveAdjustment,
    BookAdjustment,
    BookConversion,
    BookedAdjustmentView,
    BookMove,
    BookVendorReturn,
    BookWriteOff,
    GivenUpView,
    MoveLine,
    PostingView,
    RejectAdjustment,
    ScannedLine,
    ShelfLine,
    StockAdjustmentView,
)
from commerce.supply import service as supplying
from commerce.supply.schemas import ArrivedGoods
from commerce.transfers import service as moving
from commerce.transfers.schemas import (
    CancelTransfer,
    CloseTransfer,
    CreateTransfer,
    DispatchLine,
    DispatchTransfer,
    ReceiveLine,
    ReceiveTransfer,
    TransferLineInput,
    TransferView,
)
from tests.simulation.chain import (
    BACKORDER,
    BUNDLES,
    DEAR,
    EVERYTHING,
    ORDINARY,
    PLACES,
    SERIAL,
    STORES,
    WAREHOUSE,
    parts,
)

if TYPE_CHECKING:
    from tests.simulation.simulator import Simulator

CONTACT = Contact(name="Анна Иванова", phone="+79000000101")
BULK = [item for item in ORDINARY if item != SERIAL]
"""Goods whose units are all alike."""

WORKS = """
SELECT f.id, f.number, f.state, f.at_risk, f.code_counter, f.location_id, o.number AS order_number, (
    SELECT jsonb_agg(jsonb_build_array(l.variant_id, l.quantity - l.handed_over - l.cancelled - l.passed_on,
        l.quantity - l.cancelled - l.passed_on - l.picked, l.picked) ORDER BY l.id)
    FROM fulfillment.lines l WHERE l.fulfillment_id = f.id) AS lines
FROM fulfillment.fulfillments f JOIN orders.orders o ON o.id = f.order_id
WHERE f.kind = 'pickup' AND f.closed_at IS NULL ORDER BY f.id
"""
PLACED = "SELECT number, customer_id FROM orders.orders WHERE state = 'placed' ORDER BY id"
CHOICES = """
SELECT DISTINCT o.id, o.number, o.customer_id FROM orders.choices c JOIN orders.orders o ON o.id = c.order_id
WHERE c.state = 'open' ORDER BY o.id
"""
ANNOUNCED = """
SELECT a.number, a.location_id, (
    SELECT jsonb_agg(jsonb_build_array(l.variant_id, l.quantity - l.received - l.cancelled, l.n, l.quantity - l.cancelled) ORDER BY l.n)
    FROM supply.lines l WHERE l.announcement_id = a.id AND NOT l.unannounced) AS lines
FROM supply.announcements a WHERE a.closed_at IS NULL ORDER BY a.id
"""
TRANSFERS = """
SELECT t.id, t.number, t.state, t.source_id, t.destination_id, t.order_number, (
    SELECT jsonb_agg(jsonb_build_array(l.variant_id, l.quantity - l.cancelled,
        l.dispatched - l.received - l.quality_control - l.damaged - l.missing) ORDER BY l.n)
    FROM transfers.lines l WHERE l.transfer_id = t.id) AS lines
FROM transfers.transfers t WHERE t.closed_at IS NULL ORDER BY t.id
"""
WAITING = "SELECT id, location_id, variant_id, delta, reason, requested_at FROM stock.adjustments WHERE state = 'waiting' ORDER BY id"
TASKS = "SELECT id, location_id FROM counts.tasks WHERE state = 'open' ORDER BY id"
WRITTEN_DOWN = """
SELECT m.variant_id, m.quantity, m.to_place FROM stock.movements m JOIN stock.postings p ON p.id = m.posting_id
WHERE p.cause_kind = 'fulfillment_rejected' AND p.cause_id = :id AND m.from_place = 'available' ORDER BY m.n
"""


@dataclass
class Bought:
    """What a customer has: of a line of an order, so many units, with their codes."""

    order: str
    item: int
    units: int
    codes: list[str] = field(default_factory=list)


@dataclass
class Offline:
    """A sale that the till has not told yet."""

    place: int
    command: BookSale
    goods: list[tuple[int, int]]
    codes: list[str]


@dataclass
class Session:
    """A count that runs: what was entered, and when."""

    number: str
    place: int
    items: list[int]
    counted: dict[int, tuple[int, datetime]] = field(default_factory=dict)
    state: str = "open"
    again: list[int] = field(default_factory=list)


class Acts:
    """What may happen, each with its weight, and what the simulator remembers for it."""

    def __init__(self, simulator: Simulator) -> None:
        self.s = simulator
        self.chain, self.dice, self.goods = simulator.chain, simulator.dice, simulator.goods
        self.skus = [item.sku for item in self.chain.items]
        self.codes = [place.code for place in self.chain.places]
        self.bought: list[Bought] = []
        self.tills_offline: set[int] = set()
        self.untold: list[Offline] = []
        self.sessions: list[Session] = []
        self.units: dict[int, list[str]] = {place: [] for place in PLACES}
        """Codes of the units that stand on a shelf or lie in a box there."""
        self.boxes: dict[str, list[str]] = {}
        self.travelling: dict[str, list[str]] = {}
        self.made = 0
        self.weighed: list[tuple[int, str, Callable[[], Awaitable[None]]]] = [
            (weight, act.__name__, act)
            for weight, act in (
                (4, self.announce), (7, self.receive_supply), (2, self.change_supply), (1, self.end_supply),
                (14, self.place_order), (26, self.work_on), (2, self.cancel_order), (3, self.answer),
                (12, self.sell), (2, self.go_offline), (3, self.hear_tills), (5, self.take_back),
                (4, self.send_goods), (12, self.move_goods), (3, self.open_count), (8, self.go_on_counting), (1, self.dismiss),
                (4, self.adjust), (2, self.decide), (3, self.regrade), (1, self.convert), (1, self.send_back), (1, self.write_off),
                (1, self.steal), (2, self.keep_some), (1, self.change_rules), (2, self.check_out), (3, self.housekeeping),
            )
        ]  # fmt: skip

    def choose(self) -> tuple[str, Callable[[], Awaitable[None]]]:
        """The next act."""
        [(_, name, act)] = self.dice.choices(self.weighed, [weight for weight, _, _ in self.weighed])
        return name, act

    # What stands where

    def free(self, place: int, item: int) -> int:
        """Units that somebody could take off a shelf; those in boxes he leaves there."""
        if item == SERIAL:
            return len(self.loose(place))
        return self.goods.really[place, item]

    def loose(self, place: int) -> list[str]:
        boxed = {code for codes in self.boxes.values() for code in codes}
        return [code for code in self.units[place] if code not in boxed]

    def whole(self, place: int, item: int) -> int:
        """How many of goods, bundles too, could be taken off the shelf."""
        return min(self.free(place, part) // each for part, each in parts(item))

    def come(self, place: int, item: int, units: int, bucket: str = "available", codes: Sequence[str] = ()) -> None:
        """Goods stand there now, in the books too."""
        self.goods.book((place, item), bucket, units, self.s.at)
        if bucket == "available":
            self.goods.really[place, item] += units
            if item == SERIAL:
                self.units[place] += codes

    def leave(self, place: int, item: int, units: int, bucket: str = "available") -> None:
        """Goods stand there no longer, in the books too."""
        self.goods.book((place, item), bucket, -units, self.s.at)
        if bucket == "available":
            self.gone(place, item, units)

    def gone(self, place: int, item: int, units: int, codes: Sequence[str] | None = None) -> list[str]:
        """Goods are no longer on the shelf, whatever the books say; which units."""
        self.goods.really[place, item] -= units
        assert self.goods.really[place, item] >= 0, f"{units} of item {item} left place {place}, which had not so many"
        if item != SERIAL:
            return []
        chosen = list(codes) if codes is not None else self.loose(place)[:units]
        self.units[place] = [code for code in self.units[place] if code not in chosen]
        return chosen

    def some_place(self, places: Sequence[int] = PLACES) -> int:
        return self.dice.choice(places)

    def standing(self, place: int, items: Sequence[int]) -> list[int]:
        """Goods of which some stand there."""
        return [item for item in items if self.whole(place, item) > 0]

    # Suppliers

    async def begin(self) -> None:
        """Every place is stocked."""
        for place in PLACES:
            chosen = ORDINARY if place == WAREHOUSE else self.dice.sample([i for i in ORDINARY if i != BACKORDER], 7)
            units = {
                item: self.dice.randint(5, 20) if place == WAREHOUSE else self.dice.randint(1, 8) for item in chosen
            }
            today = self.s.at.date()
            lines = [
                supply.AnnouncedGoods(sku=self.skus[i], quantity=n, unit_cost=600_000 if i == DEAR else 300)
                for i, n in units.items()
            ]
            announced = await self.s.ask(
                supply.ExpectedReceiptView, supply.announce, self.chain.office,
                command=supply.Announce(supplier="supplier-a", location=self.codes[place], reference=f"first-{place}", expected_on=today, lines=lines),
            )  # fmt: skip
            assert announced is not None
            codes = [f"SN-first-{place}-{n}" for n in range(units.get(SERIAL, 0))]
            goods = [
                ArrivedGoods(sku=self.skus[i], quantity=n, codes=codes if i == SERIAL else []) for i, n in units.items()
            ]
            await self.s.ask(
                supply.SupplyReceiptView, supplying.receive, self.chain.managers[place], code=self.codes[place],
                number=announced.number, command=supply.ReceiveSupply(lines=goods),
            )  # fmt: skip
            for item, n in units.items():
                self.come(place, item, n, codes=codes if item == SERIAL else ())

    async def announce(self) -> None:
        place = self.some_place([WAREHOUSE, WAREHOUSE, *STORES])
        items = self.dice.sample(ORDINARY, self.dice.randint(1, 3))
        lines = [
            supply.AnnouncedGoods(
                sku=self.skus[item], quantity=self.dice.randint(2, 16),
                unit_cost=600_000 if item == DEAR else self.dice.choice([None, 300, 400]),
            )
            for item in items
        ]  # fmt: skip
        self.made += 1
        command = supply.Announce(
            supplier=self.dice.choice(self.chain.suppliers), location=self.codes[place], reference=f"D-{self.made}",
            expected_on=(self.s.at + timedelta(days=self.dice.randint(1, 3))).date(), lines=lines,
            inspect=self.dice.random() < 0.15,
        )  # fmt: skip
        self.s.say(f"place {place}: {[(item, line.quantity) for item, line in zip(items, lines, strict=True)]}")
        await self.s.ask(supply.ExpectedReceiptView, supply.announce, self.chain.office, command=command)

    async def some_supply(self) -> tuple[str, int, list[tuple[int, int, int, int]]] | None:
        rows = await self.s.look(ANNOUNCED)
        if not rows:
            return None
        row = self.dice.choice(rows)
        lines = [(self.s.item_of[UUID(variant)], *rest) for variant, *rest in row.lines]
        return row.number, self.s.place_of[row.location_id], lines

    async def receive_supply(self) -> None:
        found = await self.some_supply()
        if found is None:
            return
        number, place, lines = found
        came: dict[int, tuple[int, int, list[str]]] = {}
        goods = []
        for item in dict.fromkeys(line[0] for line in lines):
            still = sum(line[1] for line in lines if line[0] == item)
            good = self.dice.choice([still, still, self.dice.randint(0, still), still + self.dice.randint(0, 2)])
            damaged = self.dice.randint(1, 2) if self.dice.random() < 0.15 and item != SERIAL else 0
            if not good + damaged or self.dice.random() < 0.2:
                continue
            codes = [f"SN{self.made}-{n}" for n in range(good)] if item == SERIAL else []
            self.made += item == SERIAL
            came[item] = (good, damaged, codes)
            goods.append(
                ArrivedGoods(
                    sku=self.skus[item], quantity=good, damaged=damaged, codes=codes if self.dice.random() < 0.8 else [],
                    bucket="available" if item == SERIAL else self.dice.choice(["available", "available", "quality_control"]),
                    reason="as it came" if damaged or good + damaged > still else None,
                )
            )  # fmt: skip
        if not goods:
            return
        closes = self.dice.random() < 0.15
        command = supply.ReceiveSupply(lines=goods, close=closes, reason="no more" if closes else None)
        self.s.say(
            f"{number} place {place}: {[(item, *units[:2]) for item, units in came.items()]}{' closed' if closes else ''}"
        )
        if await self.s.ask(
            supply.SupplyReceiptView, supplying.receive, self.chain.associates[place], code=self.codes[place], number=number,
            command=command,
        ):  # fmt: skip
            for line, (item, (good, damaged, codes)) in zip(goods, came.items(), strict=True):
                self.come(place, item, good, line.bucket or "available", codes)
                self.come(place, item, damaged, "damaged")

    async def change_supply(self) -> None:
        found = await self.some_supply()
        if found is None:
            return
        number, _, lines = found
        lowered = [
            supply.NewQuantity(n=n, quantity=max(quantity - still, quantity - self.dice.randint(-2, 4)))
            for _, still, n, quantity in lines
            if self.dice.random() < 0.6
        ]
        command = supply.ChangeSupply(
            expected_on=(self.s.at + timedelta(days=self.dice.randint(1, 4))).date(), lines=lowered, reason="as told"
        )
        self.s.say(f"{number}: {[(line.n, line.quantity) for line in lowered]}")
        await self.s.ask(
            supply.ExpectedReceiptView,
            supplying.change,
            self.chain.office,
            number=number,
            command=command,
            if_match=None,
        )

    async def end_supply(self) -> None:
        found = await self.some_supply()
        if found is None:
            return
        number, place, _ = found
        self.s.say(number)
        if self.dice.random() < 0.5:
            await self.s.ask(
                supply.ExpectedReceiptView, supplying.cancel, self.chain.office, number=number, if_match=None,
                command=supply.CancelSupply(reason="cancelled"),
            )  # fmt: skip
        else:
            await self.s.ask(
                supply.ExpectedReceiptView, supplying.close, self.chain.managers[place], code=self.codes[place], number=number,
                command=supply.CloseSupply(reason="never came"), if_match=None,
            )  # fmt: skip

    # Orders

    async def place_order(self) -> None:
        shopper, place = self.dice.choice(self.chain.shoppers), self.some_place(STORES)
        there = [
            item for item in EVERYTHING if all(self.goods.has((place, part), "available", n) for part, n in parts(item))
        ]
        items = there if there and self.dice.random() < 0.5 else EVERYTHING
        if self.dice.random() < 0.15:
            items = [BACKORDER]
        wanted = {
            item: self.dice.choice([1, 1, 1, 2, 3])
            for item in self.dice.sample(items, min(len(items), self.dice.choice([1, 1, 2, 3])))
        }
        puts = PutLines(lines=[PutSku(sku=self.skus[item], quantity=units) for item, units in wanted.items()])
        cart = await self.s.ask(CartView, putting.put_many, shopper, command=puts, cart="current", currency="RUB")
        if cart is None:
            return
        later = self.dice.random() < 0.6
        command = PlaceOrder(
            expected_total=Amount(amount=cart.subtotal.amount, currency="RUB"), contact=CONTACT,
            pickup=PickupChoice(location=self.codes[place], later=later),
        )  # fmt: skip
        self.s.say(f"place {place}: {wanted}{' later' if later else ''}")
        once = self.s.once(shopper, "place_order")
        placed = await self.s.send(
            lambda: flow.place(self.s.db, once, shopper, command=command, currency="RUB", seen=ANY, announce=None),
            ["insufficient-stock"],
            "place",
        )
        if placed is None and self.dice.random() < 0.7:
            await self.s.ask(CartView, putting.clear, shopper, cart="current", currency="RUB")

    async def cancel_order(self) -> None:
        rows = await self.s.look(PLACED)
        if not rows:
            return
        row = self.dice.choice(rows)
        by_staff = self.dice.random() < 0.3
        actor = self.chain.helper if by_staff else self.shopper(row.customer_id)
        self.s.say(row.number)
        await self.s.ask(
            CancelledView, ordering.cancel, actor, number=row.number, command=CancelOrder(reason="changed_mind")
        )

    def shopper(self, customer: UUID) -> Any:
        return next(one for one in self.chain.shoppers if one.subject == customer)

    async def answer(self) -> None:
        rows = await self.s.look(CHOICES)
        if not rows:
            return
        row = self.dice.choice(rows)
        place = None if self.dice.random() < 0.4 else self.some_place(STORES)
        command = AnswerChoice(cancel=True) if place is None else AnswerChoice(location=self.codes[place])
        self.s.say(f"{row.number} {'cancel' if place is None else f'place {place}'}")
        await self.s.ask(
            ChoiceAnswered, rejections.answer, self.shopper(row.customer_id), ["insufficient-stock"], number=row.number,
            command=command,
        )  # fmt: skip

    # A store's work for orders

    async def work_on(self) -> None:
        rows = await self.s.look(WORKS)
        if not rows:
            return
        row = self.dice.choice(rows)
        place = self.s.place_of[row.location_id]
        lines = [(self.s.item_of[UUID(variant)], *rest) for variant, *rest in row.lines]
        self.s.say(f"{row.number} {row.state} place {place}: {[(line[0], line[1]) for line in lines]}")
        self.s.tally[f"work {row.state}"] += 1
        dice = self.dice.random()
        if row.at_risk and dice < 0.4:
            await self._step(place, row, "check")
        elif row.state in ("scheduled", "awaiting_transfer"):
            if dice < 0.03:
                await self.turn_down(place, row, "no_capacity")
        elif row.state == "open":
            await (self._step(place, row, "accept") if dice < 0.9 else self.turn_down(place, row, "store_closed"))
        elif row.state in ("accepted", "picking"):
            await self.pick(place, row, lines)
        elif row.state in ("picked", "packed"):
            await self._step(place, row, "pack" if row.state == "picked" and dice < 0.3 else "ready")
        elif dice < 0.08:
            await self.give_up(place, row, "buyer_no_show", None)
        else:
            await self.collect(place, row, lines)

    async def _step(self, place: int, row: Row, name: str) -> bool:
        self.s.say(name)
        returns_ = CheckedView if name == "check" else StoreFulfillmentView
        done = await self.s.ask(
            returns_, getattr(work, name), self.chain.associates[place], code=self.codes[place], number=row.number
        )
        return done is not None

    def there(self, place: int, lines: Sequence[tuple[int, int]]) -> bool:
        """Whether so many units of these goods really stand there."""
        needed: dict[int, int] = {}
        for item, units in lines:
            for part, each in parts(item):
                needed[part] = needed.get(part, 0) + units * each
        return all(self.free(place, part) >= units for part, units in needed.items())

    async def pick(self, place: int, row: Row, lines: list[tuple[int, int, int, int]]) -> None:
        dice = self.dice.random()
        if dice < 0.08:
            await self.turn_down(place, row, "other")
            return
        found = [(item, left) for item, _, left, _ in lines if left]
        if not self.there(place, found):
            lacks = [item for item, left in found if self.whole(place, item) < left]
            if dice < 0.5 or not lacks:
                await self.turn_down(place, row, self.dice.choice(["out_of_stock", "out_of_stock", "damaged"]))
            else:
                item = lacks[0]
                left = next(units for one, units in found if one == item)
                await self.give_up(place, row, "out_of_stock", {item: self.dice.randint(1, left)})
            return
        if dice < 0.2:
            found = [(item, self.dice.randint(1, left)) for item, left in found if self.dice.random() < 0.7]
        codes = self.loose(place)
        box = [code for item, units in found if item == SERIAL for code in self.dice.sample(codes, units)]
        scans = [
            Scan(sku=self.skus[item], quantity=units, codes=box if item == SERIAL else []) for item, units in found
        ]
        self.s.say(f"picks {found}")
        if await self.s.ask(
            StoreFulfillmentView, work.pick, self.chain.associates[place], code=self.codes[place], number=row.number,
            command=Pick(scans=scans),
        ):  # fmt: skip
            self.boxes.setdefault(row.number, []).extend(box)

    async def turn_down(self, place: int, row: Row, reason: Any) -> None:
        """The store rejects it; what it says of the goods is written down."""
        self.s.say(f"rejects: {reason}")
        done = await self.s.ask(
            FulfillmentRejectedView, rejections.reject, self.chain.managers[place], code=self.codes[place], number=row.number,
            command=RejectFulfillment(reason=reason),
        )  # fmt: skip
        if done is None:
            return
        self.boxes.pop(row.number, None)
        for moved in await self.s.look(WRITTEN_DOWN, id=row.id):
            spot = place, self.s.item_of[moved.variant_id]
            # What staff calls damaged is damaged only where there is some: the rest is a slip that a count finds.
            self.goods.book(spot, "available", -moved.quantity, self.s.at)
            if moved.to_place == "damaged":
                self.goods.book(spot, "damaged", moved.quantity, self.s.at)
                units = min(moved.quantity, self.free(*spot))
                self.gone(*spot, units)

    async def give_up(self, place: int, row: Row, reason: Any, units: dict[int, int] | None) -> None:
        """The store cancels it, or some units of it."""
        lines = None
        if units is not None:
            lines = [OrderUnits(sku=self.skus[item], quantity=quantity) for item, quantity in units.items()]
        self.s.say(f"cancels {units or 'all'}: {reason}")
        done = await self.s.ask(
            FulfillmentCancelledView, counter.cancel_at_store, self.chain.managers[place], code=self.codes[place],
            number=row.number, command=CancelFulfillment(reason=reason, lines=lines),
        )  # fmt: skip
        if done is not None and (units is None or SERIAL in units):
            left = self.boxes.pop(row.number, [])
            if units is not None and left:
                # What was picked last goes back to the shelf first.
                kept = len(left) - max(0, len(left) - await self.still_wanted(row, SERIAL))
                self.boxes[row.number] = left[:kept]

    async def still_wanted(self, row: Row, item: int) -> int:
        found = [one for one in await self.s.look(WORKS) if one.number == row.number]
        return sum(line[1] for one in found for line in one.lines if self.s.item_of[UUID(line[0])] == item)

    async def collect(self, place: int, row: Row, lines: list[tuple[int, int, int, int]]) -> None:
        units = {item: left for item, left, _, _ in lines if left}
        if self.dice.random() < 0.15:
            item = self.dice.choice(sorted(units))
            units = {item: self.dice.randint(1, units[item])}
        box = self.boxes.get(row.number, [])[: units.get(SERIAL, 0)]
        if not self.there(place, [(item, n) for item, n in units.items() if item != SERIAL]) or len(box) < units.get(
            SERIAL, 0
        ):
            await self.give_up(place, row, "out_of_stock", None)
            return
        total = sum(self.chain.items[item].price * n for item, n in units.items())
        command = Collect(
            code=auth.derived_code(self.chain.settings.secret_key, row.id, row.code_counter),
            tenders=[TenderIn(kind="cash", amount=Amount(amount=total, currency="RUB"))],
            lines=[OrderUnits(sku=self.skus[item], quantity=n) for item, n in units.items()],
            units=[stock.UnitsNamed(sku=self.skus[SERIAL], codes=box)] if box else [],
        )
        self.s.say(f"collects {units}")
        if await self.s.ask(
            HandOverView, counter.collect, self.chain.associates[place], ["reservation-short"], code=self.codes[place],
            number=row.number, command=command, secret_key=self.chain.settings.secret_key,
        ):  # fmt: skip
            for item, n in units.items():
                for part, each in parts(item):
                    self.goods.book((place, part), "available", -n * each, self.s.at)
                    self.gone(place, part, n * each, box if part == SERIAL else None)
                self.bought.append(Bought(row.order_number, item, n, box if item == SERIAL else []))
            self.boxes[row.number] = [code for code in self.boxes.get(row.number, []) if code not in box]

    # Tills

    async def sell(self) -> None:
        place = self.some_place(STORES)
        there = self.standing(place, EVERYTHING)
        if not there:
            return
        goods: list[tuple[int, int]] = []
        for item in self.dice.sample(there, min(len(there), self.dice.choice([1, 1, 2]))):
            units = self.dice.randint(1, min(4, self.whole(place, item)))
            if self.there(place, [*goods, (item, units)]):
                goods.append((item, units))
        codes = [code for item, units in goods if item == SERIAL for code in self.dice.sample(self.loose(place), units)]
        total = sum(self.chain.items[item].price * units for item, units in goods)
        sale = Offline(
            place,
            BookSale(
                id=uuid7(), occurred_at=self.s.at, tenders=[TenderIn(kind="cash", amount=Amount(amount=total, currency="RUB"))],
                lines=[
                    SaleLineIn(
                        sku=self.skus[item], quantity=units, codes=codes if item == SERIAL else [],
                        unit_price=Amount(amount=self.chain.items[item].price, currency="RUB"),
                    )
                    for item, units in goods
                ],
            ),
            goods,
            codes,
        )  # fmt: skip
        self.s.say(f"place {place}: {goods}{' offline' if place in self.tills_offline else ''}")
        for item, units in goods:
            for part, each in parts(item):
                self.gone(place, part, units * each, codes if part == SERIAL else None)
        if place in self.tills_offline:
            self.untold.append(sale)
        elif not await self.tell(sale):
            self.untold.append(sale)  # the till keeps it and will tell it again

    async def tell(self, sale: Offline) -> bool:
        once, actor = self.s.once(self.chain.tills[sale.place], "book_sale"), self.chain.tills[sale.place]
        done: SaleView | None = await self.s.send(
            lambda: flow.book_sale(self.s.db, once, actor, code=self.codes[sale.place], command=sale.command),
            [],
            "book_sale",
        )
        if done is None:
            return False
        if self.dice.random() < 0.15:
            # The till has not heard the answer, and tells it again under another key.
            other = self.s.once(actor, "book_sale")
            told: SaleView | None = await self.s.send(
                lambda: flow.book_sale(self.s.db, other, actor, code=self.codes[sale.place], command=sale.command)
            )
            assert told is None or (told.already_booked and told.order_number == done.order_number)
        for item, units in sale.goods:
            for part, each in parts(item):
                self.goods.sell((sale.place, part), units * each, sale.command.occurred_at)
            self.bought.append(Bought(done.order_number, item, units, list(sale.codes) if item == SERIAL else []))
        return True

    async def go_offline(self) -> None:
        self.tills_offline.add(place := self.some_place(STORES))
        self.s.say(f"place {place}")

    async def hear_tills(self) -> None:
        """The tills of a store have a connection again; their sales come in any order, and not all at once."""
        if not self.tills_offline and not self.untold:
            return
        place = self.dice.choice(sorted(self.tills_offline | {sale.place for sale in self.untold}))
        self.tills_offline.discard(place)
        mine = [sale for sale in self.untold if sale.place == place]
        self.dice.shuffle(mine)
        self.s.say(f"place {place}: {len(mine)} sales")
        for sale in mine[: self.dice.randint(1, 6)]:
            if await self.tell(sale):
                self.untold.remove(sale)

    async def come_online(self) -> None:
        """All tills are heard."""
        self.dice.shuffle(self.untold)
        for sale in self.untold:
            assert await self.tell(sale)
        self.untold.clear()
        self.tills_offline.clear()

    async def take_back(self) -> None:
        if not self.bought:
            return
        had = self.dice.choice(self.bought[-60:])
        units, place = self.dice.randint(1, had.units), self.some_place(STORES)
        condition: Any = (
            "sellable" if had.item == SERIAL else self.dice.choice(["sellable", "sellable", "opened", "damaged"])
        )
        bucket = {"sellable": "available", "opened": "quality_control", "damaged": "damaged"}[condition]
        codes = had.codes[:units]
        command = AcceptReturn(
            order=had.order, refund=RefundBy(tender="cash"),
            lines=[ReturnLine(sku=self.skus[had.item], quantity=units, ground="defect", condition=condition, codes=codes)],
        )  # fmt: skip
        self.s.say(f"place {place}: {units} of item {had.item}, {condition}")
        if await self.s.ask(
            ReturnView, taking_back.accept, self.chain.associates[place], code=self.codes[place], command=command
        ):
            for part, each in parts(had.item):
                self.come(place, part, units * each, bucket, codes)
            had.units, had.codes = had.units - units, had.codes[units:]
            if not had.units:
                self.bought.remove(had)

    # Transfers

    async def send_goods(self) -> None:
        source, destination = self.dice.sample(PLACES, 2)
        items = self.standing(source, ORDINARY) or list(ORDINARY)
        lines = [
            TransferLineInput(
                sku=self.skus[item],
                quantity=self.dice.randint(1, max(1, min(5, self.goods.books[source, item]["available"]))),
            )
            for item in self.dice.sample(items, min(len(items), self.dice.randint(1, 3)))
        ]
        self.s.say(f"from {source} to {destination}")
        await self.s.ask(
            TransferView, moving.create, self.chain.office,
            command=CreateTransfer(source=self.codes[source], destination=self.codes[destination], lines=lines),
        )  # fmt: skip

    async def move_goods(self) -> None:
        rows = await self.s.look(TRANSFERS)
        if not rows:
            return
        row = self.dice.choice(rows)
        source, destination = self.s.place_of[row.source_id], self.s.place_of[row.destination_id]
        lines = [(self.s.item_of[UUID(variant)], *rest) for variant, *rest in row.lines]
        self.s.say(f"{row.number} {row.state} from {source} to {destination}: {lines}")
        if row.state in ("in_transit", "partially_received"):
            await self.receive_transfer(row.number, destination, lines)
        elif self.dice.random() < (0.3 if row.state == "draft" and row.order_number is None else 0.06):
            await self.s.ask(
                TransferView,
                moving.cancel,
                self.chain.office,
                number=row.number,
                command=CancelTransfer(reason="not needed"),
            )
        elif row.state == "draft":
            may = ["insufficient-stock", "transfer-awaits-goods"]
            await self.s.ask(
                TransferView, moving.ready, self.chain.managers[source], may, code=self.codes[source], number=row.number
            )
        else:
            await self.dispatch(row.number, source, destination, lines)

    async def dispatch(self, number: str, source: int, destination: int, lines: list[tuple[int, int, int]]) -> None:
        wanted: dict[int, int] = {}
        for item, units, _ in lines:
            wanted[item] = wanted.get(item, 0) + units
        leaves = {item: min(units, self.free(source, item)) for item, units in wanted.items()}
        if self.dice.random() < 0.2:
            leaves = {item: self.dice.randint(0, units) for item, units in leaves.items()}
        command = DispatchTransfer()
        if leaves != wanted:
            if not any(leaves.values()):
                return
            named = [
                DispatchLine(sku=self.skus[item], quantity=units, short_reason="not_found")
                for item, units in leaves.items()
            ]
            command = DispatchTransfer(lines=named)
        self.s.say(f"leaves {leaves}")
        if await self.s.ask(
            TransferView, moving.dispatch, self.chain.managers[source], ["transfer-goods-not-set-aside"], code=self.codes[source],
            number=number, command=command,
        ):  # fmt: skip
            for item, units in leaves.items():
                self.goods.book((source, item), "available", -units, self.s.at)
                self.goods.book((destination, item), "way", units, self.s.at)
                codes = self.gone(source, item, units)
                self.travelling.setdefault(number, []).extend(codes)

    async def receive_transfer(self, number: str, place: int, lines: list[tuple[int, int, int]]) -> None:
        coming: dict[int, int] = {}
        for item, _, units in lines:
            coming[item] = coming.get(item, 0) + units
        came: dict[int, dict[str, int]] = {}
        fate = self.dice.random()
        if fate < 0.1:
            self.s.say("closed")
            if await self.s.ask(
                TransferView, moving.close, self.chain.managers[place], code=self.codes[place], number=number,
                command=CloseTransfer(reason="lost"),
            ):  # fmt: skip
                for item, units in coming.items():
                    self.goods.book((place, item), "way", -units, self.s.at)
            return
        if fate < 0.5:
            came = {item: {"received": units} for item, units in coming.items()}
            command = ReceiveTransfer()
        else:
            named = []
            for item, units in coming.items():
                left = units
                one: dict[str, Any] = {}
                for what in ("received", "quality_control", "damaged", "missing"):
                    if item == SERIAL and what in ("quality_control", "damaged"):
                        continue
                    one[what] = (
                        self.dice.randint(0, left) if self.dice.random() < (0.9 if what == "received" else 0.2) else 0
                    )
                    left -= one[what]
                if not left and not one["missing"] and item != SERIAL and self.dice.random() < 0.2:
                    one["received"] += 1
                if any(one.values()):
                    came[item] = one
                    odd = one["missing"] or sum(one.values()) > units
                    named.append(ReceiveLine(sku=self.skus[item], reason="other" if odd else None, **one))
            if not named:
                return
            command = ReceiveTransfer(lines=named)
        self.s.say(f"comes {came}")
        if await self.s.ask(
            TransferView, moving.receive, self.chain.managers[place], code=self.codes[place], number=number, command=command
        ):  # fmt: skip
            for item, one in came.items():
                self.goods.book((place, item), "way", -min(coming[item], sum(one.values())), self.s.at)
                codes = self.travelling.get(number, []) if item == SERIAL else []
                here, codes[: one.get("received", 0)] = codes[: one.get("received", 0)], []
                self.come(place, item, one.get("received", 0), codes=here)
                self.come(place, item, one.get("quality_control", 0), "quality_control")
                self.come(place, item, one.get("damaged", 0), "damaged")
                del codes[: one.get("missing", 0)]

    # Counts

    async def open_count(self) -> None:
        place = self.some_place(STORES)
        items = self.dice.sample(ORDINARY, self.dice.randint(1, 4))
        command = counts.OpenCount(
            scope="list", skus=[self.skus[item] for item in items], blind=self.dice.random() < 0.5
        )
        self.s.say(f"place {place}: {items}")
        done = await self.s.ask(
            CountView, counting.open_count, self.chain.associates[place], ["already-being-counted"], code=self.codes[place],
            command=command, currency="RUB",
        )  # fmt: skip
        if done is not None:
            self.sessions.append(Session(done.number, place, items))

    async def go_on_counting(self) -> None:
        if not self.sessions:
            return
        session = self.dice.choice(self.sessions)
        dice = self.dice.random()
        self.s.say(f"{session.number} {session.state} place {session.place}: {session.items}")
        if dice < 0.04:
            await self.drop(session)
        elif session.state == "counted":
            if dice < 0.2:
                await self.recount(session)
            else:
                await self.approve(session)
        else:
            waits = [item for item in (session.again or session.items) if item not in session.counted]
            if waits and dice < 0.8:
                await self.enter(session, self.dice.sample(waits, self.dice.randint(1, len(waits))))
            else:
                await self.submit(session)

    async def enter(self, session: Session, items: list[int], exactly: bool = False) -> bool:
        entries, found = [], {}
        for item in items:
            units = self.goods.really[session.place, item]
            if not exactly and self.dice.random() < 0.1:
                units = max(0, units + self.dice.choice([-1, 1]))
            found[item] = units
            entries.append(CountEntry(sku=self.skus[item], quantity=units))
        self.s.say(f"counts {found}")
        done = await self.s.ask(
            EnteredView, counting.enter, self.chain.associates[session.place], code=self.codes[session.place],
            number=session.number, command=counts.EnterCount(entries=entries),
        )  # fmt: skip
        if done is not None:
            session.counted |= {item: (units, self.s.at) for item, units in found.items()}
        return done is not None

    def variances(self, session: Session) -> dict[int, int]:
        """By the documents: what was counted, less what the books say today of that moment."""
        return {
            item: units - self.goods.on_shelf_at((session.place, item), at)
            for item, (units, at) in session.counted.items()
        }

    async def submit(self, session: Session) -> None:
        lacks = [item for item in session.again if item not in session.counted]
        may = ["nothing-counted"] if not session.counted else ["not-recounted"] if lacks else []
        self.s.say("submits")
        done = await self.s.ask(
            CountView, counting.submit, self.chain.associates[session.place], may, code=self.codes[session.place],
            number=session.number, tolerance_minor=0,
        )  # fmt: skip
        if done is None:
            return
        found = self.variances(session)
        agrees = len(found) == len(session.items) and not any(found.values())
        assert done.state == ("closed" if agrees else "counted"), f"{done.state}, but the variances are {found}"
        session.state, session.again = "counted", []
        if agrees:
            self.sessions.remove(session)

    async def approve(self, session: Session) -> None:
        found = self.variances(session)
        fits = all(
            self.goods.books[session.place, item]["available"] + variance >= 0 for item, variance in found.items()
        )
        self.s.say(f"approves {found}")
        done = await self.s.ask(
            CountView, counting.approve, self.chain.managers[session.place], [] if fits else ["stock-below-zero"],
            code=self.codes[session.place], number=session.number,
            command=counts.ApproveCount(uncounted="leave" if len(found) < len(session.items) else None),
        )  # fmt: skip
        if done is None:
            return
        assert fits, f"posted, though the books have less than {found} would take"
        for item, variance in found.items():
            self.goods.book((session.place, item), "available", variance, self.s.at)
        self.sessions.remove(session)

    async def recount(self, session: Session) -> None:
        again = self.dice.sample(sorted(session.items), self.dice.randint(1, len(session.items)))
        self.s.say(f"again {again}")
        if await self.s.ask(
            CountView, counting.recount, self.chain.managers[session.place], code=self.codes[session.place],
            number=session.number, command=RecountLines(skus=[self.skus[item] for item in again]),
        ):  # fmt: skip
            session.state, session.again = "recount", again
            session.counted = {item: found for item, found in session.counted.items() if item not in again}

    async def drop(self, session: Session) -> None:
        self.s.say("dropped")
        if await self.s.ask(
            CountView, counting.cancel, self.chain.managers[session.place], code=self.codes[session.place],
            number=session.number, command=CancelCount(reason="no time"),
        ):  # fmt: skip
            self.sessions.remove(session)

    async def dismiss(self) -> None:
        rows = await self.s.look(TASKS)
        if not rows:
            return
        row = self.dice.choice(rows)
        place = self.s.place_of[row.location_id]
        await self.s.ask(
            CountTaskView, counting.dismiss, self.chain.managers[place], code=self.codes[place], task_id=row.id,
            command=DismissTask(reason="it was found"),
        )  # fmt: skip

    async def count_everything(self) -> None:
        """Every shelf, as it really is."""
        for session in list(self.sessions):
            await self.drop(session)
        for place in PLACES:
            self.s.pass_time(timedelta(seconds=1))
            done = await self.s.ask(
                CountView, counting.open_count, self.chain.managers[place], code=self.codes[place], currency="RUB",
                command=counts.OpenCount(scope="list", skus=[self.skus[item] for item in ORDINARY]),
            )  # fmt: skip
            assert done is not None
            session = Session(done.number, place, list(ORDINARY))
            self.sessions.append(session)
            assert await self.enter(session, list(ORDINARY), exactly=True)
            await self.submit(session)
            if session in self.sessions:
                await self.approve(session)
            assert session not in self.sessions

    # Facts and decisions about the shelf

    async def adjust(self) -> None:
        place = self.some_place()
        item = self.dice.choice(ORDINARY)
        units = self.dice.randint(1, 3)
        reason: Any = self.dice.choice(["damage", "theft", "sample", "found"])
        if item == SERIAL and reason in ("damage", "found"):
            reason = "theft"
        if reason != "found" and self.free(place, item) < units:
            return
        by = self.chain.associates[place]
        self.s.say(f"place {place}: {units} of item {item}, {reason}")
        fits = reason == "found" or self.goods.has((place, item), "available", units)
        done = await self.s.ask(
            BookedAdjustmentView, adjusting.book_adjustment, by, [] if fits else ["stock-below-zero"], code=self.codes[place],
            command=BookAdjustment(sku=self.skus[item], delta=units if reason == "found" else -units, reason=reason),
            approval_above=self.chain.settings.adjustment_approval_minor, currency="RUB",
        )  # fmt: skip
        if done is None:
            return
        assert fits, "booked, though the books have not so many"
        if reason == "found":
            self.goods.really[place, item] += units
        else:
            self.gone(place, item, units)
        if done.state == "booked":
            self._adjusted(place, item, units if reason == "found" else -units, reason, self.s.at)

    def _adjusted(self, place: int, item: int, delta: int, reason: str, at: datetime) -> None:
        self.goods.book((place, item), "available", delta, at)
        if reason == "damage":
            self.goods.book((place, item), "damaged", -delta, at)

    async def decide(self) -> None:
        rows = await self.s.look(WAITING)
        if not rows:
            return
        row = self.dice.choice(rows)
        place, item = self.s.place_of[row.location_id], self.s.item_of[row.variant_id]
        manager = self.chain.managers[place]
        self.s.say(f"place {place}: {row.delta} of item {item}")
        if self.dice.random() < 0.3:
            await self.s.ask(
                StockAdjustmentView, adjusting.reject, manager, code=self.codes[place], adjustment=row.id,
                command=RejectAdjustment(note="it is there"),
            )  # fmt: skip
            return
        fits = row.delta > 0 or self.goods.has((place, item), "available", -row.delta)
        done = await self.s.ask(
            StockAdjustmentView, adjusting.approve, manager, [] if fits else ["stock-below-zero"], code=self.codes[place],
            adjustment=row.id, command=ApproveAdjustment(),
        )  # fmt: skip
        if done is not None:
            assert fits
            self._adjusted(place, item, row.delta, row.reason, row.requested_at)

    async def regrade(self) -> None:
        """Goods are judged anew, several at once."""
        place = self.some_place()
        lines: list[tuple[int, str, str, int]] = []
        left: dict[tuple[int, str], int] = {}
        for _ in range(self.dice.randint(1, 3)):
            item = self.dice.choice(BULK)
            source, target = self.dice.sample(["available", "quality_control", "damaged"], 2)
            there = min(
                self.goods.books[place, item][source], self.free(place, item) if source == "available" else 10**6
            )
            there = left.setdefault((item, source), there)
            if there:
                units = self.dice.randint(1, min(4, there))
                left[item, source] -= units
                lines.append((item, source, target, units))
        if not lines:
            return
        moved: Any = [
            MoveLine(sku=self.skus[item], quantity=units, from_bucket=source, to_bucket=target)  # type: ignore[arg-type]
            for item, source, target, units in lines
        ]
        self.s.say(f"place {place}: {lines}")
        if await self.s.ask(
            PostingView, adjusting.book_move, self.chain.managers[place], code=self.codes[place],
            command=BookMove(lines=moved, reason="looked at"),
        ):  # fmt: skip
            for item, source, _, units in lines:
                self.leave(place, item, units, source)
            for item, _, target, units in lines:
                self.come(place, item, units, target)

    def stands(self, place: int, item: int, bucket: str) -> int:
        books = self.goods.books[place, item][bucket]
        return min(books, self.free(place, item)) if bucket == "available" else books

    async def convert(self) -> None:
        place = self.some_place()
        source: Any = self.dice.choice(["available", "quality_control", "damaged"])
        there = [item for item in BULK if self.stands(place, item, source)]
        if not there:
            return
        taken, made = self.dice.choice(there), self.dice.choice(BULK)
        if taken == made:
            return
        units = self.dice.randint(1, min(3, self.stands(place, taken, source)))
        self.s.say(f"place {place}: {units} of item {taken} in {source} become item {made}")
        # No promise is broken for it: what is promised is not free.
        if await self.s.ask(
            PostingView, adjusting.book_conversion, self.chain.managers[place], ["stock-below-zero"], code=self.codes[place],
            command=BookConversion(
                takes=[ScannedLine(sku=self.skus[taken], quantity=units, bucket=source)],
                makes=[ScannedLine(sku=self.skus[made], quantity=units * 2, bucket="available")], reason="opened",
            ),
        ):  # fmt: skip
            self.leave(place, taken, units, source)
            self.come(place, made, units * 2)

    async def send_back(self) -> None:
        place = self.some_place()
        bucket: Any = self.dice.choice(["damaged", "quality_control", "available"])
        there = [item for item in BULK if self.stands(place, item, bucket)]
        if not there:
            return
        item = self.dice.choice(there)
        units = self.dice.randint(1, min(4, self.stands(place, item, bucket)))
        self.s.say(f"place {place}: {units} of item {item} in {bucket}")
        self.made += 1
        if await self.s.ask(
            GivenUpView, adjusting.book_vendor_return, self.chain.managers[place], ["stock-below-zero"], code=self.codes[place],
            currency="RUB",
            command=BookVendorReturn(
                supplier=self.chain.suppliers[0], reference=f"R-{self.made}",
                lines=[ScannedLine(sku=self.skus[item], quantity=units, bucket=bucket)],
            ),
        ):  # fmt: skip
            self.leave(place, item, units, bucket)

    async def write_off(self) -> None:
        place = self.some_place()
        there = [
            (item, b)
            for item in BULK
            for b in ("damaged", "quality_control", "available")
            if self.stands(place, item, b)
        ]
        if not there:
            return
        item, bucket = self.dice.choice(there)
        units = self.dice.randint(1, min(4, self.stands(place, item, bucket)))
        self.s.say(f"place {place}: {units} of item {item} in {bucket}")
        line = ShelfLine(sku=self.skus[item], quantity=units, bucket=bucket)  # type: ignore[arg-type]
        if await self.s.ask(
            GivenUpView, adjusting.book_write_off, self.chain.managers[place], code=self.codes[place], currency="RUB",
            command=BookWriteOff(lines=[line], reason="write_off"),
        ):  # fmt: skip
            self.leave(place, item, units, bucket)

    async def steal(self) -> None:
        """Nobody sees it."""
        place = self.some_place(STORES)
        there = self.standing(place, ORDINARY)
        if there:
            item = self.dice.choice(there)
            self.s.say(f"place {place}: item {item}")
            self.gone(place, item, 1)
            self.s.busy = True

    # The rules of the house, and the house's own work

    async def keep_some(self) -> None:
        item = self.dice.choice(ORDINARY)
        sku = None if self.dice.random() < 0.3 else self.skus[item]
        place = self.some_place()
        rule = safety.SafetyRule(
            quantity=self.dice.choice([None, 0, 1, 2]), sku=sku,
            location=self.codes[place] if sku is None or self.dice.random() < 0.7 else None,
        )  # fmt: skip
        self.s.say(f"place {place} item {item if sku else 'any'}: {rule.quantity}")
        once = self.s.once(self.chain.office, "put_safety")
        await self.s.send(
            lambda: safety.put(self.s.db, once, self.chain.office, command=safety.SetSafety(rules=[rule])), [], "safety",
            again=False,
        )  # fmt: skip

    async def change_rules(self) -> None:
        options = Options(
            after_rejection=self.dice.choice(["resource", "resource", "ask"]), split_lines=self.dice.random() < 0.8,
            from_inbound=self.dice.random() < 0.8, may_use_safety=self.dice.random() < 0.3,
        )  # fmt: skip
        tiers = (await self.s.db.read(rules.rules_of, "pickup")).tiers
        await self.s.ask(
            rules.RulesView, rules.set_rules, self.chain.office, scope="pickup",
            command=rules.SetRules(tiers=tiers, options=options),
        )  # fmt: skip

    async def check_out(self) -> None:
        """Goods are set aside for a checkout that never ends; they expire."""
        place = self.some_place(STORES)
        item = self.dice.choice(EVERYTHING)
        owner = stock.Owner("checkout", uuid7())
        made_of = tuple(stock.Part(self.chain.items[part].id, each) for part, each in BUNDLES.get(item, ()))
        demand = stock.Demand(
            line_id=uuid7(), location_id=self.chain.places[place].id, variant_id=self.chain.items[item].id, quantity=1,
            components=made_of,
        )  # fmt: skip
        cause = stock.Cause("checkout_began", uuid7())
        until = self.s.at + timedelta(minutes=self.dice.randint(1, 60))
        self.s.say(f"place {place}: item {item} until {until:%H:%M}")
        await self.s.send(
            lambda: self.s.db.write(
                stock.reserve, self.shopper(self.chain.shoppers[0].subject), owner=owner, demands=[demand], cause=cause,
                expires_at=until,
            ),
            ["insufficient-stock"], "reserve",
        )  # fmt: skip

    async def housekeeping(self) -> None:
        """Periodic work, whatever of it comes first."""
        chosen = self.dice.choice(
            [
                one
                for one in product.periodic()
                if isinstance(one, Periodic) and one.name.startswith(("stock.", "supply."))
            ]
        )
        self.s.say(chosen.name)
        await self.s.do(chosen.run)
        if self.dice.random() < 0.2:
            self.s.pass_time(timedelta(hours=self.dice.choice([2, 8, 20])))
