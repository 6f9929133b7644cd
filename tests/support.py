"""What tests need to exist before they begin: a movable clock, callers with credentials, stores, variants, prices, stock.

`Shop` makes each thing fresh, with its own codes, so that tests that commit never see each other's.
"""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce.auth import codes, tokens
from commerce.auth import tables as auth_tables
from commerce.auth.permissions import ROLES, grants
from commerce.catalog import tables as catalog_tables
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor, system
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import mark_of
from commerce.locations import tables as location_tables
from commerce.prices import tables as price_tables
from commerce.settings import Settings


class MovableClock:
    """The tests' business time: the present, unless a test travels."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._fixed: datetime | None = None

    def __call__(self) -> datetime:
        return self._fixed or datetime.now(UTC) + self._offset

    def stand_at(self, at: datetime) -> None:
        """Stop the clock at a moment."""
        self._fixed = at

    def travel(self, by: timedelta) -> None:
        """Move the running clock."""
        self._offset += by

    def back_to_present(self) -> None:
        """The machine's time again."""
        self._fixed = None
        self._offset = timedelta()


clock = MovableClock()

CHANNELS = ("site", "app", "kiosk", "till", "call_center", "back_office")
EVERY_DAY = [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)]
_numbers = itertools.count(1)


def unique(prefix: str) -> str:
    """A code that nothing else has."""
    return f"{prefix}-{uuid7().hex[-10:]}-{next(_numbers)}"


def tag(cart: Any) -> str:
    """The ETag of a cart, as its view says."""
    return f'"{cart["version"]}.{mark_of(UUID(cart["id"]))}"' if cart["id"] else '"0"'


def await_answer(process: subprocess.Popen[bytes], address: str, *, seconds: float = 120.0) -> None:
    """Until the server at the address says that it lives."""
    deadline = time.monotonic() + seconds
    with httpx.Client(base_url=address, timeout=5) as http:
        while True:
            try:
                if http.get("/health/live").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)


class Store(msgspec.Struct, frozen=True):
    id: UUID
    code: str


class Item(msgspec.Struct, frozen=True):
    id: UUID
    product_id: UUID
    sku: str
    price: int


