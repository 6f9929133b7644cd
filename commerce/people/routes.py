"""HTTP of `people`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import get, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from commerce import auth, conversations, customers, orders, returns
from commerce.infra.db import Database, Once
from commerce.infra.http import StaleTag, problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import NO_NUL, Code
from commerce.people import flow, queries, service
from commerce.people.errors import (
    FreshSignInRequired,
    NothingNamed,
    NotOfCustomer,
    OpenOrders,
    RetentionFixed,
    SameCustomer,
    StaleRetention,
    UnknownRetention,
)
from commerce.people.schemas import (
    CustomerCard,
    Entry,
    EraseCustomer,
    ErasedView,
    Kind,
    MovedView,
    MoveRecords,
    OrderNumber,
    OrderTouches,
    PersonExport,
    RetentionRules,
    RetentionView,
    SetRetention,
)

SECRET = CacheControlHeader(no_store=True)
Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=NO_NUL, description="anna@example.com")]
Phone = Annotated[
    str, Meta(min_length=3, max_length=32, pattern=NO_NUL, description="+79000000101, or as dialled at home")
]
Card = Annotated[str, Meta(min_length=1, max_length=64, pattern=NO_NUL, description="Number of a loyalty card")]
DeviceName = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="What the customer's own device calls itself")
]
ExternalId = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="What another system calls the customer")
]
System = Annotated[Code, Meta(description="Code of the other system, with `external_id`")]
Most = Annotated[int, Meta(ge=1, le=50, description="At most so many customers")]
NamePrefix = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="How the name begins, in any case")
]
Subject = Annotated[str, Meta(pattern=r"^[a-z][a-z_]{0,62}$", description="Name of a rule, as listed")]
Kinds = Annotated[list[Kind], Meta(max_length=10, description="Only these kinds of things; repeat it for several")]


@get(
    "/v1/customers", operation_id="find_customers", tags=["store"], guards=[auth.staff("customers.read")],
    responses=problems(
        customers.OneCriterion, customers.BadEmail, customers.BadPhone, customers.BadIdentifier, customers.UnknownCustomer,
        orders.UnknownOrder,
    ),
)  # fmt: skip
async def find_customers(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    phone: FromQuery[Phone | None] = None,
    email: FromQuery[Email | None] = None,
    loyalty_card: FromQuery[Card | None] = None,
    device: FromQuery[DeviceName | None] = None,
    system: FromQuery[System | None] = None,
    external_id: FromQuery[ExternalId | None] = None,
    name: FromQuery[NamePrefix | None] = None,
    order: FromQuery[OrderNumber | None] = None,
    limit: FromQuery[Most] = 20,
) -> Page[customers.CustomerView]:
    """Find customers by exactly one of phone, e-mail, loyalty card, device, id of another system, how the name begins, order number; that
    somebody looked is recorded. Who has verified it comes first, then guests and others who only claim it."""
    return await db.write(
        service.find, actor, phone=phone, email=email, loyalty_card=loyalty_card, device=device, system=system,
        external_id=external_id, name=name, order=order, limit=limit,
    )  # fmt: skip


@get(
    "/v1/customers/{customer:uuid}", operation_id="read_customer", tags=["store"], guards=[auth.staff("customers.read")],
    responses=problems(customers.UnknownCustomer),
)  # fmt: skip
async def read_customer(
    db: NamedDependency[Database], actor: NamedDependency[Actor], customer: FromPath[UUID]
) -> CustomerCard:
    """A customer's card: profile, identifiers, addresses, consents, and what of his is open; who reads it is recorded."""
    return await flow.read_card(db, actor, customer=customer)


