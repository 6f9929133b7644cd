"""HTTP of `lists`: the same lists for every client of a shopper, and the ones that others share by link."""

from __future__ import annotations

from litestar import delete, get, patch, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from commerce import auth, carts, catalog
from commerce.infra.db import Database, Once
from commerce.infra.http import StaleTag, VersionRequired, problems, writes
from commerce.infra.live import Live
from commerce.kernel.actor import Actor
from commerce.kernel.tags import Seen
from commerce.kernel.text import Sku
from commerce.lists import moving, queries, service
from commerce.lists.errors import (
    ListFull,
    ListWithoutName,
    NotOnList,
    StaleList,
    TooManyLists,
    UnknownList,
    UnknownSharedList,
)
from commerce.lists.schemas import (
    CreateList,
    ListName,
    Lists,
    ListView,
    MergedLists,
    MergeLists,
    MovedToCart,
    MoveToCart,
    PutListLine,
    RenameList,
    SavedForLater,
    Shared,
    SharedListView,
    SharedToCart,
    ShareList,
    ShareToken,
)
from commerce.settings import Settings

CHANGE = (StaleTag, VersionRequired, UnknownList, StaleList)


@get("/v1/lists", operation_id="list_lists", tags=["shop"], guards=[auth.shopper], responses=problems())
async def list_lists(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> Lists:
    """The caller's lists without their lines: the wish list, what he saved for later, the named ones."""
    return await db.read(queries.mine, actor)


@post(
    "/v1/lists", operation_id="create_list", tags=["shop"], guards=[auth.shopper], status_code=201,
    responses=writes(TooManyLists),
)  # fmt: skip
async def create_list(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    data: JSONBody[CreateList],
) -> ListView:
    """Begin a list with a name. The wish list and what is saved for later begin with their first line."""
    return await db.write_once(once, ListView, service.create, actor, command=data, currency=settings.currency)


@post(
    "/v1/lists/merge", operation_id="merge_lists", tags=["shop"], guards=[auth.shopper], status_code=200,
    responses=writes(carts.NotAnonymous),
)  # fmt: skip
async def merge_lists(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    data: JSONBody[MergeLists],
) -> MergedLists:
    """After signing in: the anonymous shopper's lists become the caller's, wish list into wish list, the named ones as they are."""
    return await db.write_once(
        once, MergedLists, service.merge, actor, command=data, secret_key=settings.secret_key
    )  # fmt: skip


@get(
    "/v1/lists/{list:str}", operation_id="read_list", tags=["shop"], guards=[auth.shopper], responses=problems(UnknownList)
)  # fmt: skip
async def read_list(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    list: FromPath[ListName],  # noqa: A002
) -> ListView:
    """One list, priced now: what each line cost when it was added and costs now, whether it is there and can be bought."""
    return await db.read(queries.read, actor, name=list, currency=settings.currency)


@patch(
    "/v1/lists/{list:str}", operation_id="rename_list", tags=["shop"], guards=[auth.shopper],
    responses=writes(*CHANGE, ListWithoutName),
)  # fmt: skip
async def rename_list(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    seen: NamedDependency[Seen],
    list: FromPath[ListName],  # noqa: A002
    data: JSONBody[RenameList],
) -> ListView:
    """Call a named list otherwise."""
    return await db.write_once(
        once, ListView, service.rename, actor, name=list, command=data, currency=settings.currency, seen=seen
    )


@delete(
    "/v1/lists/{list:str}", operation_id="delete_list", tags=["shop"], guards=[auth.shopper], status_code=204,
    responses=writes(*CHANGE),
)  # fmt: skip
async def delete_list(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    seen: NamedDependency[Seen],
    list: FromPath[ListName],  # noqa: A002
) -> None:
    """Delete a list with its lines; its link shows nothing any more."""
    await db.write_once(once, type(None), service.delete, actor, name=list, currency=settings.currency, seen=seen)


@put(
    "/v1/lists/{list:str}/lines/{sku:str}", operation_id="put_list_line", tags=["shop"], guards=[auth.shopper],
    responses=writes(*CHANGE, catalog.UnknownSku, ListFull, TooManyLists),
)  # fmt: skip
async def put_list_line(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    seen: NamedDependency[Seen],
    list: FromPath[ListName],  # noqa: A002
    sku: FromPath[Sku],
    data: JSONBody[PutListLine],
) -> ListView:
    """Set how many of a SKU the list holds, sold out or not. `If-Match: "0"` begins the wish list or what is saved for later."""
    return await db.write_once(
        once, ListView, service.put_line, actor, name=list, sku=sku, command=data, currency=settings.currency,
        seen=seen,
    )  # fmt: skip


@delete(
    "/v1/lists/{list:str}/lines/{sku:str}", operation_id="remove_list_line", tags=["shop"], guards=[auth.shopper],
    status_code=200, responses=writes(*CHANGE),
)  # fmt: skip
async def remove_list_line(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    seen: NamedDependency[Seen],
    list: FromPath[ListName],  # noqa: A002
    sku: FromPath[Sku],
) -> ListView:
    """Take a SKU off the list; it need not be on it."""
    return await db.write_once(
        once, ListView, service.remove_line, actor, name=list, sku=sku, currency=settings.currency, seen=seen
    )


@post(
    "/v1/lists/{list:str}/move-to-cart", operation_id="move_list_to_cart", tags=["shop"], guards=[auth.shopper],
    status_code=200, responses=writes(*CHANGE, NotOnList),
)  # fmt: skip
async def move_list_to_cart(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    list: FromPath[ListName],  # noqa: A002
    data: JSONBody[MoveToCart],
) -> MovedToCart:
    """Put lines of the list into the open cart and hear what became of each; what could not be bought stays on the list."""
    return await db.write_once(
        once, MovedToCart, moving.move_to_cart, actor, name=list, command=data, currency=settings.currency,
        seen=seen, announce=live.publish,
    )  # fmt: skip


@post(
    "/v1/carts/{cart:str}/lines/{sku:str}/save-for-later", operation_id="save_for_later", tags=["shop"],
    guards=[auth.shopper], status_code=200,
    responses=writes(
        StaleTag, VersionRequired, carts.UnknownCart, carts.CartClosed, carts.StaleCart, carts.NotInCart, carts.NotYourCart,
        ListFull, TooManyLists,
    ),
)  # fmt: skip
async def save_for_later(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[carts.CartName],
    sku: FromPath[Sku],
) -> SavedForLater:
    """Take a line out of the cart and keep it for later. Back: `POST /v1/lists/saved/move-to-cart`."""
    return await db.write_once(
        once, SavedForLater, moving.save_for_later, actor, cart=cart, sku=sku, currency=settings.currency,
        seen=seen, announce=live.publish,
    )  # fmt: skip


@post(
    "/v1/lists/{list:str}/share", operation_id="share_list", tags=["shop"], guards=[auth.shopper], status_code=200,
    cache_control=CacheControlHeader(no_store=True), responses=problems(UnknownList),
)  # fmt: skip
async def share_list(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    list: FromPath[ListName],  # noqa: A002
    data: JSONBody[ShareList],
) -> Shared:
    """Let whoever has the link see the list; the same link again until it is revoked. With the owner's first name only if he says so."""
    return await db.write(service.share, actor, name=list, command=data, secret_key=settings.secret_key)


@delete(
    "/v1/lists/{list:str}/share", operation_id="unshare_list", tags=["shop"], guards=[auth.shopper], status_code=200,
    responses=writes(UnknownList),
)  # fmt: skip
async def unshare_list(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    list: FromPath[ListName],  # noqa: A002
) -> ListView:
    """Void the link for good, whatever the list's version; sharing it again makes another."""
    return await db.write_once(once, ListView, service.unshare, actor, name=list, currency=settings.currency)


@get(
    "/v1/shared-lists/{token:str}", operation_id="read_shared_list", tags=["shop"], guards=[auth.caller],
    responses=problems(UnknownSharedList),
)  # fmt: skip
async def read_shared_list(
    db: NamedDependency[Database], settings: NamedDependency[Settings], token: FromPath[ShareToken]
) -> SharedListView:
    """What somebody has shared by link, priced now."""
    return await db.read(queries.shared, token=token, secret_key=settings.secret_key)


@post(
    "/v1/shared-lists/{token:str}/to-cart", operation_id="shared_list_to_cart", tags=["shop"], guards=[auth.shopper],
    status_code=200, responses=writes(UnknownSharedList, NotOnList),
)  # fmt: skip
async def shared_list_to_cart(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    token: FromPath[ShareToken],
    data: JSONBody[SharedToCart],
) -> carts.Added:
    """Put lines of a shared list into one's own cart and hear what became of each; the list stays as it is."""
    return await db.write_once(
        once, carts.Added, moving.shared_to_cart, actor, token=token, command=data, secret_key=settings.secret_key,
        currency=settings.currency, announce=live.publish,
    )  # fmt: skip


ROUTES = [
    list_lists,
    create_list,
    merge_lists,
    read_list,
    rename_list,
    delete_list,
    put_list_line,
    remove_list_line,
    move_list_to_cart,
    save_for_later,
    share_list,
    unshare_list,
    read_shared_list,
    shared_list_to_cart,
]
