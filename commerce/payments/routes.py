"""HTTP of payments: reading receipts. Taking and giving money are steps of orders and returns."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from commerce import auth
from commerce.infra.db import Database
from commerce.infra.http import problems
from commerce.kernel.actor import Actor
from commerce.kernel.text import Code
from commerce.locations import UnknownLocation
from commerce.payments import queries
from commerce.payments.errors import UnknownReceipt
from commerce.payments.schemas import ReceiptNumber, ReceiptView, Register


@get(
    "/v1/stores/{code:str}/receipts/{register:str}/{number:int}",
    operation_id="read_receipt",
    tags=["store"],
    guards=[auth.at_store("receipts.read")],
    responses=problems(UnknownLocation, UnknownReceipt),
)
async def read_receipt(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    register: FromPath[Register],
    number: FromPath[ReceiptNumber],
) -> ReceiptView:
    """A receipt written in this store, as it was written."""
    return await db.read(queries.receipt_of_store, actor, code=code, register=register, number=number)


ROUTES = [read_receipt]
