"""HTTP of `transfers`: the back office plans them, the stores at both ends take the steps."""

from __future__ import annotations

from typing import Annotated

from litestar import get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from commerce import auth
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import Code
from commerce.locations import UnknownLocation
from commerce.stock import BundleHasNoStock, InsufficientStock, LevelTooHigh, UnknownSkus
from commerce.transfers import queries, service
from commerce.transfers.errors import (
    DestinationCannotReceive,
    DiscrepancyUnexplained,
    DispatchedTooMany,
    MissingTooMany,
    NothingArrives,
    NothingLeaves,
    NotInTransfer,
    NotSetAside,
    ShortReasonMissing,
    TransferAwaitsGoods,
    TransferChanged,
    TransferElsewhere,
    TransferInPast,
    TransferNotYours,
    TransferOnItsWay,
    TransferServesOrder,
    TransferToItself,
    TransferTooFarOff,
    TransferTooMuch,
    TransferWrongStep,
    UnknownTransfer,
)
from commerce.transfers.schemas import (
    AskForGoods,
    CancelTransfer,
    ChangeTransfer,
    CloseTransfer,
    CreateTransfer,
    Direction,
    DispatchTransfer,
    ReceiveTransfer,
    State,
    TransferNumber,
    TransferSummary,
    TransferView,
)

States = Annotated[list[State], Meta(max_length=6)]
Named = Annotated[
    States | None, QueryParameter(name="state", required=False, description="Repeat it for several; all without")
]
MADE = (UnknownSkus, BundleHasNoStock, TransferTooMuch, TransferInPast, TransferTooFarOff)
CREATED = (UnknownLocation, TransferToItself, TransferNotYours, DestinationCannotReceive, *MADE)
STEP = (UnknownLocation, UnknownTransfer, TransferElsewhere, TransferChanged, TransferWrongStep)


@post(
    "/v1/transfers", operation_id="create_transfer", tags=["back office"], guards=[auth.staff("stock.transfer")],
    status_code=201, responses=writes(*CREATED),
)  # fmt: skip
async def create_transfer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[CreateTransfer],
) -> TransferView:
    """Plan goods from one location to another: a draft, for which nothing is set aside yet."""
    return await db.write_once(once, TransferView, service.create, actor, command=data)


@get(
    "/v1/transfers", operation_id="list_transfers", tags=["back office"], guards=[auth.staff("stock.transfer")],
    responses=problems(UnknownLocation, TransferNotYours, BadCursor),
)  # fmt: skip
async def list_transfers(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    states: Named = None,
    location: FromQuery[Code | None] = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[TransferSummary]:
    """Transfers from or to the locations of the caller, or one of them, the newest first."""
    return await db.read(queries.listing, actor, states=states, location=location, limit=limit, cursor=cursor)


@get(
    "/v1/transfers/{number:str}", operation_id="read_transfer", tags=["back office"],
    guards=[auth.staff("stock.transfer")], responses=problems(UnknownTransfer, TransferNotYours),
)  # fmt: skip
async def read_transfer(
    db: NamedDependency[Database], actor: NamedDependency[Actor], number: FromPath[TransferNumber]
) -> TransferView:
    """One transfer with its timeline."""
    return await db.read(queries.read, actor, number=number)


@patch(
    "/v1/transfers/{number:str}", operation_id="change_transfer", tags=["back office"],
    guards=[auth.staff("stock.transfer")],
    responses=writes(UnknownTransfer, TransferNotYours, TransferChanged, TransferWrongStep, TransferServesOrder, *MADE),
)  # fmt: skip
async def change_transfer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[TransferNumber],
    data: JSONBody[ChangeTransfer],
) -> TransferView:
    """Other lines of a draft; another date or note until the goods leave."""
    return await db.write_once(
        once, TransferView, service.change, actor, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/transfers/{number:str}/cancel", operation_id="cancel_transfer", tags=["back office"],
    guards=[auth.staff("stock.transfer")], status_code=200,
    responses=writes(UnknownTransfer, TransferNotYours, TransferChanged, TransferOnItsWay, TransferWrongStep),
)  # fmt: skip
async def cancel_transfer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[TransferNumber],
    data: JSONBody[CancelTransfer],
) -> TransferView:
    """Nothing travels; what was set aside is free again. What is on its way cannot be cancelled."""
    return await db.write_once(
        once, TransferView, service.cancel, actor, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/stores/{code:str}/transfers", operation_id="ask_for_goods", tags=["store"],
    guards=[auth.at_store("stock.transfer")], status_code=201, responses=writes(*CREATED),
)  # fmt: skip
async def ask_for_goods(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[AskForGoods],
) -> TransferView:
    """Ask another location for goods: a draft to this store."""
    return await db.write_once(once, TransferView, service.ask, actor, code=code, command=data)


