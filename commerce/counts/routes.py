"""HTTP of `counts`: a store's counts and count tasks, and the report of what was lost."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from commerce import auth, catalog, locations, stock
from commerce.counts import queries, service, shrinkage
from commerce.counts.errors import (
    AlreadyCounting,
    BadPeriod,
    BlindCount,
    BundleNotCounted,
    CountChanged,
    CountClosed,
    CountScope,
    CountTaskClosed,
    NothingCounted,
    NothingToCount,
    NotInCount,
    NotRecounted,
    NotYourShrinkage,
    OtherStoresCount,
    TooMuchToCount,
    UncountedLines,
    UnknownCount,
    UnknownCountTask,
    UnknownInCount,
    WrongCountMoment,
    WrongCountStep,
)
from commerce.counts.schemas import (
    ApproveCount,
    CancelCount,
    CountDetail,
    CountLineView,
    CountTaskView,
    CountView,
    DismissTask,
    EnterCount,
    EnteredView,
    Only,
    OpenCount,
    RecountLines,
    ShrinkageView,
    State,
    TaskState,
)
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import NO_NUL, Code
from commerce.settings import Settings

CountNumber = Annotated[str, Meta(min_length=1, max_length=32, pattern=NO_NUL, description="C-4821-3059-1768")]
States = Annotated[list[State], Meta(max_length=8)]
Named = Annotated[States | None, QueryParameter(name="state", required=False, description="Repeat it for several")]
WantedTasks = Annotated[
    TaskState | None, QueryParameter(name="state", required=False, description="Those still open when left out")
]
FromDate = Annotated[date, QueryParameter(name="from", description="The first business date")]
UntilDate = Annotated[date, QueryParameter(name="until", description="The last business date")]
ONE = (locations.UnknownLocation, UnknownCount, OtherStoresCount)
STEP = (*ONE, CountClosed, WrongCountStep)


@post(
    "/v1/stores/{code:str}/counts", operation_id="open_count", tags=["store"], guards=[auth.at_store("stock.count")],
    status_code=201,
    responses=writes(
        locations.UnknownLocation, CountScope, UnknownInCount, BundleNotCounted, catalog.UnknownCategory, NothingToCount,
        TooMuchToCount, AlreadyCounting,
    ),
)  # fmt: skip
async def open_count(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[OpenCount],
) -> CountView:
    """Begin to count a zone, categories or a list of goods. Selling goes on; a blind count hides what the books say."""
    return await db.write_once(
        once, CountView, service.open_count, actor, code=code, command=data, currency=settings.currency
    )


@get(
    "/v1/stores/{code:str}/counts", operation_id="list_counts", tags=["store"], guards=[auth.at_store("stock.count")],
    responses=problems(locations.UnknownLocation, BadCursor),
)  # fmt: skip
async def list_counts(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    states: Named = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[CountView]:
    """The store's counts, the newest first."""
    return await db.read(queries.listing, actor, code=code, states=states, limit=limit, cursor=cursor)


@get(
    "/v1/stores/{code:str}/counts/{number:str}", operation_id="get_count", tags=["store"],
    guards=[auth.at_store("stock.count")], responses=problems(*ONE),
)  # fmt: skip
async def get_count(
    db: NamedDependency[Database], actor: NamedDependency[Actor], code: FromPath[Code], number: FromPath[CountNumber]
) -> CountDetail:
    """One count: how far it is, where it differs from the books, and who did what."""
    return await db.read(queries.read, actor, code=code, number=number)


