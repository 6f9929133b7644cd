"""A small shop in which every kind of thing exists, and a credential for every guard."""

from __future__ import annotations

import msgspec

from tests.support import Client, Shop


class World(msgspec.Struct, frozen=True):
    """Path parameter -> something that exists; guard -> a credential it admits."""

    things: dict[str, str]
    callers: dict[str, Client]

    def existing(self, path: str, name: str) -> str | None:
        """An existing thing for a path parameter: by the path's own entry, else by the name."""
        return self.things.get(f"{path} {name}", self.things.get(name))

    def token(self, access: str) -> str:
        """A credential for a guard: `staff:orders.read` and `store:…` are the administrator's."""
        caller = self.callers.get(access.split(":", maxsplit=1)[0], self.callers["client"])
        assert caller.token
        return caller.token


async def build_world(shop: Shop) -> World:
    """Make one of each."""
    store = await shop.store()
    item = await shop.item()
    await shop.stock(store, item, 100_000)
    shopper = await shop.shopper(known=True)
    staff = await shop.staff("admin", "*")
    return World(
        things={"code": store.code, "sku": item.sku},
        callers={
            "client": await shop.client(),
            "caller": shopper,
            "shopper": shopper,
            "known_shopper": shopper,
            "staff": staff,
            "store": staff,
        },
    )