@get(
    "/v1/stores/{code:str}/transfers", operation_id="list_store_transfers", tags=["store"],
    guards=[auth.at_store("stock.receive")], responses=problems(UnknownLocation, BadCursor),
)  # fmt: skip
async def list_store_transfers(
    db: NamedDependency[Database],
    code: FromPath[Code],
    direction: FromQuery[Direction | None] = None,
    states: Named = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[TransferSummary]:
    """What comes to this store and what leaves it, the newest first."""
    return await db.read(queries.of_store, code=code, direction=direction, states=states, limit=limit, cursor=cursor)


@get(
    "/v1/stores/{code:str}/transfers/{number:str}", operation_id="read_store_transfer", tags=["store"],
    guards=[auth.at_store("stock.receive")], responses=problems(UnknownLocation, UnknownTransfer),
)  # fmt: skip
async def read_store_transfer(
    db: NamedDependency[Database], actor: NamedDependency[Actor], code: FromPath[Code], number: FromPath[TransferNumber]
) -> TransferView:
    """One transfer from or to this store, with its timeline."""
    return await db.read(queries.read_at_store, actor, code=code, number=number)


@post(
    "/v1/stores/{code:str}/transfers/{number:str}/ready", operation_id="ready_transfer", tags=["store"],
    guards=[auth.at_store("stock.transfer")], status_code=200,
    responses=writes(*STEP, DestinationCannotReceive, TransferAwaitsGoods, InsufficientStock),
)  # fmt: skip
async def ready_transfer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[TransferNumber],
) -> TransferView:
    """The source sets the goods aside, all lines or none: draft → ready."""
    return await db.write_once(once, TransferView, service.ready, actor, code=code, number=number, if_match=if_match)


@post(
    "/v1/stores/{code:str}/transfers/{number:str}/dispatch", operation_id="dispatch_transfer", tags=["store"],
    guards=[auth.at_store("stock.transfer")], status_code=200,
    responses=writes(
        *STEP, NotInTransfer, TransferTooMuch, DispatchedTooMany, ShortReasonMissing, NothingLeaves, TransferInPast,
        TransferTooFarOff, NotSetAside, LevelTooHigh,
    ),
)  # fmt: skip
async def dispatch_transfer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[TransferNumber],
    data: JSONBody[DispatchTransfer],
) -> TransferView:
    """The goods leave the source, all or some; what stays behind has a reason: ready → in_transit."""
    return await db.write_once(
        once, TransferView, service.dispatch, actor, code=code, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/stores/{code:str}/transfers/{number:str}/receive", operation_id="receive_transfer", tags=["store"],
    guards=[auth.at_store("stock.receive")], status_code=200,
    responses=writes(
        *STEP, NotInTransfer, TransferTooMuch, DiscrepancyUnexplained, MissingTooMany, NothingArrives, LevelTooHigh
    ),
)  # fmt: skip
async def receive_transfer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[TransferNumber],
    data: JSONBody[ReceiveTransfer],
) -> TransferView:
    """What has arrived now, by condition; what is missing, or came without having been sent, has a reason."""
    return await db.write_once(
        once, TransferView, service.receive, actor, code=code, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/stores/{code:str}/transfers/{number:str}/close", operation_id="close_transfer", tags=["store"],
    guards=[auth.at_store("stock.receive")], status_code=200, responses=writes(*STEP),
)  # fmt: skip
async def close_transfer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[TransferNumber],
    data: JSONBody[CloseTransfer],
) -> TransferView:
    """Nothing more will come: what is still on its way is lost."""
    return await db.write_once(
        once, TransferView, service.close, actor, code=code, number=number, command=data, if_match=if_match
    )


ROUTES = [
    create_transfer,
    list_transfers,
    read_transfer,
    change_transfer,
    cancel_transfer,
    ask_for_goods,
    list_store_transfers,
    read_store_transfer,
    ready_transfer,
    dispatch_transfer,
    receive_transfer,
    close_transfer,
]
"""The operations of this room."""