@get(
    "/v1/stores/{code:str}/counts/{number:str}/lines", operation_id="list_count_lines", tags=["store"],
    guards=[auth.at_store("stock.count")], responses=problems(*ONE, BlindCount, BadCursor),
)  # fmt: skip
async def list_count_lines(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[CountNumber],
    only: FromQuery[Only] = "all",
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[CountLineView]:
    """The lines with what was counted, what the books said at that moment, and the variance in units, at cost and at list price."""
    return await db.read(queries.lines_of, actor, code=code, number=number, only=only, limit=limit, cursor=cursor)


@post(
    "/v1/stores/{code:str}/counts/{number:str}/entries", operation_id="enter_count", tags=["store"],
    guards=[auth.at_store("stock.count")], status_code=200,
    responses=writes(
        *STEP, UnknownInCount, BundleNotCounted, NotInCount, WrongCountMoment, AlreadyCounting, stock.LevelTooHigh
    ),
)  # fmt: skip
async def enter_count(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[CountNumber],
    data: JSONBody[EnterCount],
) -> EnteredView:
    """Add what was counted, by SKU or barcode, now or (by a scanner that was offline) earlier in this round."""
    return await db.write_once(once, EnteredView, service.enter, actor, code=code, number=number, command=data)


@post(
    "/v1/stores/{code:str}/counts/{number:str}/submit", operation_id="submit_count", tags=["store"],
    guards=[auth.at_store("stock.count")], status_code=200,
    responses=writes(*STEP, CountChanged, NothingCounted, NotRecounted, stock.BelowZero, stock.LevelTooHigh),
)  # fmt: skip
async def submit_count(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[CountNumber],
) -> CountView:
    """The counters are done. A count that agrees with the books, or nearly (by configuration), is closed at once."""
    return await db.write_once(
        once, CountView, service.submit, actor, code=code, number=number,
        tolerance_minor=settings.count_tolerance_minor, expected=if_match,
    )  # fmt: skip


@post(
    "/v1/stores/{code:str}/counts/{number:str}/recount", operation_id="recount_count", tags=["store"],
    guards=[auth.at_store("stock.count")], status_code=200,
    responses=writes(*STEP, CountChanged, UnknownInCount, NotInCount),
)  # fmt: skip
async def recount_count(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[CountNumber],
    data: JSONBody[RecountLines],
) -> CountView:
    """Have some goods counted once more: only the newest round of a line counts."""
    return await db.write_once(
        once, CountView, service.recount, actor, code=code, number=number, command=data, expected=if_match
    )


@post(
    "/v1/stores/{code:str}/counts/{number:str}/approve", operation_id="approve_count", tags=["store"],
    guards=[auth.at_store("stock.approve")], status_code=200,
    responses=writes(*STEP, CountChanged, UncountedLines, stock.BelowZero, stock.LevelTooHigh),
)  # fmt: skip
async def approve_count(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[CountNumber],
    data: JSONBody[ApproveCount],
) -> CountView:
    """Post the variances, once, and close the count. Never refused for what is promised: broken promises are told to their orders."""
    return await db.write_once(
        once, CountView, service.approve, actor, code=code, number=number, command=data, expected=if_match
    )


@post(
    "/v1/stores/{code:str}/counts/{number:str}/cancel", operation_id="cancel_count", tags=["store"],
    guards=[auth.at_store("stock.count")], status_code=200, responses=writes(*STEP, CountChanged),
)  # fmt: skip
async def cancel_count(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[CountNumber],
    data: JSONBody[CancelCount],
) -> CountView:
    """Give a count up; the books stay as they are."""
    return await db.write_once(
        once, CountView, service.cancel, actor, code=code, number=number, command=data, expected=if_match
    )


@get(
    "/v1/stores/{code:str}/count-tasks", operation_id="list_count_tasks", tags=["store"],
    guards=[auth.at_store("stock.count")], responses=problems(locations.UnknownLocation, BadCursor),
)  # fmt: skip
async def list_count_tasks(
    db: NamedDependency[Database],
    code: FromPath[Code],
    wanted: WantedTasks = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[CountTaskView]:
    """Shelves that should be counted, the oldest first: goods left that the books did not know, or could not be found."""
    return await db.read(queries.tasks_of, code=code, state=wanted or "open", limit=limit, cursor=cursor)


@post(
    "/v1/stores/{code:str}/count-tasks/{task_id:uuid}/dismiss", operation_id="dismiss_count_task", tags=["store"],
    guards=[auth.at_store("stock.approve")], status_code=200,
    responses=writes(locations.UnknownLocation, UnknownCountTask, OtherStoresCount, CountTaskClosed),
)  # fmt: skip
async def dismiss_count_task(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    task_id: FromPath[UUID],
    data: JSONBody[DismissTask],
) -> CountTaskView:
    """Decide that a shelf needs no count."""
    return await db.write_once(once, CountTaskView, service.dismiss, actor, code=code, task_id=task_id, command=data)


@get(
    "/v1/stock/shrinkage", operation_id="read_shrinkage", tags=["back office"], guards=[auth.staff("stock.approve")],
    responses=problems(BadPeriod, NotYourShrinkage, locations.UnknownLocation),
)  # fmt: skip
async def read_shrinkage(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    since: FromDate,
    until: UntilDate,
    location: FromQuery[Code | None] = None,
) -> ShrinkageView:
    """What was lost in a period, by location and reason, in units and at cost, beside what was sold; your locations, or one of them."""
    return await db.read(
        shrinkage.report, actor, since=since, until=until, location=location, currency=settings.currency
    )


ROUTES = [
    open_count,
    list_counts,
    get_count,
    list_count_lines,
    enter_count,
    submit_count,
    recount_count,
    approve_count,
    cancel_count,
    list_count_tasks,
    dismiss_count_task,
    read_shrinkage,
]