@get(
    "/v1/customers/{customer:uuid}/timeline", operation_id="read_customer_timeline", tags=["store"],
    guards=[auth.staff("customers.read")], responses=problems(customers.UnknownCustomer, BadCursor),
)  # fmt: skip
async def read_customer_timeline(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    kind: FromQuery[Kinds | None] = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[Entry]:
    """Everything a customer did, in every channel and under any of his profiles, newest first: the same for call center and store. Who
    reads it is recorded."""
    return await flow.read_timeline(db, actor, customer=customer, kinds=kind, limit=limit, cursor=cursor)


@get(
    "/v1/orders/{number:str}/touches", operation_id="read_order_touches", tags=["store"], guards=[auth.staff("orders.read")],
    responses=problems(orders.UnknownOrder),
)  # fmt: skip
async def read_order_touches(
    db: NamedDependency[Database], actor: NamedDependency[Actor], number: FromPath[OrderNumber]
) -> OrderTouches:
    """What had brought the customer of an order here, first and last, when he placed it; who reads it is recorded."""
    return await flow.read_touches(db, actor, number=number)


@get(
    "/v1/me/export", operation_id="export_me", tags=["shop"], guards=[auth.himself], cache_control=SECRET,
    responses=problems(customers.UnknownCustomer),
)  # fmt: skip
async def export_me(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> PersonExport:
    """Everything that is kept about the caller, by room, as one JSON."""
    return await db.snapshot(queries.export_mine, actor)


@get(
    "/v1/customers/{customer:uuid}/export", operation_id="export_customer", tags=["back office"],
    guards=[auth.everywhere("customers.export")], cache_control=SECRET, responses=problems(customers.UnknownCustomer),
)  # fmt: skip
async def export_customer(
    db: NamedDependency[Database], actor: NamedDependency[Actor], customer: FromPath[UUID]
) -> PersonExport:
    """Everything that is kept about a customer, by room, as one JSON; that it was taken out is recorded."""
    return await flow.export_customer(db, actor, customer=customer)


@post(
    "/v1/me/erase", operation_id="erase_me", tags=["shop"], guards=[auth.known_shopper], status_code=200,
    responses=writes(FreshSignInRequired, customers.UnknownCustomer, OpenOrders),
)  # fmt: skip
async def erase_me(
    db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor]
) -> ErasedView:
    """Forget the caller for good, in every room; the books keep numbers. He must have signed in within ten minutes."""
    return await db.write_once(once, ErasedView, service.erase_mine, actor)


@post(
    "/v1/customers/{customer:uuid}/erase", operation_id="erase_customer", tags=["back office"],
    guards=[auth.everywhere("customers.erase")], status_code=200, responses=writes(customers.UnknownCustomer, OpenOrders),
)  # fmt: skip
async def erase_customer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    data: JSONBody[EraseCustomer],
) -> ErasedView:
    """Forget a customer for good, in every room, under any of his profiles; the books keep numbers."""
    return await db.write_once(once, ErasedView, service.erase, actor, customer=customer, reason=data.reason)


@post(
    "/v1/customers/{customer:uuid}/records", operation_id="move_customer_records", tags=["back office"],
    guards=[auth.everywhere("customers.merge")], status_code=200,
    responses=writes(
        customers.UnknownCustomer, SameCustomer, NothingNamed, NotOfCustomer, orders.UnknownOrder, customers.LastContact,
        customers.GuestCannotWin, conversations.UnknownConversation, conversations.AnotherWaits, returns.UnknownReturn,
    ),
)  # fmt: skip
async def move_customer_records(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    data: JSONBody[MoveRecords],
) -> MovedView:
    """Give records that came after a merge that was undone to the customer whose they are, one by one; all of them or none."""
    return await db.write_once(once, MovedView, service.move_records, actor, customer=customer, command=data)


@get(
    "/v1/retention", operation_id="list_retention", tags=["back office"], guards=[auth.everywhere("retention.write")],
    responses=problems(),
)  # fmt: skip
async def list_retention(db: NamedDependency[Database]) -> RetentionRules:
    """How long each kind of thing is kept."""
    return await db.read(queries.rules)


@put(
    "/v1/retention/{subject:str}", operation_id="set_retention", tags=["back office"],
    guards=[auth.everywhere("retention.write")],
    responses=writes(UnknownRetention, RetentionFixed, StaleRetention, StaleTag),
)  # fmt: skip
async def set_retention(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    subject: FromPath[Subject],
    data: JSONBody[SetRetention],
) -> RetentionView:
    """Keep a kind of thing for so many days from now on, or for ever. With `If-Match`, only the version that was seen."""
    return await db.write_once(
        once, RetentionView, service.set_rule, actor, subject=subject, command=data, if_match=if_match
    )


ROUTES = [
    find_customers, read_customer, read_customer_timeline, read_order_touches, export_me, export_customer, erase_me, erase_customer,
    move_customer_records, list_retention, set_retention,
]  # fmt: skip