class Client:
    """One caller of the API: every unsafe request gets a fresh Idempotency-Key, a change of a cart also `If-Match: *`, unless one is given."""

    def __init__(self, http: AsyncTestClient[Litestar], token: str | None, actor: Actor | None = None) -> None:
        self.http = http
        self.token = token
        self._actor = actor

    @property
    def actor(self) -> Actor:
        """The actor behind the credential, for calls of verbs."""
        assert self._actor is not None
        return self._actor

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        headers: dict[str, str] | None = None,
        key: str | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """One request with this caller's credential."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if method != "GET":
            sent["Idempotency-Key"] = key or str(uuid7())
            if path.startswith("/v1/carts/"):
                sent["If-Match"] = "*"
        sent |= headers or {}
        if content is not None:
            return await self.http.request(
                method, path, content=content, headers={"content-type": "application/json"} | sent
            )
        return await self.http.request(method, path, json=json, headers=sent)

    async def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return await self.request("GET", path, **kwargs)

    async def post(self, path: str, json: Any = None, **kwargs: Any) -> httpx.Response:
        return await self.request("POST", path, json=json, **kwargs)

    async def put(self, path: str, json: Any = None, **kwargs: Any) -> httpx.Response:
        return await self.request("PUT", path, json=json, **kwargs)

    async def patch(self, path: str, json: Any = None, **kwargs: Any) -> httpx.Response:
        return await self.request("PATCH", path, json=json, **kwargs)

    async def delete(self, path: str, **kwargs: Any) -> httpx.Response:
        return await self.request("DELETE", path, **kwargs)


class Shop:
    """Makes what tests need."""

    def __init__(self, db: Database, http: AsyncTestClient[Litestar], settings: Settings) -> None:
        self.db = db
        self.http = http
        self.settings = settings
        self.system = system()
        self.category: UUID = uuid7()

    async def open(self) -> None:
        """The data that every test shares: channels, tax, return policies, one legal entity, one category."""

        async def work(tx: Tx) -> None:
            for code in (*CHANNELS, "system"):
                tx.queue(auth_tables.channels, code=code, name={"en": code, "ru": code}, created_at=tx.at)
            tx.queue(
                location_tables.legal_entities,
                code="own",
                name={"en": "Own", "ru": "Своё"},
                kind="own",
                tax_id="7707083893",
                country="RU",
            )
            for tax_class, basis_points in (("standard", 2200), ("reduced", 1000), ("zero", 0)):
                tx.queue(catalog_tables.tax_classes, code=tax_class, name={"en": tax_class, "ru": tax_class})
                since = {datetime(2019, 1, 1, tzinfo=UTC): 2000} if tax_class == "standard" else {}
                since |= {
                    datetime(2025, 12, 31, 21, tzinfo=UTC) if since else datetime(2019, 1, 1, tzinfo=UTC): basis_points
                }
                for valid_from, rate in since.items():
                    tx.queue(
                        price_tables.tax_rates, tax_class=tax_class, zone="RU", valid_from=valid_from, basis_points=rate
                    )
            for policy, days in (("standard", 14), ("underwear", None)):
                tx.queue(
                    catalog_tables.return_policies,
                    code=policy,
                    name={"en": policy, "ru": policy},
                    change_of_mind_days=days,
                    defect_days=730,
                )
            await tx.flush()
            await tx.execute(
                catalog_tables.categories.insert(),
                id=self.category, code="things", parent_id=None, path=["things"], name={"en": "Things", "ru": "Вещи"}, position=1,
            )  # fmt: skip

        await self.db.write(work)

    def _issue(self, actor: Actor) -> Client:
        token = tokens.issue(actor, secret_key=self.settings.secret_key, at=self.db.clock(), seconds=3600)
        return Client(self.http, token, actor)

    def anybody(self) -> Client:
        """A caller without credentials."""
        return Client(self.http, None)

    async def client(self, channel: str = "site", *, origins: Sequence[str] = ()) -> Client:
        """A frontend by its publishable key."""
        return await self._caller_by_key("frontend", channel, {}, origins)

    async def server(self, scopes: Mapping[str, Sequence[str]], channel: str = "back_office") -> Client:
        """A server by its secret key: permission -> location codes or `*`."""
        return await self._caller_by_key("server", channel, scopes, ())

    async def _caller_by_key(
        self, kind: str, channel: str, scopes: Mapping[str, Sequence[str]], origins: Sequence[str]
    ) -> Client:
        key, principal = tokens.new_secret("pk" if kind == "frontend" else "sk"), uuid7()
        held = {permission: sorted(locations) for permission, locations in scopes.items()}

        async def work(tx: Tx) -> None:
            tx.queue(auth_tables.principals, id=principal, kind="client", created_at=tx.at)
            tx.queue(
                auth_tables.clients,
                id=principal,
                code=unique("client"),
                channel=channel,
                name="Client",
                kind=kind,
                scopes=held,
                origins=list(origins),
                created_at=tx.at,
            )
            tx.queue(
                auth_tables.client_keys,
                id=uuid7(),
                client_id=principal,
                kind=kind,
                key_hash=tokens.fingerprint(key),
                created_at=tx.at,
                created_by=self.system.subject,
            )

        await self.db.write(work)
        permissions = {permission: tuple(locations) for permission, locations in held.items()}
        actor = Actor(kind="client", subject=principal, channel=channel, client=principal, permissions=permissions)
        return Client(self.http, key, actor)

    async def shopper(self, channel: str = "site", *, known: bool = False, person: UUID | None = None) -> Client:
        """A shopper with a token: anonymous, or known with a bare profile. Give `person` for the same one in another channel."""
        principal = person or uuid7()
        if person is None:

            async def work(tx: Tx) -> None:
                from commerce.customers import tables as customer_tables

                tx.queue(auth_tables.principals, id=principal, kind="shopper", created_at=tx.at)
                if known:
                    tx.queue(
                        customer_tables.profiles, id=principal, name="Test Person", language="ru", created_at=tx.at
                    )

            await self.db.write(work)
        return self._issue(Actor(kind="shopper", subject=principal, channel=channel, known=known))

    async def code_for(
        self, asker: Client, *, phone: str | None = None, email: str | None = None, verify: bool = False
    ) -> tuple[str, str]:
        """Ask for a one-time code to a phone or an e-mail; the challenge's id and the code that was sent."""
        path = "/v1/me/identifiers" if verify else "/v1/auth/codes"
        answer = await asker.post(path, {"phone": phone, "email": email})
        assert answer.status_code == 202, answer.text
        challenge = answer.json()["challenge_id"]
        return challenge, await self.code_of(challenge)

    async def code_of(self, challenge: str) -> str:
        """The code of a challenge as it was sent last."""

        async def work(tx: Tx) -> str:
            shown = await codes.shown(tx, challenge=UUID(challenge), secret_key=self.settings.secret_key)
            return shown.code

        return await self.db.read(work)

    def bearer(self, answer: httpx.Response) -> Client:
        """The caller of an answer with tokens."""
        assert answer.status_code == 201, answer.text
        token = answer.json()["access_token"]
        read = tokens.read(token, secret_key=self.settings.secret_key, at=self.db.clock())
        assert read is not None
        return Client(self.http, token, read[0])

    async def signed_up(
        self,
        asker: Client | None = None,
        *,
        channel: str = "site",
        email: str | None = None,
        phone: str | None = None,
        **command: Any,
    ) -> Client:
        """Somebody who comes in by a one-time code, as HTTP does it: by a fresh e-mail unless one or a phone is given. `command`: name,
        language, password, device_name. `asker`: a frontend, or the anonymous shopper he is so far."""
        caller = asker or await self.client(channel)
        told = None if phone else email or f"{unique('anna')}@example.com"
        challenge, code = await self.code_for(caller, phone=phone, email=told)
        return self.bearer(await caller.post(f"/v1/auth/codes/{challenge}/sign-in", {"code": code} | command))

    async def merge(self, loser: Client, winner: Client) -> None:
        """Two profiles turn out to be one person's: staff merge them."""
        from commerce import customers

        command = customers.MergeCustomers(loser=loser.actor.subject, reason="One person")
        operator = await self.staff("call_center", channel="call_center")
        await self.db.write(customers.merge, operator.actor, customer=winner.actor.subject, command=command)

    async def staff(self, role: str, *locations: str, channel: str = "till") -> Client:
        """A member of staff with one role at the locations (`*` when none are named)."""
        principal = uuid7()

        async def work(tx: Tx) -> None:
            tx.queue(auth_tables.principals, id=principal, kind="staff", created_at=tx.at)
            tx.queue(auth_tables.staff, id=principal, login=unique("staff"), name="Staff Member", created_at=tx.at)
            for location in locations or ("*",):
                tx.queue(auth_tables.staff_roles, staff_id=principal, role=role, location=location)

        await self.db.write(work)
        permissions = grants((ROLES[role], location) for location in locations or ("*",))
        return self._issue(Actor(kind="staff", subject=principal, channel=channel, permissions=permissions))

    async def device(self, kind: str, location: str) -> Client:
        """A till or kiosk bound to a location, by its key."""
        from commerce.auth.permissions import DEVICES

        key, principal = tokens.new_secret("dk"), uuid7()

        async def work(tx: Tx) -> None:
            tx.queue(auth_tables.principals, id=principal, kind="device", created_at=tx.at)
            tx.queue(
                auth_tables.devices,
                id=principal,
                code=unique(kind),
                kind=kind,
                channel=kind,
                location=location,
                name="Device",
                key_hash=tokens.fingerprint(key),
                created_at=tx.at,
            )

        await self.db.write(work)
        actor = Actor(
            kind="device",
            subject=principal,
            channel=kind,
            device=principal,
            location=location,
            permissions=dict.fromkeys(DEVICES[kind], (location,)),
        )
        return Client(self.http, key, actor)

    async def store(
        self, *, roles: tuple[str, ...] = ("ships", "pickup", "accepts_returns", "sells", "receives"), **values: Any
    ) -> Store:
        """A store that is always open, in Moscow, unless told otherwise: any column of locations.locations."""
        location = uuid7()
        row: dict[str, Any] = {
            "id": location, "code": unique("store"), "name": {"en": "Store", "ru": "Магазин"}, "kind": "store", "legal_entity": "own",
            "address": {"country": "RU", "region": "Москва", "city": "Москва", "city_en": "Moscow", "street": "Тверская, 1", "postal_code": "101000"},
            "tax_zone": "RU", "latitude_e6": 55_755_800, "longitude_e6": 37_617_300, "time_zone": "Europe/Moscow", "hours": EVERY_DAY,
            "pickup_hours": None, "exceptions": [], "preparation_minutes": 60, "cut_off": None, "kept_days": 5, "opened_on": date(2020, 1, 1),
            "closed_on": None, "paused_until": None, "paused_reason": None, "external_ids": {},
        }  # fmt: skip
        row |= values

        async def work(tx: Tx) -> None:
            await tx.execute(location_tables.locations.insert(), {**row, "roles": list(roles), "created_at": tx.at})

        await self.db.write(work)
        return Store(location, row["code"])

    async def item(
        self, *, price: int | None = 129_900, published: bool = True, product: UUID | None = None, **values: Any
    ) -> Item:
        """A variant (of its own product) with a price since 2020; any column of catalog.variants."""
        product_id, variant_id = product or uuid7(), uuid7()
        row: dict[str, Any] = {
            "id": variant_id, "product_id": product_id, "sku": unique("SKU").upper(), "options": {}, "option_texts": {},
            "weight_grams": 300, "tax_class": "standard", "return_policy": "standard", "external_ids": {},
        }  # fmt: skip
        row |= values

        async def work(tx: Tx) -> None:
            if product is None:
                tx.queue(
                    catalog_tables.products, id=product_id, slug=unique("product"), brand="Brand", title={"en": "Thing", "ru": "Вещь"},
                    description={"en": "A thing", "ru": "Просто вещь"}, category_id=self.category, options=[], media=[], published=published,
                    external_ids={}, created_at=tx.at, updated_at=tx.at,
                )  # fmt: skip
            tx.queue(catalog_tables.variants, **row, created_at=tx.at, updated_at=tx.at)
            if price is not None:
                tx.queue(
                    price_tables.prices, variant_id=variant_id, valid_from=datetime(2020, 1, 1, tzinfo=UTC), amount=price,
                    currency="RUB", set_by=self.system.subject,
                )  # fmt: skip

        await self.db.write(work)
        return Item(variant_id, product_id, row["sku"], price or 0)

    async def bundle(self, parts: dict[Item, int], *, price: int | None = 199_900, **values: Any) -> Item:
        """A bundle of variants: so many units of each."""
        made = await self.item(price=price, bundle=True, **values)

        async def work(tx: Tx) -> None:
            for part, quantity in parts.items():
                tx.queue(catalog_tables.components, bundle_id=made.id, component_id=part.id, quantity=quantity)

        await self.db.write(work)
        return made

    async def stock(self, store: Store, item: Item, quantity: int, unit_cost: int | None = 50_000) -> None:
        """Receive goods from a supplier, through the ledger."""
        from commerce import stock

        await self.db.write(
            stock.receive, self.system, cause=stock.Cause("test_receipt", uuid7()), location_id=store.id,
            lines=[stock.ReceiptLine(variant_id=item.id, quantity=quantity, unit_cost=unit_cost)],
        )  # fmt: skip
